//! Which sockets hear of which chat.
//!
//! Membership belongs to users, so that a user's second socket costs no query. The committed
//! events keep the chats of connected users; a user's first socket reads them from the store. If
//! the user leaves a chat meanwhile, what was read may be old and is read again; a chat joined
//! meanwhile is added by its event.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engineioxide::Str;

use super::session::Session;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, UserId};

#[derive(Default)]
pub(super) struct Rooms {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sockets: HashMap<ConnectionId, Socket>,
    users: HashMap<UserId, Connected>,
    /// The connected members of each chat.
    chats: HashMap<ChatId, HashSet<UserId>>,
    /// Set once the server shuts down; from then on nobody enters.
    closed: bool,
}

struct Socket {
    session: Arc<Session>,
    users: HashSet<UserId>,
}

/// A user with at least one socket.
#[derive(Default)]
struct Connected {
    sockets: HashMap<ConnectionId, Arc<Session>>,
    chats: HashSet<ChatId>,
    /// Whether `chats` has been read from the store.
    known: bool,
    /// How often the user has left a chat.
    leaves: u64,
}

impl Rooms {
    /// A socket has connected; false if there are `max` already or the server is shutting down.
    pub fn add(&self, session: &Arc<Session>, max: usize) -> bool {
        let mut state = self.lock();
        if state.closed || state.sockets.len() >= max {
            return false;
        }
        let users = HashSet::new();
        state.sockets.insert(session.id, Socket { session: session.clone(), users });
        true
    }

    /// A socket has disconnected.
    pub fn remove(&self, id: ConnectionId) {
        let mut state = self.lock();
        let Some(socket) = state.sockets.remove(&id) else {
            return;
        };
        for user_id in socket.users {
            state.detach(id, &user_id);
        }
    }

    /// Disconnects all sockets, for good.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let sessions: Vec<_> = state.sockets.values().map(|s| s.session.clone()).collect();
        // Closing a socket leads back to here.
        drop(state);
        sessions.iter().for_each(|session| session.close());
    }

    /// Makes a socket act as a user too, and hear of all the user's chats, which `read` brings if
    /// they are not known. Errors: those of `read`; `too_large` for a socket of too many users;
    /// `unavailable` for one that has disconnected.
    pub async fn attach<F: Future<Output = Result<Vec<ChatId>, Error>>>(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        max_users: usize,
        read: impl Fn() -> F,
    ) -> Result<(), Error> {
        self.lock().attach(id, user_id, max_users)?;
        loop {
            let unknown = self.lock().unknown_since(id, user_id)?;
            let Some(leaves) = unknown else {
                return Ok(());
            };
            let chats = read().await.inspect_err(|_| self.lock().detach(id, user_id))?;
            self.lock().learn(id, user_id, leaves, chats);
        }
    }

    /// A user has become a member of a chat.
    pub fn join(&self, chat_id: ChatId, user_id: &UserId) {
        self.lock().join(chat_id, user_id);
    }

    /// A user is no member of a chat any more.
    pub fn leave(&self, chat_id: ChatId, user_id: &UserId) {
        self.lock().leave(chat_id, user_id);
    }

    /// Sends a packet to every socket of a chat's members, once each.
    pub fn broadcast(&self, chat_id: ChatId, packet: &Str) {
        let state = self.lock();
        let members = state.chats.get(&chat_id).into_iter().flatten();
        let users = members.filter_map(|user_id| state.users.get(user_id));
        let behind = send_once(users.flat_map(|user| user.sockets.values()), packet);
        drop(state);
        behind.iter().for_each(|session| session.close());
    }

    /// Sends a packet to the sockets of a user, save one.
    pub fn send_to_user(&self, user_id: &UserId, except: ConnectionId, packet: &Str) {
        let state = self.lock();
        let sockets = state.users.get(user_id).into_iter().flat_map(|user| user.sockets.values());
        let behind = send_once(sockets.filter(|session| session.id != except), packet);
        drop(state);
        behind.iter().for_each(|session| session.close());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

impl State {
    fn attach(&mut self, id: ConnectionId, user_id: &UserId, max: usize) -> Result<(), Error> {
        let socket = self.sockets.get_mut(&id).ok_or(Error::Unavailable(None))?;
        if socket.users.len() >= max && !socket.users.contains(user_id) {
            let (field, unit) = ("user.id".into(), "users on one socket");
            return Err(Error::TooLarge { field, max, unit });
        }
        socket.users.insert(user_id.clone());
        socket.session.set_several_users(socket.users.len() > 1);
        let user = self.users.entry(user_id.clone()).or_default();
        user.sockets.insert(id, socket.session.clone());
        Ok(())
    }

    fn detach(&mut self, id: ConnectionId, user_id: &UserId) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.users.remove(user_id);
            socket.session.set_several_users(socket.users.len() > 1);
        }
        let Some(user) = self.users.get_mut(user_id) else {
            return;
        };
        user.sockets.remove(&id);
        if !user.sockets.is_empty() {
            return;
        }
        for chat_id in std::mem::take(&mut user.chats) {
            self.remove_from_chat(chat_id, user_id);
        }
        self.users.remove(user_id);
    }

    /// How often the user has left a chat so far, if the chats are still to be read. It fails for
    /// a socket that has disconnected.
    fn unknown_since(&self, id: ConnectionId, user_id: &UserId) -> Result<Option<u64>, Error> {
        let user = self.users.get(user_id).filter(|user| user.sockets.contains_key(&id));
        let user = user.ok_or(Error::Unavailable(None))?;
        Ok((!user.known).then_some(user.leaves))
    }

    /// Takes the chats that the socket has read, unless they are old: the user has left one since,
    /// or the socket has disconnected.
    fn learn(&mut self, id: ConnectionId, user_id: &UserId, leaves: u64, chats: Vec<ChatId>) {
        let user = self.users.get_mut(user_id);
        let current =
            |user: &&mut Connected| user.leaves == leaves && user.sockets.contains_key(&id);
        let Some(user) = user.filter(current) else {
            return;
        };
        user.known = true;
        for chat_id in chats {
            user.chats.insert(chat_id);
            self.chats.entry(chat_id).or_default().insert(user_id.clone());
        }
    }

    fn join(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.chats.insert(chat_id);
            self.chats.entry(chat_id).or_default().insert(user_id.clone());
        }
    }

    fn leave(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.chats.remove(&chat_id);
            user.leaves += 1;
            self.remove_from_chat(chat_id, user_id);
        }
    }

    fn remove_from_chat(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(members) = self.chats.get_mut(&chat_id) {
            members.remove(user_id);
            if members.is_empty() {
                self.chats.remove(&chat_id);
            }
        }
    }
}
