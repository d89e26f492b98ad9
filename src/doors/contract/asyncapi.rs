//! `asyncapi.json`: what goes over lasting connections: Socket.IO and the two plain WebSockets.

use serde_json::{Map, Value, json};

use super::SCHEMAS;
use super::schemas::Schemas;
use crate::doors::failure::Failure;
use crate::doors::requests::{EVENTS, Row};
use crate::doors::shape::{Frame, Frames, Push};
use crate::doors::{channels, rest};

const ABOUT: &str = "Events and frames are named as the server sees them: it receives requests and \
    sends answers and pushes. What is asked over HTTP is in `/openapi.json`, both as one page at \
    `/docs`.";

const SOCKETIO: &str = "Socket.IO, in the namespace `/`: each message is an event with one argument, \
    its payload. A request has an acknowledgement, in which its answer comes. Without one the \
    answer comes as an event of the same name, and a refusal as the event `exception`.";

const CHANNELS: &str = "Channels on a plain WebSocket: text frames with JSON, with a number as \
    `type`. `nick` is the name to come under.";

const DIRECT: &str = "Direct messages on a plain WebSocket: text frames with JSON. The token is given \
    as `Authorization: Bearer …`, as `access_token` in the query, or as the subprotocol after \
    `bearer`.";

/// The description.
pub fn description(pushes: &[Push]) -> Value {
    let mut whole = Whole::new();
    whole.add_socketio(pushes);
    whole.add_socket("channels", CHANNELS, &channels::FRAMES);
    whole.add_socket("direct", DIRECT, &rest::FRAMES);
    whole.finish()
}

struct Whole {
    schemas: Schemas,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
}

impl Whole {
    fn new() -> Whole {
        let (channels, operations) = (Map::new(), Map::new());
        Whole { schemas: Schemas::at(SCHEMAS), channels, operations }
    }

    fn add_socketio(&mut self, pushes: &[Push]) {
        let mut messages = Map::new();
        for row in EVENTS {
            let (request, answer) =
                (format!("{}.request", row.event), format!("{}.answer", row.event));
            let body = super::asked(row, &mut self.schemas);
            messages.insert(request, message(row.event, row.does, body));
            let body = self.answer(row);
            messages.insert(answer, message(row.event, "What it is answered", body));
            self.operations.insert(row.event.to_owned(), request_operation(row));
        }
        for push in pushes {
            let bodies: Vec<_> = push.bodies.iter().map(|body| self.schemas.got(*body)).collect();
            let body = match &bodies[..] {
                [one] => one.clone(),
                _ => json!({ "anyOf": bodies }),
            };
            let (name, does) = (format!("{}.push", push.event), format!("To {}.", push.to));
            messages.insert(name.clone(), message(push.event, push.says, body));
            let operation = operation("send", "socketio", &name, push.says, &does);
            self.operations.insert(name, operation);
        }
        let failure = self.schemas.got(|schemas| schemas.subschema_for::<Failure>());
        let refused = json!({
            "type": "object",
            "properties": { "event": { "type": "string" }, "error": failure },
            "required": ["event", "error"],
        });
        let says = "A request without an acknowledgement was refused";
        messages.insert("exception.push".to_owned(), message("exception", says, refused));
        let operation = operation("send", "socketio", "exception.push", says, "To the socket.");
        self.operations.insert("exception.push".to_owned(), operation);
        self.add_channel("socketio", "/socket.io/", SOCKETIO, messages);
    }

    /// The schema of an acknowledgement.
    fn answer(&mut self, row: &Row) -> Value {
        json!({ "anyOf": [super::answered(row, &mut self.schemas), super::refused()] })
    }

    fn add_socket(&mut self, channel: &str, says: &str, frames: &Frames) {
        let mut messages = Map::new();
        let ways = [("receive", frames.sent), ("send", frames.got)];
        for (action, frame) in
            ways.iter().flat_map(|(way, all)| all.iter().map(move |it| (way, it)))
        {
            let body = match *action {
                "receive" => self.schemas.sent(frame.body),
                _ => self.schemas.got(frame.body),
            };
            messages
                .insert(frame.name.to_owned(), message(frame.name, frame.says, typed(frame, body)));
            let operation = operation(action, channel, frame.name, frame.says, "");
            self.operations.insert(format!("{channel}.{}", frame.name), operation);
        }
        self.add_channel(channel, frames.address, says, messages);
    }

    fn add_channel(&mut self, name: &str, address: &str, says: &str, messages: Map<String, Value>) {
        let mut channel = json!({ "address": address, "description": says, "messages": messages });
        if address.contains("{nick}") {
            channel["parameters"] = json!({ "nick": {
                "description": "1 to 32 letters of any script, digits and underscores.",
            } });
        }
        self.channels.insert(name.to_owned(), channel);
    }

    fn finish(self) -> Value {
        // The features in the order of the table, which the operations do not keep.
        let mut features: Vec<_> =
            EVENTS.iter().map(|row| json!({ "name": row.feature })).collect();
        features.dedup();
        json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "Chinwag",
                "version": env!("CARGO_PKG_VERSION"),
                "description": ABOUT,
                "license": { "name": "MIT" },
                "tags": features,
            },
            "defaultContentType": "application/json",
            "servers": { "local": {
                "host": "127.0.0.1:3000",
                "protocol": "ws",
                "description": "A server that was started without settings.",
                "security": [{ "$ref": "#/components/securitySchemes/token" }],
            } },
            "channels": self.channels,
            "operations": self.operations,
            "components": {
                "schemas": super::named(self.schemas),
                "securitySchemes": { "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token, or the service's key; over Socket.IO in `auth.token`. \
                        In open access none is needed.",
                } },
            },
        })
    }
}

fn message(name: &str, says: &str, payload: Value) -> Value {
    json!({ "name": name, "title": name, "summary": says, "payload": payload })
}

/// The body of a frame, with the number that is its `type`.
fn typed(frame: &Frame, mut body: Value) -> Value {
    let Some(kind) = frame.kind else { return body };
    let kind = json!({
        "type": "object",
        "properties": { "type": { "const": kind } },
        "required": ["type"],
    });
    match body.get("$ref") {
        Some(_) => json!({ "allOf": [kind, body.take()] }),
        None => kind,
    }
}

fn place(channel: &str, message: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}/messages/{message}") })
}

fn operation(action: &str, channel: &str, message: &str, says: &str, more: &str) -> Value {
    let mut operation = json!({
        "action": action,
        "channel": { "$ref": format!("#/channels/{channel}") },
        "summary": says,
        "messages": [place(channel, message)],
    });
    if !more.is_empty() {
        operation["description"] = more.into();
    }
    operation
}

fn request_operation(row: &Row) -> Value {
    let (request, answer) = (format!("{}.request", row.event), format!("{}.answer", row.event));
    let mut operation = operation("receive", "socketio", &request, row.does, "");
    operation["tags"] = json!([{ "name": row.feature }]);
    operation["reply"] = json!({
        "channel": { "$ref": "#/channels/socketio" },
        "messages": [place("socketio", &answer)],
    });
    operation
}
