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
    /// The client that sent this request. Every request that comes to a door has one. Errors:
    /// `internal`.
    pub fn of_request(parts: &Parts) -> Result<Client, Error> {
        parts.extensions.get::<Client>().copied().ok_or(Error::Internal(None))
    }

    /// Who sent a request that came from `peer`. Each of the operator's own `proxies` has
    /// appended the address that it was asked from to `X-Forwarded-For`; what stands to the left
    /// of these is the client's own word. If the header does not say, it is `peer`.
    pub fn of(peer: IpAddr, headers: &HeaderMap, proxies: usize) -> Client {
        let before_first = proxies.checked_sub(1);
        let address = before_first.and_then(|behind| forwarded(headers, behind)).unwrap_or(peer);
        Client { address: address.to_canonical() }
    }
}

/// The address in `X-Forwarded-For` that `behind` others stand to the right of.
fn forwarded(headers: &HeaderMap, behind: usize) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let mut from_right = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let text = str::from_utf8(from_right.nth(behind)?).ok()?.trim();
    // Some proxies write the port too.
    text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip())).ok()
}
