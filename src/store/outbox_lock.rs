//! The locks under which one node at a time carries events out of the database.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres};
use tokio::time::{sleep, timeout};

use super::ledger::Ledger;
use super::{Db, Tx};
use crate::error::Error;

/// How often a node asks whether the lock has become free.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A database that says nothing for so long is lost, and the lock with it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the database finds out that the node that holds the lock is gone without a word.
const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];

/// The lock under which one node at a time writes the log, or delivers to the webhook; on a file
/// there is but one node. Dropped, it is free for the next node.
pub struct OutboxLock(Option<PgConnection>);

impl OutboxLock {
    /// Waits until this node holds the lock of this number. Should the connection to the database
    /// be lost, another node gets it; until this one notices, both do the same.
    pub(super) async fn take(db: &Db, number: i64) -> Result<OutboxLock, Error> {
        let Db::Postgres(pool) = db else {
            return Ok(OutboxLock(None));
        };
        // The lock is the connection's, so the connection must be nobody else's.
        let options = pool.connect_options().as_ref().clone().options(KEEPALIVE);
        let mut connection = in_time(PgConnection::connect_with(&options)).await?;
        loop {
            let lock = sqlx::query_as("select pg_try_advisory_lock($1)").bind(number);
            let (taken,) = in_time(lock.fetch_one(&mut connection)).await?;
            if taken {
                return Ok(OutboxLock(Some(connection)));
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Checks that this node still holds the lock. Errors: it may not.
    pub async fn check(&mut self) -> Result<(), Error> {
        if let Some(connection) = &mut self.0 {
            in_time(connection.ping()).await?;
        }
        Ok(())
    }

    /// Opens a transaction that only the holder of the lock can commit.
    pub(super) async fn begin(&mut self, ledger: &Ledger) -> Result<LockedTx<'_>, Error> {
        match &mut self.0 {
            None => Ok(LockedTx::Sqlite(ledger.begin().await?)),
            Some(connection) => Ok(LockedTx::Postgres(in_time(connection.begin()).await?)),
        }
    }
}

/// A transaction of the node that holds a lock; dropped, it changes nothing.
pub(super) enum LockedTx<'l> {
    Sqlite(Tx),
    /// On the connection that holds the lock: if that is lost, nothing can be committed any more,
    /// and before it is lost nobody else has the lock.
    Postgres(sqlx::Transaction<'l, Postgres>),
}

impl LockedTx<'_> {
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            LockedTx::Sqlite(tx) => tx.commit([]).await,
            LockedTx::Postgres(tx) => in_time(tx.commit()).await,
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    Ok(timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| Error::Unavailable(None))??)
}
