//! The locks under which only one node at a time sends events out of the database.

use std::time::Duration;

use sqlx::{Connection, PgConnection, Postgres};
use tokio::time::{sleep, timeout};

use super::ledger::Ledger;
use super::{Db, Tx};
use crate::error::Error;

/// How often a node asks whether the lock has become free.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// If the database does not answer for so long, it counts as lost, and the lock with it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// With these settings PostgreSQL notices when the node that holds the lock disappears.
const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];

/// The lock under which only one node at a time writes the log, or delivers to the webhook. With
/// SQLite there is only one node, which needs no lock. When this is dropped, the next node can take
/// it.
pub struct OutboxLock(Option<PgConnection>);

impl OutboxLock {
    /// Waits until this node holds the lock with this number. If the connection to the database is
    /// lost, another node gets the lock; until this one notices, both do the same work.
    pub(super) async fn take(db: &Db, number: i64) -> Result<OutboxLock, Error> {
        let Db::Postgres(pool) = db else {
            return Ok(OutboxLock(None));
        };
        // The lock belongs to the connection, so nobody else may use the connection.
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

/// A transaction of the node that holds a lock. If it is dropped, it changes nothing.
pub(super) enum LockedTx<'l> {
    Sqlite(Tx),
    /// It is on the connection that holds the lock. If that is lost, nothing can be committed any
    /// more, and until it is lost nobody else gets the lock.
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
