//! The packets around the bodies: events, acks, errors.

use std::fmt;

use engineioxide::sid::Sid;
use engineioxide::{ProtocolVersion, Str};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::json;
use serde_json::value::RawValue;
use socketioxide_core::Value;
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::Parse;
use socketioxide_parser_common::CommonParser;

use crate::doors::failure;
use crate::doors::json::Text;
use crate::doors::warnings::warned;
use crate::error::Error;

/// How many characters of an event's name are kept: more than the name of any event has.
const MAX_EVENT_NAME: usize = 64;

/// The name of a packet's event, which is the first item of `[event, body]`; the rest is not read.
/// None if the packet does not begin with one.
pub(super) fn event_name(data: &str) -> Option<String> {
    let items = data.trim_start().strip_prefix('[')?;
    let mut items = serde_json::Deserializer::from_str(items).into_iter::<Text<'_>>();
    let Text(name) = items.next()?.ok()?;
    Some(name.chars().take(MAX_EVENT_NAME).collect())
}

/// The body of a request, which follows the event's name; `null` if there is none. Errors:
/// `invalid` if the packet is not `[event, body]` in JSON.
pub(super) fn body(data: &str) -> Result<&RawValue, Error> {
    match serde_json::from_str(data) {
        Ok(Request { body }) => Ok(body),
        Err(error) => {
            let why = format!("the packet must be [event, body] in JSON: {error}");
            Err(Error::Invalid { field: None, why })
        }
    }
}

struct Request<'a> {
    body: &'a RawValue,
}

impl<'de> Deserialize<'de> for Request<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Request<'de>, D::Error> {
        deserializer.deserialize_seq(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = Request<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of an event's name and its body")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Request<'de>, A::Error> {
        let name = items.next_element::<Text<'_>>()?;
        name.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let body = items.next_element()?.unwrap_or(RawValue::NULL);
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Request { body })
    }
}

/// The number of the acknowledgement that this packet asks for. The parser does not see it if no
/// JSON follows it.
pub(super) fn ack_before(packet: &str, data: &str) -> Option<i64> {
    let head = packet.strip_suffix(data)?;
    // The first digit is the kind of the packet.
    let digits = head.get(1..)?.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
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
pub(super) fn push<T: Serialize>(name: &str, body: &T) -> Result<Str, Error> {
    Ok(event(name, &to_json(body)?))
}

/// A packet that answers the request `ack`, with these warnings.
pub(super) fn ack(ack: i64, body: &str, warnings: &[String]) -> Str {
    let data = format!("[{}]", warned(body, warnings));
    encode(Packet::ack("/", Value::Str(data.into(), None), ack))
}

/// The packet that lets a client into the namespace `/`; old clients expect no id in it.
pub(super) fn connect(sid: Option<Sid>) -> Str {
    let payload = sid.map(|sid| Value::Str(json!({ "sid": sid }).to_string().into(), None));
    encode(Packet::connect("/", payload))
}

/// The packet that refuses to let a client into the namespace `/`, because of its credential or
/// because it tries too often. Old clients expect no more than a message.
pub(super) fn refusal(protocol: ProtocolVersion, error: &Error) -> Str {
    let mut data = failure::object(error);
    if matches!(error, Error::Unauthenticated(_)) {
        data.reason.get_or_insert("invalid");
    }
    match protocol {
        ProtocolVersion::V3 => format!("4{}", json!(error.code())).into(),
        ProtocolVersion::V4 => {
            format!("4{}", json!({ "message": error.code(), "data": data })).into()
        }
    }
}

/// The packet that refuses to let a client into a namespace that does not exist. The parser does
/// not write it as old clients expect it.
pub(super) fn no_namespace(protocol: ProtocolVersion, namespace: Str) -> Str {
    let why = "Invalid namespace";
    match protocol {
        ProtocolVersion::V3 => format!("4{namespace},{}", json!(why)).into(),
        ProtocolVersion::V4 => encode(Packet::connect_error(namespace, why)),
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
