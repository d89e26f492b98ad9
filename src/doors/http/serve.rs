//! The accept loop. It limits the connections, in all and of one address, and the time that a
//! client may take.

use std::future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::header::UPGRADE;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::bound::Bound;
use super::slots;
use crate::config::{Config, Limits};
use crate::doors::client::Client;
use crate::doors::pieces::Pieces;
use crate::doors::slots::{Permit, Slots};

/// How long to wait when the system has no file descriptor for a new connection.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// How often to log that.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// The bytes that a head may have in addition to a header of the largest frame's size.
const ROOM_IN_HEAD: usize = 64 << 10;

/// Addresses being served. Serving stops when this is dropped.
pub struct Listener {
    addresses: Vec<SocketAddr>,
    stop: CancellationToken,
    /// Stops the accept loop alone.
    stop_accepting: CancellationToken,
    /// The accept loop and every connection.
    tasks: TaskTracker,
}

impl Listener {
    /// Serves `router` on all of these addresses. Errors: another socket already listens on an
    /// address; with the address.
    pub fn start(
        bound: Bound,
        router: Router,
        config: &Config,
    ) -> Result<Listener, (SocketAddr, io::Error)> {
        let (addresses, listeners) = bound.listen()?;
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let config = Arc::new(config.clone());
        let accepting = accept(listeners, router, config, stop.clone(), tasks.clone());
        let stop_accepting = stop.child_token();
        tasks.spawn(stop_accepting.clone().run_until_cancelled_owned(accepting));
        Ok(Listener { addresses, stop, stop_accepting, tasks })
    }

    /// The addresses served, with the port that the system chose for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting connections. Open connections still take requests.
    pub fn stop_accepting(&self) {
        self.stop_accepting.cancel();
    }

    /// Stops accepting connections and requests at once. Requests that have begun go on.
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
    listeners: Vec<TcpListener>,
    router: Router,
    config: Arc<Config>,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let free = Slots::of(&config.limits);
    let mut said_at: Option<Instant> = None;
    let mut round = 0;
    while let Some(mut permit) = free.take().await {
        round += 1;
        let (stream, peer) = match next(&listeners, round).await {
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
        let peer = Client { address: peer.ip().to_canonical() };
        // Behind proxies this is a proxy's address; the client's comes with the head of a request.
        if config.trusted_proxies == 0 {
            match free.take_of_address(peer) {
                Some(slot) => permit.keep(slot),
                None => {
                    refuse(&stream);
                    continue;
                }
            }
        }
        if let Err(error) = tune(&stream, &config.limits) {
            tracing::debug!(%error, "a connection closed at once");
            continue;
        }
        let (router, config, free) = (router.clone(), config.clone(), free.clone());
        connections.spawn(serve(stream, peer, router, config, free, permit, stop.clone()));
    }
}

/// The next connection to any of these listeners. Each `round` asks another one first, so that a
/// busy listener does not keep the others waiting.
async fn next(listeners: &[TcpListener], round: usize) -> io::Result<(TcpStream, SocketAddr)> {
    future::poll_fn(|cx| {
        let (asked_last, asked_first) = listeners.split_at(round % listeners.len().max(1));
        let mut polled = asked_first.iter().chain(asked_last).map(|it| it.poll_accept(cx));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

/// Tells the client of a refused connection why, if its socket has room for that: the server does
/// not wait for it.
fn refuse(stream: &TcpStream) {
    let (why, length) = (slots::WHY, slots::WHY.len());
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nCache-Control: no-store\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{why}"
    );
    if let Err(error) = stream.try_write(answer.as_bytes()) {
        tracing::debug!(%error, "a refused connection was not told why");
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Sets the options of a connection. One of them closes the connection of a client that stops
/// reading or vanishes: what it is sent is not acknowledged in time.
fn tune(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(stream).set_tcp_user_timeout(Some(limits.unacked_timeout))?;
    Ok(())
}

async fn serve(
    stream: TcpStream,
    peer: Client,
    router: Router,
    config: Arc<Config>,
    free: Arc<Slots>,
    permit: Permit,
    stop: CancellationToken,
) {
    let limits = &config.limits;
    let header_timeout = limits.handshake_timeout;
    // hyper refuses a head that is too large without saying why. So even a head with a credential
    // as large as a body is let through, to the gate that says why.
    let max_head = limits.max_frame.saturating_add(ROOM_IN_HEAD);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = Client::of(peer.address, request.headers(), config.trusted_proxies);
        request.extensions_mut().insert(client);
        if config.trusted_proxies > 0 {
            request.extensions_mut().insert(free.clone());
        }
        // A request that becomes a WebSocket outlives this service, and keeps the permit.
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(permit.clone());
        }
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(max_head)
        .serve_connection(TokioIo::new(Pieces::of(stream)), service)
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
