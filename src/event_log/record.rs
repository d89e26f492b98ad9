//! An event as the readers of the log and the webhook get it.

use crate::clock::Time;

/// The JSON of a record: that of the event, an object, with its place before it.
pub fn record(stream: &str, number: i64, committed_at: Time, event: &str) -> String {
    // A text: nothing in it can fail to serialize.
    let stream = serde_json::to_string(stream).unwrap_or_default();
    let rest = event.strip_prefix('{').unwrap_or(event);
    format!(r#"{{"stream":{stream},"number":{number},"committed_at":"{committed_at}",{rest}"#)
}
