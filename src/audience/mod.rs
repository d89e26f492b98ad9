//! Who is connected, as whom, and hears what: one register for all doors.
//!
//! It knows connections, users and chats by their ids, and of each connection a [`Recipient`]. It
//! knows no bytes and decides nothing: what an [event](crate::model::Event) gives or takes stands in
//! the event, whom it is shown to in its [route](crate::model::Event::route).
//!
//! What it promises:
//!
//! - An event changes the register and is shown in one step: who joins by it sees it, who has lost a
//!   chat by it sees nothing of the chat after it, and no two connections see two events in different
//!   orders.
//! - A connection is shown an event once for each [`Way`] in which it hears of it.
//! - A right that is read from the store and lost meanwhile is not given: it is asked for first
//!   ([`act_as`](Audience::act_as), [`enter`](Audience::enter)), and what an event takes from the
//!   connection until it is [confirmed](Audience::confirm_user) is gone.

mod events;
mod register;
mod shown;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cluster::Streams;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Event, UserId};
use register::Register;

pub use register::Visit;
pub use shown::{Shown, Way};

/// What is known of a connection: how to show it an event.
///
/// `show`, `lose_user` and `restart` are called while the register is locked: they wait for nothing
/// and do not call the audience.
pub trait Recipient: Send + Sync {
    fn id(&self) -> ConnectionId;

    /// Queues what the client is to see of an event. Returns whether it has to be
    /// [flushed](Recipient::flush).
    fn show(&self, shown: &Shown<'_>) -> bool;

    /// Sends what is queued, and closes the connection of a client that is too far behind.
    fn flush(&self);

    /// The connection acts as a user no more, who is protected now or could not be learnt of.
    fn lose_user(&self, user_id: &UserId);

    /// Others have taken this node for dead: the client is to come again.
    fn restart(&self);

    /// The server ends.
    fn finish(&self);
}

/// What an event has taken from connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// These are in the rooms of these chats no more.
    pub rooms: Vec<(ConnectionId, ChatId)>,
    /// These are in the chats' channels no more, of which their nicks are to be taken out.
    pub channels: Vec<(ConnectionId, ChatId)>,
}

/// The connections that have something to be flushed.
#[derive(Default)]
pub struct Unflushed(Vec<Arc<dyn Recipient>>);

impl Unflushed {
    /// Sends what has been shown since the last time. It must be called without any lock.
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

    /// A connection has closed. Returns whether it was in a room, of which it has to be taken out;
    /// never while the server ends.
    pub fn remove(&self, id: ConnectionId) -> bool {
        self.lock().remove(id)
    }

    /// Makes a connection what it was when it opened: it acts as nobody and is in no room. Returns
    /// whether it was in one.
    pub fn reset(&self, id: ConnectionId) -> bool {
        self.lock().reset(id)
    }

    /// Takes no more connections, and tells those there are that the server ends.
    pub fn stop(&self) {
        let recipients = self.lock().stop();
        recipients.iter().for_each(|recipient| recipient.finish());
    }

    /// Lets go of all connections.
    pub fn close(&self) {
        self.lock().clear();
    }

    /// Asks for a connection to act as a user, which is `anonymous` if it has proved nothing; it
    /// hears nothing of the user until that is [confirmed](Audience::confirm_user). Returns whether
    /// it does not act as the user yet. Errors: `too_large` for a connection that acts as `max`
    /// users; `unavailable` for one that has closed.
    pub fn act_as(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        anonymous: bool,
        max: usize,
    ) -> Result<bool, Error> {
        self.lock().act_as(id, user_id, anonymous, max)
    }

    /// A connection may act as the user; `then` is done in the same moment. Errors:
    /// `unauthenticated` if an event has taken the user from it meanwhile.
    pub fn confirm_user(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        then: impl FnOnce(),
    ) -> Result<(), Error> {
        self.lock().confirm_user(id, user_id)?;
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

    /// The chats of a user, as they were read after the connection came to act as the user.
    /// Errors: `unauthenticated` if it does so no more.
    pub fn learn_chats(
        &self,
        id: ConnectionId,
        user_id: &UserId,
        chats: Vec<ChatId>,
    ) -> Result<(), Error> {
        self.lock().learn_chats(id, user_id, chats)
    }

    /// Asks for a connection to be in the room of a chat; it hears nothing there until that is
    /// [confirmed](Audience::confirm_room). Returns whether it is not there yet. Errors:
    /// `too_large` for a connection that is in `max` rooms; `unauthenticated` for one that has lost
    /// the visit's user; `unavailable` for one that has closed.
    pub fn enter(
        &self,
        id: ConnectionId,
        chat_id: ChatId,
        visit: Visit,
        max: usize,
    ) -> Result<bool, Error> {
        self.lock().enter(id, chat_id, visit, max)
    }

    /// A connection may be in the room. False if an event has taken that from it meanwhile.
    pub fn confirm_room(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().confirm_room(id, chat_id)
    }

    /// A connection leaves a room. False if it was not there.
    pub fn leave(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().leave(id, chat_id)
    }

    pub fn is_in_room(&self, id: ConnectionId, chat_id: ChatId) -> bool {
        self.lock().present(id, chat_id).is_some()
    }

    /// Whether a connection is in a room as this user.
    pub fn is_in_room_as(&self, id: ConnectionId, chat_id: ChatId, user_id: &UserId) -> bool {
        let register = self.lock();
        let present = register.present(id, chat_id);
        present.is_some_and(|present| present.visit.user_id.as_ref() == Some(user_id))
    }

    /// Whether a user as whom connections act is known to be a member of a chat.
    pub fn is_member(&self, chat_id: ChatId, user_id: &UserId) -> bool {
        self.lock().chats.get(&chat_id).is_some_and(|chat| chat.members.contains(user_id))
    }

    /// Whether a connection is to hear of what everybody hears. Returns whether that is a change.
    pub fn set_hears_all(&self, id: ConnectionId, hears: bool) -> bool {
        self.lock().set_hears_all(id, hears)
    }

    /// Takes from an event what it gives and takes, and shows it to whom it concerns.
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
        // What a panic left is whole enough to go on with.
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
