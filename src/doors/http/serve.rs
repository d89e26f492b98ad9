//! The accept loop: bounded in connections, and in the time that a client may take.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::UPGRADE;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::config::{Config, Limits};
use crate::doors::client::{Client, Permit};

/// How long to wait when the system has no file descriptor for a new connection.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// How often that is logged.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What a head may hold besides a header of the largest frame's size.
const ROOM_IN_HEAD: usize = 64 << 10;

/// How many connections may wait to be accepted, where the system allows that many.
const BACKLOG: u32 = 4096;

/// An address that is taken and not served yet: connections are refused. A server that starts at
/// the same moment may have taken it too; the first to serve has it.
pub struct Bound {
    address: SocketAddr,
    socket: TcpSocket,
}

impl Bound {
    pub fn to(address: SocketAddr) -> io::Result<Bound> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // What is left of the connections of a server before this does not keep the address.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Bound { address: socket.local_addr()?, socket })
    }

    /// The address, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` on it. Errors: another socket has come to listen there meanwhile.
    pub fn serve(self, router: Router, config: &Config) -> io::Result<Listener> {
        let Bound { address, socket } = self;
        let listener = socket.listen(BACKLOG)?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let config = Arc::new(config.clone());
        let accepting = accept(listener, router, config, stop.clone(), tasks.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Listener { address, stop, tasks })
    }
}

/// An address being served. Dropped, it stops.
pub struct Listener {
    address: SocketAddr,
    stop: CancellationToken,
    /// The accept loop and every connection.
    tasks: TaskTracker,
}

impl Listener {
    /// The address served, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting connections and requests at once; those begun go on.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the requests begun before [`stop`](Listener::stop), as long as `deadline`.
    pub async fn finish(&self, deadline: Duration) {
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!("some HTTP requests were not finished in time");
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    config: Arc<Config>,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let permits = Arc::new(Semaphore::new(config.limits.max_connections));
    let mut said_at: Option<Instant> = None;
    // The semaphore is never closed.
    while let Ok(permit) = permits.clone().acquire_owned().await {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The client went away before it was accepted.
            Err(error) if is_of_connection(&error) => continue,
            Err(error) => {
                if said_at.is_none_or(|said_at| said_at.elapsed() >= SAY_EVERY) {
                    tracing::warn!(%error, "a connection could not be accepted");
                    said_at = Some(Instant::now());
                }
                tokio::time::sleep(OUT_OF_FILES).await;
                continue;
            }
        };
        if let Err(error) = tune(&stream, &config.limits) {
            tracing::debug!(%error, "a connection closed at once");
            continue;
        }
        let permit = Arc::new(permit);
        let (router, config) = (router.clone(), config.clone());
        connections.spawn(serve(stream, peer.ip(), router, config, permit, stop.clone()));
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// A client that stops reading, or vanishes, is found out by what it does not acknowledge.
fn tune(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(limits.unacked_timeout))?;
    Ok(())
}

async fn serve(
    stream: TcpStream,
    peer: IpAddr,
    router: Router,
    config: Arc<Config>,
    permit: Permit,
    stop: CancellationToken,
) {
    let limits = &config.limits;
    let header_timeout = limits.handshake_timeout;
    // What hyper finds too large it refuses without a word: a credential as large as a body still
    // comes to the gate that says why.
    let max_head = limits.max_frame.saturating_add(ROOM_IN_HEAD);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = Client::of(peer, request.headers(), config.trusted_proxies);
        request.extensions_mut().insert(client);
        // What becomes a WebSocket outlives this service, and keeps its permit.
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(permit.clone());
        }
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(max_head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
