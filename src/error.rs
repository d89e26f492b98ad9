//! The errors of requests, with the codes that clients see; and why a server did not start, or a
//! database was not copied.

mod code;
mod copy;
mod start;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::logs;

pub use code::Code;
pub use copy::CopyError;
pub use start::StartError;

/// Why a request was refused or failed. Every door renders it in its own form; `field` is the
/// dotted path of the culprit in the request, as Socket.IO clients write it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The request, or its part at `field`, cannot be understood.
    #[error("{}{why}", subject(field))]
    Invalid { field: Option<String>, why: String },
    /// The connection has not proved, or not said, which user it acts as.
    #[error("{0}")]
    Unauthenticated(Unproven),
    /// The actor may see the thing, but may not do this to it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing, for this actor.
    #[error("{why}")]
    NotFound { field: &'static str, why: String },
    /// The request contradicts what is stored.
    #[error("{why}")]
    Conflict { field: &'static str, why: Cow<'static, str> },
    /// A field is over its limit.
    #[error("{field} is over the limit of {max} {unit}")]
    TooLarge { field: String, max: usize, unit: &'static str },
    /// Too many requests of this kind came in a short time; the next is accepted after
    /// `retry_after`.
    #[error("too many requests in a short time, try again later")]
    RateLimited { retry_after: Duration },
    /// The server cannot do it now; the same request may succeed later.
    #[error("the server is busy, try again")]
    Unavailable(Option<Arc<sqlx::Error>>),
    /// The server has no place for files, or no room for more of them.
    #[error("{0}")]
    Unstorable(&'static str),
    /// A defect or a broken store. Its cause is logged and never shown.
    #[error("internal error")]
    Internal(Option<Arc<sqlx::Error>>),
}

/// Why the connection may not act as a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unproven {
    why: &'static str,
    reason: Option<Reason>,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)
    }
}

/// What is wrong with a token, as far as its client is told: whether it should get a new one, or
/// let its user log in. The log says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
pub enum Reason {
    Expired,
    Revoked,
    Invalid,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::Revoked => "revoked",
            Reason::Invalid => "invalid",
        }
    }
}

impl Error {
    /// The connection has not proved, or not said, which user it acts as.
    pub const fn unauthenticated(why: &'static str) -> Error {
        Error::Unauthenticated(Unproven { why, reason: None })
    }

    /// The token that the connection came with is refused.
    pub const fn bad_token(reason: Reason) -> Error {
        let why = match reason {
            Reason::Expired => "this token has expired",
            Reason::Revoked => "this token was revoked",
            Reason::Invalid => "this token is not valid",
        };
        Error::Unauthenticated(Unproven { why, reason: Some(reason) })
    }

    /// The request's part at `field` cannot be understood.
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Invalid { field: Some(field.into()), why: why.into() }
    }

    /// There is no such chat, for this actor.
    pub fn no_chat() -> Error {
        Error::NotFound { field: "chat.id", why: "no such chat".into() }
    }

    /// There is no such chat for a connection that acts as no user.
    pub fn no_public_chat() -> Error {
        let why = "no public chat has this id; for a private one, create or name a user first";
        Error::NotFound { field: "chat.id", why: why.into() }
    }

    /// There is no such message in the chat.
    pub fn no_message(field: &'static str) -> Error {
        Error::NotFound { field, why: "no such message in this chat".into() }
    }

    /// There is no such file, for this actor.
    pub fn no_file(field: &'static str) -> Error {
        Error::NotFound { field, why: "no such file".into() }
    }

    /// There is no such team, for this actor.
    pub fn no_team(field: &'static str) -> Error {
        Error::NotFound { field, why: "no such team".into() }
    }

    /// There is no such user.
    pub fn no_user() -> Error {
        Error::NotFound { field: "user.id", why: "no such user".into() }
    }

    /// There are no users with these ids.
    pub fn no_users(ids: &[String]) -> Error {
        let why = format!("no such users: {}", ids.join(", "));
        Error::NotFound { field: "users", why }
    }

    /// There is no room for more files.
    pub const NO_ROOM: Error = Error::Unstorable("the server has no room for more files");

    /// Too many files are being uploaded.
    pub const TOO_MANY_UPLOADS: Error =
        Error::Unstorable("too many files are coming at once, try again");

    /// The actor may see the chat, but only a member may do this.
    pub const NO_MEMBER: Error = Error::Forbidden("only members of the chat may do this");

    /// The other user has blocked the actor.
    pub const BLOCKED: Error = Error::Forbidden("this user has blocked you");

    /// The actor may send nothing for a while, or for good.
    pub const MUTED: Error = Error::Forbidden("you are muted in this chat");

    /// The actor does not moderate a frozen chat.
    pub const FROZEN: Error = Error::Forbidden("this chat is frozen: moderators alone may send");

    /// The connection has not said which user it acts as.
    pub const NO_USER: Error = Error::unauthenticated("create or name a user first");

    /// The request contradicts what is stored.
    pub fn conflict(field: &'static str, why: &'static str) -> Error {
        Error::Conflict { field, why: why.into() }
    }

    /// The public code, the same on all doors.
    pub fn code(&self) -> Code {
        match self {
            Error::Invalid { .. } => Code::Invalid,
            Error::Unauthenticated(_) => Code::Unauthenticated,
            Error::Forbidden(_) => Code::Forbidden,
            Error::NotFound { .. } => Code::NotFound,
            Error::Conflict { .. } => Code::Conflict,
            Error::TooLarge { .. } => Code::TooLarge,
            Error::RateLimited { .. } => Code::RateLimited,
            Error::Unavailable(_) | Error::Unstorable(_) => Code::Unavailable,
            Error::Internal(_) => Code::Internal,
        }
    }

    /// The dotted path of the culprit, where there is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Error::Invalid { field, .. } => field.as_deref(),
            Error::TooLarge { field, .. } => Some(field),
            Error::NotFound { field, .. } | Error::Conflict { field, .. } => Some(field),
            _ => None,
        }
    }

    /// If a token was refused: why.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Error::Unauthenticated(unproven) => unproven.reason,
            _ => None,
        }
    }

    /// How long to wait before the same request may succeed, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::RateLimited { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// Logs that something failed that no client had asked for, unless it failed because the server
    /// ends. Repetitions with the same cause within a second are logged as one more line.
    pub fn warn(&self, what: &'static str) {
        if self.is_closed() {
            return;
        }
        let (error, cause) = (self.to_string(), self.cause().map(ToString::to_string));
        logs::seldom(format!("{what} {error} {cause:?}"), move |times| {
            tracing::warn!(error, cause, times, "{what}");
        });
    }

    /// Whether the store has been closed, as it is when the server ends.
    pub fn is_closed(&self) -> bool {
        matches!(self.cause(), Some(sqlx::Error::PoolClosed))
    }

    /// The cause, which is for the log only and must not be sent to a client.
    pub fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Error::Unavailable(cause) | Error::Internal(cause) => cause.as_deref(),
            _ => None,
        }
    }
}

fn subject(field: &Option<String>) -> String {
    field.as_ref().map(|field| format!("{field} ")).unwrap_or_default()
}
