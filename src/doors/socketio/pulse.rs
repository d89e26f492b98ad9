//! Old clients (protocol 3) that are busy count as alive, whether they ping or not. The engine knows
//! pings alone: it is given one after what else such a client sends, once in a while.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engineioxide::TransportType;
use engineioxide::service::EngineIoService;
use engineioxide::socket::DisconnectReason;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::Service;

use super::engine::{Engine, EngineSocket};
use super::frames::Frames;
use super::{Hub, parameter};

/// A ping of protocol 3 as a client's WebSocket frame: a text, masked with zeros, of one byte.
const PING: &[u8] = b"\x81\x81\0\0\0\x002";

/// Once in how many parts of the time between two pings a busy client is given one.
const PARTS: u32 = 25;

/// The engine, and what the door knows of its sessions.
#[derive(Clone)]
pub(super) struct Busy {
    pub engine: EngineIoService<Engine>,
    pub hub: Arc<Hub>,
}

/// Whether a client has sent anything since it was told of its session, be it a ping, of which the
/// engine does not tell. The request that opens a session carries it in its extensions.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub fn hear(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn anything(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// When the engine last got a ping of a client.
pub(super) struct Pulse {
    last: Mutex<Instant>,
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse { last: Mutex::new(Instant::now()) }
    }
}

impl Pulse {
    /// The client has sent something, which may be a ping. Returns whether one is to be added.
    pub fn beats(&self, ping: bool, ping_interval: Duration) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.elapsed() >= ping_interval / PARTS;
        if due || ping {
            *last = Instant::now();
        }
        due && !ping
    }
}

/// Makes the WebSocket of an old client one with a pulse.
pub(super) async fn give(State(busy): State<Busy>, mut request: Request, next: Next) -> Response {
    let old = parameter(&request, "EIO") == Some("3");
    let websocket = parameter(&request, "transport") == Some("websocket");
    let key = request.headers().get(SEC_WEBSOCKET_KEY);
    let Some(key) = key.filter(|_| old && websocket && request.method() == Method::GET) else {
        return next.run(request).await;
    };
    let accepted = derive_accept_key(key.as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    let sid = parameter(&request, "sid");
    // A client that comes from polling first sends two packets about that.
    let passed_over = if sid.is_some() { 2 } else { 0 };
    let polling = sid.and_then(|sid| busy.hub.open.get(sid));
    let (head, _) = request.into_parts();
    tokio::spawn(async move {
        let Ok(stream) = upgraded.await else {
            return;
        };
        let Busy { mut engine, hub } = busy;
        let stream = Pulsing {
            stream: TokioIo::new(stream),
            heard: head.extensions.get().cloned().unwrap_or_default(),
            frames: Frames::default(),
            passed_over,
            ping_left: 0,
            pulse: Pulse::default(),
            ping_interval: hub.app.limits().ping_interval,
            _upgrading: polling.map(Upgrading),
        };
        // An error says what the request's query lacks: then the connection ends.
        let _ = engine.call((stream, axum::http::Request::from_parts(head, ()))).await;
    });
    let headers = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, accepted),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// A polling session that wants to go on as this WebSocket. As soon as it does, the engine keeps
/// nothing for its polls any more, even if the WebSocket ends before the session has moved. Then
/// the session is closed, so that its client reconnects.
struct Upgrading(Arc<EngineSocket>);

impl Drop for Upgrading {
    fn drop(&mut self) {
        if self.0.transport_type() == TransportType::Polling {
            self.0.close(DisconnectReason::TransportError);
        }
    }
}

/// A client's WebSocket; between the frames that the engine reads from it stand pings.
struct Pulsing<S> {
    stream: S,
    heard: Heard,
    frames: Frames,
    /// So many messages, the first ones, have no ping after them.
    passed_over: u8,
    /// Bytes of a ping that the engine has not read yet.
    ping_left: usize,
    pulse: Pulse,
    ping_interval: Duration,
    _upgrading: Option<Upgrading>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Pulsing<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ping_left > 0 {
            let ping = &PING[PING.len() - this.ping_left..];
            let length = ping.len().min(buffer.remaining());
            buffer.put_slice(&ping[..length]);
            this.ping_left -= length;
            return Poll::Ready(Ok(()));
        }
        let mut bytes = [0; 1024];
        let wanted = this.frames.wanted().min(buffer.remaining()).min(bytes.len());
        let mut read = ReadBuf::new(&mut bytes[..wanted]);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
        let read = read.filled();
        buffer.put_slice(read);
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        this.heard.hear();
        if let Some(ping) = this.frames.take(read) {
            match this.passed_over {
                0 if this.pulse.beats(ping, this.ping_interval) => this.ping_left = PING.len(),
                passed_over => this.passed_over = passed_over.saturating_sub(1),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pulsing<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
