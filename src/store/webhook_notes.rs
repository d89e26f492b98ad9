//! What the node that delivers to the webhook notes in the `webhooks` table: what is tried next, and
//! what has come of tries. It does so under the lock of delivering.

use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::outbox_lock::LockedTx;
use super::webhooks::WebhookQueue;
use super::{OutboxLock, on};
use crate::clock::{self, Time};
use crate::error::Error;

/// How many streams are released in one transaction.
const STREAMS_AT_ONCE: i64 = 500;

/// How long the database may take to note something: then it is lost, and the lock with it.
const NOTE_TIMEOUT: Duration = Duration::from_secs(12);

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

impl WebhookQueue {
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
}

async fn in_time(noting: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    timeout(NOTE_TIMEOUT, noting).await.unwrap_or(Err(Error::Unavailable(None)))
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
