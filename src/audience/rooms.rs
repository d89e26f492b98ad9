//! The chats that connections hear: as members, or in the room.

use std::collections::{HashMap, HashSet};

use super::register::{Chat, Nick, Register, Subscriber, Visit};
use super::{Audience, Lost};
use crate::cluster::{Following, Streams};
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Handle, Stream, UserId};

impl Audience {
    /// A connection asks to be in the room of a chat. It hears nothing there until that is
    /// [confirmed](Audience::confirm_room). Returns whether this is new. Errors: `too_large` for a
    /// connection that is in `max` rooms; `unauthenticated` for one that has lost the visit's user;
    /// `unavailable` for one that has closed.
    pub fn enter(
        &self,
        id: ConnectionId,
        chat_id: ChatId,
        visit: Visit,
        max: usize,
    ) -> Result<bool, Error> {
        let mut register = self.lock();
        let connected = register.connections.get_mut(&id).ok_or(Error::Unavailable(None))?;
        if let Some(user_id) = &visit.user_id
            && !connected.users.contains_key(user_id)
        {
            return Err(Error::NO_USER);
        }
        if !connected.rooms.contains(&chat_id) && connected.rooms.len() >= max {
            let (field, unit) = ("channel".into(), "rooms of one socket");
            return Err(Error::TooLarge { field, max, unit });
        }
        let new = connected.rooms.insert(chat_id);
        let recipient = connected.recipient.clone();
        let subscriber = register.chat(chat_id, Streams::follow).subscribers.entry(id);
        let subscriber = subscriber.or_insert(Subscriber {
            recipient,
            visit: Visit { user_id: None, service: visit.service },
            as_nick: false,
            confirmed: false,
            since_seq: i64::MAX,
        });
        // A connection that came as nobody may say later which user it is.
        subscriber.visit.user_id = subscriber.visit.user_id.take().or(visit.user_id);
        Ok(new)
    }

    /// Lets a connection hear the room. False if an event has taken it out meanwhile.
    pub fn confirm_room(&self, id: ConnectionId, chat_id: ChatId, last_seq: i64) -> bool {
        let mut register = self.lock();
        let Some(chat) = register.chats.get_mut(&chat_id) else {
            return false;
        };
        let Some(subscriber) = chat.subscribers.get_mut(&id) else {
            return false;
        };
        subscriber.confirmed = true;
        subscriber.since_seq = subscriber.since_seq.min(last_seq);
        chat.hearing = None;
        true
    }

    /// A connection leaves a room. False if it was not there.
    pub fn leave(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().leave(id, chat_id).is_some()
    }

    /// The chat's last message when a connection came into its room; `None` if it is not there.
    pub fn in_room_since(&self, id: ConnectionId, chat_id: ChatId) -> Option<i64> {
        self.lock().subscriber(id, chat_id).map(|subscriber| subscriber.since_seq)
    }

    pub fn is_in_room(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.in_room_since(id, chat_id).is_some()
    }

    /// Whether a connection is in a room as this user.
    pub fn is_in_room_as(&self, id: ConnectionId, chat_id: ChatId, user_id: &UserId) -> bool {
        self.lock().subscriber(id, chat_id).is_some_and(|it| it.is_here_as(user_id))
    }

    /// Whether a user is known to be a member of a chat; only of users that connections act as.
    pub fn is_member(&self, chat_id: ChatId, user_id: &UserId) -> bool {
        self.lock().chats.get(&chat_id).is_some_and(|chat| chat.members.contains(user_id))
    }

    /// Whether a connection acts as a member of a chat.
    pub fn acts_as_member(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        let register = self.lock();
        let known = register.connections.get(&id).zip(register.chats.get(&chat_id));
        known.is_some_and(|(connected, chat)| {
            let mut users = connected.users.iter().filter(|(_, confirmed)| **confirmed);
            users.any(|(user_id, _)| chat.members.contains(user_id))
        })
    }
}

impl Register {
    /// A connection leaves a room. `None` if it was not there.
    pub fn leave(&mut self, id: ConnectionId, chat_id: ChatId) -> Option<Lost> {
        if let Some(connected) = self.connections.get_mut(&id) {
            connected.rooms.remove(&chat_id);
        }
        let chat = self.chats.get_mut(&chat_id)?;
        let was_in = chat.subscribers.remove(&id);
        chat.hearing = None;
        self.tidy(chat_id);
        was_in.map(|it| Lost { connection: id, chat_id, as_nick: it.as_nick })
    }

    /// A connection that is in a room.
    pub fn subscriber(&self, id: ConnectionId, chat_id: ChatId) -> Option<&Subscriber> {
        let subscriber = self.chats.get(&chat_id)?.subscribers.get(&id)?;
        subscriber.confirmed.then_some(subscriber)
    }

    pub fn add_member(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            if let Some(left) = &mut user.left {
                left.remove(&chat_id);
            }
            user.chats.insert(chat_id);
            self.chat(chat_id, Streams::follow_on).members.insert(user_id.clone());
        }
    }

    pub fn remove_member(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.chats.remove(&chat_id);
            if let Some(left) = &mut user.left {
                left.insert(chat_id);
            }
        }
        if let Some(chat) = self.chats.get_mut(&chat_id) {
            chat.members.remove(user_id);
            chat.hearing = None;
            self.tidy(chat_id);
        }
    }

    /// A nick is in a channel. False if it is known to be there already.
    pub fn enter_channel(&mut self, chat_id: ChatId, nick: &Handle, by: ConnectionId) -> bool {
        let Some(Nick { connection, user_id }) = self.nicks.get(nick) else {
            return true;
        };
        let Some(connected) = self.connections.get_mut(&by).filter(|_| *connection == by) else {
            return true;
        };
        let user_id = Some(user_id.clone());
        connected.rooms.insert(chat_id);
        let recipient = connected.recipient.clone();
        let visit = Visit { user_id, service: false };
        let since_seq = i64::MAX;
        let subscriber = Subscriber { recipient, visit, as_nick: true, confirmed: true, since_seq };
        let chat = self.chat(chat_id, Streams::follow_on);
        chat.subscribers.insert(by, subscriber).is_none()
    }

    pub fn leave_channel(&mut self, chat_id: ChatId, nick: &Handle, by: ConnectionId) {
        if self.is_nick_of(nick, by) {
            self.leave(by, chat_id);
        }
    }

    /// Whether a connection of this node has this nick now: an event may tell of an earlier one.
    pub fn is_nick_of(&self, nick: &Handle, connection: ConnectionId) -> bool {
        self.nicks.get(nick).is_some_and(|nick| nick.connection == connection)
    }

    /// A chat that one more connection is about to hear; this node follows it from now on.
    pub fn chat(
        &mut self,
        chat_id: ChatId,
        follow: impl FnOnce(&Streams, Stream) -> Following,
    ) -> &mut Chat {
        let chat = self.chats.entry(chat_id).or_insert_with(|| Chat {
            _following: follow(&self.streams, Stream::Chat(chat_id)),
            members: HashSet::new(),
            subscribers: HashMap::new(),
            hearing: None,
        });
        chat.hearing = None;
        chat
    }

    /// Forgets a chat that no connection hears any more.
    fn tidy(&mut self, chat_id: ChatId) {
        let unheard = |chat: &Chat| chat.members.is_empty() && chat.subscribers.is_empty();
        if self.chats.get(&chat_id).is_some_and(unheard) {
            self.chats.remove(&chat_id);
        }
    }
}
