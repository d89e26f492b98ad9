//! Clients that are `rate_limited` and go on all the same: each refusal costs something, too.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;

/// How many of a client's latest requests in a row were refused.
pub struct Limited {
    refused: AtomicUsize,
    max: usize,
}

impl Limited {
    /// As many as `max` requests can be under way when a client is told.
    pub fn of(max: usize) -> Limited {
        Limited { refused: AtomicUsize::new(0), max }
    }

    /// Counts a request and what refused it; true for a client that has gone on for so long that it
    /// is to be disconnected.
    pub fn goes_on(&self, error: Option<&Error>) -> bool {
        match error {
            Some(Error::RateLimited { .. }) => {
                self.refused.fetch_add(1, Ordering::Relaxed) >= self.max
            }
            _ => {
                self.refused.store(0, Ordering::Relaxed);
                false
            }
        }
    }
}
