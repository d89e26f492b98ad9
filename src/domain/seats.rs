//! The seats of the [lobby](super::lobby): one for each user who is logged in to the rooms API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as Turn;

use crate::error::Error;
use crate::model::{ChatId, ConnectionId, UserId};

/// Who is logged in.
#[derive(Default)]
pub(super) struct Lobby {
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    by_user: HashMap<UserId, Arc<Turn<Seat>>>,
    /// How many of them are in no room.
    waiting: usize,
}

/// A user who is logged in: in a room, or waiting.
pub(super) struct Seat {
    pub user_id: UserId,
    /// What the user is in rooms by.
    pub connection: ConnectionId,
    pub stay: Option<Stay>,
    pub last_use: Instant,
    /// Set once the user is logged out; then it is not in the lobby any more.
    pub gone: bool,
}

/// Being in a room.
pub(super) struct Stay {
    pub chat_id: ChatId,
    pub ephemeral: bool,
    /// The `seq` of the latest message that the user has picked up, or came after.
    pub cursor: i64,
    /// Whether the user became a member by entering, and is one no more after leaving.
    pub joined: bool,
}

impl Seat {
    /// The chat whose room the user is in.
    pub fn room(&self) -> Option<ChatId> {
        self.stay.as_ref().map(|stay| stay.chat_id)
    }
}

impl Lobby {
    /// Gives a user a seat in the waiting room, or returns the one that they have. Errors:
    /// `unavailable` if there are `max` already.
    pub fn enter(&self, user_id: &UserId, max: usize) -> Result<Option<Arc<Turn<Seat>>>, Error> {
        let mut seats = self.lock();
        if let Some(seat) = seats.by_user.get(user_id) {
            return Ok(Some(seat.clone()));
        }
        if seats.by_user.len() >= max {
            return Err(Error::Unavailable(None));
        }
        let seat = Seat {
            user_id: user_id.clone(),
            connection: ConnectionId::new(),
            stay: None,
            last_use: Instant::now(),
            gone: false,
        };
        seats.by_user.insert(user_id.clone(), Arc::new(Turn::new(seat)));
        seats.waiting += 1;
        Ok(None)
    }

    /// Whether there are `max` already.
    pub fn is_full(&self, max: usize) -> bool {
        self.lock().by_user.len() >= max
    }

    /// The seat of a user who is logged in.
    pub fn find(&self, user_id: &UserId) -> Option<Arc<Turn<Seat>>> {
        self.lock().by_user.get(user_id).cloned()
    }

    /// Takes away a seat that is in no room.
    pub fn remove(&self, seat: &mut Seat) {
        let mut seats = self.lock();
        seats.by_user.remove(&seat.user_id);
        seats.waiting -= 1;
        seat.gone = true;
    }

    /// Counts a seat that moves from a room or none to another or none.
    pub fn count_move(&self, from_waiting: bool, to_waiting: bool) {
        let mut seats = self.lock();
        seats.waiting -= usize::from(from_waiting);
        seats.waiting += usize::from(to_waiting);
    }

    /// All seats there are now.
    pub fn seats(&self) -> Vec<Arc<Turn<Seat>>> {
        self.lock().by_user.values().cloned().collect()
    }

    /// How many users are in no room.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Nothing panics while it is held.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
