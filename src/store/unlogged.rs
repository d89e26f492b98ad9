//! The rows of the `events` table that the event log does not have yet.

use std::sync::Arc;

use sqlx_macros::FromRow;
use tokio::sync::Notify;

use super::ledger::Ledger;
use super::sqlite::json;
use super::{Db, OutboxLock, Store, Transaction, on};
use crate::clock::Time;
use crate::error::Error;

/// At most how many events are counted that are not logged.
const MAX_LAG: i64 = 100_000;

/// The number of the [`OutboxLock`] for the log; any number will do.
const LOCK: i64 = i64::from_be_bytes(*b"eventlog");

/// An event that is not in the log yet.
#[derive(FromRow)]
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "Kafka's records are made of it"))]
pub struct Unlogged {
    pub id: i64,
    pub stream: String,
    pub number: i64,
    pub committed_at: Time,
    /// A JSON object.
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

/// The part of a store that the event log uses. Clones share everything.
#[derive(Clone)]
pub struct Backlog {
    db: Db,
    ledger: Ledger,
    to_log: Arc<Notify>,
}

impl Store {
    pub fn backlog(&self) -> Backlog {
        let (db, ledger) = (self.db.clone(), self.ledger.clone());
        Backlog { db, ledger, to_log: self.told.log.clone() }
    }
}

impl Backlog {
    /// Waits until this node holds the lock to write the log.
    pub async fn lock_log(&self) -> Result<OutboxLock, Error> {
        OutboxLock::take(&self.db, LOCK).await
    }

    /// Waits until this node commits an event for the log, or returns at once if it has done so
    /// since the last call.
    pub async fn event_to_log(&self) {
        self.to_log.notified().await;
    }

    /// The first events that are not logged; within each stream they are in the order of the
    /// commits. At most `limit`, and no more once they have `max_length` characters.
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
