//! One socket: its queue of requests, the users it acts as, and what is sent to it.

mod identity;
mod outgoing;
mod own;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use engineioxide::Str;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::task::AbortOnDropHandle;

use super::engine::EngineSocket;
use super::inbox::{Full, Inbox, Task};
use super::packets;
use super::{Hub, show, unpolled};
use crate::domain::{Actor, Connection, Network, Recipient, Requester, Shown, Viewer};
use crate::doors::failure::log;
use crate::doors::limited::Limited;
use crate::doors::measured::Measured;
use crate::doors::requests::{self, Answer, Asker, Named};
use crate::doors::slots::AddressSlot;
use crate::doors::unsent::Share;
use crate::doors::wire::Wire;
use crate::error::Error;
use crate::model::{ConnectionId, Event, UserId};
use own::Own;

/// How Engine.IO marks a packet that is a message.
const MESSAGE: u8 = b'4';

/// A polling client that has so many bytes to fetch is disconnected instead of being sent more.
const MAX_UNPOLLED: usize = 1 << 20;

/// How long a client may take to read what was sent before, when its connection is closed.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Session {
    pub id: ConnectionId,
    hub: Arc<Hub>,
    socket: Weak<EngineSocket>,
    /// Where its handshake came from.
    address: IpAddr,
    /// Whether it has ever asked to be let into the namespace.
    tried: AtomicBool,
    /// Whether it was ever let in.
    entered: AtomicBool,
    /// Set once the connection must end. From then on nothing is sent, so that there is no gap in
    /// what the client still gets.
    closing: AtomicBool,
    /// Whether its token has ended, so that it is pushed nothing more.
    hears_nothing: AtomicBool,
    own: Mutex<Own>,
    inbox: Inbox,
    limited: Limited,
    /// The count of the bytes that the client has not taken yet.
    share: Arc<Share>,
    /// The answers that a polling client has not fetched yet.
    unpolled: Arc<unpolled::Answers>,
    /// The wire that it sends through, once it is a WebSocket; before that, it sends through the
    /// engine.
    wire: OnceLock<Arc<Wire>>,
    /// The wire of the WebSocket that it is about to become. The lock is held while a packet goes
    /// out through the engine.
    offered: Mutex<Option<Arc<Wire>>>,
    this: Weak<Session>,
    /// Set while it is in the namespace: it says who the client is.
    connection: Mutex<Option<Arc<Connection>>>,
    /// Closes it when its token ends.
    ending: Mutex<Option<AbortOnDropHandle<()>>>,
    /// The user of requests that name none.
    latest: Mutex<Option<Actor>>,
    /// One of the slots that its address may have.
    _slot: Arc<AddressSlot>,
}

impl Session {
    pub fn new(
        hub: Arc<Hub>,
        socket: Weak<EngineSocket>,
        address: IpAddr,
        slot: Arc<AddressSlot>,
        share: Arc<Share>,
    ) -> Arc<Session> {
        let max_pending = hub.app.limits().max_pending;
        Arc::new_cyclic(|this| Session {
            id: ConnectionId::new(),
            hub,
            socket,
            address,
            tried: AtomicBool::new(false),
            entered: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            hears_nothing: AtomicBool::new(false),
            own: Mutex::default(),
            inbox: Inbox::default(),
            limited: Limited::of(max_pending),
            share,
            unpolled: Arc::default(),
            wire: OnceLock::new(),
            offered: Mutex::default(),
            this: this.clone(),
            connection: Mutex::default(),
            ending: Mutex::default(),
            latest: Mutex::default(),
            _slot: slot,
        })
    }

    /// Asks to be let into the namespace `/` by a credential; `welcome` is sent when it is let in.
    /// A socket that is in the namespace ignores this.
    pub fn enter(self: &Arc<Self>, credential: Option<String>, welcome: Str) {
        self.queue(Task::Enter { credential, welcome });
    }

    /// Asks to be let out of the namespace, once its earlier requests are done.
    pub fn leave(self: &Arc<Self>) {
        self.queue(Task::Leave);
    }

    pub fn has_entered(&self) -> bool {
        self.entered.load(Ordering::Relaxed)
    }

    /// Queues a request. It is ignored if the client is not in the namespace when its turn comes; a
    /// client that has never asked to be let in is disconnected.
    pub fn receive(self: &Arc<Self>, data: Str, ack: Option<i64>) {
        self.queue(Task::Request { data, ack });
    }

    fn queue(self: &Arc<Self>, task: Task) {
        if self.hub.stopping.is_cancelled() {
            return;
        }
        let (size, max) = (task.size(), self.hub.app.limits().max_pending);
        for largest in self.hub.pending.add(self, self.requester(), size) {
            largest.give_up();
        }
        match self.inbox.push(task, max) {
            Ok(true) => {
                self.hub.work.spawn(self.clone().work());
            }
            Ok(false) => {}
            Err(Full) => {
                self.hub.pending.remove(self.id, size);
                self.close();
            }
        }
    }

    /// Closes the connection once the request in progress is answered, or after [`FAREWELL`] at the
    /// latest. It is pushed nothing more.
    pub(super) async fn finish_requests(self: Arc<Self>) {
        self.hears_nothing.store(true, Ordering::Release);
        self.queue(Task::Close);
        let session = Arc::downgrade(&self);
        drop(self);
        tokio::time::sleep(FAREWELL).await;
        if let Some(session) = session.upgrade() {
            session.close();
        }
    }

    /// Closes the connection, and drops the requests that still wait.
    pub fn give_up(&self) {
        self.drop_requests();
        self.close();
    }

    fn drop_requests(&self) {
        self.inbox.give_up();
        self.hub.pending.forget(self.id);
    }

    /// For whom its requests are counted: the user that it has proved to be, or else its address.
    fn requester(&self) -> Requester {
        match self.connection().as_ref().and_then(|connection| connection.user_id()) {
            Some(user_id) => Requester::User(user_id.clone()),
            None => Requester::Network(Network::of(self.address)),
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some(task) = self.inbox.next() {
            let taken = self.taken().await;
            self.hub.pending.remove(self.id, task.size());
            if !taken || self.hub.stopped.is_cancelled() {
                return self.drop_requests();
            }
            match (task, self.connection()) {
                (Task::Enter { credential, welcome }, None) => {
                    self.let_in(credential, welcome).await;
                }
                (Task::Enter { .. }, Some(_)) => {}
                (Task::Request { data, ack }, Some(connection)) if !connection.has_ended() => {
                    self.handle(&connection, &data, ack).await;
                }
                // The protocol says so: a client must ask to be let in first.
                (Task::Request { .. }, _) if !self.tried.load(Ordering::Relaxed) => self.close(),
                // Its credential was refused or has ended, or it has left the namespace.
                (Task::Request { .. }, _) => {}
                (Task::Leave, connection) => self.let_out(connection).await,
                (Task::Close, _) => self.close(),
            }
        }
    }

    async fn handle(self: &Arc<Self>, connection: &Connection, data: &str, ack: Option<i64>) {
        let name = packets::event_name(data).unwrap_or_default();
        let event = name.as_str();
        let _measured = Measured::begin("socketio");
        let mut read = None;
        if event == "new-message" {
            lock(&self.own).begin(ack.is_some());
        }
        let answer = async {
            let viewer = self.viewer(connection);
            self.hub.app.admit_request(&viewer).await?;
            // The body of a request that is not admitted is not read.
            let body = *read.insert(packets::body(data)?);
            let asker = Asking { session: self, connection };
            requests::answer(&asker, &self.hub.app, event, body).await
        };
        // A panic in one request must not keep the later ones from being answered.
        let answer = AssertUnwindSafe(answer).catch_unwind().await;
        let answer = answer.unwrap_or(Err(Error::Internal(None)));
        if self.limited.goes_on(answer.as_ref().err()) {
            return self.close();
        }
        let warnings = match read {
            Some(body) if self.hub.warns => requests::warnings(event, body, answer.as_ref().err()),
            _ => Vec::new(),
        };
        // Before the answer is flushed: what is pushed later is flushed by itself.
        lock(&self.own).end(answer.as_ref().is_ok_and(|answer| answer.fresh));
        let packet = match (answer, ack) {
            (Ok(answer), Some(ack)) => packets::ack(ack, &answer.json, &warnings),
            // The push is the answer, and the answer to the next request must come after it.
            (Ok(Answer { pushed: true, .. }), None) => {
                return self.hub.app.wait_until_shown().await;
            }
            (Ok(answer), None) => packets::event(event, &answer.json),
            (Err(error), ack) => {
                log(requests::name(event), &error);
                match ack {
                    Some(ack) => packets::ack(ack, &packets::error(&error), &warnings),
                    None => packets::event("exception", &packets::exception(event, &error)),
                }
            }
        };
        self.answer(packet);
    }

    fn connection(&self) -> Option<Arc<Connection>> {
        lock(&self.connection).clone()
    }

    /// Who asks if a request does not say.
    pub fn latest_actor(&self) -> Option<Actor> {
        lock(&self.latest).clone()
    }

    /// The same for requests that a client may make without a user.
    pub fn viewer(&self, connection: &Connection) -> Viewer {
        lock(&self.latest).as_ref().map_or_else(|| connection.viewer(), Viewer::from)
    }

    pub fn set_latest(&self, actor: Actor) {
        *lock(&self.latest) = Some(actor);
    }

    /// Does not act as this user any more, if it is the latest.
    pub fn unset_latest(&self, user_id: &UserId) {
        lock(&self.latest).take_if(|actor| actor.user_id() == user_id);
    }
}

/// The session that makes a request, with its connection.
struct Asking<'a> {
    session: &'a Session,
    connection: &'a Connection,
}

impl Asker for Asking<'_> {
    fn connection(&self) -> &Connection {
        self.connection
    }

    fn act(&self, named: Named) -> BoxFuture<'_, Result<Option<Actor>, Error>> {
        Box::pin(async move {
            match named {
                Named::Nobody => {}
                Named::User(user_id) => self.session.act_as(&user_id).await?,
                Named::Actor(user_id) => {
                    let actor = self.session.hub.app.claim(self.connection, &user_id).await?;
                    return Ok(Some(actor));
                }
            }
            Ok(self.session.latest_actor())
        })
    }

    fn hears_as(&self, user_id: &UserId) -> bool {
        self.session.latest_actor().is_some_and(|actor| actor.user_id() == user_id)
    }
}

impl Recipient for Session {
    fn id(&self) -> ConnectionId {
        self.id
    }

    fn show(&self, shown: &Shown<'_>) -> bool {
        if matches!(shown.event, Event::MessageReported(_))
            && !self.connection().is_some_and(|connection| connection.is_service())
        {
            return false;
        }
        let Some(packet) = shown.frame(show::show) else {
            return false;
        };
        // If the push fails, the socket is closed by the flush.
        let first = self.push(packet).unwrap_or(true);
        if matches!(shown.event, Event::MessageSent(posted) if posted.by == self.id) {
            lock(&self.own).show();
        }
        first
    }

    fn flush(&self) {
        if self.closing.load(Ordering::Acquire) {
            return self.close();
        }
        let leaves = lock(&self.own).leaves_to_answer();
        match leaves {
            true => self.leave_to_answer(),
            false => self.flush(),
        }
    }

    fn lose_user(&self, user_id: &UserId) {
        self.unset_latest(user_id);
        if self.connection().is_some_and(|connection| connection.user_id() == Some(user_id)) {
            // The user that it has proved to be is deleted; leave it time to be told so.
            self.finish_after(tokio::time::sleep(FAREWELL));
        }
    }

    fn restart(&self) {}

    /// The door itself closes the sockets, once their requests are answered.
    fn finish(&self) {}
}

/// The client did not read what was sent to it.
#[derive(Debug)]
pub(super) struct Overflow;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these values intact.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
