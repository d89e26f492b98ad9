//! Which web pages may connect. A browser says where a page comes from and sends it wherever the
//! page asks, WebSockets included; who sends no `Origin` is no browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Config;

/// The origins that may connect.
#[derive(Clone)]
pub struct Origins {
    allowed: Arc<[String]>,
    loopback: bool,
}

impl Origins {
    pub fn new(config: &Config) -> Origins {
        let allowed = config.allow_origin.iter();
        Origins {
            allowed: allowed.map(|origin| origin.trim_end_matches('/').to_owned()).collect(),
            loopback: config.listen.ip().is_loopback(),
        }
    }

    /// Whether a page of `origin` may make a request with these headers.
    pub fn allow(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        if self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Ok(uri) = origin.parse::<Uri>() else {
            return false;
        };
        let Some(authority) = uri.authority() else {
            return false;
        };
        is_own(&uri, authority, headers) || (self.loopback && is_loopback(authority.host()))
    }
}

/// Whether the page comes from the address that the request goes to. The scheme is not compared:
/// behind a proxy the server does not know its own.
fn is_own(origin: &Uri, authority: &Authority, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let default = if origin.scheme_str() == Some("https") { 443 } else { 80 };
    authority.host().eq_ignore_ascii_case(host.host())
        && authority.port_u16().unwrap_or(default) == host.port_u16().unwrap_or(default)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses requests of other pages with 403.
pub async fn check(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if !origins.allow(origin, request.headers()) => {
            let why =
                "this page's origin may not connect; the server can allow it by --allow-origin\n";
            (StatusCode::FORBIDDEN, why).into_response()
        }
        _ => next.run(request).await,
    }
}
