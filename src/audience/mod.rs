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

use crate::cluster::Streams;
use crate::model::{ChatId, ConnectionId, Event, UserId};
use register::Register;

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

/// A room that a connection is not in any more.
pub struct Lost {
    pub connection: ConnectionId,
    pub chat_id: ChatId,
    /// Whether it was there as a nick in a channel, which still has to be taken out.
    pub as_nick: bool,
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

    /// Applies what an event gives and takes, and shows it to the connections that hear it. Returns
    /// the rooms that it has taken from connections.
    pub fn show(&self, event: &Event, unflushed: &mut Unflushed) -> Vec<Lost> {
        // It may copy thousands of ids: others need not wait for that.
        let route = event.route();
        let mut register = self.lock();
        let mut lost = Vec::new();
        if register.apply_before(event, &mut lost) {
            register.tell(event, &route, &mut unflushed.0);
        }
        register.apply_after(event, &mut lost);
        lost
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        // A panic leaves it whole enough to go on with.
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
