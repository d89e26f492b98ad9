//! The data behind the audience's lock: connections, the users they act as, and the rooms they are
//! in.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::comings::Comings;
use super::{Audience, Recipient};
use crate::cluster::{Following, Streams};
use crate::model::{ChatId, ConnectionId, Handle, UserId};

pub(super) struct Register {
    pub(super) streams: Streams,
    pub(super) connections: HashMap<ConnectionId, Connected>,
    pub(super) users: HashMap<UserId, User>,
    pub(super) chats: HashMap<ChatId, Chat>,
    pub(super) nicks: HashMap<Handle, Nick>,
    pub(super) watched: HashMap<UserId, Watched>,
    pub(super) comings: Comings,
    /// Set once the server ends; from then on nobody connects.
    stopped: bool,
}

pub(super) struct Connected {
    pub recipient: Arc<dyn Recipient>,
    /// The users it acts as, each with whether that is confirmed.
    pub users: HashMap<UserId, bool>,
    pub rooms: HashSet<ChatId>,
    /// The users that it watches.
    pub watches: HashSet<UserId>,
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

/// A user whom some connection watches; this node follows the user meanwhile.
pub(super) struct Watched {
    pub _following: Following,
    pub watchers: HashMap<ConnectionId, Arc<dyn Recipient>>,
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

impl Subscriber {
    /// Whether it is there as this user.
    pub fn is_here_as(&self, user_id: &UserId) -> bool {
        self.visit.user_id.as_ref() == Some(user_id)
    }
}

impl Audience {
    /// A connection has opened. False if the server ends.
    pub fn add(&self, recipient: Arc<dyn Recipient>) -> bool {
        let mut register = self.lock();
        if register.stopped {
            return false;
        }
        let (users, rooms, watches) = (HashMap::new(), HashSet::new(), HashSet::new());
        let id = recipient.id();
        let connected = Connected { recipient, users, rooms, watches, hears_all: true };
        register.connections.insert(id, connected);
        true
    }

    /// A connection has closed. Returns whether it was in a room and must be taken out of it; false
    /// while the server ends.
    pub fn remove(&self, id: ConnectionId) -> bool {
        let mut register = self.lock();
        let in_room = register.reset(id);
        register.connections.remove(&id);
        in_room && !register.stopped
    }

    /// Makes a connection what it was when it opened: it acts as nobody and is in no room. Returns
    /// whether it was in one.
    pub fn reset(&self, id: ConnectionId) -> bool {
        self.lock().reset(id)
    }

    /// Takes no more connections, and tells the open ones that the server ends.
    pub fn stop(&self) {
        let mut register = self.lock();
        register.stopped = true;
        let recipients = register.connections.values().map(|it| it.recipient.clone());
        let recipients = Vec::from_iter(recipients);
        drop(register);
        recipients.iter().for_each(|recipient| recipient.finish());
    }

    /// Forgets all connections.
    pub fn close(&self) {
        let mut register = self.lock();
        register.connections.clear();
        register.users.clear();
        register.chats.clear();
        register.nicks.clear();
        register.watched.clear();
    }

    /// Sets whether a connection hears what everybody hears. Returns whether that is a change.
    pub fn set_hears_all(&self, id: ConnectionId, hears: bool) -> bool {
        let mut register = self.lock();
        let connected = register.connections.get_mut(&id);
        connected.is_some_and(|it| mem::replace(&mut it.hears_all, hears) != hears)
    }
}

impl Register {
    pub fn new(streams: Streams) -> Register {
        Register {
            streams,
            connections: HashMap::new(),
            users: HashMap::new(),
            chats: HashMap::new(),
            nicks: HashMap::new(),
            watched: HashMap::new(),
            comings: Comings::default(),
            stopped: false,
        }
    }

    pub fn reset(&mut self, id: ConnectionId) -> bool {
        self.watch_nobody(id);
        let Some(connected) = self.connections.get_mut(&id) else {
            return false;
        };
        connected.hears_all = true;
        let (users, rooms) = (mem::take(&mut connected.users), mem::take(&mut connected.rooms));
        for user_id in users.into_keys() {
            self.forget_user(id, &user_id);
        }
        for chat_id in &rooms {
            self.leave(id, *chat_id);
        }
        !rooms.is_empty()
    }
}
