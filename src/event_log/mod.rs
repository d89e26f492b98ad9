//! The log of committed events, which goes to Kafka, and the calls of a webhook. This module owns
//! the form of a record, when it is written to the log and by which node, and how the webhook is
//! called; it does not know what an event means. `docs/events.md` is the contract with the log's
//! readers.
//!
//! What the log promises: every committed event is written, and the events of a stream in their
//! order. Events may be written again; then they come again in their order from some event on, with
//! none left out. The events wait in the database, so that neither a crash nor an outage loses one,
//! no request waits for Kafka, and no more than a batch is in memory.

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

/// Reads from the settings where the log goes; `None` if there is to be no log. Errors: the brokers
/// or the topic are malformed, or the program was built without Kafka.
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

/// The writer of the log. It only waits while another node writes.
pub struct EventLog {
    closing: CancellationToken,
    tasks: TaskTracker,
    writing: AbortHandle,
}

impl EventLog {
    /// Starts to write the events that are stored for the log.
    pub fn start(topic: Topic, backlog: Backlog) -> EventLog {
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(closing.clone().run_until_cancelled_owned(lag::measure(backlog.clone())));
        let writing = Writing { topic, backlog, closing: closing.clone() };
        let writing = tasks.spawn(writing.run()).abort_handle();
        tasks.close();
        EventLog { closing, tasks, writing }
    }

    /// Writes the events that remain, for at most `deadline`. Whatever is left is written after the
    /// next start.
    pub async fn close(&self, deadline: Duration) {
        self.closing.cancel();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            self.writing.abort();
            tracing::warn!("the event log lags behind; it will be written after the next start");
        }
    }
}
