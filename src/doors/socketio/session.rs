//! One socket: its queue of requests, whom it acts as, and what is sent to it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use engineioxide::Str;
use engineioxide::socket::DisconnectReason;
use futures_util::FutureExt;
use serde_json::Value;

use super::engine::EngineSocket;
use super::views::{self, Answer};
use super::{Hub, requests};
use crate::error::Error;
use crate::model::{ConnectionId, UserId};

/// A queue of more than this many frames' worth of bytes disconnects, however few its requests.
const MAX_PENDING_FRAMES: usize = 16;

pub(super) struct Session {
    pub id: ConnectionId,
    hub: Arc<Hub>,
    socket: Weak<EngineSocket>,
    entered: AtomicBool,
    inbox: Mutex<Inbox>,
    /// The user that requests without one act as.
    latest_user: Mutex<Option<UserId>>,
    /// Whether this socket acts as more than one user; [`Rooms`](super::rooms::Rooms) knows them.
    several_users: AtomicBool,
}

/// Requests that wait for their turn. A task empties it while there are any, so that an idle
/// socket costs none.
#[derive(Default)]
struct Inbox {
    waiting: VecDeque<(Str, Option<i64>)>,
    bytes: usize,
    running: bool,
}

/// A request as it stands in a packet: the event's name and its first argument.
struct Request {
    event: String,
    body: Value,
}

impl Session {
    pub fn new(hub: Arc<Hub>, socket: Weak<EngineSocket>) -> Session {
        Session {
            id: ConnectionId::new(),
            hub,
            socket,
            entered: AtomicBool::new(false),
            inbox: Mutex::default(),
            latest_user: Mutex::default(),
            several_users: AtomicBool::new(false),
        }
    }

    /// Lets the socket into the namespace `/`; it is told once.
    pub fn enter(&self, welcome: impl FnOnce() -> Str) {
        if !self.entered.swap(true, Ordering::AcqRel) {
            self.deliver(welcome());
        }
    }

    pub fn has_entered(&self) -> bool {
        self.entered.load(Ordering::Acquire)
    }

    /// Queues a request. It never waits, and it is called in the order of the packets: that
    /// keeps the order. A socket that queues too much is disconnected.
    pub fn receive(self: &Arc<Self>, data: Str, ack: Option<i64>) {
        let limits = self.hub.app.limits();
        let mut inbox = lock(&self.inbox);
        inbox.bytes += data.len();
        let max_bytes = limits.max_frame.saturating_mul(MAX_PENDING_FRAMES);
        if inbox.waiting.len() >= limits.max_pending || inbox.bytes > max_bytes {
            drop(inbox);
            return self.close();
        }
        inbox.waiting.push_back((data, ack));
        if !inbox.running {
            inbox.running = true;
            self.hub.work.spawn(self.clone().work());
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some((data, ack)) = self.next() {
            self.handle(&data, ack).await;
        }
    }

    fn next(&self) -> Option<(Str, Option<i64>)> {
        let mut inbox = lock(&self.inbox);
        let next = inbox.waiting.pop_front();
        match &next {
            Some((data, _)) => inbox.bytes -= data.len(),
            None => inbox.running = false,
        }
        next
    }

    async fn handle(self: &Arc<Self>, data: &str, ack: Option<i64>) {
        let Some(request) = Request::read(data) else {
            return self.close();
        };
        let event = request.event.as_str();
        metrics::counter!("chinwag_requests_total").increment(1);
        let answer = requests::answer(self, &self.hub.app, event, &request.body);
        // A defect in one request must not take the socket's later ones with it.
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let packet = match (answer.unwrap_or(Err(Error::Internal(None))), ack) {
            (Ok(answer), Some(ack)) => views::ack(ack, &answer.json),
            // The push is the answer; the next request's comes after it.
            (Ok(Answer { pushed: true, .. }), None) => return self.hub.settled().await,
            (Ok(answer), None) => views::event(event, &answer.json),
            (Err(error), ack) => {
                log(event, &error);
                match ack {
                    Some(ack) => views::ack(ack, &views::error(&error)),
                    None => views::event("exception", &views::exception(event, &error)),
                }
            }
        };
        self.deliver(packet);
    }

    /// Sends a packet, or closes the connection of a client that is too far behind to take it.
    pub fn deliver(&self, packet: Str) {
        if self.send(packet).is_err() {
            self.close();
        }
    }

    /// Hands a packet to the transport. An error means that the client is too far behind, or
    /// gone, and must be [closed](Session::close).
    pub fn send(&self, packet: Str) -> Result<(), Overflow> {
        match self.socket.upgrade() {
            Some(socket) => socket.emit(packet).map_err(|_| Overflow),
            None => Ok(()),
        }
    }

    /// Closes the connection; the client notices, reconnects and catches up.
    pub fn close(&self) {
        if let Some(socket) = self.socket.upgrade() {
            socket.close(DisconnectReason::TransportError);
        }
    }

    /// The user that requests without one act as.
    pub fn latest_user(&self) -> Option<UserId> {
        lock(&self.latest_user).clone()
    }

    pub fn acts_as_several(&self) -> bool {
        self.several_users.load(Ordering::Relaxed)
    }

    pub fn set_several_users(&self, several: bool) {
        self.several_users.store(several, Ordering::Relaxed);
    }

    /// Makes the socket act as this user from now on: it hears of all the user's chats. Errors:
    /// `not_found`, `too_large` for too many users on one socket.
    pub async fn act_as(&self, user_id: &UserId) -> Result<(), Error> {
        if lock(&self.latest_user).as_ref() == Some(user_id) {
            return Ok(());
        }
        let app = &self.hub.app;
        let max_users = app.limits().max_socket_users;
        let read = || app.chats_of(user_id);
        self.hub.rooms.attach(self.id, user_id, max_users, read).await?;
        *lock(&self.latest_user) = Some(user_id.clone());
        Ok(())
    }
}

/// The client did not read what was sent to it.
#[derive(Debug)]
pub(super) struct Overflow;

impl Request {
    /// None if it is not `[event, …]`. Without a body the body is `null`.
    fn read(data: &str) -> Option<Request> {
        let items: Vec<Value> = serde_json::from_str(data).ok()?;
        let mut items = items.into_iter();
        match items.next()? {
            Value::String(event) => Some(Request { event, body: items.next().unwrap_or_default() }),
            _ => None,
        }
    }
}

fn log(event: &str, error: &Error) {
    match (error, error.cause()) {
        (Error::Internal(_), Some(cause)) => tracing::error!(event, %cause, "request failed"),
        (Error::Internal(_), None) => tracing::error!(event, "request failed"),
        (_, Some(cause)) => tracing::warn!(event, %cause, "request failed"),
        (_, None) => tracing::debug!(event, code = error.code(), "request refused"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these lists whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
