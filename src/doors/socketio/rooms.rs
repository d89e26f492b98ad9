//! Which sockets hear of which chat.
//!
//! Membership belongs to users, so that a user's second socket costs no query. The lists of
//! connected users are kept by the committed events; a user's first socket reads the user's chats
//! from the store once. What happens while it reads is not lost: a chat joined meanwhile is added
//! by its event, and one left meanwhile is remembered and not added by the list.

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
    /// The sockets that are reading it now, and the chats left since the first of them began.
    reading: HashSet<ConnectionId>,
    left: HashSet<ChatId>,
}

impl Rooms {
    /// A socket has connected; false if the server is shutting down.
    pub fn add(&self, session: &Arc<Session>) -> bool {
        let mut state = self.lock();
        if state.closed {
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
        drop(state);
        sessions.iter().for_each(|session| session.close());
    }

    /// Lets a socket hear of all chats of a user, which `chats` reads if they are not known.
    pub async fn enter(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        chats: impl Future<Output = Result<Vec<ChatId>, Error>>,
    ) -> Result<(), Error> {
        if self.lock().attach(id, user_id)? {
            return Ok(());
        }
        let chats = chats.await;
        self.lock().finish_reading(id, user_id, chats)
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
    /// Makes a socket one of the user's; false if the user's chats are still to be read.
    fn attach(&mut self, id: ConnectionId, user_id: &UserId) -> Result<bool, Error> {
        let socket = self.sockets.get_mut(&id).ok_or(Error::Unauthenticated)?;
        socket.users.insert(user_id.clone());
        let user = self.users.entry(user_id.clone()).or_default();
        user.sockets.insert(id, socket.session.clone());
        if !user.known {
            user.reading.insert(id);
        }
        Ok(user.known)
    }

    fn detach(&mut self, id: ConnectionId, user_id: &UserId) {
        let Some(user) = self.users.get_mut(user_id) else {
            return;
        };
        user.sockets.remove(&id);
        user.reading.remove(&id);
        if !user.sockets.is_empty() {
            return;
        }
        for chat_id in std::mem::take(&mut user.chats) {
            self.remove_from_chat(chat_id, user_id);
        }
        self.users.remove(user_id);
    }

    fn finish_reading(
        &mut self,
        id: ConnectionId,
        user_id: &UserId,
        chats: Result<Vec<ChatId>, Error>,
    ) -> Result<(), Error> {
        let chats = match chats {
            Ok(chats) => chats,
            Err(error) => {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.users.remove(user_id);
                }
                self.detach(id, user_id);
                return Err(error);
            }
        };
        let user = self.users.get_mut(user_id).ok_or(Error::Unauthenticated)?;
        // A socket that has disconnected meanwhile may have read an old list.
        if !user.reading.remove(&id) {
            return Err(Error::Unauthenticated);
        }
        for chat_id in chats.into_iter().filter(|chat_id| !user.left.contains(chat_id)) {
            user.chats.insert(chat_id);
            self.chats.entry(chat_id).or_default().insert(user_id.clone());
        }
        user.known = true;
        if user.reading.is_empty() {
            user.left.clear();
        }
        Ok(())
    }

    fn join(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.left.remove(&chat_id);
            user.chats.insert(chat_id);
            self.chats.entry(chat_id).or_default().insert(user_id.clone());
        }
    }

    fn leave(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.chats.remove(&chat_id);
            if !user.reading.is_empty() {
                user.left.insert(chat_id);
            }
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
