//! One client on a plain WebSocket.
//!
//! It promises: frames are read one at a time and in order, and a request that has begun is
//! finished even if the client goes away. Frames reach the client in order and without a gap: a
//! client that leaves too much unread is disconnected. A client that does not answer pings is
//! disconnected, too.

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

/// Small, because every connection has one; a larger frame takes several reads.
const READ_BUFFER: usize = 512;

/// How long a client that is being closed may take to read what is left and the close frame.
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
    /// For a client that goes on though it is [limited](super::limited::Limited).
    pub const LIMITED: Closing = Closing { code: 1008, reason: "too many requests" };
    const BAD_FRAME: Closing = Closing { code: 1009, reason: "a frame is malformed or too large" };
    const SILENT: Closing = Closing { code: 1001, reason: "no answer to a ping" };
    const TOO_SLOW: Closing = Closing { code: 1013, reason: "too much is left unread" };
    const DEFECT: Closing = Closing { code: 1011, reason: "internal error" };
    pub const UNAVAILABLE: Closing = Closing { code: 1013, reason: "try again later" };
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

/// The sending side of a connection.
pub struct Outlet {
    pub id: ConnectionId,
    wire: Arc<Wire>,
    closing: OnceLock<Closing>,
    /// Once it is cancelled, nothing more is read.
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
    /// whether it is the first since the last flush.
    pub fn push(&self, frame: Utf8Bytes) -> bool {
        // A frame that is pushed while another task sets the reason may still be sent: the wire
        // takes nothing after the close frame.
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

    /// Closes the connection after the frames sent before; nothing is sent or read any more. Of
    /// several reasons, the client is told the first.
    pub fn close(&self, why: Closing) {
        self.closing.get_or_init(|| why);
        self.closed.cancel();
    }

    /// Closes the connection because the server shuts down, once the frame that was read last is
    /// answered.
    pub fn finish(&self) {
        self.finishing.cancel();
    }

    /// Waits until the connection is closed, and returns why.
    async fn closed(&self) -> Closing {
        self.closed.cancelled().await;
        self.closing.get().copied().unwrap_or(Closing::NORMAL)
    }
}

/// Opens the WebSocket on a wire, with the limits for frames.
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
        // If a connection ends while the server has not read all, the client may lose the close
        // frame: so read the rest.
        let rest = async { while let Some(Ok(_)) = stream.next().await {} };
        tokio::select! {
            () = rest => {}
            () = overdue => {}
        }
    }
    metrics::gauge!("chinwag_sockets").decrement(1);
}

/// Reads and handles frames until the connection is closed. If the client leaves, goes silent or
/// sends a bad frame, or the server shuts down, it closes the connection.
async fn read<F: Future<Output = ()>>(
    stream: &mut SplitStream<WebSocketStream<Io>>,
    outlet: &Outlet,
    limits: &Limits,
    handle: impl Fn(Received) -> F,
) {
    let patience = limits.ping_interval + limits.ping_timeout;
    let why = loop {
        // The next request of a client that does not read its answers is not read either. After a
        // while such a client counts as gone.
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
            // The library never returns a `Frame` to a reader.
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => continue,
            Ok(Some(Ok(Message::Close(_))) | None) => break Closing::NORMAL,
            Ok(Some(Err(_))) => break Closing::BAD_FRAME,
            Err(_) => break Closing::SILENT,
        };
        // On the heap, so that an idle connection needs no memory for it.
        let handled = Box::pin(AssertUnwindSafe(handle(frame)).catch_unwind());
        if handled.await.is_err() {
            let line = |times| tracing::error!(times, "a frame could not be handled");
            logs::seldom("a frame could not be handled", line);
            break Closing::DEFECT;
        }
    };
    outlet.close(why);
}

/// Writes pings, and at the end the close frame with the reason. An error means that the client is
/// gone.
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
