//! What stands against writing the log.

use std::time::Duration;

use crate::error::Error;

/// For how long Kafka may take nothing until another node has a try.
pub(super) const KAFKA_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the log could not be written on.
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
