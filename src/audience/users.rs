//! The users that connections act as, and the nicks of those in channels.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use tokio::sync::Notify;

use super::comings::Moves;
use super::register::{Acting, Nick, Register, User};
use super::{Audience, Recipient};
use crate::cluster::Streams;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Handle, Stream, UserId};

impl Audience {
    /// A connection asks to act as a user; it is `anonymous` if it has proved nothing. It hears
    /// nothing of the user until that is [confirmed](Audience::confirm_user). Returns whether this
    /// is new. Errors: `too_large` for a connection that acts as `max` users; `unavailable` for one
    /// that has closed.
    pub fn act_as(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        anonymous: bool,
        max: usize,
    ) -> Result<bool, Error> {
        let mut register = self.lock();
        let connected = register.connections.get(&id).ok_or(Error::Unavailable(None))?;
        if connected.users.contains_key(user_id) {
            return Ok(false);
        }
        if connected.users.len() >= max {
            let (field, unit) = ("user.id".into(), "users on one socket");
            return Err(Error::TooLarge { field, max, unit });
        }
        register.insert_user(id, user_id, anonymous);
        Ok(true)
    }

    /// Lets a connection act as the user, and calls `then` under the same lock. Returns whether the
    /// user's chats are to be read and [told](Audience::learn_chats); what the user leaves from now
    /// on is taken from what was read. Errors: `unauthenticated` if an event has taken the user
    /// from the connection meanwhile.
    pub fn confirm_user(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        then: impl FnOnce(),
    ) -> Result<bool, Error> {
        let mut register = self.lock();
        register.confirm_user(id, user_id)?;
        then();
        let unknown = register.users.get_mut(user_id).filter(|user| !user.known);
        Ok(unknown.map(|user| user.left.get_or_insert_default()).is_some())
    }

    /// A connection that has proved to be a user acts as them from now on.
    pub fn set_user(&self, id: ConnectionId, user_id: &UserId) {
        self.lock().set_user(id, user_id, false);
    }

    /// Takes a user from a connection that could not come to act as them.
    pub fn take_user(&self, id: ConnectionId, user_id: &UserId) {
        self.lock().take_user(id, user_id);
    }

    /// Tells the chats of a user, as they were read after the connection came to act as the user.
    /// Errors: `unauthenticated` if it does not any more.
    pub fn learn_chats(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        chats: Vec<ChatId>,
    ) -> Result<(), Error> {
        let mut register = self.lock();
        let user = register.users.get_mut(user_id);
        let user = user.filter(|user| user.connections.contains_key(&id)).ok_or(Error::NO_USER)?;
        // Another connection has told the chats already, and events have kept them up to date
        // since.
        if mem::replace(&mut user.known, true) {
            return Ok(());
        }
        let left = user.left.take().unwrap_or_default();
        let chats: Vec<_> = chats.into_iter().filter(|chat_id| !left.contains(chat_id)).collect();
        user.chats.extend(&chats);
        for chat_id in chats {
            register.chat(chat_id, Streams::follow).members.insert(user_id.clone());
        }
        Ok(())
    }

    /// Notified when users have come or gone: see [`take_moves`](Audience::take_moves).
    pub fn moved(&self) -> Arc<Notify> {
        self.lock().comings.moved.clone()
    }

    /// The users whose first connection has come or whose last one has gone since this was last
    /// asked; with `all` also those who may be back at once. Those who came are taken to be told
    /// of.
    pub fn take_moves(&self, all: bool) -> Moves {
        let Register { users, comings, .. } = &mut *self.lock();
        comings.take(all, |user_id| {
            let user = users.get_mut(user_id);
            user.is_some_and(|user| !mem::replace(&mut user.online, true))
        })
    }

    /// The users of whom others were told that they are online by this node.
    pub fn list_online(&self) -> Vec<UserId> {
        let register = self.lock();
        let online = register.users.iter().filter(|(_, user)| user.online);
        online.map(|(user_id, _)| user_id.clone()).collect()
    }

    /// Of each user, whether a connection acts as them.
    pub fn are_online(&self, users: &[&UserId]) -> Vec<bool> {
        let register = self.lock();
        users.iter().map(|user_id| register.acting_as(user_id).next().is_some()).collect()
    }
}

impl Register {
    pub fn set_user(&mut self, id: ConnectionId, user_id: &UserId, anonymous: bool) {
        self.insert_user(id, user_id, anonymous);
        // It fails for a connection that has closed, which hears nothing.
        let _ = self.confirm_user(id, user_id);
    }

    fn insert_user(&mut self, id: ConnectionId, user_id: &UserId, anonymous: bool) {
        let Some(connected) = self.connections.get_mut(&id) else {
            return;
        };
        connected.users.insert(user_id.clone(), false);
        let recipient = connected.recipient.clone();
        let user = self.users.entry(user_id.clone()).or_insert_with(|| User {
            _following: self.streams.follow(Stream::User(user_id.clone())),
            connections: HashMap::new(),
            chats: HashSet::new(),
            online: self.comings.comes_back(user_id),
            known: false,
            left: None,
        });
        user.connections.insert(id, Acting { recipient, anonymous, confirmed: false });
    }

    pub fn confirm_user(&mut self, id: ConnectionId, user_id: &UserId) -> Result<(), Error> {
        let connected = self.connections.get_mut(&id).ok_or(Error::Unavailable(None))?;
        let user = self.users.get_mut(user_id).ok_or(Error::NO_USER)?;
        user.connections.get_mut(&id).ok_or(Error::NO_USER)?.confirmed = true;
        if !user.online {
            self.comings.comes(user_id);
        }
        connected.users.insert(user_id.clone(), true);
        self.forget_hearing(user_id);
        Ok(())
    }

    /// Forgets the user with their last connection.
    pub fn forget_user(&mut self, id: ConnectionId, user_id: &UserId) {
        if let Some(connected) = self.connections.get_mut(&id) {
            connected.users.remove(user_id);
        }
        let Some(user) = self.users.get_mut(user_id) else {
            return;
        };
        user.connections.remove(&id);
        if !user.connections.is_empty() {
            return self.forget_hearing(user_id);
        }
        let (chats, online) = (mem::take(&mut user.chats), user.online);
        self.users.remove(user_id);
        self.comings.goes(user_id, online);
        chats.into_iter().for_each(|chat_id| self.remove_member(chat_id, user_id));
    }

    pub fn take_user(&mut self, id: ConnectionId, user_id: &UserId) {
        self.forget_user(id, user_id);
        if let Some(connected) = self.connections.get(&id) {
            connected.recipient.lose_user(user_id);
        }
    }

    /// A connection has come to act as the user, or has ceased to: the lists of the user's chats
    /// are gathered anew.
    pub fn forget_hearing(&mut self, user_id: &UserId) {
        let chats = self.users.get(user_id).into_iter().flat_map(|user| &user.chats);
        for chat_id in chats {
            if let Some(chat) = self.chats.get_mut(chat_id) {
                chat.hearing = None;
            }
        }
    }

    /// A nick has connected. If its connection is this node's, the connection acts as the nick's
    /// user.
    pub fn add_nick(
        &mut self,
        nick: &Handle,
        user_id: &UserId,
        connection: ConnectionId,
        anonymous: bool,
    ) {
        if self.connections.contains_key(&connection) {
            self.set_user(connection, user_id, anonymous);
            self.nicks.insert(nick.clone(), Nick { connection, user_id: user_id.clone() });
        }
    }

    /// Forgets a nick; returns its connection if that was this node's, which acts as nobody now.
    pub fn remove_nick(&mut self, nick: &Handle) -> Option<Arc<dyn Recipient>> {
        let Nick { connection, .. } = self.nicks.remove(nick)?;
        self.reset(connection);
        Some(self.connections.get(&connection)?.recipient.clone())
    }

    /// The connections that act as a user.
    pub fn acting_as(&self, user_id: &UserId) -> impl Iterator<Item = &Arc<dyn Recipient>> {
        let acting = self.users.get(user_id).into_iter().flat_map(|user| user.connections.values());
        acting.filter(|acting| acting.confirmed).map(|acting| &acting.recipient)
    }
}
