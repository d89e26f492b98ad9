//! Which sockets hear of which chat.
//!
//! Membership belongs to users, so that a user's second socket does not read the chats again. The
//! committed events keep the chats of connected users; a user's first socket reads them from the
//! store. If the user leaves a chat meanwhile, what was read may be old and is read again; a chat
//! joined meanwhile is added by its event.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engineioxide::Str;

use super::roster::{Roster, Socket};
use super::session::Session;
use crate::config::Limits;
use crate::domain::{Actor, Streams, Visitor};
use crate::doors::client::Client;
use crate::doors::places::Places;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, UserId};

pub(super) struct Rooms {
    roster: Mutex<Roster>,
    /// Polling sockets keep no connection: they have seats of their own.
    places: Arc<Places>,
}

impl Rooms {
    pub fn new(streams: &Streams, limits: &Limits) -> Rooms {
        let roster = Mutex::new(Roster::new(streams.clone()));
        Rooms { roster, places: Places::of(limits) }
    }

    /// A socket has connected; false if there are `max` already, the client's address has as many
    /// as it may or the server is shutting down.
    pub fn add(&self, session: &Arc<Session>, client: Client, max: usize) -> bool {
        let mut roster = self.lock();
        if roster.closed || roster.sockets.len() >= max {
            return false;
        }
        let Some(seat) = self.places.seat(client) else {
            return false;
        };
        let socket = Socket {
            session: session.clone(),
            users: HashSet::new(),
            rooms: HashSet::new(),
            system: true,
            _seat: seat,
        };
        roster.sockets.insert(session.id, socket);
        true
    }

    /// A socket has disconnected; true if it was in a room and the server goes on: then the domain
    /// has to be told.
    pub fn remove(&self, id: ConnectionId) -> bool {
        let mut roster = self.lock();
        let in_rooms = roster.leave_all(id);
        roster.sockets.remove(&id);
        in_rooms && !roster.closed
    }

    /// Makes a socket act as no user and hear of no room; true if it was in one: then the domain
    /// has to be told.
    pub fn leave_all(&self, id: ConnectionId) -> bool {
        self.lock().leave_all(id)
    }

    /// Takes no more sockets.
    pub fn stop(&self) {
        self.lock().closed = true;
    }

    /// Whether a socket has yet to take an answer.
    pub fn have_unsent(&self) -> bool {
        self.lock().sockets.values().any(|socket| socket.session.has_unsent())
    }

    /// Disconnects all sockets.
    pub fn close(&self) {
        let roster = self.lock();
        let sessions: Vec<_> = roster.sockets.values().map(|s| s.session.clone()).collect();
        drop(roster);
        close_all(&sessions);
    }

    /// Makes a socket act as a user from now on, once `claim` has found that it may; if a user
    /// becomes protected meanwhile, `claim` is asked again. False if that is one of its users
    /// already. Errors: those of `claim`; `too_large` for a socket of too many users;
    /// `unavailable` for one that has disconnected.
    pub async fn attach<F: Future<Output = Result<Actor, Error>>>(
        &self,
        id: ConnectionId,
        max_users: usize,
        claim: impl Fn() -> F,
    ) -> Result<bool, Error> {
        loop {
            let protections = self.lock().protections;
            let actor = claim().await?;
            let mut roster = self.lock();
            if roster.protections == protections {
                return roster.attach(id, actor, max_users);
            }
        }
    }

    /// Makes a socket hear of all the chats of a user whom it acts as; `read` brings them if they
    /// are not known. Errors: those of `read`, with which it loses the user; `unavailable` for a
    /// socket that has lost the user or has disconnected.
    pub async fn hear_chats<F: Future<Output = Result<Vec<ChatId>, Error>>>(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        read: impl Fn() -> F,
    ) -> Result<(), Error> {
        loop {
            let unknown = self.lock().unknown_since(id, user_id)?;
            let Some(leaves) = unknown else {
                return Ok(());
            };
            let chats = read().await.inspect_err(|_| self.lock().detach(id, user_id))?;
            self.lock().learn(id, user_id, leaves, chats);
        }
    }

    /// Makes a socket act as a user no more.
    pub fn detach(&self, id: ConnectionId, user_id: &UserId) {
        self.lock().detach(id, user_id);
    }

    /// A user is protected from now on, and lost to the sockets that have not proved to be
    /// theirs. Returns the rooms that these were in as the user.
    pub fn forget(&self, user_id: &UserId) -> Vec<(ConnectionId, ChatId)> {
        self.lock().forget(user_id)
    }

    /// A user has become a member of a chat.
    pub fn join(&self, chat_id: ChatId, user_id: &UserId) {
        self.lock().join(chat_id, user_id);
    }

    /// A user is no member of a chat any more, and may see it or not. Returns the sockets that
    /// have lost their subscription.
    pub fn leave(&self, chat_id: ChatId, user_id: &UserId, sees: bool) -> Vec<ConnectionId> {
        self.lock().leave(chat_id, user_id, sees)
    }

    /// A chat is for members only from now on. Returns the sockets that have lost their
    /// subscription.
    pub fn restrict(&self, chat_id: ChatId) -> Vec<ConnectionId> {
        self.lock().restrict(chat_id)
    }

    /// A chat is gone. Returns the sockets that were in its room.
    pub fn close_room(&self, chat_id: ChatId) -> Vec<ConnectionId> {
        self.lock().close_room(chat_id)
    }

    /// Puts a socket into a room, as a user or nobody in particular, once `see` has found that it
    /// may be there; if somebody loses such a right meanwhile, `see` is asked again. Errors: those
    /// of `see`; `too_large` for a socket in too many rooms; `unavailable` for one that has
    /// disconnected; `unauthenticated` for one that has lost the user.
    pub async fn subscribe<F: Future<Output = Result<Visitor, Error>>>(
        &self,
        id: ConnectionId,
        chat_id: ChatId,
        user_id: Option<&UserId>,
        max_rooms: usize,
        see: impl Fn() -> F,
    ) -> Result<Visitor, Error> {
        loop {
            let evictions = self.lock().evictions;
            let visitor = see().await?;
            let mut roster = self.lock();
            if roster.evictions == evictions {
                roster.subscribe(id, chat_id, user_id, max_rooms)?;
                return Ok(visitor);
            }
        }
    }

    /// Takes a socket out of a room; false if it was not in it.
    pub fn unsubscribe(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().unsubscribe(id, chat_id)
    }

    pub fn is_subscribed(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().sockets.get(&id).is_some_and(|socket| socket.rooms.contains(&chat_id))
    }

    /// Turns the system channel on or off for a socket; returns whether it was on.
    pub fn set_system(&self, id: ConnectionId, on: bool) -> bool {
        let mut roster = self.lock();
        let system = roster.sockets.get_mut(&id).map(|socket| &mut socket.system);
        system.is_some_and(|system| std::mem::replace(system, on))
    }

    /// Sends a packet to every socket of a room, once each: those of the members, and those that
    /// are subscribed.
    pub fn broadcast(&self, chat_id: ChatId, packet: &Str) {
        self.send_message(chat_id, packet, packet);
    }

    /// Sends one packet to the sockets of the members, and another one in its place to those that
    /// are subscribed.
    pub fn send_message(&self, chat_id: ChatId, to_members: &Str, to_subscribers: &Str) {
        let roster = self.lock();
        let Some(room) = roster.rooms.get(&chat_id) else {
            return;
        };
        let users = room.members.iter().filter_map(|user_id| roster.users.get(user_id));
        let sockets = users.flat_map(|user| user.sockets.values());
        let others = sockets.filter(|session| !room.subscribers.contains_key(&session.id));
        let mut behind = send_once(others, to_members);
        let subscribers = room.subscribers.values().map(|subscriber| &subscriber.session);
        behind.extend(send_once(subscribers, to_subscribers));
        drop(roster);
        close_all(&behind);
    }

    /// Sends a packet to the sockets of a user, save perhaps one.
    pub fn send_to_user(&self, user_id: &UserId, except: Option<ConnectionId>, packet: &Str) {
        let roster = self.lock();
        let sockets = roster.users.get(user_id).into_iter().flat_map(|user| user.sockets.values());
        let behind = send_once(sockets.filter(|session| Some(session.id) != except), packet);
        drop(roster);
        close_all(&behind);
    }

    /// Sends a packet to every socket on the system channel.
    pub fn announce(&self, packet: &Str) {
        let roster = self.lock();
        let hears = |socket: &&Socket| socket.system && !socket.users.is_empty();
        let sockets = roster.sockets.values().filter(hears).map(|socket| &socket.session);
        let behind = send_once(sockets, packet);
        drop(roster);
        close_all(&behind);
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the sockets that are too far behind to take the packet: they are to be closed, so that
/// they notice, reconnect and catch up.
fn send_once<'a>(
    sessions: impl Iterator<Item = &'a Arc<Session>>,
    packet: &Str,
) -> Vec<Arc<Session>> {
    // Only a socket that acts as several users can come up twice.
    let mut sent = HashSet::new();
    sessions
        .filter(|session| !session.acts_as_several() || sent.insert(session.id))
        .filter(|session| session.send(packet.clone()).is_err())
        .cloned()
        .collect()
}

/// Must be called without the lock: closing a socket leads back to it.
fn close_all(sessions: &[Arc<Session>]) {
    sessions.iter().for_each(|session| session.close());
}
