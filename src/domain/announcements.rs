//! Public chats are announced to everybody who is connected: on each node up to 20 a second. The
//! next one that is announced says how many were not.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::model::{Chat, Event};

const PER_SECOND: NonZeroU32 = NonZeroU32::new(20).unwrap();

pub(super) struct Announcements {
    limiter: DefaultDirectRateLimiter,
    missed: AtomicU64,
}

impl Announcements {
    pub fn new() -> Announcements {
        let limiter = RateLimiter::direct(Quota::per_second(PER_SECOND));
        Announcements { limiter, missed: AtomicU64::new(0) }
    }

    /// How a new chat is announced; none if it is not public, or has to be left out.
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
