//! Why the log cannot be written.

use std::time::Duration;

use crate::error::Error;

/// If Kafka accepts nothing for so long, this node gives up the lock, and another node may try.
pub(super) const KAFKA_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the writing of the log was interrupted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the database: {}", .0.cause().map_or_else(|| .0.to_string(), ToString::to_string))]
    Store(#[from] Error),
    #[error("Kafka: {0}")]
    #[cfg_attr(
        not(feature = "kafka"),
        expect(dead_code, reason = "without Kafka it has no errors")
    )]
    Kafka(String),
    #[error("Kafka has taken nothing for {KAFKA_TIMEOUT:?}")]
    Stalled,
}
