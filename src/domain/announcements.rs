//! New public chats are announced to every connected client, at most 20 a second on each node. The
//! next announcement says how many were left out. How many chats may be made is in
//! [`rates`](super::rates).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::model::{Chat, Event};

pub(super) struct Announcements {
    limiter: DefaultDirectRateLimiter,
    missed: AtomicU64,
}

impl Announcements {
    pub fn new(per_second: NonZeroU32) -> Announcements {
        let limiter = RateLimiter::direct(Quota::per_second(per_second));
        Announcements { limiter, missed: AtomicU64::new(0) }
    }

    /// The announcement of a new chat; `None` if the chat is not public, or there were too many
    /// announcements.
    pub fn announce(&self, chat: &Chat) -> Option<Event> {
        if chat.private || chat.team_id.is_some() {
            return None;
        }
        if self.limiter.check().is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let missed = self.missed.swap(0, Ordering::Relaxed);
        Some(Event::ChatAnnounced { chat: Chat { users: Vec::new(), ..chat.clone() }, missed })
    }
}
