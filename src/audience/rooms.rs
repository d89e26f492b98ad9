//! The chats that connections hear: as members, or in the room.

use std::collections::{HashMap, HashSet};

use super::register::{Chat, Nick, Register, Subscriber, Visit};
use crate::cluster::{Following, Streams};
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Handle, Stream, UserId};

impl Register {
    pub fn enter(
        &mut self,
        id: ConnectionId,
        chat_id: ChatId,
        visit: Visit,
        max: usize,
    ) -> Result<bool, Error> {
        let connected = self.connections.get_mut(&id).ok_or(Error::Unavailable(None))?;
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
        let subscriber = self.chat(chat_id, Streams::follow).subscribers.entry(id);
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

    pub fn confirm_room(&mut self, id: ConnectionId, chat_id: ChatId, last_seq: i64) -> bool {
        let Some(chat) = self.chats.get_mut(&chat_id) else {
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

    pub fn leave(&mut self, id: ConnectionId, chat_id: ChatId) -> bool {
        if let Some(connected) = self.connections.get_mut(&id) {
            connected.rooms.remove(&chat_id);
        }
        let Some(chat) = self.chats.get_mut(&chat_id) else {
            return false;
        };
        let was_in = chat.subscribers.remove(&id).is_some();
        chat.hearing = None;
        self.tidy(chat_id);
        was_in
    }

    /// A connection that is in a room.
    pub fn subscriber(&self, id: ConnectionId, chat_id: ChatId) -> Option<&Subscriber> {
        let subscriber = self.chats.get(&chat_id)?.subscribers.get(&id)?;
        subscriber.confirmed.then_some(subscriber)
    }

    pub fn acts_as_member(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        let known = self.connections.get(&id).zip(self.chats.get(&chat_id));
        known.is_some_and(|(connected, chat)| {
            let mut users = connected.users.iter().filter(|(_, confirmed)| **confirmed);
            users.any(|(user_id, _)| chat.members.contains(user_id))
        })
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
    pub fn enter_channel(&mut self, chat_id: ChatId, nick: &Handle) -> bool {
        let Some(Nick { connection, user_id }) = self.nicks.get(nick) else {
            return true;
        };
        let (connection, user_id) = (*connection, Some(user_id.clone()));
        let Some(connected) = self.connections.get_mut(&connection) else {
            return true;
        };
        connected.rooms.insert(chat_id);
        let recipient = connected.recipient.clone();
        let visit = Visit { user_id, service: false };
        let since_seq = i64::MAX;
        let subscriber = Subscriber { recipient, visit, as_nick: true, confirmed: true, since_seq };
        let chat = self.chat(chat_id, Streams::follow_on);
        chat.subscribers.insert(connection, subscriber).is_none()
    }

    pub fn leave_channel(&mut self, chat_id: ChatId, nick: &Handle) {
        if let Some(nick) = self.nicks.get(nick) {
            self.leave(nick.connection, chat_id);
        }
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
