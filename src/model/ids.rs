//! The ids of users, chats, messages and all other things.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use super::bounds::{Problem, at_most_chars, bounded_text, printable};
use super::letters::{fold, is_word};
use crate::clock::Time;
use crate::config::Limits;

/// Reads an id that a client has sent. A text that is no UUID is not an error here: it becomes the
/// nil id, which nothing has, so that the request fails because nothing is found.
pub fn parse_id<Id: From<Uuid>>(text: &str, _: &Limits) -> Result<Id, Problem> {
    Ok(Id::from(Uuid::try_parse(text).unwrap_or(Uuid::nil())))
}

/// Reads an id that the server has written.
pub fn read_id<Id: From<Uuid>>(text: &str) -> Option<Id> {
    Uuid::try_parse(text).ok().map(Id::from)
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx_macros::Type)]
        #[derive(Serialize, Deserialize)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// A chat's id, a UUIDv7.
    ChatId
);
uuid_id!(
    /// A message's id, a UUIDv7.
    MessageId
);
macro_rules! made_now {
    ($($name:ident)*) => {$(
        impl $name {
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }
    )*};
}

made_now!(ChatId TeamId InvitationId FileId);

impl MessageId {
    /// The id of a message that is sent at this time. A message is found by the time in its id, as
    /// there is no index of ids.
    pub fn at(time: Time) -> MessageId {
        let micros = u64::try_from(time.as_micros()).unwrap_or_default();
        let (seconds, nanos) = (micros / 1_000_000, (micros % 1_000_000) * 1000);
        let time = Timestamp::from_unix(NoContext, seconds, nanos as u32);
        MessageId(Uuid::new_v7(time))
    }

    /// When the message was sent, to the millisecond; `None` if this is no message's id.
    pub fn time(self) -> Option<Time> {
        let time = self.0.get_timestamp().filter(|_| self.0.get_version_num() == 7)?;
        let (seconds, nanos) = time.to_unix();
        let micros = seconds.checked_mul(1_000_000)?.checked_add(u64::from(nanos / 1000))?;
        i64::try_from(micros).ok().map(Time::from_micros)
    }
}

uuid_id!(
    /// A team's id, a UUIDv7.
    TeamId
);
uuid_id!(
    /// An invitation's id, a UUIDv7.
    InvitationId
);
uuid_id!(
    /// A file's id, a UUIDv7.
    FileId
);

/// The id of one client's connection, so that what it causes can be kept from coming back to it. It
/// is no credential and is never shown. The default stands for a connection of another node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, sqlx_macros::Type, Serialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct ConnectionId(Uuid);

impl ConnectionId {
    pub fn new() -> ConnectionId {
        ConnectionId(Uuid::now_v7())
    }
}

/// A user's id: a UUIDv7, or what a client brought from an older system.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx_macros::Type, Serialize, Deserialize,
)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    pub fn new() -> UserId {
        UserId(Uuid::now_v7().to_string())
    }

    /// At most `Limits::max_name` characters, none of them a control character; not blank.
    pub fn parse(text: &str, limits: &Limits) -> Result<UserId, Problem> {
        at_most_chars(text, limits.max_name)?;
        printable(text)?;
        Ok(UserId(text.to_owned()))
    }

    /// An id that comes from the store.
    pub(crate) fn stored(text: &str) -> UserId {
        UserId(text.to_owned())
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

bounded_text!(
    /// The id of a user in the host application: at most `Limits::max_name` characters.
    ExternalId,
    |text, limits| {
        at_most_chars(text, limits.max_name)?;
        printable(text)
    }
);
bounded_text!(
    /// A user's handle: 1–32 letters of any script, with their marks, digits and underscores.
    /// Handles that [fold](super::fold) to the same text are the same.
    Handle,
    |text, _| {
        at_most_chars(text, 32)?;
        match !text.is_empty() && is_word(text, |c| c == '_') {
            true => Ok(()),
            false => Err(Problem::Invalid("must be letters, digits and underscores")),
        }
    }
);

impl Handle {
    /// The form that all spellings of this handle share.
    pub fn folded(&self) -> String {
        fold(self.as_ref())
    }

    /// The handle of a user who signs up: an ASCII letter, and then 1–31 ASCII letters, digits and
    /// underscores.
    pub fn parse_username(text: &str, _: &Limits) -> Result<Handle, Problem> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let well_formed = (2..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(word);
        match well_formed {
            true => Ok(Handle(text.to_owned())),
            false => Err(Problem::Invalid(
                "must be 2 to 32 letters, digits and underscores, a letter first",
            )),
        }
    }
}

/// A user's unique name: the handle, or the id of a user without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, sqlx_macros::Type, Serialize, Deserialize)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Username(String);

impl From<&Handle> for Username {
    fn from(handle: &Handle) -> Username {
        Username(handle.as_ref().to_owned())
    }
}

impl From<&UserId> for Username {
    fn from(id: &UserId) -> Username {
        Username(id.as_ref().to_owned())
    }
}

impl AsRef<str> for Username {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
