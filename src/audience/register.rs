//! The data behind the audience's lock: connections, the users they act as, and the rooms they are
//! in.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::Recipient;
use super::comings::Comings;
use super::watches::Watches;
use crate::cluster::{Following, Streams};
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Handle, Stream, UserId};

pub(super) struct Register {
    streams: Streams,
    pub(super) connections: HashMap<ConnectionId, Connected>,
    pub(super) users: HashMap<UserId, User>,
    pub(super) chats: HashMap<ChatId, Chat>,
    pub(super) nicks: HashMap<Handle, Nick>,
    pub(super) watches: Watches,
    pub(super) comings: Comings,
    /// Set once the server ends; from then on nobody connects.
    stopped: bool,
}

pub(super) struct Connected {
    pub recipient: Arc<dyn Recipient>,
    /// The users it acts as, each with whether that is confirmed.
    users: HashMap<UserId, bool>,
    pub rooms: HashSet<ChatId>,
    /// Whether it hears what everybody hears, while it acts as a user.
    hears_all: bool,
}

/// A user that a connection acts as.
pub(super) struct User {
    _following: Following,
    pub connections: HashMap<ConnectionId, Acting>,
    pub chats: HashSet<ChatId>,
    /// Whether others have been told that the user is online.
    pub online: bool,
    /// Whether `chats` has been read from the store.
    known: bool,
    /// The chats that the user has left while `chats` is being read; `None` at other times.
    left: Option<HashSet<ChatId>>,
}

/// A connection that acts as a user, or has asked to.
pub(super) struct Acting {
    pub recipient: Arc<dyn Recipient>,
    /// Whether it has proved nothing: then it loses a user who becomes protected.
    pub anonymous: bool,
    pub confirmed: bool,
}

/// A chat that some connection hears.
pub(super) struct Chat {
    _following: Following,
    /// The members that connections act as.
    pub members: HashSet<UserId>,
    /// The connections in its room.
    pub subscribers: HashMap<ConnectionId, Subscriber>,
    /// The connections that hear its events, as they were last gathered; `None` if they may have
    /// changed since.
    pub hearing: Option<Hearing>,
}

/// The connections that a chat's events are shown to, each listed once.
#[derive(Default)]
pub(super) struct Hearing {
    pub in_room: Vec<Arc<dyn Recipient>>,
    pub members: Vec<Arc<dyn Recipient>>,
}

/// A connection in a room, or that has asked to be there.
pub(super) struct Subscriber {
    pub recipient: Arc<dyn Recipient>,
    pub visit: Visit,
    /// Whether it is there as a nick in a channel, for which its user must be a member.
    pub as_nick: bool,
    pub confirmed: bool,
    /// The `seq` of the chat's last message when the connection came. In a chat whose members see
    /// messages from when they joined, somebody who is no member sees the messages after this one.
    pub since_seq: i64,
}

/// The user as which a connection comes into a room.
#[derive(Clone, Debug)]
pub struct Visit {
    /// `None` for a visit that is nobody's in particular.
    pub user_id: Option<UserId>,
    /// Whether it is the service's, from which nothing is hidden.
    pub service: bool,
}

/// A nick that is connected here.
pub(super) struct Nick {
    pub connection: ConnectionId,
    user_id: UserId,
}

impl Connected {
    pub fn hears_all(&self) -> bool {
        self.hears_all && self.users.values().any(|confirmed| *confirmed)
    }

    /// Whether it acts as more than one user: then it may be listed once for each.
    pub fn acts_as_several(&self) -> bool {
        self.users.len() > 1
    }
}

impl Register {
    pub fn new(streams: Streams) -> Register {
        Register {
            watches: Watches::new(streams.clone()),
            streams,
            connections: HashMap::new(),
            users: HashMap::new(),
            chats: HashMap::new(),
            nicks: HashMap::new(),
            comings: Comings::default(),
            stopped: false,
        }
    }

    pub fn add(&mut self, recipient: Arc<dyn Recipient>) -> bool {
        if self.stopped {
            return false;
        }
        let id = recipient.id();
        let (users, rooms) = (HashMap::new(), HashSet::new());
        self.connections.insert(id, Connected { recipient, users, rooms, hears_all: true });
        true
    }

    pub fn remove(&mut self, id: ConnectionId) -> bool {
        let in_room = self.reset(id);
        self.connections.remove(&id);
        in_room && !self.stopped
    }

    pub fn reset(&mut self, id: ConnectionId) -> bool {
        let Some(connected) = self.connections.get_mut(&id) else {
            return false;
        };
        connected.hears_all = true;
        self.watches.end(id);
        let (users, rooms) = (mem::take(&mut connected.users), mem::take(&mut connected.rooms));
        for user_id in users.into_keys() {
            self.forget_user(id, &user_id);
        }
        for chat_id in &rooms {
            self.leave(id, *chat_id);
        }
        !rooms.is_empty()
    }

    pub fn stop(&mut self) -> Vec<Arc<dyn Recipient>> {
        self.stopped = true;
        self.connections.values().map(|connected| connected.recipient.clone()).collect()
    }

    pub fn clear(&mut self) {
        self.connections.clear();
        self.users.clear();
        self.chats.clear();
        self.nicks.clear();
        self.watches.clear();
    }

    pub fn act_as(
        &mut self,
        id: ConnectionId,
        user_id: &UserId,
        anonymous: bool,
        max: usize,
    ) -> Result<bool, Error> {
        let connected = self.connections.get(&id).ok_or(Error::Unavailable(None))?;
        if connected.users.contains_key(user_id) {
            return Ok(false);
        }
        if connected.users.len() >= max {
            let (field, unit) = ("user.id".into(), "users on one socket");
            return Err(Error::TooLarge { field, max, unit });
        }
        self.insert_user(id, user_id, anonymous);
        Ok(true)
    }

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

    pub fn lacks_chats(&mut self, user_id: &UserId) -> bool {
        let Some(user) = self.users.get_mut(user_id).filter(|user| !user.known) else {
            return false;
        };
        user.left.get_or_insert_default();
        true
    }

    pub fn take_user(&mut self, id: ConnectionId, user_id: &UserId) {
        self.forget_user(id, user_id);
        if let Some(connected) = self.connections.get(&id) {
            connected.recipient.lose_user(user_id);
        }
    }

    pub fn learn_chats(
        &mut self,
        id: ConnectionId,
        user_id: &UserId,
        chats: Vec<ChatId>,
    ) -> Result<(), Error> {
        let user = self.users.get_mut(user_id).filter(|user| user.connections.contains_key(&id));
        let user = user.ok_or(Error::NO_USER)?;
        // Another connection has told the chats already, and events have kept them up to date
        // since.
        if mem::replace(&mut user.known, true) {
            return Ok(());
        }
        let left = user.left.take().unwrap_or_default();
        let chats: Vec<_> = chats.into_iter().filter(|chat_id| !left.contains(chat_id)).collect();
        user.chats.extend(&chats);
        for chat_id in chats {
            self.chat(chat_id, Streams::follow).members.insert(user_id.clone());
        }
        Ok(())
    }

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

    pub fn acts_as_member(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        let known = self.connections.get(&id).zip(self.chats.get(&chat_id));
        known.is_some_and(|(connected, chat)| {
            let mut users = connected.users.iter().filter(|(_, confirmed)| **confirmed);
            users.any(|(user_id, _)| chat.members.contains(user_id))
        })
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

    pub fn set_hears_all(&mut self, id: ConnectionId, hears: bool) -> bool {
        let connected = self.connections.get_mut(&id);
        connected.is_some_and(|it| mem::replace(&mut it.hears_all, hears) != hears)
    }

    pub(super) fn add_member(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            if let Some(left) = &mut user.left {
                left.remove(&chat_id);
            }
            user.chats.insert(chat_id);
            self.chat(chat_id, Streams::follow_on).members.insert(user_id.clone());
        }
    }

    pub(super) fn remove_member(&mut self, chat_id: ChatId, user_id: &UserId) {
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

    /// A nick has connected. If its connection is this node's, the connection acts as the nick's
    /// user.
    pub(super) fn add_nick(
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
    pub(super) fn remove_nick(&mut self, nick: &Handle) -> Option<Arc<dyn Recipient>> {
        let Nick { connection, .. } = self.nicks.remove(nick)?;
        self.reset(connection);
        Some(self.connections.get(&connection)?.recipient.clone())
    }

    /// A nick is in a channel. False if it is known to be there already.
    pub(super) fn enter_channel(&mut self, chat_id: ChatId, nick: &Handle) -> bool {
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

    pub(super) fn leave_channel(&mut self, chat_id: ChatId, nick: &Handle) {
        if let Some(nick) = self.nicks.get(nick) {
            self.leave(nick.connection, chat_id);
        }
    }

    /// A chat that one more connection is about to hear; this node follows it from now on.
    fn chat(
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

    /// A connection has come to act as the user, or has ceased to: the lists of the user's chats
    /// are gathered anew.
    fn forget_hearing(&mut self, user_id: &UserId) {
        let chats = self.users.get(user_id).into_iter().flat_map(|user| &user.chats);
        for chat_id in chats {
            if let Some(chat) = self.chats.get_mut(chat_id) {
                chat.hearing = None;
            }
        }
    }
}
