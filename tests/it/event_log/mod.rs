//! The event log in Kafka.

mod records;
pub mod schema;
