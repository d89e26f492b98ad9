//! Who and what: the ids of everything.

use std::fmt;

use serde::Serialize;
use uuid::Uuid;

use super::text::{Problem, at_most_chars, printable, text};
use crate::config::Limits;

/// A chat's id, a UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, Serialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct ChatId(Uuid);

impl ChatId {
    pub fn new() -> ChatId {
        ChatId(Uuid::now_v7())
    }

    /// Reads an id as a client writes it. A text that is no UUID names a chat that does not
    /// exist, not a malformed request: it becomes the nil id, which no chat has.
    pub fn parse(text: &str, _: &Limits) -> Result<ChatId, Problem> {
        Ok(ChatId(Uuid::try_parse(text).unwrap_or(Uuid::nil())))
    }

    /// Its 32 hexadecimal digits, as SQLite's `unhex` reads them.
    pub fn to_hex(self) -> String {
        self.0.simple().to_string()
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message's id, a UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type, Serialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct MessageId(Uuid);

impl MessageId {
    pub fn new() -> MessageId {
        MessageId(Uuid::now_v7())
    }

    /// Its 32 hexadecimal digits, as SQLite's `unhex` reads them.
    pub fn to_hex(self) -> String {
        self.0.simple().to_string()
    }
}

/// One client's connection, so that what it causes can be kept from coming back to it.
/// It is no credential and is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(Uuid);

impl ConnectionId {
    pub fn new() -> ConnectionId {
        ConnectionId(Uuid::now_v7())
    }
}

/// A user's id: a UUIDv7, or what a client brought from an older system.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, Serialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    pub fn new() -> UserId {
        UserId(Uuid::now_v7().to_string())
    }

    /// 1–255 characters, none of them a control character.
    pub fn parse(text: &str, limits: &Limits) -> Result<UserId, Problem> {
        at_most_chars(text, limits.max_name)?;
        printable(text)?;
        Ok(UserId(text.to_owned()))
    }

    /// An id that the store has given out.
    pub(crate) fn stored(text: &str) -> UserId {
        UserId(text.to_owned())
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

text!(
    /// The id of a user in the host application: 1–255 characters.
    ExternalId,
    |text, limits| {
        at_most_chars(text, limits.max_name)?;
        printable(text)
    }
);
text!(
    /// A user's handle: 1–32 letters, digits and underscores of any script.
    Handle,
    |text, _| {
        at_most_chars(text, 32)?;
        match !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_') {
            true => Ok(()),
            false => Err(Problem::Invalid("must be letters, digits and underscores")),
        }
    }
);
