//! The credential that a request brings along.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};

use super::client::Client;
use super::subprotocols::offered_token;
use crate::domain::{App, Connection, Viewer};
use crate::error::Error;
use crate::model::ConnectionId;

/// The token or key in `Authorization: Bearer …`, or else in the subprotocol after `bearer`, or
/// else in the query's `access_token`. A header of another scheme is meant for somebody else, such
/// as a proxy. A value that cannot be a token is returned as it is, so that its client is refused
/// and not taken for an anonymous one.
pub fn credential(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let in_header = headers.get_all(AUTHORIZATION).iter().find_map(in_header);
    let offered = || offered_token(headers).map(str::to_owned);
    in_header.or_else(offered).or_else(|| parameter(uri, "access_token"))
}

/// The value of `name` in the query.
pub fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Connects the client of a request by its credential, or as nobody in particular if it has none,
/// and counts the request. If the credential is refused, the request counts for the client's
/// address, so that further tries are limited, too. Errors: `unauthenticated`, `rate_limited`,
/// `unavailable`.
pub async fn connect(app: &App, parts: &Parts) -> Result<Connection, Error> {
    let client = Client::of_request(parts)?;
    let token = credential(&parts.headers, &parts.uri);
    let connected = app.connect(ConnectionId::new(), token.as_deref(), client.address).await;
    let viewer = match &connected {
        Ok(connection) => connection.viewer(),
        Err(_) => Viewer::nobody(client.address),
    };
    app.admit_request(&viewer).await?;
    connected
}

fn in_header(value: &HeaderValue) -> Option<String> {
    let value = String::from_utf8_lossy(value.as_bytes());
    let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}
