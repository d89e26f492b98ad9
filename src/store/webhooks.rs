//! The `webhooks` table: the events that the webhook does not have yet.
//!
//! The first event of each stream has a time, `next_at`, at which it is tried. Events behind it
//! lose theirs once they were seen to be [behind](Due::is_first), and get one when it is their
//! turn. Only the node that holds the lock of delivering [changes this](super::webhook_notes). If
//! anybody else deletes an event, those behind it are [stalled](super::webhook_notes) for a while.

use std::sync::Arc;

use sqlx_macros::FromRow;
use tokio::sync::Notify;
use uuid::Uuid;

use super::calls::insert_webhooks;
use super::ledger::Ledger;
use super::sqlite::json;
use super::{Db, OutboxLock, Store, Transaction, Tx, forgetting, on};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::Kept;

/// The number of the lock of delivering; any number will do.
const LOCK: i64 = i64::from_be_bytes(*b"webhooks");

/// At most how many waiting, or parked, events are counted.
const MAX_COUNTED: i64 = 100_000;

/// An event that is due, unless another of its stream comes before it.
#[derive(FromRow)]
pub struct Due {
    pub id: Uuid,
    pub stream: String,
    /// Whether it was tried before.
    pub is_retry: bool,
    /// Whether no other event of its stream waits before it.
    pub is_first: bool,
    /// How many bytes the event has; `None` if the event does not exist any more.
    pub bytes: Option<i64>,
}

/// An event on its way to the webhook.
#[derive(FromRow)]
pub struct Webhook {
    /// The `webhook-id`.
    pub id: Uuid,
    pub stream: String,
    pub number: i64,
    pub attempts: i64,
    /// Since when it has been failing; `None` before the first failure.
    pub failing_since: Option<Time>,
    /// The members who had no connection at the first try, as a JSON array; stored once that try
    /// has failed.
    pub offline: Option<String>,
    /// `None` if the event does not exist any more.
    pub committed_at: Option<Time>,
    /// A JSON object; `None` if the event does not exist any more.
    pub event: Option<String>,
}

/// How far the webhook lags behind. At most 100,000 are counted.
#[derive(FromRow)]
pub struct WebhookLag {
    pub events: i64,
    pub parked: i64,
    /// The id of the first event that waits.
    oldest: Option<Uuid>,
}

impl WebhookLag {
    /// When the first waiting event was committed, which its id tells.
    pub fn oldest(&self) -> Option<Time> {
        let (seconds, nanos) = self.oldest?.get_timestamp()?.to_unix();
        let seconds = i64::try_from(seconds).ok()?;
        Some(Time::from_micros(seconds * 1_000_000 + i64::from(nanos / 1000)))
    }
}

/// The part of a store that the delivery uses. Clones share everything.
#[derive(Clone)]
pub struct WebhookQueue {
    pub(super) db: Db,
    pub(super) ledger: Ledger,
    queued: Arc<Notify>,
}

impl Store {
    pub fn webhooks(&self) -> WebhookQueue {
        let (db, ledger) = (self.db.clone(), self.ledger.clone());
        WebhookQueue { db, ledger, queued: self.told.webhook.clone() }
    }
}

impl WebhookQueue {
    /// Waits until this node holds the lock of delivering.
    pub async fn lock(&self) -> Result<OutboxLock, Error> {
        OutboxLock::take(&self.db, LOCK).await
    }

    /// Whether other nodes could deliver.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Waits until this node commits an event, or returns at once if it has done so since the last
    /// call.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// The events that are due at `now`: at most `fresh` that were never tried, and `failing` that
    /// were.
    pub async fn list_due(&self, now: Time, [fresh, failing]: [i64; 2]) -> Result<Vec<Due>, Error> {
        on!(Db self, |pool| {
            let due = sqlx::query_as(
                "select id, stream, is_retry, not exists (
                     select 1 from webhooks w where w.stream = due.stream and w.number < due.number
                 ) as is_first, (
                     select cast(octet_length(e.event) as bigint) from events e
                     where e.stream = due.stream and e.number = due.number
                 ) as bytes
                 from (
                     select * from (
                         select id, stream, number, false as is_retry from webhooks
                         where attempts = 0 and next_at <= $1 order by next_at limit $2
                     ) fresh
                     union all
                     select * from (
                         select id, stream, number, true as is_retry from webhooks
                         where attempts > 0 and next_at <= $1 order by next_at limit $3
                     ) failing
                 ) due",
            )
            .bind(now)
            .bind(fresh)
            .bind(failing)
            .fetch_all(pool)
            .await?;
            Ok(due)
        })
    }

    /// An event that is to be tried now. Time before `begun`, in which nobody delivered, does not
    /// count as failing.
    pub async fn find(&self, id: Uuid, begun: Time) -> Result<Option<Webhook>, Error> {
        on!(Db self, |pool| {
            let webhook = sqlx::query_as(
                "select w.id, w.stream, w.number, w.attempts,
                     w.failing_since + case when w.next_at < $2 then $2 - w.next_at else 0 end
                         as failing_since, w.offline,
                     e.committed_at, e.event
                 from webhooks w left join events e on e.stream = w.stream and e.number = w.number
                 where w.id = $1",
            )
            .bind(id)
            .bind(begun)
            .fetch_optional(pool)
            .await?;
            Ok(webhook)
        })
    }

    /// Whether its event tells of a message that does not exist any more.
    pub async fn is_gone(&self, webhook: &Webhook) -> Result<bool, Error> {
        forgetting::is_gone(&self.db, &webhook.stream, webhook.number).await
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

impl Tx {
    /// Queues events that this transaction stores.
    pub(super) async fn insert_webhooks(&mut self, kept: &[Kept]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) if !kept.is_empty() => {
                let place = |it: &Kept| {
                    (Uuid::now_v7(), it.position.stream.to_string(), it.position.number)
                };
                // Only one transaction writes at a time: an event with another one before it keeps
                // its place.
                sqlx::query(
                    "insert into webhooks (id, stream, number, next_at)
                     select unhex(value ->> 0, '-'), value ->> 1, value ->> 2, case
                         when not exists (select 1 from webhooks where stream = value ->> 1) then $2
                     end
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
