//! The register of all doors: the connections, the users they act as, and the events they hear.
//!
//! It knows the ids of connections, users and chats, and a [`Recipient`] for each connection. It
//! knows no bytes and makes no rules: an [event](crate::model::Event) says what it gives and takes,
//! and its [route](crate::model::Event::route) says who hears it.
//!
//! What it promises:
//!
//! - An event changes the register and is shown in one step. A user who joins by it sees it, a user
//!   who loses the chat by it sees nothing of the chat after it, and all connections see events in
//!   the same order.
//! - A connection is shown an event once for each [`Way`] in which it hears it.
//! - A right that is lost while it is read from the store is not given. A connection first asks
//!   ([`act_as`](Audience::act_as), [`enter`](Audience::enter)), then the store is read, then it is
//!   [confirmed](Audience::confirm_user); an event in between can take away what was asked for.

mod comings;
mod events;
mod register;
mod rooms;
mod shown;
mod users;
mod watches;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::cluster::Streams;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Event, UserId};
use register::Register;

pub use comings::Moves;
pub use register::Visit;
pub use shown::{Shown, Way};

/// What the audience knows of a connection: how to show it an event.
///
/// `show`, `lose_user` and `restart` are called while the register is locked: they wait for nothing
/// and do not call the audience.
pub trait Recipient: Send + Sync {
    fn id(&self) -> ConnectionId;

    /// Queues what the client is to see of an event. Returns whether it must be
    /// [flushed](Recipient::flush) afterwards.
    fn show(&self, shown: &Shown<'_>) -> bool;

    /// Sends what is queued, unless that leaves with an answer which is about to come; and closes
    /// the connection of a client that is too far behind.
    fn flush(&self);

    /// The connection acts as this user no more, because the user is protected now, or deleted.
    fn lose_user(&self, user_id: &UserId);

    /// The other nodes have taken this one for dead: the client must reconnect.
    fn restart(&self);

    /// The server ends.
    fn finish(&self);
}

/// What an event has taken from connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Connections that are not in the rooms of these chats any more.
    pub rooms: Vec<(ConnectionId, ChatId)>,
    /// Connections that are not in these channels any more; their nicks still have to be taken out.
    pub channels: Vec<(ConnectionId, ChatId)>,
}

/// The connections that must be flushed.
#[derive(Default)]
pub struct Unflushed(Vec<Arc<dyn Recipient>>);

impl Unflushed {
    /// Flushes them all. Call it without holding any lock.
    pub fn flush(&mut self) {
        self.0.drain(..).for_each(|recipient| recipient.flush());
    }
}

pub struct Audience {
    register: Mutex<Register>,
}

impl Audience {
    pub fn new(streams: Streams) -> Audience {
        Audience { register: Mutex::new(Register::new(streams)) }
    }

    /// A connection has opened. False if the server ends.
    pub fn add(&self, recipient: Arc<dyn Recipient>) -> bool {
        self.lock().add(recipient)
    }

    /// A connection has closed. Returns whether it was in a room and must be taken out of it; false
    /// while the server ends.
    pub fn remove(&self, id: ConnectionId) -> bool {
        self.lock().remove(id)
    }

    /// Makes a connection what it was when it opened: it acts as nobody and is in no room. Returns
    /// whether it was in one.
    pub fn reset(&self, id: ConnectionId) -> bool {
        self.lock().reset(id)
    }

    /// Takes no more connections, and tells the open ones that the server ends.
    pub fn stop(&self) {
        let recipients = self.lock().stop();
        recipients.iter().for_each(|recipient| recipient.finish());
    }

    /// Forgets all connections.
    pub fn close(&self) {
        self.lock().clear();
    }

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
        self.lock().act_as(id, user_id, anonymous, max)
    }

    /// Lets a connection act as the user, and calls `then` under the same lock. Errors:
    /// `unauthenticated` if an event has taken the user from it meanwhile.
    pub fn confirm_user(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        then: impl FnOnce(),
    ) -> Result<(), Error> {
        let mut register = self.lock();
        register.confirm_user(id, user_id)?;
        then();
        Ok(())
    }

    /// A connection that has proved to be a user acts as them from now on.
    pub fn set_user(&self, id: ConnectionId, user_id: &UserId) {
        self.lock().set_user(id, user_id, false);
    }

    /// Takes a user from a connection that could not come to act as them.
    pub fn take_user(&self, id: ConnectionId, user_id: &UserId) {
        self.lock().take_user(id, user_id);
    }

    /// Whether the chats of a user are to be read and [told](Audience::learn_chats); what the user
    /// leaves from now on is taken from what was read.
    pub fn lacks_chats(&self, user_id: &UserId) -> bool {
        self.lock().lacks_chats(user_id)
    }

    /// Tells the chats of a user, as they were read after the connection came to act as the user.
    /// Errors: `unauthenticated` if it does not any more.
    pub fn learn_chats(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        chats: Vec<ChatId>,
    ) -> Result<(), Error> {
        self.lock().learn_chats(id, user_id, chats)
    }

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
        self.lock().enter(id, chat_id, visit, max)
    }

    /// Lets a connection hear the room. False if an event has taken it out meanwhile.
    pub fn confirm_room(&self, id: ConnectionId, chat_id: ChatId, last_seq: i64) -> bool {
        self.lock().confirm_room(id, chat_id, last_seq)
    }

    /// A connection leaves a room. False if it was not there.
    pub fn leave(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().leave(id, chat_id)
    }

    /// The chat's last message when a connection came into its room; `None` if it is not there.
    pub fn in_room_since(&self, id: ConnectionId, chat_id: ChatId) -> Option<i64> {
        self.lock().subscriber(id, chat_id).map(|subscriber| subscriber.since_seq)
    }

    pub fn is_in_room(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().subscriber(id, chat_id).is_some()
    }

    /// Whether a connection is in a room as this user.
    pub fn is_in_room_as(&self, id: ConnectionId, chat_id: ChatId, user_id: &UserId) -> bool {
        let register = self.lock();
        let subscriber = register.subscriber(id, chat_id);
        subscriber.is_some_and(|subscriber| subscriber.visit.user_id.as_ref() == Some(user_id))
    }

    /// Whether a user is known to be a member of a chat; only of users that connections act as.
    pub fn is_member(&self, chat_id: ChatId, user_id: &UserId) -> bool {
        self.lock().chats.get(&chat_id).is_some_and(|chat| chat.members.contains(user_id))
    }

    /// Whether a connection acts as a member of a chat.
    pub fn acts_as_member(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().acts_as_member(id, chat_id)
    }

    /// Sets whether a connection hears what everybody hears. Returns whether that is a change.
    pub fn set_hears_all(&self, id: ConnectionId, hears: bool) -> bool {
        self.lock().set_hears_all(id, hears)
    }

    /// A connection watches these users, too. Returns those that it did not watch before. Errors:
    /// `too_large` for more than `max` in all; `unavailable` for one that has closed.
    pub fn watch(
        &self,
        id: ConnectionId,
        users: &[UserId],
        max: usize,
    ) -> Result<Vec<UserId>, Error> {
        let mut register = self.lock();
        let connected = register.connections.get(&id).ok_or(Error::Unavailable(None))?;
        let recipient = connected.recipient.clone();
        register.watches.begin(&recipient, users, max)
    }

    /// A connection watches these users no more.
    pub fn unwatch(&self, id: ConnectionId, users: &[UserId]) {
        self.lock().watches.stop(id, users);
    }

    /// Notified when users have come or gone: see [`take_moves`](Audience::take_moves).
    pub fn moved(&self) -> Arc<Notify> {
        self.lock().comings.moved.clone()
    }

    /// The users whose first connection has come or whose last one has gone since this was last
    /// asked; with `all` also those who may be back at once.
    pub fn take_moves(&self, all: bool) -> Moves {
        self.lock().take_moves(all)
    }

    /// The users who are taken to have come, and not to have gone.
    pub fn list_online(&self) -> Vec<UserId> {
        self.lock().list_online()
    }

    /// Of each user, whether a connection acts as them.
    pub fn are_online(&self, users: &[&UserId]) -> Vec<bool> {
        let register = self.lock();
        users.iter().map(|user_id| register.is_online(user_id)).collect()
    }

    /// Applies what an event gives and takes, and shows it to the connections that hear it.
    pub fn show(&self, event: &Event, unflushed: &mut Unflushed) -> Lost {
        let mut register = self.lock();
        let mut lost = Lost::default();
        if register.apply_before(event, &mut lost) {
            register.tell(event, &mut unflushed.0);
        }
        register.apply_after(event, &mut lost);
        lost
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        // A panic leaves it whole enough to go on with.
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
