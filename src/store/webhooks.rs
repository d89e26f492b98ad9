//! The `webhooks` table: the events that the webhook has yet to get.
//!
//! Of each stream, the first has a time at which it is tried. Those behind it have none once they
//! were seen to be [behind](Due::is_first), and get one when it is their turn. Only the node that
//! holds the lock of delivering changes that.

use std::sync::Arc;
use std::time::Duration;

use sqlx::FromRow;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use super::calls::insert_webhooks;
use super::ledger::Ledger;
use super::outbox_lock::LockedTx;
use super::sqlite::json;
use super::{Db, OutboxLock, Store, Transaction, Tx, forgetting, on};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::Kept;

/// Any number that says what the lock is for under which one node delivers.
const LOCK: i64 = i64::from_be_bytes(*b"webhooks");

/// How many that wait, or are parked, are counted at most.
const MAX_COUNTED: i64 = 100_000;

/// How many streams are released in one transaction.
const STREAMS_AT_ONCE: i64 = 500;

/// How long the database may take to note something: then it is lost, and the lock with it.
const NOTE_TIMEOUT: Duration = Duration::from_secs(12);

/// One that is to be tried now, unless another of its stream comes before it.
#[derive(FromRow)]
pub struct Due {
    pub id: Uuid,
    pub stream: String,
    pub attempts: i64,
    /// Whether none before it in its stream waits.
    pub is_first: bool,
}

/// An event on its way to the webhook.
#[derive(FromRow)]
pub struct Webhook {
    /// The `webhook-id`.
    pub id: Uuid,
    pub stream: String,
    pub number: i64,
    pub attempts: i64,
    pub failing_since: Option<Time>,
    /// The members without a connection, as a JSON array, if that was found out before.
    pub offline: Option<String>,
    /// None if the event is not there any more.
    pub committed_at: Option<Time>,
    /// As JSON: an object.
    pub event: Option<String>,
}

/// What has come of a try.
pub enum Outcome {
    /// It is delivered, or is not to be delivered any more.
    Done,
    /// It could not be tried.
    Postponed {
        next_at: Time,
    },
    Failed {
        since: Time,
        next_at: Time,
    },
    Parked {
        since: Time,
        problem: String,
    },
}

/// How far the webhook lags behind. At most 100,000 are counted.
#[derive(FromRow)]
pub struct WebhookLag {
    pub events: i64,
    pub parked: i64,
    /// The id of the first that waits.
    oldest: Option<Uuid>,
}

impl WebhookLag {
    /// When the first that waits was committed: its id tells that.
    pub fn oldest(&self) -> Option<Time> {
        let (seconds, nanos) = self.oldest?.get_timestamp()?.to_unix();
        let seconds = i64::try_from(seconds).ok()?;
        Some(Time::from_micros(seconds * 1_000_000 + i64::from(nanos / 1000)))
    }
}

/// The part of a store that the delivery works on; a clone is the same one.
#[derive(Clone)]
pub struct WebhookQueue {
    db: Db,
    ledger: Ledger,
    queued: Arc<Notify>,
}

impl Store {
    pub fn webhooks(&self) -> WebhookQueue {
        let (db, ledger) = (self.db.clone(), self.ledger.clone());
        WebhookQueue { db, ledger, queued: self.told.webhook.clone() }
    }
}

impl WebhookQueue {
    /// Waits until this node is the one that delivers.
    pub async fn lock(&self) -> Result<OutboxLock, Error> {
        OutboxLock::take(&self.db, LOCK).await
    }

    /// Waits until this node commits an event, or has done so since the last time.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// Has the first of each stream tried at once, whatever was noted of it.
    pub async fn release_all(&self, lock: &mut OutboxLock) -> Result<(), Error> {
        let mut last = String::new();
        loop {
            let streams = self.list_streams(&last).await?;
            let Some(of_page) = streams.last() else {
                return Ok(());
            };
            last.clone_from(of_page);
            let releasing = async {
                let mut tx = lock.begin(&self.ledger).await?;
                for stream in &streams {
                    tx.release_first(stream, None).await?;
                }
                tx.commit().await
            };
            in_time(releasing).await?;
        }
    }

    /// The streams of which something waits after one, in order: a page of them.
    async fn list_streams(&self, after: &str) -> Result<Vec<String>, Error> {
        on!(Db self, |pool| {
            // Each is found by the index: a stream may be long.
            let streams = sqlx::query_scalar(
                "with recursive found (stream) as (
                     select min(stream) from webhooks where stream > $1
                     union all
                     select (select min(stream) from webhooks where stream > found.stream)
                     from found where stream is not null
                 )
                 select stream from found where stream is not null limit $2",
            )
            .bind(after)
            .bind(STREAMS_AT_ONCE)
            .fetch_all(pool)
            .await?;
            Ok(streams)
        })
    }

    /// What is to be tried by now: at most `limit` that were never tried, and as many that were.
    pub async fn list_due(&self, now: Time, limit: i64) -> Result<Vec<Due>, Error> {
        on!(Db self, |pool| {
            let due = sqlx::query_as(
                "select id, stream, attempts, not exists (
                     select 1 from webhooks w where w.stream = due.stream and w.number < due.number
                 ) as is_first
                 from (
                     select * from (
                         select id, stream, number, attempts from webhooks
                         where attempts = 0 and next_at <= $1 order by next_at limit $2
                     ) fresh
                     union all
                     select * from (
                         select id, stream, number, attempts from webhooks
                         where attempts > 0 and next_at <= $1 order by next_at limit $2
                     ) failing
                 ) due",
            )
            .bind(now)
            .bind(limit)
            .fetch_all(pool)
            .await?;
            Ok(due)
        })
    }

    pub async fn find(&self, id: Uuid) -> Result<Option<Webhook>, Error> {
        on!(Db self, |pool| {
            let webhook = sqlx::query_as(
                "select w.id, w.stream, w.number, w.attempts, w.failing_since, w.offline,
                     e.committed_at, e.event
                 from webhooks w left join events e on e.stream = w.stream and e.number = w.number
                 where w.id = $1",
            )
            .bind(id)
            .fetch_optional(pool)
            .await?;
            Ok(webhook)
        })
    }

    /// Whether its event tells of a message that is not there any more.
    pub async fn is_gone(&self, webhook: &Webhook) -> Result<bool, Error> {
        forgetting::is_gone(&self.db, &webhook.stream, webhook.number).await
    }

    /// Keeps who is offline at the first try, for those that may follow. Returns who it was, even if
    /// another node has been faster; none if nothing is to be tried any more.
    pub async fn keep_offline(&self, id: Uuid, offline: &str) -> Result<Option<String>, Error> {
        let mut tx = self.ledger.begin().await?;
        let kept = on!(Tx tx, |connection| {
            sqlx::query_scalar(
                "update webhooks set offline = coalesce(offline, $2) where id = $1
                 returning offline",
            )
            .bind(id)
            .bind(offline)
            .fetch_optional(connection)
            .await?
        });
        tx.commit([]).await?;
        Ok(kept)
    }

    /// Notes what has come of tries, and that those of `behind` wait for others. Errors: also if
    /// this node does not hold the lock any more; then nothing is noted.
    pub async fn note(
        &self,
        lock: &mut OutboxLock,
        outcomes: &[(Uuid, String, Outcome)],
        behind: &[Uuid],
    ) -> Result<(), Error> {
        if outcomes.is_empty() && behind.is_empty() {
            return Ok(());
        }
        in_time(async {
            let mut tx = lock.begin(&self.ledger).await?;
            for id in behind {
                tx.hold(*id).await?;
            }
            for (id, stream, outcome) in outcomes {
                match outcome {
                    Outcome::Done => {
                        tx.delete_webhook(*id).await?;
                        tx.release_first(stream, None).await?;
                    }
                    Outcome::Postponed { next_at } => tx.postpone(*id, *next_at).await?,
                    Outcome::Failed { since, next_at } => {
                        tx.fail(*id, *since, *next_at).await?;
                    }
                    Outcome::Parked { since, problem } => {
                        tx.park(*id, *since, problem).await?;
                        tx.delete_webhook(*id).await?;
                        tx.release_first(stream, Some(*since)).await?;
                    }
                }
            }
            tx.commit().await
        })
        .await
    }

    pub async fn find_lag(&self) -> Result<WebhookLag, Error> {
        on!(Db self, |pool| {
            let lag = sqlx::query_as(
                "select
                     (select count(*) from (select 1 from webhooks limit $1) waiting) as events,
                     (select count(*) from (select 1 from parked_webhooks limit $1) parked)
                         as parked,
                     (select id from webhooks order by id limit 1) as oldest",
            )
            .bind(MAX_COUNTED)
            .fetch_one(pool)
            .await?;
            Ok(lag)
        })
    }
}

async fn in_time(noting: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    timeout(NOTE_TIMEOUT, noting).await.unwrap_or(Err(Error::Unavailable(None)))
}

impl Tx {
    /// Queues events that are kept in this transaction.
    pub(super) async fn insert_webhooks(&mut self, kept: &[Kept]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) if !kept.is_empty() => {
                let place = |it: &Kept| {
                    (Uuid::now_v7(), it.position.stream.to_string(), it.position.number)
                };
                sqlx::query(
                    "insert into webhooks (id, stream, number, next_at)
                     select unhex(value ->> 0, '-'), value ->> 1, value ->> 2, $2
                     from json_each($1)",
                )
                .bind(json(kept.iter().map(place)))
                .bind(clock::now())
                .execute(inner.in_place())
                .await?;
                Ok(())
            }
            Transaction::Sqlite(_) => Ok(()),
            Transaction::Postgres(inner) => insert_webhooks(inner, kept).await,
        }
    }
}

impl LockedTx<'_> {
    /// One is not tried until it is released, if another of its stream comes before it.
    async fn hold(&mut self, id: Uuid) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "update webhooks set next_at = null where id = $1 and exists (
                     select 1 from webhooks w
                     where w.stream = webhooks.stream and w.number < webhooks.number
                 )",
            )
            .bind(id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn postpone(&mut self, id: Uuid, next_at: Time) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query("update webhooks set next_at = $2 where id = $1")
                .bind(id)
                .bind(next_at)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    async fn fail(&mut self, id: Uuid, since: Time, next_at: Time) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "update webhooks set attempts = attempts + 1, failing_since = $2, next_at = $3
                 where id = $1",
            )
            .bind(id)
            .bind(since)
            .bind(next_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn park(&mut self, id: Uuid, since: Time, problem: &str) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "insert into parked_webhooks
                     (id, stream, number, attempts, failing_since, problem, offline)
                 select id, stream, number, attempts + 1, $2, $3, offline
                 from webhooks where id = $1",
            )
            .bind(id)
            .bind(since)
            .bind(problem)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn delete_webhook(&mut self, id: Uuid) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query("delete from webhooks where id = $1").bind(id).execute(connection).await?;
        });
        Ok(())
    }

    /// Has the first of a stream tried now. If it has waited for one that is parked now, it has been
    /// failing as long.
    async fn release_first(&mut self, stream: &str, since: Option<Time>) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "update webhooks set next_at = $2, failing_since = coalesce($3, failing_since)
                 where stream = $1 and number = (select min(number) from webhooks where stream = $1)
                     and (next_at is null or next_at > $2)",
            )
            .bind(stream)
            .bind(clock::now())
            .bind(since)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
