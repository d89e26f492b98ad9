//! Which addresses the webhook may call. Addresses of this machine and of private networks are
//! refused unless `--webhook-private` allows them. The name is resolved for each connection, so
//! that the address which was checked is the one that is connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::vec;

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::lookup_host;
use tower::Service;

/// Resolves names, and drops the addresses that are not public.
#[derive(Clone)]
pub struct Resolver {
    /// Whether private addresses are kept, too.
    pub private: bool,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.private;
        Box::pin(async move {
            let mut found = Vec::from_iter(lookup_host((name.as_str(), 0)).await?);
            found.retain(|address| private || is_public(address.ip()));
            match found.is_empty() {
                true => Err(io::Error::other(
                    "the name has no public address; --webhook-private would allow private ones",
                )),
                false => Ok(found.into_iter()),
            }
        })
    }
}

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_reserved = match (first, second, third) {
        // "This" network, the addresses reserved for later use, and the broadcast address.
        (0 | 240.., ..) => true,
        // Shared addresses, which providers use behind their NAT.
        (100, 64..=127, _) => true,
        // Reserved for protocols.
        (192, 0, 0) => true,
        // For benchmarks of networks.
        (198, 18 | 19, _) => true,
        _ => false,
    };
    !(is_reserved
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // An embedded IPv4 address: mapped, behind NAT64, or of 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Reserved for protocols, Teredo among them, and for documentation.
        [0x2001, 0..0x200 | 0xdb8, ..] => false,
        // All public addresses that have been assigned are in 2000::/3.
        [first, ..] => first >> 13 == 1,
    }
}
