//! An event in the form in which readers of the log and the webhook get it.

use crate::clock::Time;

/// The JSON of a record: the event's JSON object, with its position as the first fields.
pub fn record(stream: &str, number: i64, committed_at: Time, event: &str) -> String {
    // Serializing a text cannot fail.
    let stream = serde_json::to_string(stream).unwrap_or_default();
    let rest = event.strip_prefix('{').unwrap_or(event);
    format!(r#"{{"stream":{stream},"number":{number},"committed_at":"{committed_at}",{rest}"#)
}
