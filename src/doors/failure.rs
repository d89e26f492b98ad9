//! How a failed request is told: to its client as an object, to the log and to the metrics.

use serde_json::{Value, json};

use super::retry;
use crate::error::Error;
use crate::logs;

/// `{code, message, field?, reason?, retry_after_ms?}`
pub fn object(error: &Error) -> Value {
    let mut object = json!({ "code": error.code(), "message": error.to_string() });
    if let Some(field) = error.field() {
        object["field"] = field.into();
    }
    if let Some(reason) = error.reason() {
        object["reason"] = reason.as_str().into();
    }
    if let Some(wait) = error.retry_after() {
        object["retry_after_ms"] = retry::milliseconds(wait).into();
    }
    object
}

/// Logs why a request was refused or failed, with the cause that its client is not told, and counts
/// those that are `unavailable`. What happens again within a second is logged as one more line.
pub fn log(request: &'static str, error: &Error) {
    if matches!(error, Error::Unavailable(_) | Error::Unstorable(_)) {
        metrics::counter!("chinwag_unavailable_total").increment(1);
    }
    let Some(cause) = error.cause() else {
        return log_without_cause(request, error);
    };
    let (code, cause) = (error.code(), cause.to_string());
    let internal = matches!(error, Error::Internal(_));
    logs::seldom(format!("{request} {code} {cause}"), move |times| match internal {
        true => tracing::error!(request, code, cause, times, "request failed"),
        false => tracing::warn!(request, code, cause, times, "request failed"),
    });
}

fn log_without_cause(request: &'static str, error: &Error) {
    let code = error.code();
    if matches!(error, Error::Internal(_)) {
        return logs::seldom(format!("{request} {code}"), move |times| {
            tracing::error!(request, code, times, "request failed");
        });
    }
    if tracing::enabled!(tracing::Level::DEBUG) {
        logs::seldom(format!("{request} {code}"), move |times| {
            tracing::debug!(request, code, times, "request refused");
        });
    }
}
