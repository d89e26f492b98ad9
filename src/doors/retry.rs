//! Tells a client that is refused for now when to try again.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue};

/// The header `Retry-After`: whole seconds, rounded up, at least 1.
pub fn header(wait: Duration) -> (HeaderName, HeaderValue) {
    (RETRY_AFTER, HeaderValue::from(rounded_up(wait, Duration::from_secs(1))))
}

/// Whole milliseconds, rounded up, at least 1.
pub fn milliseconds(wait: Duration) -> u64 {
    rounded_up(wait, Duration::from_millis(1))
}

fn rounded_up(wait: Duration, unit: Duration) -> u64 {
    wait.as_nanos().div_ceil(unit.as_nanos()).max(1) as u64
}
