//! How large the head of a request may be.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Bytes of the target and of the headers' names and values.
const MAX_HEAD: usize = 64 << 10;

/// Refuses a larger head with 431.
pub async fn check(request: Request, next: Next) -> Response {
    if size(&request) > MAX_HEAD {
        let why = "the head of the request is over the limit of 65536 bytes\n";
        return (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why).into_response();
    }
    next.run(request).await
}

fn size(request: &Request) -> usize {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = authority + uri.path_and_query().map_or(0, |path| path.as_str().len());
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    target + headers.sum::<usize>()
}
