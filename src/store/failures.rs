//! Failures of the databases: which may be over the next time, and which are defects.

use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;

use super::bounded::is_outdated;
use crate::error::Error;

impl From<sqlx::Error> for Error {
    /// A store that is away, full, locked or closed may come back: `Unavailable`. The rest is a
    /// defect.
    fn from(error: sqlx::Error) -> Error {
        let passing = match &error {
            error if is_outdated(error) => true,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            // So they say that nobody, or nobody who knows PostgreSQL, is at the other end.
            sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
            sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => true,
            sqlx::Error::Database(db) => match db.try_downcast_ref::<PgDatabaseError>() {
                Some(db) => is_passing(db.code()),
                // The code is an extended one; its low byte is the kind.
                None => db
                    .code()
                    .and_then(|code| code.parse::<i32>().ok())
                    .is_some_and(|code| is_passing_on_sqlite(code & 0xff)),
            },
            _ => false,
        };
        let cause = Some(Arc::new(error));
        match passing {
            true => Error::Unavailable(cause),
            false => Error::Internal(cause),
        }
    }
}

impl From<rusqlite::Error> for Error {
    /// Errors of the connection that writes rows by itself, sorted as sqlx's are.
    fn from(error: rusqlite::Error) -> Error {
        let passing = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => {
                is_passing_on_sqlite(failure.extended_code & 0xff)
            }
            _ => false,
        };
        let cause = Some(Arc::new(sqlx::Error::AnyDriverError(Box::new(error))));
        match passing {
            true => Error::Unavailable(cause),
            false => Error::Internal(cause),
        }
    }
}

/// Whether the error that PostgreSQL gives this code may be over the next time.
fn is_passing(code: &str) -> bool {
    /// No connection, too little room, the transaction was given up, the server is ending, its disk
    /// or its memory fails it.
    const CLASSES: [&str; 5] = ["08", "53", "40", "57", "58"];
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    /// After a change of servers, for a moment.
    const READ_ONLY: &str = "25006";
    /// This server was frozen in the middle of a transaction.
    const IDLE_IN_TRANSACTION: &str = "25P03";
    const TRANSACTION_TIMEOUT: &str = "25P04";
    /// Of two nodes that stored the same at the same time, one hears of it so.
    const UNIQUE_VIOLATION: &str = "23505";
    CLASSES.iter().any(|class| code.starts_with(class))
        || [LOCK_NOT_AVAILABLE, READ_ONLY, IDLE_IN_TRANSACTION, TRANSACTION_TIMEOUT].contains(&code)
        || code == UNIQUE_VIOLATION
}

/// Whether an error of this kind of SQLite's may be over the next time: its file or the disk is not
/// to be had now.
fn is_passing_on_sqlite(kind: i32) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NO_MEMORY: i32 = 7;
    const READ_ONLY: i32 = 8;
    const IO: i32 = 10;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    [BUSY, LOCKED, NO_MEMORY, READ_ONLY, IO, FULL, CANNOT_OPEN].contains(&kind)
}
