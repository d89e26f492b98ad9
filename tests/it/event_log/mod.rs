//! The event log in Kafka, and the webhook.

mod offline;
mod parked;
#[cfg(feature = "kafka")]
mod records;
#[cfg(feature = "kafka")]
pub mod schema;
mod webhooks;
