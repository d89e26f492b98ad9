//! The credential that a request brings along.

use axum::extract::Query;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use serde::Deserialize;

#[derive(Deserialize)]
struct Parameters {
    access_token: Option<String>,
}

/// The token or key in `Authorization: Bearer …`, or else in the query's `access_token`. A header
/// of another scheme is meant for somebody else, such as a proxy.
pub fn credential(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    in_header(headers).or_else(|| {
        let parameters = Query::<Parameters>::try_from_uri(uri).ok()?;
        parameters.0.access_token
    })
}

fn in_header(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}
