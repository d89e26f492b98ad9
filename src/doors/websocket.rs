//! One client on a plain WebSocket.
//!
//! What it promises: frames are read one at a time and in order, and what one of them began is
//! finished even if the client goes away. What is sent comes in order and without a gap: a client
//! that leaves too much unread is closed. A client that answers no ping is closed.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

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
pub enum Frame {
    Text(Utf8Bytes),
    Binary,
}

/// The way to a client.
pub struct Outlet {
    pub id: ConnectionId,
    max_frames: usize,
    max_bytes: usize,
    unsent: Mutex<Unsent>,
    /// There is something to send, or nothing will be any more.
    changed: Notify,
    /// Nothing more is read.
    finishing: CancellationToken,
    closed: CancellationToken,
}

/// What is on its way to a client, and why that ends if it does.
#[derive(Default)]
struct Unsent {
    frames: VecDeque<Utf8Bytes>,
    bytes: usize,
    closing: Option<Closing>,
}

impl Outlet {
    pub fn new(id: ConnectionId, limits: &Limits) -> Arc<Outlet> {
        Arc::new(Outlet {
            id,
            max_frames: limits.max_unsent,
            max_bytes: limits.max_unsent_bytes,
            unsent: Mutex::default(),
            changed: Notify::new(),
            finishing: CancellationToken::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Sends a frame, which all its receivers share. It never waits.
    pub fn send(&self, frame: Utf8Bytes) {
        let mut unsent = self.lock();
        if unsent.closing.is_some() {
            return;
        }
        let bytes = unsent.bytes.saturating_add(frame.len());
        if bytes > self.max_bytes || unsent.frames.len() >= self.max_frames {
            drop(unsent);
            return self.close(Closing::TOO_SLOW);
        }
        unsent.bytes = bytes;
        unsent.frames.push_back(frame);
        self.changed.notify_one();
    }

    /// Closes the connection after what has been sent; nothing is sent or read any more. The first
    /// reason counts.
    pub fn close(&self, why: Closing) {
        self.lock().closing.get_or_insert(why);
        self.changed.notify_one();
        self.closed.cancel();
    }

    /// Closes the connection as the server shuts down, once what was read last is answered.
    pub fn finish(&self) {
        self.finishing.cancel();
    }

    /// The next frame; once there is none and the connection is closed, why.
    async fn next(&self) -> Result<Utf8Bytes, Closing> {
        loop {
            {
                let mut unsent = self.lock();
                if let Some(frame) = unsent.frames.pop_front() {
                    unsent.bytes -= frame.len();
                    return Ok(frame);
                }
                if let Some(why) = unsent.closing {
                    return Err(why);
                }
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unsent> {
        // A panic elsewhere leaves the queue whole.
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upgrade with the door's bounds.
pub fn bounded(upgrade: WebSocketUpgrade, limits: &Limits) -> WebSocketUpgrade {
    upgrade
        .max_message_size(limits.max_frame)
        .max_frame_size(limits.max_frame)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
}

/// Serves a client until either side closes the connection.
pub async fn serve<F: Future<Output = ()>>(
    socket: WebSocket,
    outlet: &Outlet,
    limits: &Limits,
    handle: impl Fn(Frame) -> F,
) {
    metrics::gauge!("chinwag_sockets").increment(1);
    let (mut sink, mut stream) = socket.split();
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
    stream: &mut SplitStream<WebSocket>,
    outlet: &Outlet,
    limits: &Limits,
    handle: impl Fn(Frame) -> F,
) {
    let patience = limits.ping_interval + limits.ping_timeout;
    let why = loop {
        let next = tokio::time::timeout(patience, stream.next());
        let message = tokio::select! {
            message = next => message,
            () = outlet.closed.cancelled() => return,
            () = outlet.finishing.cancelled() => break Closing::SHUTDOWN,
        };
        let frame = match message {
            Ok(Some(Ok(Message::Text(text)))) => Frame::Text(text),
            Ok(Some(Ok(Message::Binary(_)))) => Frame::Binary,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
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

/// Writes what is sent, and at last why the connection is closed. An error means that the client
/// is gone.
async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    outlet: &Outlet,
    limits: &Limits,
) -> Result<(), axum::Error> {
    let mut pings = tokio::time::interval(limits.ping_interval);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let message = tokio::select! {
            next = outlet.next() => match next {
                Ok(text) => Message::Text(text),
                Err(Closing { code, reason }) => {
                    let last = CloseFrame { code, reason: reason.into() };
                    return sink.send(Message::Close(Some(last))).await;
                }
            },
            _ = pings.tick() => Message::Ping(Default::default()),
        };
        let sent = sink.send(message).await;
        sent.inspect_err(|_| outlet.close(Closing::NORMAL))?;
    }
}
