//! How a failed request is told: to its client as an object, to the log and to the metrics.

use serde_json::{Value, json};

use super::retry;
use crate::error::Error;

/// `{code, message, field?, retry_after_ms?}`
pub fn object(error: &Error) -> Value {
    let mut object = json!({ "code": error.code(), "message": error.to_string() });
    if let Some(field) = error.field() {
        object["field"] = field.into();
    }
    if let Some(wait) = error.retry_after() {
        object["retry_after_ms"] = retry::milliseconds(wait).into();
    }
    object
}

/// Logs why a request was refused or failed, once, with the cause that its client is not told, and
/// counts those that are `unavailable`.
pub fn log(request: &str, error: &Error) {
    if matches!(error, Error::Unavailable(_)) {
        metrics::counter!("chinwag_unavailable_total").increment(1);
    }
    match (error, error.cause()) {
        (Error::Internal(_), Some(cause)) => tracing::error!(request, %cause, "request failed"),
        (Error::Internal(_), None) => tracing::error!(request, "request failed"),
        (_, Some(cause)) => tracing::warn!(request, %cause, "request failed"),
        (_, None) => tracing::debug!(request, code = error.code(), "request refused"),
    }
}
