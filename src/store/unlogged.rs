//! The rows of the `events` table that the event log does not have yet, the lock under which one
//! node writes them, and the deletion of old rows.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, FromRow, PgConnection};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::ledger::Ledger;
use super::sqlite::json;
use super::{Db, Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;

/// How many events that are not logged are counted at most.
const MAX_LAG: i64 = 100_000;

/// How many events are forgotten in one transaction: others wait for it.
const FORGOTTEN_AT_ONCE: i64 = 500;

/// Any number that says what the lock of a [`LogLock`] is for.
const LOCK: i64 = i64::from_be_bytes(*b"eventlog");

/// How often a node asks whether the lock has become free.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A database that says nothing for so long is lost, and the lock with it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the database finds out that the node that holds the lock is gone without a word.
const KEEPALIVE: [(&str, &str); 3] =
    [("tcp_keepalives_idle", "5"), ("tcp_keepalives_interval", "2"), ("tcp_keepalives_count", "3")];

/// An event that the log has yet to get.
#[derive(FromRow)]
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "Kafka's records are made of it"))]
pub struct Unlogged {
    pub id: i64,
    pub stream: String,
    pub number: i64,
    pub committed_at: Time,
    /// As JSON: an object.
    pub event: String,
}

/// How far the log lags behind.
#[derive(FromRow)]
pub struct LogLag {
    /// At most 100,000 are counted.
    pub events: i64,
    /// When the first of them was committed.
    pub oldest: Option<Time>,
}

/// The lock under which one node at a time writes the log; on a file there is but one node.
/// Dropped, it is free for the next node.
pub struct LogLock(Option<PgConnection>);

impl LogLock {
    /// Checks that this node still holds the lock. Errors: it may not.
    pub async fn check(&mut self) -> Result<(), Error> {
        if let Some(connection) = &mut self.0 {
            in_time(connection.ping()).await?;
        }
        Ok(())
    }
}

/// The part of a store that the event log works on; a clone is the same one.
#[derive(Clone)]
pub struct Backlog {
    db: Db,
    ledger: Ledger,
    to_log: Arc<Notify>,
}

impl Store {
    pub fn backlog(&self) -> Backlog {
        let (db, ledger) = (self.db.clone(), self.ledger.clone());
        Backlog { db, ledger, to_log: self.to_log.clone() }
    }
}

impl Backlog {
    /// Waits until this node holds the lock to write the log. Should the connection to the database
    /// be lost, another node gets the lock; until this one notices, both write the same.
    pub async fn lock_log(&self) -> Result<LogLock, Error> {
        let Db::Postgres(pool) = &self.db else {
            return Ok(LogLock(None));
        };
        // The lock is the connection's, so the connection must be nobody else's.
        let options = pool.connect_options().as_ref().clone().options(KEEPALIVE);
        let mut connection = in_time(PgConnection::connect_with(&options)).await?;
        loop {
            let lock = sqlx::query_as("select pg_try_advisory_lock($1)").bind(LOCK);
            let (taken,) = in_time(lock.fetch_one(&mut connection)).await?;
            if taken {
                return Ok(LogLock(Some(connection)));
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Waits until this node commits an event that is to be logged, or has done so since the last
    /// time.
    pub async fn event_to_log(&self) {
        self.to_log.notified().await;
    }

    /// The first events that are not logged, in an order that is that of the commits within each
    /// stream: at most `limit`, and no more once they have `max_length` characters.
    pub async fn list_unlogged(&self, limit: i64, max_length: i64) -> Result<Vec<Unlogged>, Error> {
        on!(Db self, |pool| {
            let events = sqlx::query_as(
                "select id, stream, number, committed_at, event
                 from (select id, stream, number, committed_at, event,
                         sum(length(event)) over (order by id) - length(event) as before
                     from (select * from events where not logged order by id limit $1) first)
                     summed
                 where before < $2 order by id",
            )
            .bind(limit)
            .bind(max_length)
            .fetch_all(pool)
            .await?;
            Ok(events)
        })
    }

    /// Marks the events of these ids as logged.
    pub async fn mark_logged(&self, ids: &[i64]) -> Result<(), Error> {
        let mut tx = self.ledger.begin().await?;
        match &mut *tx.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update events set logged = true
                     where id in (select value from json_each($1))",
                )
                .bind(json(ids.iter()))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query("update events set logged = true where id = any($1)")
                    .bind(ids)
                    .execute(&mut **inner)
                    .await?;
            }
        }
        tx.commit([]).await
    }

    /// Forgets some of what was committed before a time and is in the event log, if there is one.
    /// Returns whether there may be more of it.
    pub async fn forget_events(&self, before: Time) -> Result<bool, Error> {
        // Looked up first, so that nobody who writes waits for a long look.
        let ids: Vec<i64> = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select id from events where committed_at < $1 and logged
                 order by committed_at limit $2",
            )
            .bind(before)
            .bind(FORGOTTEN_AT_ONCE)
            .fetch_all(pool)
            .await?
        });
        let may_be_more = ids.len() as i64 == FORGOTTEN_AT_ONCE;
        if ids.is_empty() {
            return Ok(false);
        }
        let mut tx = self.ledger.begin().await?;
        // Before the events by which they are found.
        tx.delete_ended_streams(&ids).await?;
        tx.delete_events(&ids).await?;
        tx.commit([]).await?;
        Ok(may_be_more)
    }

    /// How far the log lags behind what is committed.
    pub async fn find_log_lag(&self) -> Result<LogLag, Error> {
        on!(Db self, |pool| {
            let lag = sqlx::query_as(
                "select
                     (select count(*) from
                         (select 1 from events where not logged limit $1) counted) as events,
                     (select committed_at from events where not logged order by id limit 1)
                         as oldest",
            )
            .bind(MAX_LAG)
            .fetch_one(pool)
            .await?;
            Ok(lag)
        })
    }
}

impl Tx {
    /// Deletes the streams of deleted chats whose last event is one of these. The id of a chat is
    /// never given again, so its numbers are not either.
    async fn delete_ended_streams(&mut self, ids: &[i64]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "delete from streams
                     where (stream, last_number) in (
                         select stream, number from events
                         where id in (select value from json_each($1)) and stream like 'chat/%'
                     ) and not exists (
                         select 1 from chats
                         where id = unhex(substr(stream, 6), '-') and not ended
                     )",
                )
                .bind(json(ids.iter()))
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "delete from streams
                     where (stream, last_number) in (
                         select stream, number from events
                         where id = any($1) and stream like 'chat/%'
                     ) and not exists (
                         select 1 from chats
                         where id = case when stream like 'chat/%' then substr(stream, 6)::uuid end
                             and not ended
                     )",
                )
                .bind(ids)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    async fn delete_events(&mut self, ids: &[i64]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query("delete from events where id in (select value from json_each($1))")
                    .bind(json(ids.iter()))
                    .execute(&mut **inner)
                    .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query("delete from events where id = any($1)")
                    .bind(ids)
                    .execute(&mut **inner)
                    .await?;
            }
        }
        Ok(())
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    Ok(timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| Error::Unavailable(None))??)
}
