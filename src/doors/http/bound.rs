//! Looks up the addresses that the settings name, and binds sockets to them.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted, where the system allows that many.
const BACKLOG: u32 = 4096;

/// How often to try with another port if the port that is free on one address is taken on another.
const TRIES: usize = 20;

/// The addresses of one setting: those of a name, or one address. There is at least one.
pub struct ListenAddress {
    addresses: Vec<SocketAddr>,
}

impl ListenAddress {
    /// Looks up a name, or an address, with its port. Errors: there is no such name, or it has no
    /// address.
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

/// Addresses that are bound but not served yet: connections to them are refused. Another server
/// that starts at the same moment may have bound them, too; the first to listen gets them.
#[derive(Default)]
pub struct Bound {
    sockets: Vec<(SocketAddr, TcpSocket)>,
    /// The port that is used for port 0; 0 until the system has chosen it.
    free_port: u16,
}

impl Bound {
    /// Binds all addresses; of a name with several, those that this machine has. Port 0 becomes a
    /// free port, the same one on all addresses. Errors: why an address cannot be bound, with the
    /// address.
    pub fn to(listen: &[ListenAddress]) -> Result<Bound, (SocketAddr, io::Error)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut bound = Bound::default();
            match listen.iter().try_for_each(|wanted| bound.take(wanted, listen)) {
                // The port is free on one address, but not on another: try again.
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

    /// Begins to listen. Errors: another socket already listens on an address; with the address.
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
    // A socket on all IPv6 addresses takes connections over IPv4, too. It must not if another
    // socket of this server is on all IPv4 addresses with the same port.
    let mut others = listen.iter().flat_map(|wanted| &wanted.addresses);
    let is_beside = |other: &SocketAddr| {
        other.is_ipv4() && other.ip().is_unspecified() && other.port() == address.port()
    };
    if address.is_ipv6() && others.any(is_beside) {
        SockRef::from(&socket).set_only_v6(true)?;
    }
    // So that the address can be bound though connections of an earlier server are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok((socket.local_addr()?, socket))
}

/// Whether the error says that this machine does not have the address, or has no IPv6 at all.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}
