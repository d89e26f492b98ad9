//! The subprotocols that a WebSocket's request offers, one of which may be a token.

use axum::extract::Request;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

/// After this subprotocol a client offers its token as the next one.
const BEARER: &str = "bearer";

/// Answers a client that offers subprotocols with the first of them, because a browser closes the
/// connection otherwise. A token among them is not sent back.
pub async fn agree(request: Request, next: Next) -> Response {
    let agreed = offered(request.headers()).map(|(protocol, _)| protocol).next();
    let agreed = agreed.and_then(|protocol| HeaderValue::from_str(protocol).ok());
    let mut response = next.run(request).await;
    if let Some(agreed) = agreed
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, agreed);
    }
    response
}

/// The token of a client that offers `bearer` and then its token as subprotocols: in a browser, a
/// page can set no other header of a WebSocket's request.
pub fn offered_token(headers: &HeaderMap) -> Option<&str> {
    offered(headers).find_map(|(_, token)| token)
}

/// The subprotocols that a client offers; `bearer` comes with its token.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = (&str, Option<&str>)> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let names = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut names = names.map(str::trim).filter(|name| !name.is_empty());
    std::iter::from_fn(move || {
        let name = names.next()?;
        let token = if name.eq_ignore_ascii_case(BEARER) { names.next() } else { None };
        Some((name, token))
    })
}
