//! Large rooms: who comes and goes is told together, once a second, and not one by one, so that a
//! room that fills up does not cost the square of its size.

use std::collections::HashMap;
use std::time::Duration;

use crate::cluster::Moved;
use crate::model::{ChatId, Event, Profile, UserId};

/// A room of more participants is a large one.
const LARGE: usize = 200;

/// How many of those who have come, and of those who have gone, are named.
const NAMED: usize = 50;

/// How long changes are gathered.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// What has changed in large rooms and has not been told yet.
#[derive(Default)]
pub(super) struct Crowds(HashMap<ChatId, Crowd>);

#[derive(Default)]
struct Crowd {
    participants: usize,
    /// None for those who have gone.
    moved: HashMap<UserId, Option<Profile>>,
}

/// What is to be done about a user who has come into a room or has gone.
pub(super) enum Telling {
    /// It is told at once.
    Now(Event),
    /// It is told with what comes until [`EVERY`] is over: then the crowd is [taken](Crowds::take).
    After(ChatId),
    /// It is told with what came before.
    With,
}

impl Crowds {
    pub fn note(&mut self, moved: Moved) -> Telling {
        let Moved { chat_id, user, participants, joined } = moved;
        let waiting = self.0.contains_key(&chat_id);
        let most = if joined { participants } else { participants + 1 };
        if most <= LARGE && !waiting {
            return Telling::Now(match joined {
                true => Event::ParticipantJoined { chat_id, user, participants },
                false => Event::ParticipantLeft { chat_id, user, participants },
            });
        }
        let crowd = self.0.entry(chat_id).or_default();
        crowd.participants = participants;
        let user_id = user.id.clone();
        let now = joined.then_some(user);
        // Who has come and gone meanwhile has not moved.
        let before = crowd.moved.remove(&user_id);
        if before.is_none_or(|before| before.is_some() == now.is_some()) {
            crowd.moved.insert(user_id, now);
        }
        match waiting {
            true => Telling::With,
            false => Telling::After(chat_id),
        }
    }

    /// What has changed in a large room since it was last taken; none if nothing has.
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
