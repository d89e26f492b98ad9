//! Which connections hear of what. The events alone say who is connected under which nick and in
//! which channels, so that all connections see the changes in one order.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;

use super::session::Session;
use crate::domain::{Following, Streams};
use crate::doors::websocket::Closing;
use crate::model::{ChatId, ConnectionId, Handle, Stream, UserId};

pub struct Roster {
    streams: Streams,
    lists: Mutex<Lists>,
}

#[derive(Default)]
struct Lists {
    sessions: HashMap<ConnectionId, Arc<Session>>,
    /// The nicks that are connected here.
    seats: HashMap<Handle, Seat>,
    /// The nicks in each channel.
    channels: HashMap<ChatId, Channel>,
    /// Set once the server shuts down.
    closed: bool,
}

struct Channel {
    _following: Following,
    nicks: HashMap<Handle, Arc<Session>>,
}

struct Seat {
    _following: Following,
    session: Arc<Session>,
    user_id: UserId,
    anonymous: bool,
    channels: HashSet<ChatId>,
}

impl Roster {
    pub fn new(streams: &Streams) -> Roster {
        Roster { streams: streams.clone(), lists: Mutex::default() }
    }

    /// A client has connected; it is closed at once if the server shuts down.
    pub fn add(&self, session: &Arc<Session>) {
        let mut lists = self.lock();
        if lists.closed {
            return session.outlet.close(Closing::SHUTDOWN);
        }
        lists.sessions.insert(session.outlet.id, session.clone());
    }

    /// A client has disconnected; true if the server goes on: then the domain has to be told.
    pub fn remove(&self, session: &Session) -> bool {
        let mut lists = self.lock();
        lists.sessions.remove(&session.outlet.id);
        !lists.closed
    }

    /// Closes every connection, for good, once what it asked is answered.
    pub fn close(&self) {
        let mut lists = self.lock();
        lists.closed = true;
        lists.sessions.values().for_each(|session| session.outlet.finish());
    }

    /// Lets go of the connections that have been closed.
    pub fn clear(&self) {
        let mut lists = self.lock();
        lists.seats.clear();
        lists.channels.clear();
    }

    /// A nick has connected, and hears from now on what everybody hears.
    pub fn connect(&self, nick: &Handle, user_id: &UserId, by: ConnectionId, anonymous: bool) {
        let mut lists = self.lock();
        // On another node, it is no connection of this one's.
        if let Some(session) = lists.sessions.get(&by).cloned() {
            let seat = Seat {
                _following: self.streams.follow(Stream::User(user_id.clone())),
                session,
                user_id: user_id.clone(),
                anonymous,
                channels: HashSet::new(),
            };
            lists.seats.insert(nick.clone(), seat);
        }
    }

    /// A nick is gone, and hears nothing more. Returns its session, if it was connected here.
    pub fn disconnect(&self, nick: &Handle) -> Option<Arc<Session>> {
        let mut lists = self.lock();
        let seat = lists.seats.remove(nick)?;
        seat.channels.into_iter().for_each(|chat_id| lists.exclude(chat_id, nick));
        Some(seat.session)
    }

    /// A nick has come into a channel. False if it is there already: then it has come by another
    /// node before, and this one has heard of that only now.
    pub fn join(&self, chat_id: ChatId, nick: &Handle) -> bool {
        let mut lists = self.lock();
        if let Some(seat) = lists.seats.get_mut(nick) {
            seat.channels.insert(chat_id);
            let session = seat.session.clone();
            let channel = lists.channels.entry(chat_id).or_insert_with(|| Channel {
                _following: self.streams.follow_on(Stream::Chat(chat_id)),
                nicks: HashMap::new(),
            });
            return channel.nicks.insert(nick.clone(), session).is_none();
        }
        true
    }

    /// A nick has left a channel.
    pub fn leave(&self, chat_id: ChatId, nick: &Handle) {
        let mut lists = self.lock();
        if let Some(seat) = lists.seats.get_mut(nick) {
            seat.channels.remove(&chat_id);
        }
        lists.exclude(chat_id, nick);
    }

    /// A user is no member of a chat any more and hears nothing more of it. Returns the
    /// connections that were in it as a channel.
    pub fn evict(&self, chat_id: ChatId, user_id: &UserId) -> Vec<ConnectionId> {
        let mut lists = self.lock();
        let Some(Channel { nicks, .. }) = lists.channels.get(&chat_id) else {
            return Vec::new();
        };
        let lost = |nick: &&Handle| lists.seats.get(*nick).is_some_and(|s| s.user_id == *user_id);
        let evicted: Vec<_> = nicks.keys().filter(lost).cloned().collect();
        let connection = |nick: &Handle| nicks.get(nick).map(|session| session.outlet.id);
        let connections = evicted.iter().filter_map(connection).collect();
        evicted.iter().for_each(|nick| lists.exclude(chat_id, nick));
        connections
    }

    /// The connections that act as a user and have not proved to be theirs.
    pub fn list_anonymous(&self, user_id: &UserId, by: Option<ConnectionId>) -> Vec<Arc<Session>> {
        let lists = self.lock();
        let lost = |seat: &&Seat| {
            seat.anonymous && seat.user_id == *user_id && Some(seat.session.outlet.id) != by
        };
        lists.seats.values().filter(lost).map(|seat| seat.session.clone()).collect()
    }

    /// Sends a frame to everybody.
    pub fn tell_all(&self, frame: &Utf8Bytes) {
        let lists = self.lock();
        if !lists.closed {
            lists.seats.values().for_each(|seat| seat.session.answer(frame.clone()));
        }
    }

    /// Sends a frame, which is made once, to everybody in a channel.
    pub fn tell_channel(&self, chat_id: ChatId, frame: impl FnOnce() -> Utf8Bytes) {
        let lists = self.lock();
        if let Some(Channel { nicks, .. }) = lists.channels.get(&chat_id) {
            let frame = frame();
            nicks.values().for_each(|session| session.answer(frame.clone()));
        }
    }

    /// Sends a frame to a nick that does not hear of a channel any more.
    pub fn tell_evicted(&self, chat_id: ChatId, nick: &Handle, frame: &Utf8Bytes) {
        let lists = self.lock();
        let hears = lists.channels.get(&chat_id).is_some_and(|it| it.nicks.contains_key(nick));
        if let Some(seat) = lists.seats.get(nick).filter(|_| !hears) {
            seat.session.answer(frame.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lists {
    fn exclude(&mut self, chat_id: ChatId, nick: &Handle) {
        if let Some(Channel { nicks, .. }) = self.channels.get_mut(&chat_id) {
            nicks.remove(nick);
            if nicks.is_empty() {
                self.channels.remove(&chat_id);
            }
        }
    }
}
