//! The packets around the bodies: events, acks, errors.

use engineioxide::sid::Sid;
use engineioxide::{ProtocolVersion, Str};
use serde::Serialize;
use serde_json::{Value as Json, json};
use socketioxide_core::Value;
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::Parse;
use socketioxide_parser_common::CommonParser;

use crate::doors::failure;
use crate::error::Error;

/// How much of an event's name is read: more than any event's has.
const MAX_EVENT_NAME: usize = 64;

/// A request as it stands in a packet: the event's name and its first argument.
pub(super) struct Request {
    pub event: String,
    pub body: Json,
}

impl Request {
    /// None if it is not `[event, …]`. Without a body the body is `null`.
    pub fn read(data: &str) -> Option<Request> {
        let items: Vec<Json> = serde_json::from_str(data).ok()?;
        let mut items = items.into_iter();
        match items.next()? {
            Json::String(event) => Some(Request {
                event: event.chars().take(MAX_EVENT_NAME).collect(),
                body: items.next().unwrap_or_default(),
            }),
            _ => None,
        }
    }
}

/// What a request is answered with.
pub(super) struct Answer {
    pub json: String,
    /// Whether the asker's socket also gets it as a push: then it needs no event of its own.
    pub pushed: bool,
}

impl Answer {
    pub fn new(body: &impl Serialize) -> Result<Answer, Error> {
        let json = to_json(body)?;
        Ok(Answer { json, pushed: false })
    }

    pub fn pushed(self, pushed: bool) -> Answer {
        Answer { pushed, ..self }
    }
}

pub(super) fn to_json(body: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|_| Error::Internal(None))
}

/// A packet with the event `name`, to be cloned for each of its sockets.
pub(super) fn event(name: &str, body: &str) -> Str {
    let data = format!("[{},{body}]", json!(name));
    encode(Packet::event("/", Value::Str(data.into(), None)))
}

/// A packet that pushes `body` as the event `name`.
pub(super) fn push(name: &str, body: &impl Serialize) -> Result<Str, Error> {
    Ok(event(name, &to_json(body)?))
}

/// A packet that answers the request `ack`.
pub(super) fn ack(ack: i64, body: &str) -> Str {
    let data = format!("[{body}]");
    encode(Packet::ack("/", Value::Str(data.into(), None), ack))
}

/// The packet that lets a client into the namespace `/`; old clients expect no id in it.
pub(super) fn connect(sid: Option<Sid>) -> Str {
    let payload = sid.map(|sid| Value::Str(json!({ "sid": sid }).to_string().into(), None));
    encode(Packet::connect("/", payload))
}

/// The packet that keeps a client out of a namespace; old clients expect no more than the
/// message, which the parser does not write.
pub(super) fn connect_error(protocol: ProtocolVersion, namespace: Str, message: &str) -> Str {
    match protocol {
        ProtocolVersion::V3 if namespace == "/" => format!("4{}", json!(message)).into(),
        ProtocolVersion::V3 => format!("4{namespace},{}", json!(message)).into(),
        ProtocolVersion::V4 => encode(Packet::connect_error(namespace, message)),
    }
}

fn encode(packet: Packet) -> Str {
    match CommonParser.encode(packet) {
        Value::Str(text, _) => text,
        // This parser makes texts only.
        Value::Bytes(_) => Str::from(""),
    }
}

/// The body of an ack that refuses.
pub(super) fn error(error: &Error) -> String {
    json!({ "error": failure::object(error) }).to_string()
}

/// The body of an `exception` event.
pub(super) fn exception(event: &str, error: &Error) -> String {
    json!({ "event": event, "error": failure::object(error) }).to_string()
}
