//! Serves the files in the binary: the demo page, the contract and its page, Chinwag's own client
//! to install and the browser client of Socket.IO.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const GZIP: &str = "application/gzip";
const CSS: &str = "text/css; charset=utf-8";
/// A page may load from its own server only, files of users included; its icon is in the page
/// itself.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

macro_rules! built {
    ($file:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/web/", $file))
    };
}

macro_rules! contract {
    ($file:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web-demo/contract/", $file))
    };
}

/// Serves `/` and `/docs`, their scripts and styles, the contract, the client that the page is made
/// with, and `/socket.io/socket.io.js` with its smaller forms and the source maps that they name.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", file(HTML, built!("index.html")))
        .route("/app.js", file(JAVASCRIPT, built!("app.js")))
        .route("/app.css", file(CSS, built!("app.css")))
        .route("/docs", file(HTML, contract!("docs.html")))
        .route("/docs.css", file(CSS, contract!("docs.css")))
        .route("/asyncapi.json", file(JSON, contract!("asyncapi.json")))
        .route("/openapi.json", file(JSON, contract!("openapi.json")))
        .route("/chinwag.d.ts", file(TEXT, contract!("chinwag.d.ts")))
        .route("/chinwag-client.tgz", file(GZIP, built!("chinwag-client.tgz")))
        // The former addresses of `/docs` and `/openapi.json`.
        .route("/api/docs", get(async || Redirect::permanent("/docs")))
        .route("/api/openapi.json", get(async || Redirect::permanent("/openapi.json")))
        .route("/socket.io/socket.io.js", file(JAVASCRIPT, built!("socket.io.js")))
        .route("/socket.io/socket.io.js.map", file(JSON, built!("socket.io.js.map")))
        .route("/socket.io/socket.io.min.js", file(JAVASCRIPT, built!("socket.io.min.js")))
        .route("/socket.io/socket.io.min.js.map", file(JSON, built!("socket.io.min.js.map")))
        .route("/socket.io/socket.io.esm.min.js", file(JAVASCRIPT, built!("socket.io.esm.min.js")))
        .route(
            "/socket.io/socket.io.esm.min.js.map",
            file(JSON, built!("socket.io.esm.min.js.map")),
        )
}

fn file<S: Clone + Send + Sync + 'static>(
    content_type: &'static str,
    bytes: &'static [u8],
) -> MethodRouter<S> {
    if bytes.is_empty() {
        const WHY: &str = "This server was built without Node.js, and so without this file.\n";
        return get(async || (StatusCode::NOT_FOUND, WHY));
    }
    let tag = tag(bytes);
    get(async move |headers: HeaderMap| answer(&headers, content_type, &tag, bytes))
}

fn answer(asked: &HeaderMap, content_type: &str, tag: &str, bytes: &'static [u8]) -> Response {
    let kept = [(CACHE_CONTROL, "no-cache"), (ETAG, tag), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    if is_known(asked, tag) {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let mut response = (kept, [(CONTENT_TYPE, content_type)], bytes).into_response();
    if content_type.starts_with("text/html") {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    response
}

/// A tag for these bytes. Equal bytes have equal tags, in every run and on every node of one build.
fn tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Whether the browser has these bytes. A proxy that compresses may have made the tag a weak one.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}
