//! Searching messages: the query, and its result.

use std::fmt;

use super::{ChatId, SearchText, Signed, UserId, read_id};
use crate::clock::Time;

/// Which messages are wanted. A message must be within all of the bounds.
#[derive(Debug)]
pub struct SearchQuery {
    pub text: SearchText,
    /// The user who has sent them.
    pub user_id: Option<UserId>,
    /// Created at this time or later.
    pub from: Option<Time>,
    /// Created at this time or earlier.
    pub to: Option<Time>,
    /// Only messages that come after this one in the order of a [`SearchPage`].
    pub before: Option<SearchPlace>,
    /// How many at most.
    pub limit: usize,
}

/// The place of a message among all that were found: the latest is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SearchPlace {
    pub time: Time,
    pub chat_id: ChatId,
    pub seq: i64,
}

impl SearchPlace {
    /// Reads a place from the text that a client was given.
    pub fn parse(text: &str) -> Option<SearchPlace> {
        let mut parts = text.split('.');
        let time = Time::from_micros(parts.next()?.parse().ok()?);
        let chat_id = read_id(parts.next()?)?;
        let seq = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(SearchPlace { time, chat_id, seq })
    }
}

impl fmt::Display for SearchPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.time.as_micros(), self.chat_id, self.seq)
    }
}

/// Messages that were found, the latest first.
#[derive(Debug)]
pub struct SearchPage {
    pub messages: Vec<Signed>,
    /// The place of the last message, if there is more after it.
    pub next: Option<SearchPlace>,
}
