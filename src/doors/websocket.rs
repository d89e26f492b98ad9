//! One client on a plain WebSocket.
//!
//! What it promises: frames are read one at a time and in order, and what one of them began is
//! finished even if the client goes away. What is sent comes in order and without a gap: a client
//! that leaves too much unread is closed. A client that answers no ping is closed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::model::ConnectionId;

/// Small, as every connection has one; larger frames are read in several goes.
const READ_BUFFER: usize = 512;

/// How long a client may take for the last frame, which says why it is closed.
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
    const BAD_FRAME: Closing = Closing { code: 1009, reason: "a frame is malformed or too large" };
    const SILENT: Closing = Closing { code: 1001, reason: "no answer to a ping" };
    const TOO_SLOW: Closing = Closing { code: 1013, reason: "too much is left unread" };
    const GONE: Closing = Closing { code: 1000, reason: "" };
}

/// What a client sends.
pub enum Frame {
    Text(Utf8Bytes),
    Binary,
}

/// The way to a client.
pub struct Outlet {
    pub id: ConnectionId,
    queue: mpsc::Sender<Utf8Bytes>,
    unsent_bytes: AtomicUsize,
    max_unsent_bytes: usize,
    closing: OnceLock<Closing>,
    closed: CancellationToken,
}

/// What is on its way to a client.
pub struct Queue(mpsc::Receiver<Utf8Bytes>);

impl Outlet {
    pub fn new(id: ConnectionId, limits: &Limits) -> (Arc<Outlet>, Queue) {
        let (queue, unsent) = mpsc::channel(limits.max_unsent);
        let outlet = Outlet {
            id,
            queue,
            unsent_bytes: AtomicUsize::new(0),
            max_unsent_bytes: limits.max_unsent_bytes,
            closing: OnceLock::new(),
            closed: CancellationToken::new(),
        };
        (Arc::new(outlet), Queue(unsent))
    }

    /// Sends a frame, which all its receivers share. It never waits.
    pub fn send(&self, frame: Utf8Bytes) {
        let size = frame.len();
        let unsent = self.unsent_bytes.fetch_add(size, Ordering::AcqRel) + size;
        if self.closed.is_cancelled() {
            return;
        }
        if unsent > self.max_unsent_bytes || self.queue.try_send(frame).is_err() {
            self.close(Closing::TOO_SLOW);
        }
    }

    /// Closes the connection; nothing more is sent. The first reason counts.
    pub fn close(&self, why: Closing) {
        // An earlier reason stays.
        let _ = self.closing.set(why);
        self.closed.cancel();
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
    mut queue: Queue,
    limits: &Limits,
    handle: impl Fn(Frame) -> F,
) {
    let (mut sink, mut stream) = socket.split();
    let patience = limits.ping_interval + limits.ping_timeout;
    let reading = async {
        loop {
            let next = tokio::time::timeout(patience, stream.next());
            let message = tokio::select! {
                message = next => message,
                () = outlet.closed.cancelled() => return,
            };
            match message {
                Ok(Some(Ok(Message::Text(text)))) => handle(Frame::Text(text)).await,
                Ok(Some(Ok(Message::Binary(_)))) => handle(Frame::Binary).await,
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(Some(Ok(Message::Close(_))) | None) => return outlet.close(Closing::GONE),
                Ok(Some(Err(_))) => return outlet.close(Closing::BAD_FRAME),
                Err(_) => return outlet.close(Closing::SILENT),
            }
        }
    };
    let writing = async {
        let mut pings = tokio::time::interval(limits.ping_interval);
        pings.reset();
        loop {
            let message = tokio::select! {
                Some(text) = queue.0.recv() => {
                    outlet.unsent_bytes.fetch_sub(text.len(), Ordering::AcqRel);
                    Message::Text(text)
                }
                _ = pings.tick() => Message::Ping(Default::default()),
                () = outlet.closed.cancelled() => break,
            };
            let sent = tokio::select! {
                sent = sink.send(message) => sent,
                () = outlet.closed.cancelled() => break,
            };
            if sent.is_err() {
                return outlet.close(Closing::GONE);
            }
        }
        let Closing { code, reason } = *outlet.closing.get().unwrap_or(&Closing::GONE);
        let farewell = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // Who does not read it is gone.
        let _ = tokio::time::timeout(FAREWELL, sink.send(farewell)).await;
    };
    tokio::join!(reading, writing);
}
