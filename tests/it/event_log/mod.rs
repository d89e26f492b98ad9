//! The event log in Kafka, and the webhook.

mod calls;
mod offline;
mod parked;
#[cfg(feature = "kafka")]
mod records;
#[cfg(feature = "kafka")]
pub mod schema;
mod waiting;
mod webhooks;
