//! What can go wrong, and the code a client sees for it.

use std::net::SocketAddr;
use std::sync::Arc;

/// Why a request was refused or failed. Every door renders it in its own form.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The request is not well-formed; `field` is the dotted path of the culprit, empty for the
    /// request as a whole.
    #[error("{}{why}", subject(field))]
    Invalid { field: String, why: String },
    /// The connection has not said which user it acts as.
    #[error("create or name a user first")]
    Unauthenticated,
    /// The actor is known and may see the thing, but may not do this to it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing for this actor; `what` is the entity: `chat`, `user`, `users`…
    #[error("{}", not_found(what, ids))]
    NotFound { what: &'static str, ids: Vec<String> },
    /// The request contradicts what is stored.
    #[error("{why}")]
    Conflict { field: Option<&'static str>, why: &'static str },
    /// A field is over its limit.
    #[error("{field} is over the limit of {max} {unit}")]
    TooLarge { field: String, max: usize, unit: &'static str },
    /// The server cannot do it now; the same request may succeed later.
    #[error("the server is busy, try again")]
    Unavailable(Option<Arc<sqlx::Error>>),
    /// A defect or a broken store. Its cause is logged and never shown.
    #[error("internal error")]
    Internal(Option<Arc<sqlx::Error>>),
}

impl Error {
    /// The request as a whole, or its part at `field`, cannot be understood.
    pub fn invalid(field: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Invalid { field: field.into(), why: why.into() }
    }

    /// There is no such `what` for this actor.
    pub fn not_found(what: &'static str) -> Error {
        Error::NotFound { what, ids: Vec::new() }
    }

    /// The public code, the same on all doors.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Invalid { .. } => "invalid",
            Error::Unauthenticated => "unauthenticated",
            Error::Forbidden(_) => "forbidden",
            Error::NotFound { .. } => "not_found",
            Error::Conflict { .. } => "conflict",
            Error::TooLarge { .. } => "too_large",
            Error::Unavailable(_) => "unavailable",
            Error::Internal(_) => "internal",
        }
    }

    /// The dotted path of the culprit, where there is one.
    pub fn field(&self) -> Option<String> {
        match self {
            Error::Invalid { field, .. } | Error::TooLarge { field, .. } => {
                (!field.is_empty()).then(|| field.clone())
            }
            Error::NotFound { what: "users", .. } => Some("users".into()),
            Error::NotFound { what: "team", .. } => Some("chat.team_id".into()),
            Error::NotFound { what, .. } => Some(format!("{what}.id")),
            Error::Conflict { field, .. } => field.map(Into::into),
            _ => None,
        }
    }

    /// What the log should know and the client must not.
    pub fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Error::Unavailable(cause) | Error::Internal(cause) => cause.as_deref(),
            _ => None,
        }
    }
}

fn subject(field: &str) -> String {
    match field {
        "" => String::new(),
        field => format!("{field} "),
    }
}

fn not_found(what: &str, ids: &[String]) -> String {
    match ids {
        [] => format!("no such {what}"),
        ids => format!("no such {what}: {}", ids.join(", ")),
    }
}

impl From<sqlx::Error> for Error {
    /// A store that is full, locked or closed may come back: `Unavailable`. The rest is a defect.
    fn from(error: sqlx::Error) -> Error {
        const BUSY: &str = "5";
        const IO: &str = "10";
        const FULL: &str = "13";
        let passing = match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(db) => matches!(db.code().as_deref(), Some(BUSY | IO | FULL)),
            _ => false,
        };
        let cause = Some(Arc::new(error));
        match passing {
            true => Error::Unavailable(cause),
            false => Error::Internal(cause),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot open the database {url}: {source}")]
    Store { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "{0} can be reached from other machines, where anyone could act as any user: \
         say --access open if that is what you want, or listen on 127.0.0.1"
    )]
    Exposed(SocketAddr),
}
