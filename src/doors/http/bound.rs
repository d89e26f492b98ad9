//! The addresses to serve on: from what the settings name to sockets that hold them.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted, where the system allows that many.
const BACKLOG: u32 = 4096;

/// How often a port that is free on the one address may be taken on another.
const TRIES: usize = 20;

/// What one setting leads to: the addresses of a name, or one address. At least one of them.
pub struct ListenAddress {
    addresses: Vec<SocketAddr>,
}

impl ListenAddress {
    /// What a name or an address and its port lead to. Errors: there is no such name.
    pub async fn look_up(text: &str) -> io::Result<ListenAddress> {
        let text = text.trim();
        let addresses = match text.rsplit_once(':').map(|(name, port)| (name, port.parse::<u16>()))
        {
            // A browser tries both, whatever the system says of the name.
            Some((name, Ok(port))) if name.eq_ignore_ascii_case("localhost") => {
                vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
            }
            _ => tokio::net::lookup_host(text).await?.collect(),
        };
        match addresses.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "it has no address")),
            false => Ok(ListenAddress { addresses }),
        }
    }

    pub fn is_loopback(&self) -> bool {
        self.addresses.iter().all(|address| address.ip().is_loopback())
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(SocketAddr::to_string).collect();
        f.write_str(&addresses.join(" and "))
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> ListenAddress {
        ListenAddress { addresses: vec![address] }
    }
}

/// Addresses that are taken and not served yet: connections are refused. A server that starts at
/// the same moment may have taken them too; the first to serve has them.
#[derive(Default)]
pub struct Bound {
    sockets: Vec<(SocketAddr, TcpSocket)>,
    /// What port 0 stands for; 0 until the system has chosen it.
    free_port: u16,
}

impl Bound {
    /// Takes all addresses; where a name has several, those that this machine has. Port 0 is a free
    /// port, the same one everywhere. Errors, with the address: it cannot be taken.
    pub fn to(listen: &[ListenAddress]) -> Result<Bound, (SocketAddr, io::Error)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut bound = Bound::default();
            match listen.iter().try_for_each(|wanted| bound.take(wanted, listen)) {
                // Free on the one address, the port is not on another.
                Err((address, error))
                    if address.port() == 0
                        && error.kind() == io::ErrorKind::AddrInUse
                        && tries < TRIES => {}
                taken => return taken.map(|()| bound),
            }
        }
    }

    fn take(
        &mut self,
        wanted: &ListenAddress,
        listen: &[ListenAddress],
    ) -> Result<(), (SocketAddr, io::Error)> {
        let mut missing = None;
        for asked in &wanted.addresses {
            let mut address = *asked;
            if address.port() == 0 {
                address.set_port(self.free_port);
            }
            match bind(address, listen) {
                _ if self.sockets.iter().any(|(bound, _)| *bound == address) => {}
                Ok((bound, socket)) => {
                    if asked.port() == 0 {
                        self.free_port = bound.port();
                    }
                    self.sockets.push((bound, socket));
                }
                Err(error) if is_missing(&error) => missing = Some((*asked, error)),
                Err(error) => return Err((*asked, error)),
            }
        }
        let is_taken =
            |address: &SocketAddr| self.sockets.iter().any(|(bound, _)| bound.ip() == address.ip());
        match missing {
            Some(error) if !wanted.addresses.iter().any(is_taken) => Err(error),
            _ => Ok(()),
        }
    }

    /// From now on connections are taken. Errors, with the address: another socket has come to
    /// listen there meanwhile.
    pub fn listen(self) -> Result<(Vec<SocketAddr>, Vec<TcpListener>), (SocketAddr, io::Error)> {
        let listen = |(address, socket): (SocketAddr, TcpSocket)| {
            let listener = socket.listen(BACKLOG).map_err(|error| (address, error))?;
            Ok((address, listener))
        };
        self.sockets.into_iter().map(listen).collect()
    }
}

fn bind(address: SocketAddr, listen: &[ListenAddress]) -> io::Result<(SocketAddr, TcpSocket)> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // All addresses of IPv6 are those of IPv4 too, unless these are served beside them.
    let mut others = listen.iter().flat_map(|wanted| &wanted.addresses);
    let is_beside = |other: &SocketAddr| {
        other.is_ipv4() && other.ip().is_unspecified() && other.port() == address.port()
    };
    if address.is_ipv6() && others.any(is_beside) {
        SockRef::from(&socket).set_only_v6(true)?;
    }
    // What is left of the connections of a server before this does not keep the address.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok((socket.local_addr()?, socket))
}

/// Whether this machine has no such address, nor perhaps any of IPv6.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}
