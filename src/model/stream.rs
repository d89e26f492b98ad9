//! Streams of events: of a chat, of a user, or of everyone. The events of a stream have the numbers
//! 1, 2, 3…, so that a node that follows the stream notices when it has missed one.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ChatId, UserId, read_id};

/// A sequence of events, followed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    Chat(ChatId),
    User(UserId),
    Everyone,
}

/// The position of an event: its stream and its number there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub stream: Stream,
    pub number: i64,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stream::Chat(id) => write!(f, "chat/{id}"),
            Stream::User(id) => write!(f, "user/{}", id.as_ref()),
            Stream::Everyone => f.write_str("everyone"),
        }
    }
}

impl Stream {
    /// Whether it is the stream of a user.
    pub fn is_users(&self) -> bool {
        matches!(self, Stream::User(_))
    }

    /// Reads the text that a node has written.
    pub fn parse(text: &str) -> Option<Stream> {
        match text.split_once('/') {
            Some(("chat", id)) => read_id(id).map(Stream::Chat),
            Some(("user", id)) => Some(Stream::User(UserId::stored(id))),
            Some(_) => None,
            None => (text == "everyone").then_some(Stream::Everyone),
        }
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stream, D::Error> {
        let text = String::deserialize(deserializer)?;
        Stream::parse(&text).ok_or_else(|| D::Error::custom("no stream"))
    }
}
