//! Large rooms: their clients are told once a second, together, which users have come and gone. If
//! they were told of each user, filling a room would cost the square of its size.

use std::collections::HashMap;
use std::time::Duration;

use crate::cluster::Moved;
use crate::model::{ChatId, Event, Profile, UserId};

/// A room with more participants than this is large.
const LARGE: usize = 200;

/// How many users who have come are named at most, and how many who have gone.
const NAMED: usize = 50;

/// For how long changes are collected.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// Changes in large rooms that have not been told yet.
#[derive(Default)]
pub(super) struct Crowds(HashMap<ChatId, Crowd>);

#[derive(Default)]
struct Crowd {
    participants: usize,
    /// `None` for a user who has gone.
    moved: HashMap<UserId, Option<Profile>>,
}

/// When clients are told that a user has come into a room or has gone.
pub(super) enum Telling {
    /// At once.
    Now(Box<Event>),
    /// Together with all that happens until [`EVERY`] is over: then the caller must
    /// [take](Crowds::take) it.
    After(ChatId),
    /// Together with an earlier change: its caller will take both.
    With,
}

impl Crowds {
    pub fn note(&mut self, moved: Moved) -> Telling {
        let Moved { chat_id, user, participants, joined } = moved;
        let waiting = self.0.contains_key(&chat_id);
        let most = if joined { participants } else { participants + 1 };
        if most <= LARGE && !waiting {
            return Telling::Now(Box::new(match joined {
                true => Event::ParticipantJoined { chat_id, user, participants },
                false => Event::ParticipantLeft { chat_id, user, participants },
            }));
        }
        let crowd = self.0.entry(chat_id).or_default();
        crowd.participants = participants;
        let user_id = user.id.clone();
        let now = joined.then_some(user);
        // A user who has both come and gone since the last time has not moved.
        let before = crowd.moved.remove(&user_id);
        if before.is_none_or(|before| before.is_some() == now.is_some()) {
            crowd.moved.insert(user_id, now);
        }
        match waiting {
            true => Telling::With,
            false => Telling::After(chat_id),
        }
    }

    /// What has changed in a large room since this was last called; `None` if nothing has.
    pub fn take(&mut self, chat_id: ChatId) -> Option<Event> {
        let Crowd { participants, moved } = self.0.remove(&chat_id)?;
        if moved.is_empty() {
            return None;
        }
        let (mut joined, mut left, mut more) = (Vec::new(), Vec::new(), false);
        for (user_id, user) in moved {
            match user {
                Some(user) if joined.len() < NAMED => joined.push(user),
                None if left.len() < NAMED => left.push(user_id),
                _ => more = true,
            }
        }
        Some(Event::ParticipantsMoved { chat_id, participants, joined, left, more })
    }
}
