//! Who is connected, as whom, and which rooms they hear of: the data behind
//! [`Rooms`](super::rooms::Rooms), without its lock.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::session::Session;
use crate::domain::{Actor, Following, Streams};
use crate::doors::places::Seat;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Stream, UserId};

pub(super) struct Roster {
    streams: Streams,
    pub sockets: HashMap<ConnectionId, Socket>,
    pub users: HashMap<UserId, Connected>,
    pub rooms: HashMap<ChatId, Room>,
    /// How often somebody has lost the right to be in a room.
    pub evictions: u64,
    /// How often a user has become protected.
    pub protections: u64,
    /// Set once the server shuts down; from then on nobody connects.
    pub closed: bool,
}

pub(super) struct Socket {
    pub session: Arc<Session>,
    pub users: HashSet<UserId>,
    pub rooms: HashSet<ChatId>,
    /// Whether it is on the system channel; it hears that while it acts as a user.
    pub system: bool,
    /// One of those that its address may have.
    pub _seat: Arc<Seat>,
}

/// A user with at least one socket.
pub(super) struct Connected {
    _following: Following,
    pub sockets: HashMap<ConnectionId, Arc<Session>>,
    pub chats: HashSet<ChatId>,
    /// Whether `chats` has been read from the store.
    known: bool,
    /// How often the user has left a chat.
    leaves: u64,
}

/// Those who hear of a chat.
pub(super) struct Room {
    _following: Following,
    /// The connected members.
    pub members: HashSet<UserId>,
    /// The sockets that are in the room now, and as whom.
    pub subscribers: HashMap<ConnectionId, Subscriber>,
}

pub(super) struct Subscriber {
    pub session: Arc<Session>,
    user_id: Option<UserId>,
}

impl Roster {
    pub fn new(streams: Streams) -> Roster {
        Roster {
            streams,
            sockets: HashMap::new(),
            users: HashMap::new(),
            rooms: HashMap::new(),
            evictions: 0,
            protections: 0,
            closed: false,
        }
    }

    /// Those who hear of a chat, nobody at first; then `follow` begins to.
    fn room(
        &mut self,
        chat_id: ChatId,
        follow: impl FnOnce(&Streams, Stream) -> Following,
    ) -> &mut Room {
        self.rooms.entry(chat_id).or_insert_with(|| Room {
            _following: follow(&self.streams, Stream::Chat(chat_id)),
            members: HashSet::new(),
            subscribers: HashMap::new(),
        })
    }

    /// Makes a socket act as a user from now on; false if that is one of its users already.
    /// Errors: `too_large`; `unavailable` for a socket that has disconnected.
    pub fn attach(&mut self, id: ConnectionId, actor: Actor, max: usize) -> Result<bool, Error> {
        let user_id = actor.user_id();
        let socket = self.sockets.get_mut(&id).ok_or(Error::Unavailable(None))?;
        if socket.users.len() >= max && !socket.users.contains(user_id) {
            let (field, unit) = ("user.id".into(), "users on one socket");
            return Err(Error::TooLarge { field, max, unit });
        }
        let new = socket.users.insert(user_id.clone());
        socket.session.set_several_users(socket.users.len() > 1);
        let user = self.users.entry(user_id.clone()).or_insert_with(|| Connected {
            _following: self.streams.follow(Stream::User(user_id.clone())),
            sockets: HashMap::new(),
            chats: HashSet::new(),
            known: false,
            leaves: 0,
        });
        user.sockets.insert(id, socket.session.clone());
        socket.session.set_latest(actor);
        Ok(new)
    }

    /// Ends that; with a user's last socket, what is known of the user goes.
    pub fn detach(&mut self, id: ConnectionId, user_id: &UserId) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.users.remove(user_id);
            socket.session.set_several_users(socket.users.len() > 1);
            socket.session.unset_latest(user_id);
        }
        let Some(user) = self.users.get_mut(user_id) else {
            return;
        };
        user.sockets.remove(&id);
        if !user.sockets.is_empty() {
            return;
        }
        for chat_id in mem::take(&mut user.chats) {
            self.remove_member(chat_id, user_id);
        }
        self.users.remove(user_id);
    }

    /// Makes a socket what it was when it connected; true if it was in a room.
    pub fn leave_all(&mut self, id: ConnectionId) -> bool {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return false;
        };
        socket.system = true;
        let (users, rooms) = (mem::take(&mut socket.users), mem::take(&mut socket.rooms));
        for user_id in users {
            self.detach(id, &user_id);
        }
        for chat_id in &rooms {
            self.unsubscribe(id, *chat_id);
        }
        !rooms.is_empty()
    }

    /// How often the user has left a chat so far, if the chats are still to be read. Errors:
    /// `unavailable` for a socket that has disconnected; `unauthenticated` for one that has lost
    /// the user.
    pub fn unknown_since(&self, id: ConnectionId, user_id: &UserId) -> Result<Option<u64>, Error> {
        let socket = self.sockets.get(&id).ok_or(Error::Unavailable(None))?;
        let user = self.users.get(user_id).filter(|_| socket.users.contains(user_id));
        let user = user.ok_or(Error::NO_USER)?;
        Ok((!user.known).then_some(user.leaves))
    }

    /// Takes the chats that the socket has read, unless they are old: the user has left one since,
    /// or the socket has disconnected.
    pub fn learn(&mut self, id: ConnectionId, user_id: &UserId, leaves: u64, chats: Vec<ChatId>) {
        let user = self.users.get_mut(user_id);
        let current =
            |user: &&mut Connected| user.leaves == leaves && user.sockets.contains_key(&id);
        let Some(user) = user.filter(current) else {
            return;
        };
        user.known = true;
        user.chats.extend(&chats);
        for chat_id in chats {
            self.room(chat_id, Streams::follow).members.insert(user_id.clone());
        }
    }

    /// A user has become a member.
    pub fn join(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.chats.insert(chat_id);
            self.room(chat_id, Streams::follow_on).members.insert(user_id.clone());
        }
    }

    /// Ends a membership, and, for who may not see the chat any more, what the user's sockets are
    /// subscribed to; returns these.
    pub fn leave(&mut self, chat_id: ChatId, user_id: &UserId, sees: bool) -> Vec<ConnectionId> {
        if let Some(user) = self.users.get_mut(user_id) {
            user.chats.remove(&chat_id);
            user.leaves += 1;
            self.remove_member(chat_id, user_id);
        }
        match sees {
            true => Vec::new(),
            false => self.evict(chat_id, |_, user| user == Some(user_id)),
        }
    }

    /// Ends the subscriptions of those who are no members; returns them.
    pub fn restrict(&mut self, chat_id: ChatId) -> Vec<ConnectionId> {
        self.evict(chat_id, |room, user| !user.is_some_and(|user| room.members.contains(user)))
    }

    /// Takes everybody out of a chat that is gone; returns the sockets that were in its room.
    pub fn close_room(&mut self, chat_id: ChatId) -> Vec<ConnectionId> {
        self.evictions += 1;
        let Some(room) = self.rooms.remove(&chat_id) else {
            return Vec::new();
        };
        for user_id in &room.members {
            if let Some(user) = self.users.get_mut(user_id) {
                user.chats.remove(&chat_id);
                user.leaves += 1;
            }
        }
        let subscribers = Vec::from_iter(room.subscribers.into_keys());
        for id in &subscribers {
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.rooms.remove(&chat_id);
            }
        }
        subscribers
    }

    fn evict(
        &mut self,
        chat_id: ChatId,
        loses: impl Fn(&Room, Option<&UserId>) -> bool,
    ) -> Vec<ConnectionId> {
        self.evictions += 1;
        let Some(room) = self.rooms.get(&chat_id) else {
            return Vec::new();
        };
        let subscribers = room.subscribers.iter();
        // Nothing is kept from the service.
        let evicted = subscribers.filter(|(_, subscriber)| {
            loses(room, subscriber.user_id.as_ref()) && !subscriber.session.is_service()
        });
        let evicted: Vec<_> = evicted.map(|(id, _)| *id).collect();
        for id in &evicted {
            self.unsubscribe(*id, chat_id);
        }
        evicted
    }

    /// Takes a user who is protected now from the sockets that have not proved to be theirs;
    /// returns the rooms in which those were as the user.
    pub fn forget(&mut self, user_id: &UserId) -> Vec<(ConnectionId, ChatId)> {
        self.protections += 1;
        let sockets = self.users.get(user_id).into_iter().flat_map(|user| user.sockets.values());
        let anonymous = sockets.filter(|session| session.is_anonymous()).map(|session| session.id);
        let mut evicted = Vec::new();
        for id in Vec::from_iter(anonymous) {
            self.detach(id, user_id);
            let rooms = self.sockets.get(&id).into_iter().flat_map(|socket| &socket.rooms);
            let came_as_user = |chat_id: &&ChatId| {
                let room = self.rooms.get(chat_id);
                let subscriber = room.and_then(|room| room.subscribers.get(&id));
                subscriber.is_some_and(|subscriber| subscriber.user_id.as_ref() == Some(user_id))
            };
            evicted.extend(rooms.filter(came_as_user).map(|chat_id| (id, *chat_id)));
        }
        for (id, chat_id) in &evicted {
            self.unsubscribe(*id, *chat_id);
        }
        evicted
    }

    /// Errors: `too_large`; `unavailable` for a socket that has disconnected; `unauthenticated`
    /// for one that has lost the user.
    pub fn subscribe(
        &mut self,
        id: ConnectionId,
        chat_id: ChatId,
        user_id: Option<&UserId>,
        max: usize,
    ) -> Result<(), Error> {
        let socket = self.sockets.get_mut(&id).ok_or(Error::Unavailable(None))?;
        if user_id.is_some_and(|user_id| !socket.users.contains(user_id)) {
            return Err(Error::NO_USER);
        }
        if socket.rooms.len() >= max && !socket.rooms.contains(&chat_id) {
            let (field, unit) = ("channel".into(), "rooms of one socket");
            return Err(Error::TooLarge { field, max, unit });
        }
        socket.rooms.insert(chat_id);
        let session = socket.session.clone();
        let subscriber = self.room(chat_id, Streams::follow).subscribers.entry(id);
        let subscriber = subscriber.or_insert(Subscriber { session, user_id: None });
        // Who came as nobody may say later who they are.
        subscriber.user_id = subscriber.user_id.take().or(user_id.cloned());
        Ok(())
    }

    /// False if it was not subscribed.
    pub fn unsubscribe(&mut self, id: ConnectionId, chat_id: ChatId) -> bool {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.rooms.remove(&chat_id);
        }
        let Some(room) = self.rooms.get_mut(&chat_id) else {
            return false;
        };
        let subscribed = room.subscribers.remove(&id).is_some();
        self.tidy(chat_id);
        subscribed
    }

    fn remove_member(&mut self, chat_id: ChatId, user_id: &UserId) {
        if let Some(room) = self.rooms.get_mut(&chat_id) {
            room.members.remove(user_id);
            self.tidy(chat_id);
        }
    }

    fn tidy(&mut self, chat_id: ChatId) {
        let empty = |room: &Room| room.members.is_empty() && room.subscribers.is_empty();
        if self.rooms.get(&chat_id).is_some_and(empty) {
            self.rooms.remove(&chat_id);
        }
    }
}
