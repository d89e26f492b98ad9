//! Failures of the databases: which may be over at the next try, and which are defects.

use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;

use super::bounded::is_outdated;
use crate::error::Error;

impl From<sqlx::Error> for Error {
    /// A database that is away, full, locked or closed may come back: `Unavailable`. All other
    /// errors are defects.
    fn from(error: sqlx::Error) -> Error {
        let passing = match &error {
            error if is_outdated(error) => true,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => true,
            // These say that nobody answers at the other end, or somebody who does not know
            // PostgreSQL.
            sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
            sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => true,
            sqlx::Error::Database(db) => match db.try_downcast_ref::<PgDatabaseError>() {
                Some(db) => is_passing(db.code()),
                // The code is an extended one; its low byte is the kind of error.
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
    /// Sorts the errors of the connection that writes rows by itself, like those of sqlx.
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

/// Whether the error with this code of PostgreSQL may be over at the next try.
fn is_passing(code: &str) -> bool {
    /// The connection is lost, there is too little room, the transaction was given up, the server
    /// shuts down, or its disk or memory fails.
    const CLASSES: [&str; 5] = ["08", "53", "40", "57", "58"];
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    /// This comes for a moment after another server has taken over.
    const READ_ONLY: &str = "25006";
    /// This comes if Chinwag was frozen in the middle of a transaction.
    const IDLE_IN_TRANSACTION: &str = "25P03";
    const TRANSACTION_TIMEOUT: &str = "25P04";
    /// If two nodes store the same thing at the same time, one of them gets this.
    const UNIQUE_VIOLATION: &str = "23505";
    CLASSES.iter().any(|class| code.starts_with(class))
        || [LOCK_NOT_AVAILABLE, READ_ONLY, IDLE_IN_TRANSACTION, TRANSACTION_TIMEOUT].contains(&code)
        || code == UNIQUE_VIOLATION
}

/// Whether an error of SQLite of this kind may be over at the next try: the file or the disk cannot
/// be used now.
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
