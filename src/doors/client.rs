//! The client that sent a request, as far as the network knows it.

use std::net::{IpAddr, SocketAddr};
use std::str;

use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::error::Error;

/// What the accept loop knows of the client that sent a request; every request carries it in its
/// extensions.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// An IPv4 address that is written as an IPv6 address is an IPv4 address here.
    pub address: IpAddr,
}

impl Client {
    /// The client that sent this request. Errors: `internal` if the request carries none, which
    /// does not happen behind the accept loop.
    pub fn of_request(parts: &Parts) -> Result<Client, Error> {
        parts.extensions.get::<Client>().copied().ok_or(Error::Internal(None))
    }

    /// The client that sent a request whose connection comes from `peer`. Each of the operator's
    /// own `proxies` has appended to `X-Forwarded-For` the address that connected to it; addresses
    /// to the left of these are claims of the client, and not used. Without a usable address in the
    /// header, the client is `peer`.
    pub fn of(peer: IpAddr, headers: &HeaderMap, proxies: usize) -> Client {
        let before_first = proxies.checked_sub(1);
        let address = before_first.and_then(|behind| forwarded(headers, behind)).unwrap_or(peer);
        Client { address: address.to_canonical() }
    }
}

/// The address in `X-Forwarded-For` that has `behind` others to its right.
fn forwarded(headers: &HeaderMap, behind: usize) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let mut from_right = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let text = str::from_utf8(from_right.nth(behind)?).ok()?.trim();
    // Some proxies write the port too.
    text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()
}
