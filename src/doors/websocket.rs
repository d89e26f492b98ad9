//! One client on a plain WebSocket.
//!
//! What it promises: frames are read one at a time and in order, and what one of them began is
//! finished even if the client goes away. What is sent comes in order and without a gap: a client
//! that leaves too much unread is closed. A client that answers no ping is closed.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::wire::{Io, Kind, Wire};
use crate::config::Limits;
use crate::logs;
use crate::model::ConnectionId;

/// Small, as every connection has one; larger frames are read in several goes.
const READ_BUFFER: usize = 512;

/// How long a client may take for what is left and for the last frame, which says why it is
/// closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a connection is closed.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    pub code: u16,
    pub reason: &'static str,
}

impl Closing {
    pub const SHUTDOWN: Closing = Closing { code: 1001, reason: "the server shuts down" };
    pub const UNAUTHENTICATED: Closing = Closing { code: 4401, reason: "unauthenticated" };
    /// Of a client that goes on though it is [limited](super::limited::Limited).
    pub const LIMITED: Closing = Closing { code: 1008, reason: "too many requests" };
    const BAD_FRAME: Closing = Closing { code: 1009, reason: "a frame is malformed or too large" };
    const SILENT: Closing = Closing { code: 1001, reason: "no answer to a ping" };
    const TOO_SLOW: Closing = Closing { code: 1013, reason: "too much is left unread" };
    const DEFECT: Closing = Closing { code: 1011, reason: "internal error" };
    pub const NORMAL: Closing = Closing { code: 1000, reason: "" };
}

/// What a client sends.
pub enum Received {
    Text(Utf8Bytes),
    Binary,
}

/// An open connection.
pub struct Socket {
    stream: WebSocketStream<Io>,
    wire: Arc<Wire>,
}

/// The way to a client.
pub struct Outlet {
    pub id: ConnectionId,
    wire: Arc<Wire>,
    closing: OnceLock<Closing>,
    /// Nothing more is read.
    finishing: CancellationToken,
    closed: CancellationToken,
}

impl Outlet {
    pub fn new(id: ConnectionId, socket: &Socket) -> Arc<Outlet> {
        Arc::new(Outlet {
            id,
            wire: socket.wire.clone(),
            closing: OnceLock::new(),
            finishing: CancellationToken::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Sends a frame, which all its receivers share. It never waits.
    pub fn send(&self, frame: Utf8Bytes) {
        self.push(frame);
        self.flush();
    }

    /// Queues a frame, which goes out with the next [`flush`](Outlet::flush) at the latest. Returns
    /// whether it is the first that waits for that.
    pub fn push(&self, frame: Utf8Bytes) -> bool {
        // What comes at the same moment as the reason may still be sent: the wire takes nothing
        // after the last frame.
        if self.closing.get().is_some() {
            return false;
        }
        let pushed = self.wire.push(None, frame.into(), Kind::Push);
        pushed.inspect_err(|_| self.close(Closing::TOO_SLOW)).unwrap_or(false)
    }

    /// Sends what has been queued.
    pub fn flush(&self) {
        self.wire.flush();
    }

    /// Closes the connection after what has been sent; nothing is sent or read any more. The first
    /// reason counts.
    pub fn close(&self, why: Closing) {
        self.closing.get_or_init(|| why);
        self.closed.cancel();
    }

    /// Closes the connection as the server shuts down, once what was read last is answered.
    pub fn finish(&self) {
        self.finishing.cancel();
    }

    /// Why the connection is closed, as soon as it is.
    async fn closed(&self) -> Closing {
        self.closed.cancelled().await;
        self.closing.get().copied().unwrap_or(Closing::NORMAL)
    }
}

/// The connection on a wire, with the door's bounds.
pub async fn open(wire: Arc<Wire>, io: Io, limits: &Limits) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits.max_frame))
        .max_frame_size(Some(limits.max_frame))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0);
    let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    Socket { stream, wire }
}

/// Serves a client until either side closes the connection.
pub async fn serve<F: Future<Output = ()>>(
    socket: Socket,
    outlet: &Outlet,
    limits: &Limits,
    handle: impl Fn(Received) -> F,
) {
    metrics::gauge!("chinwag_sockets").increment(1);
    let (mut sink, mut stream) = socket.stream.split();
    let mut overdue = pin!(async {
        outlet.closed.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    });
    let writing = async {
        tokio::select! {
            written = write(&mut sink, outlet, limits) => written.is_ok(),
            () = overdue.as_mut() => false,
        }
    };
    let reading = read(&mut stream, outlet, limits, handle);
    let (in_time, ()) = tokio::join!(writing, reading);
    if in_time {
        // A connection that ends with something unread takes the last frame with it.
        let rest = async { while let Some(Ok(_)) = stream.next().await {} };
        tokio::select! {
            () = rest => {}
            () = overdue => {}
        }
    }
    metrics::gauge!("chinwag_sockets").decrement(1);
}

/// Reads until the connection is closed, and closes it if it must be.
async fn read<F: Future<Output = ()>>(
    stream: &mut SplitStream<WebSocketStream<Io>>,
    outlet: &Outlet,
    limits: &Limits,
    handle: impl Fn(Received) -> F,
) {
    let patience = limits.ping_interval + limits.ping_timeout;
    let why = loop {
        // A client that does not take its answers gets no more of them, and counts as gone after a
        // while.
        tokio::select! {
            taken = tokio::time::timeout(patience, outlet.wire.share().taken()) => {
                if taken.is_err() {
                    break Closing::SILENT;
                }
            }
            () = outlet.closed.cancelled() => return,
            () = outlet.finishing.cancelled() => break Closing::SHUTDOWN,
        }
        let next = tokio::time::timeout(patience, stream.next());
        let message = tokio::select! {
            message = next => message,
            () = outlet.closed.cancelled() => return,
            () = outlet.finishing.cancelled() => break Closing::SHUTDOWN,
        };
        let frame = match message {
            Ok(Some(Ok(Message::Text(text)))) => Received::Text(text),
            Ok(Some(Ok(Message::Binary(_)))) => Received::Binary,
            // Single frames come only where they are asked for.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => continue,
            Ok(Some(Ok(Message::Close(_))) | None) => break Closing::NORMAL,
            Ok(Some(Err(_))) => break Closing::BAD_FRAME,
            Err(_) => break Closing::SILENT,
        };
        // On the heap, so that a connection that is idle has no room for it.
        let handled = Box::pin(AssertUnwindSafe(handle(frame)).catch_unwind());
        if handled.await.is_err() {
            let line = |times| tracing::error!(times, "a frame could not be handled");
            logs::seldom("a frame could not be handled", line);
            break Closing::DEFECT;
        }
    };
    outlet.close(why);
}

/// Writes pings, and at last why the connection is closed. An error means that the client is gone.
async fn write(
    sink: &mut SplitSink<WebSocketStream<Io>, Message>,
    outlet: &Outlet,
    limits: &Limits,
) -> tungstenite::Result<()> {
    let mut pings = tokio::time::interval(limits.ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let message = tokio::select! {
            Closing { code, reason } = outlet.closed() => {
                let last = CloseFrame { code: code.into(), reason: reason.into() };
                return sink.send(Message::Close(Some(last))).await;
            }
            _ = pings.tick() => Message::Ping(Default::default()),
        };
        let sent = sink.send(message).await;
        sent.inspect_err(|_| outlet.close(Closing::NORMAL))?;
    }
}
