//! The credential that a request brings along.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};

/// The token or key in `Authorization: Bearer …`, or else in the query's `access_token`. A header
/// of another scheme is meant for somebody else, such as a proxy.
pub fn credential(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    in_header(headers).or_else(|| parameter(uri, "access_token"))
}

/// What the query says of `name`.
pub fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn in_header(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}
