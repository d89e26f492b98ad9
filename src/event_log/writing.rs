//! The task that writes the log: batch by batch, each marked as written once Kafka has it.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::kafka::{Producer, Topic};
use super::trouble::{KAFKA_TIMEOUT, Trouble};
use crate::store::{Backlog, OutboxLock, Unlogged};

/// The most events of one batch.
const MAX_BATCH: i64 = 4000;

/// The most characters of JSON in one batch; only its first event may be longer.
const MAX_BATCH_LENGTH: i64 = 4 << 20;

/// How long it may take to notice an event of another node. An event of this node is noticed at
/// once.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The pause before the first retry after trouble, and before each further retry.
const RETRY_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];

/// How often a node checks that it still holds the lock while it waits for Kafka.
const CHECK_LOCK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Writing {
    pub topic: Topic,
    pub backlog: Backlog,
    pub closing: CancellationToken,
}

impl Writing {
    /// Writes the log whenever this node holds the lock, until it is closed.
    pub async fn run(self) {
        let mut failing = false;
        while let Err(trouble) = self.write_on(&mut failing).await {
            // Warn once and not at each retry: an outage may be long.
            if !failing {
                tracing::warn!(%trouble, "the event log cannot be written; trying again");
            }
            let [first, other] = RETRY_AFTER;
            let pause = if std::mem::replace(&mut failing, true) { other } else { first };
            if self.closing.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Writes until the log is closed and complete. After an error, `run` calls this again, and it
    /// begins with the first event that is not marked as written.
    async fn write_on(&self, failing: &mut bool) -> Result<(), Trouble> {
        let Some(lock) = self.closing.run_until_cancelled(self.backlog.lock_log()).await else {
            return Ok(());
        };
        let mut lock = lock?;
        let Some(producer) = self.closing.run_until_cancelled(self.topic.open()).await else {
            return Ok(());
        };
        let producer = producer?;
        loop {
            lock.check().await?;
            let events = self.backlog.list_unlogged(MAX_BATCH, MAX_BATCH_LENGTH).await?;
            if !events.is_empty() {
                self.write(&producer, &mut lock, &events).await?;
                if std::mem::take(failing) {
                    tracing::info!("the event log is written again");
                }
            } else if self.closing.is_cancelled() {
                return Ok(());
            } else {
                tokio::select! {
                    () = self.backlog.event_to_log() => {}
                    () = sleep(LOOK_EVERY) => {}
                    () = self.closing.cancelled() => {}
                }
            }
        }
    }

    async fn write(
        &self,
        producer: &Producer,
        lock: &mut OutboxLock,
        events: &[Unlogged],
    ) -> Result<(), Trouble> {
        let mut written = Vec::with_capacity(events.len());
        let result = {
            let mut writing = pin!(timeout(KAFKA_TIMEOUT, producer.write(events, &mut written)));
            loop {
                tokio::select! {
                    done = &mut writing => break done.unwrap_or(Err(Trouble::Stalled)),
                    () = sleep(CHECK_LOCK_EVERY) => lock.check().await?,
                }
            }
        };
        // Mark these even if others have failed: they would only be written again.
        self.backlog.mark_logged(&written).await?;
        metrics::counter!("chinwag_event_log_written_total").increment(written.len() as u64);
        result
    }
}
