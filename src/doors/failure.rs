//! Reports a failed request: to its client as an object, to the log and to the metrics.

use schemars::JsonSchema;
use serde::Serialize;

use super::retry;
use crate::error::{Code, Error, Reason};
use crate::logs;

/// Why a request was refused.
#[derive(Serialize, JsonSchema)]
pub struct Failure {
    /// What kind of failure it is.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// The dotted path of the culprit in the request, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with a token that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Reason>")]
    pub reason: Option<&'static str>,
    /// After how many milliseconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

pub fn object(error: &Error) -> Failure {
    Failure {
        code: error.code(),
        message: error.to_string(),
        field: error.field().map(str::to_owned),
        reason: error.reason().map(Reason::as_str),
        retry_after_ms: error.retry_after().map(retry::milliseconds),
    }
}

/// Logs why a request was refused or failed, with the cause, which its client is not told; and
/// counts the error if it is `unavailable`. Repetitions within a second are logged as one more
/// line.
pub fn log(request: &'static str, error: &Error) {
    if matches!(error, Error::Unavailable(_) | Error::Unstorable(_)) {
        metrics::counter!("chinwag_unavailable_total").increment(1);
    }
    let Some(cause) = error.cause() else {
        return log_without_cause(request, error);
    };
    let (code, cause) = (error.code().as_str(), cause.to_string());
    let internal = matches!(error, Error::Internal(_));
    logs::seldom(format!("{request} {code} {cause}"), move |times| match internal {
        true => tracing::error!(request, code, cause, times, "request failed"),
        false => tracing::warn!(request, code, cause, times, "request failed"),
    });
}

fn log_without_cause(request: &'static str, error: &Error) {
    let code = error.code().as_str();
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
