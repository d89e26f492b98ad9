//! The data behind the audience's lock: connections, the users they act as, and the rooms they are
//! in.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::Recipient;
use super::comings::Comings;
use super::watches::Watches;
use crate::cluster::{Following, Streams};
use crate::model::{ChatId, ConnectionId, Handle, UserId};

pub(super) struct Register {
    pub(super) streams: Streams,
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
    pub users: HashMap<UserId, bool>,
    pub rooms: HashSet<ChatId>,
    /// Whether it hears what everybody hears, while it acts as a user.
    pub hears_all: bool,
}

/// A user that a connection acts as.
pub(super) struct User {
    pub _following: Following,
    pub connections: HashMap<ConnectionId, Acting>,
    pub chats: HashSet<ChatId>,
    /// Whether others have been told that the user is online.
    pub online: bool,
    /// Whether `chats` has been read from the store.
    pub known: bool,
    /// The chats that the user has left while `chats` is being read; `None` at other times.
    pub left: Option<HashSet<ChatId>>,
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
    pub _following: Following,
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
    pub user_id: UserId,
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

    pub fn set_hears_all(&mut self, id: ConnectionId, hears: bool) -> bool {
        let connected = self.connections.get_mut(&id);
        connected.is_some_and(|it| mem::replace(&mut it.hears_all, hears) != hears)
    }
}
