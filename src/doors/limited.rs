//! Finds clients that are `rate_limited` and go on sending all the same: each refusal costs
//! something, too.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Error;

/// How many of a client's latest requests in a row were refused.
pub struct Limited {
    refused: AtomicUsize,
    max: usize,
}

impl Limited {
    /// Allows `max` refusals in a row: so many requests can be under way when a client is first
    /// refused.
    pub fn of(max: usize) -> Limited {
        Limited { refused: AtomicUsize::new(0), max }
    }

    /// Counts a request, which this error has refused if there is one. Returns true if the client
    /// has gone on for so long that it must be disconnected.
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
