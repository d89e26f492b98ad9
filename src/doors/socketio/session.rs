//! One socket: its queue of requests, whom it acts as, and what is sent to it.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use engineioxide::Str;
use engineioxide::socket::DisconnectReason;
use futures_util::FutureExt;
use serde_json::Value;

use super::engine::EngineSocket;
use super::packets::{self, Answer};
use super::rooms::Rooms;
use super::{Hub, push, requests, unsent};
use crate::error::Error;
use crate::model::{ConnectionId, UserId};

/// Packets of this many bytes are counted against `Limits::max_unsent_bytes`; smaller ones are
/// few enough by `Limits::max_unsent`.
const LARGE_PACKET: usize = 1 << 10;

/// How much of an event's name is read: more than any event's has.
const MAX_EVENT_NAME: usize = 64;

pub(super) struct Session {
    pub id: ConnectionId,
    hub: Arc<Hub>,
    socket: Weak<EngineSocket>,
    spoken: AtomicBool,
    entered: AtomicBool,
    /// Set once the connection is to end; from then on nothing is sent, so that what the client
    /// still gets has no gap.
    closing: AtomicBool,
    inbox: Mutex<Inbox>,
    /// Bytes of large packets that the transport has not taken yet.
    unsent: Arc<AtomicUsize>,
    /// The user that requests without one act as.
    latest_user: Mutex<Option<UserId>>,
    /// Whether this socket acts as more than one user; [`Rooms`] knows them.
    several_users: AtomicBool,
}

/// Requests that wait for their turn. A task empties it while there are any, so that an idle
/// socket costs none.
#[derive(Default)]
struct Inbox {
    waiting: VecDeque<(Str, Option<i64>)>,
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
            spoken: AtomicBool::new(false),
            entered: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            inbox: Mutex::default(),
            unsent: Arc::default(),
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

    /// The client has sent a packet.
    pub fn speak(&self) {
        self.spoken.store(true, Ordering::Relaxed);
    }

    pub fn has_spoken(&self) -> bool {
        self.spoken.load(Ordering::Relaxed)
    }

    pub fn has_entered(&self) -> bool {
        self.entered.load(Ordering::Acquire)
    }

    /// Queues a request. It never waits, and it is called in the order of the packets: that
    /// keeps the order. A socket that queues too much is disconnected.
    pub fn receive(self: &Arc<Self>, data: Str, ack: Option<i64>) {
        let limits = self.hub.app.limits();
        let mut inbox = lock(&self.inbox);
        let in_all = self.hub.pending_bytes.load(Ordering::Relaxed);
        if inbox.waiting.len() >= limits.max_pending
            || in_all.saturating_add(data.len()) > limits.max_pending_bytes
        {
            drop(inbox);
            return self.close();
        }
        self.hub.pending_bytes.fetch_add(data.len(), Ordering::Relaxed);
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
        let next = match self.hub.stopped.is_cancelled() {
            true => None,
            false => inbox.waiting.pop_front(),
        };
        match &next {
            Some((data, _)) => {
                self.hub.pending_bytes.fetch_sub(data.len(), Ordering::Relaxed);
            }
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
            (Ok(answer), Some(ack)) => packets::ack(ack, &answer.json),
            // The push is the answer; the next request's comes after it.
            (Ok(Answer { pushed: true, .. }), None) => return self.hub.settled().await,
            (Ok(answer), None) => packets::event(event, &answer.json),
            (Err(error), ack) => {
                log(event, &error);
                match ack {
                    Some(ack) => packets::ack(ack, &packets::error(&error)),
                    None => packets::event("exception", &packets::exception(event, &error)),
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
        if self.closing.load(Ordering::Acquire) {
            return Ok(());
        }
        let Some(socket) = self.socket.upgrade() else {
            return Ok(());
        };
        let max_bytes = self.hub.app.limits().max_unsent_bytes;
        let sent = match unsent::counted(packet, &self.unsent, LARGE_PACKET, max_bytes) {
            Some(packet) => socket.emit(packet).is_ok(),
            None => false,
        };
        if !sent {
            self.closing.store(true, Ordering::Release);
            return Err(Overflow);
        }
        Ok(())
    }

    /// Closes the connection; the client notices, reconnects and catches up.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        if let Some(socket) = self.socket.upgrade() {
            socket.close(DisconnectReason::TransportError);
        }
    }

    pub fn rooms(&self) -> &Rooms {
        &self.hub.rooms
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

    /// Makes the socket act as this user from now on: it hears of all the user's chats, and of the
    /// invitations that wait for an answer. Errors: `not_found`; `too_large` for too many users on
    /// one socket; `unavailable` for a socket that has disconnected.
    pub async fn act_as(&self, user_id: &UserId) -> Result<(), Error> {
        if lock(&self.latest_user).as_ref() == Some(user_id) {
            return Ok(());
        }
        let app = &self.hub.app;
        let max_users = app.limits().max_socket_users;
        let read = || app.chats_of(user_id);
        let new = self.hub.rooms.attach(self.id, user_id, max_users, read).await?;
        *lock(&self.latest_user) = Some(user_id.clone());
        if new {
            // A convenience: the socket acts as the user without it, and can ask.
            let invitations = app.list_invitations(user_id).await;
            let invitations = invitations.inspect_err(|error| log("invitation", error));
            let invitations = invitations.unwrap_or_default();
            for invitation in &invitations {
                self.deliver(push::invited(invitation)?);
            }
        }
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
            Value::String(event) => Some(Request {
                event: event.chars().take(MAX_EVENT_NAME).collect(),
                body: items.next().unwrap_or_default(),
            }),
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
