//! Pages of a chat's messages: the query, and its result.

use super::{MessageId, Signed};
use crate::clock::Time;

/// Which messages of a chat are wanted. A message must be within all of the bounds.
#[derive(Debug)]
pub struct MessageQuery {
    /// Created at this time or later.
    pub from: Option<Time>,
    /// Created at this time or earlier.
    pub to: Option<Time>,
    pub after_seq: Option<i64>,
    pub before_seq: Option<i64>,
    pub only: Option<Only>,
    /// How many at most.
    pub limit: usize,
}

/// A filter: only some kinds of a chat's messages are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Only {
    /// The messages that answer this one.
    Replies(MessageId),
    Pinned,
}

impl MessageQuery {
    /// Whether the earliest matching messages are wanted, instead of the latest.
    pub fn is_forward(&self) -> bool {
        self.from.is_some() || self.after_seq.is_some()
    }
}

/// Messages in ascending order of `seq`.
#[derive(Debug)]
pub struct MessagePage {
    pub messages: Vec<Signed>,
    /// The last `seq` of the page, if the query's times leave more after it.
    pub next: Option<i64>,
    /// The first `seq` of the page, if the query's times leave more before it.
    pub previous: Option<i64>,
}

/// Messages of a chat that have been changed, in ascending order of `change`.
#[derive(Debug)]
pub struct ChangePage {
    pub messages: Vec<Signed>,
    /// The last `change` of the page, if there is more after it.
    pub next: Option<i64>,
    /// The number that a client keeps once it has read the last page.
    pub last_change: i64,
}
