//! Changes of the `webhooks` table by the node that delivers to the webhook: what is tried next,
//! and the results of tries. It needs the lock of delivering.
//!
//! Time in which no node could deliver does not count as failing: `failing_since` is moved by it.

use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::outbox_lock::LockedTx;
use super::webhooks::{Webhook, WebhookQueue};
use super::{OutboxLock, on};
use crate::clock::{self, Time};
use crate::error::Error;

/// How many waiting events are changed in one transaction.
const AT_ONCE: i64 = 500;

/// How many streams are examined at once when stalled ones are searched.
const HEADS_AT_ONCE: i64 = 2000;

/// How long the database may take to store something. After that it counts as lost, and the lock
/// with it.
const NOTE_TIMEOUT: Duration = Duration::from_secs(12);

/// The result of a try.
pub enum Outcome {
    /// It was delivered, or need not be delivered any more.
    Done,
    /// It could not be tried.
    Postponed {
        next_at: Time,
    },
    /// `webhook` has its id and who was offline; it has been failing since `since`.
    Failed {
        webhook: Webhook,
        since: Time,
        next_at: Time,
    },
    Parked {
        webhook: Webhook,
        since: Time,
        problem: String,
    },
}

impl WebhookQueue {
    /// Makes all events that have failed due at once.
    pub async fn hurry(&self, lock: &mut OutboxLock) -> Result<(), Error> {
        let now = clock::now();
        loop {
            let hurrying = async {
                let mut tx = lock.begin(&self.ledger).await?;
                let hurried = tx.hurry(now).await?;
                tx.commit().await?;
                Ok(hurried)
            };
            if in_time(hurrying).await? < AT_ONCE as u64 {
                return Ok(());
            }
        }
    }

    /// Makes the first event of a stream due if it waits for an event that is not queued any more.
    /// Examines some streams after this one, and returns where to go on, which is the beginning
    /// once all are examined.
    pub async fn release_stalled(
        &self,
        lock: &mut OutboxLock,
        after: &str,
    ) -> Result<String, Error> {
        let seen = self.list_heads(after).await?;
        let stalled = seen.iter().filter(|(_, is_stalled)| *is_stalled);
        let stalled = Vec::from_iter(stalled.map(|(stream, _)| stream.as_str()));
        if !stalled.is_empty() {
            in_time(async {
                let mut tx = lock.begin(&self.ledger).await?;
                tx.release(&stalled, None).await?;
                tx.commit().await
            })
            .await?;
        }
        let is_full = seen.len() as i64 == HEADS_AT_ONCE;
        Ok(seen.into_iter().next_back().filter(|_| is_full).unwrap_or_default().0)
    }

    /// The next streams, and whether the first event of each waits for another event.
    async fn list_heads(&self, after: &str) -> Result<Vec<(String, bool)>, Error> {
        on!(Db self, |pool| {
            // Find each stream by the index, as a stream may have many rows.
            let heads = sqlx::query_as(
                "with recursive found (stream, at) as (
                     select (select min(stream) from webhooks where stream > $1), 1
                     union all
                     select (select min(stream) from webhooks where stream > found.stream), at + 1
                     from found where stream is not null and at < $2
                 )
                 select stream, (
                     select next_at from webhooks w where w.stream = found.stream
                     order by number limit 1
                 ) is null as is_stalled
                 from found where stream is not null order by stream",
            )
            .bind(after)
            .bind(HEADS_AT_ONCE)
            .fetch_all(pool)
            .await?;
            Ok(heads)
        })
    }

    /// Takes away the time of each of these events that has another of its stream before it. It
    /// waits until it is released.
    pub async fn hold(&self, lock: &mut OutboxLock, ids: &[Uuid]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        in_time(async {
            let mut tx = lock.begin(&self.ledger).await?;
            tx.hold(ids).await?;
            tx.commit().await
        })
        .await
    }

    /// Stores the results of tries. Errors: also if this node does not hold the lock any more; then
    /// nothing is stored.
    pub async fn note(
        &self,
        lock: &mut OutboxLock,
        outcomes: &[(Uuid, String, Outcome)],
    ) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        in_time(async {
            let mut tx = lock.begin(&self.ledger).await?;
            let (mut done, mut streams) = (Vec::new(), Vec::new());
            for (id, stream, outcome) in outcomes {
                match outcome {
                    Outcome::Done => {
                        done.push(*id);
                        streams.push(stream.as_str());
                    }
                    Outcome::Postponed { next_at } => tx.postpone(*id, *next_at).await?,
                    Outcome::Failed { webhook, since, next_at } => {
                        tx.fail(webhook, *since, *next_at).await?;
                    }
                    Outcome::Parked { webhook, since, problem } => {
                        tx.park(webhook, *since, problem).await?;
                        tx.delete_webhooks(&[*id]).await?;
                        tx.release(&[stream], Some(*since)).await?;
                    }
                }
            }
            if !done.is_empty() {
                tx.delete_webhooks(&done).await?;
                tx.release(&streams, None).await?;
            }
            tx.commit().await
        })
        .await
    }
}

async fn in_time<T>(noting: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(NOTE_TIMEOUT, noting).await.unwrap_or(Err(Error::Unavailable(None)))
}

impl LockedTx<'_> {
    /// Returns how many events were made due; it does no more than [`AT_ONCE`].
    async fn hurry(&mut self, now: Time) -> Result<u64, Error> {
        Ok(on!(Locked self, |connection| {
            sqlx::query(
                "update webhooks set next_at = $1 where id in (
                     select id from webhooks where attempts > 0 and next_at > $1 limit $2
                 )",
            )
            .bind(now)
            .bind(AT_ONCE)
            .execute(connection)
            .await?
            .rows_affected()
        }))
    }

    async fn hold(&mut self, ids: &[Uuid]) -> Result<(), Error> {
        match self {
            LockedTx::Sqlite(tx) => {
                for id in ids {
                    on!(Tx tx, |connection| {
                        sqlx::query(
                            "update webhooks set next_at = null where id = $1 and exists (
                                 select 1 from webhooks w
                                 where w.stream = webhooks.stream and w.number < webhooks.number
                             )",
                        )
                        .bind(*id)
                        .execute(connection)
                        .await?;
                    });
                }
            }
            LockedTx::Postgres(inner) => {
                sqlx::query(
                    "update webhooks set next_at = null where id = any($1) and exists (
                         select 1 from webhooks w
                         where w.stream = webhooks.stream and w.number < webhooks.number
                     )",
                )
                .bind(ids)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    async fn postpone(&mut self, id: Uuid, next_at: Time) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "update webhooks set next_at = $2, failing_since = failing_since + $2 - next_at
                 where id = $1",
            )
            .bind(id)
            .bind(next_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn fail(&mut self, webhook: &Webhook, since: Time, next_at: Time) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "update webhooks set attempts = attempts + 1, failing_since = $2, next_at = $3,
                     offline = $4
                 where id = $1",
            )
            .bind(webhook.id)
            .bind(since)
            .bind(next_at)
            .bind(webhook.offline.as_ref())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn park(&mut self, webhook: &Webhook, since: Time, problem: &str) -> Result<(), Error> {
        on!(Locked self, |connection| {
            sqlx::query(
                "insert into parked_webhooks
                     (id, stream, number, attempts, failing_since, problem, offline)
                 select id, stream, number, attempts + 1, $2, $3, $4
                 from webhooks where id = $1",
            )
            .bind(webhook.id)
            .bind(since)
            .bind(problem)
            .bind(webhook.offline.as_ref())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    async fn delete_webhooks(&mut self, ids: &[Uuid]) -> Result<(), Error> {
        match self {
            LockedTx::Sqlite(tx) => {
                for id in ids {
                    on!(Tx tx, |connection| {
                        let delete = sqlx::query("delete from webhooks where id = $1").bind(*id);
                        delete.execute(connection).await?;
                    });
                }
            }
            LockedTx::Postgres(inner) => {
                let delete = sqlx::query("delete from webhooks where id = any($1)").bind(ids);
                delete.execute(&mut **inner).await?;
            }
        }
        Ok(())
    }

    /// Makes the first event of each stream due, if it waited for another. With `since`, the one
    /// before was parked, and this one counts as failing since then.
    async fn release(&mut self, streams: &[&str], since: Option<Time>) -> Result<(), Error> {
        let now = clock::now();
        match self {
            LockedTx::Sqlite(tx) => {
                for stream in streams {
                    on!(Tx tx, |connection| {
                        sqlx::query(
                            "update webhooks
                             set next_at = $2, failing_since = coalesce($3, failing_since)
                             where stream = $1 and next_at is null
                                 and number = (select min(number) from webhooks where stream = $1)",
                        )
                        .bind(*stream)
                        .bind(now)
                        .bind(since)
                        .execute(connection)
                        .await?;
                    });
                }
            }
            LockedTx::Postgres(inner) => {
                sqlx::query(
                    "update webhooks
                     set next_at = $2, failing_since = coalesce($3, failing_since)
                     where stream = any($1) and next_at is null and number = (
                         select min(number) from webhooks w where w.stream = webhooks.stream
                     )",
                )
                .bind(streams)
                .bind(now)
                .bind(since)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}
