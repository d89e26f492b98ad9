//! The log of committed events, which goes to Kafka, and the way to a webhook. It owns what a
//! record is, when it is written to the log and by which node, and how the webhook is called; it
//! knows nothing of what an event means. `docs/events.md` is its contract with its readers.
//!
//! What the log promises: every event that was committed is written, those of a stream in their
//! order. An event may be written again; after its first time nothing that follows it is missing.
//! The events wait in the database, so that neither a crash nor an outage loses one, no request
//! waits for Kafka, and no more than a batch is in memory.

mod addresses;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(not(feature = "kafka"))]
#[path = "no_kafka.rs"]
mod kafka;
mod lag;
mod record;
mod trouble;
mod webhook;
mod writing;

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::error::StartError;
use crate::store::Backlog;
pub use kafka::Topic;
pub use record::record;
pub use webhook::{Endpoint, Undelivered};
use writing::Writing;

/// Finds out from the settings where the log goes, if there is to be one. Errors: brokers or a
/// topic that cannot be; a program that was built without Kafka.
pub fn topic(config: &Config) -> Result<Option<Topic>, StartError> {
    let Some(brokers) = &config.kafka_brokers else {
        return Ok(None);
    };
    if !brokers.split(',').all(is_address) {
        let why = "must be host:port, or several of these with commas between them".to_owned();
        return Err(StartError::Kafka { setting: "kafka-brokers", why });
    }
    if !is_topic(&config.kafka_topic) {
        let why = "must be 1 to 249 ASCII letters, digits, dots, dashes and underscores".to_owned();
        return Err(StartError::Kafka { setting: "kafka-topic", why });
    }
    Topic::new(brokers, &config.kafka_topic).map(Some)
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
    matches!(parts, Some((host, Ok(1..))) if !host.trim().is_empty())
}

fn is_topic(text: &str) -> bool {
    let may_be = |c: char| c.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&c);
    (1..=249).contains(&text.len()) && text.chars().all(may_be) && text != "." && text != ".."
}

/// A log that is being written, unless another node does it.
pub struct EventLog {
    closing: CancellationToken,
    tasks: TaskTracker,
    writing: AbortHandle,
}

impl EventLog {
    /// Starts writing what is kept for the log.
    pub fn start(topic: Topic, backlog: Backlog) -> EventLog {
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(closing.clone().run_until_cancelled_owned(lag::measure(backlog.clone())));
        let writing = Writing { topic, backlog, closing: closing.clone() };
        let writing = tasks.spawn(writing.run()).abort_handle();
        tasks.close();
        EventLog { closing, tasks, writing }
    }

    /// Writes what there still is to write, as long as that takes no longer than `deadline`. The
    /// rest is written after the next start.
    pub async fn close(&self, deadline: Duration) {
        self.closing.cancel();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            self.writing.abort();
            tracing::warn!("the event log lags behind; it will be written after the next start");
        }
    }
}
