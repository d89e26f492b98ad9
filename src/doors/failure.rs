//! How a failed request is told: to its client as an object, to the log and to the metrics.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::json;

use super::retry;
use crate::error::{Error, Reason};
use crate::logs;

/// What each code means, as clients read it in the contract.
const CODES: [(&str, &str); 9] = [
    ("invalid", "The request cannot be understood; `field` is the culprit"),
    ("unauthenticated", "It takes a token, or nobody has said which user acts"),
    ("forbidden", "You may see it, but not do this to it"),
    ("not_found", "There is no such thing, for you"),
    ("conflict", "It contradicts what is stored"),
    ("too_large", "`field` is over its limit"),
    ("rate_limited", "Too many in a short time; one more is taken after `retry_after_ms`"),
    ("unavailable", "The server is busy; the same request may succeed later"),
    ("internal", "A defect of the server, which has logged it"),
];

/// Why a request was refused.
#[derive(Serialize, JsonSchema)]
pub struct Failure {
    /// What kind of failure it is.
    #[schemars(schema_with = "codes")]
    pub code: &'static str,
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

fn codes(_: &mut SchemaGenerator) -> Schema {
    let code = |(code, means)| json!({ "const": code, "description": means });
    json_schema!({ "type": "string", "oneOf": CODES.map(code) })
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
