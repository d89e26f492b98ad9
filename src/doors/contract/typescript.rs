//! The types in TypeScript, for `Socket` of socket.io-client and of socket.io.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::schemas::Schemas;
use crate::doors::failure::Failure;
use crate::doors::requests::{EVENTS, Row};
use crate::doors::shape::Push;

/// How many characters a line of a comment may have.
const WIDTH: usize = 96;

const HEAD: &str = "\
// What clients and a Chinwag server say to each other over Socket.IO. Written by the server from
// its own types: do not edit it. With socket.io-client:
//
//   import { io, type Socket } from 'socket.io-client';
//   import type { ClientToServerEvents, ServerToClientEvents } from './chinwag.js';
//
//   const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io('http://127.0.0.1:3000');
//   const answer = await socket.emitWithAck('list-chats', {});
//   if (answer.error) throw new Error(answer.error.message);
//   for (const chat of answer.chats) console.log(chat.name);

/** Who acts, for this request only; in place of the socket's latest user. */
export interface Acting {
  actor?: { id: string | number } | null;
}

/** The same; `user` acts from now on. */
export interface ActingUser extends Acting {
  user?: { id: string | number } | null;
}

/** An answer, or why the request was refused. */
export type Answer<T> = (
  | (T & { error?: undefined })
  | ({ error: Failure } & { [K in keyof T]?: undefined })
) & {
  /**
   * A sentence for each field of the request that the server does not know, up to five; while it
   * listens on loopback only.
   */
  warnings?: string[];
};

/** Gets the answer. */
export type Ack<T> = (answer: Answer<T>) => void;
";

/// The whole file.
pub fn types(pushes: &[Push]) -> String {
    let mut schemas = Schemas::in_typescript();
    schemas.got(|schemas| schemas.subschema_for::<Failure>());
    let mut requests = String::new();
    for row in EVENTS {
        request(&mut requests, row, &mut schemas);
    }
    let pushes = all_pushes(pushes, &mut schemas);
    let mut text = HEAD.to_owned();
    text +=
        "\n/** What a client asks, by the events. */\nexport interface ClientToServerEvents {\n";
    text += &requests;
    text += "}\n\n/** What a client is told without asking, by the events. */\n";
    text += "export interface ServerToClientEvents {\n";
    text += &pushes;
    text += "  /** A request without an acknowledgement was refused. */\n";
    text += "  exception: (body: { event: string; error: Failure }) => void;\n}\n";
    for (name, schema) in schemas.named() {
        text.push('\n');
        interface(&mut text, &name, &schema);
    }
    text
}

fn request(text: &mut String, row: &Row, schemas: &mut Schemas) {
    let acting = if row.takes_user() { "ActingUser" } else { "Acting" };
    let request = schemas.sent(row.request);
    let body = match request.get("$ref") {
        Some(_) => format!("{} & {acting}", of(&request)),
        None => acting.to_owned(),
    };
    let answer = of(&schemas.got(row.answer));
    comment(text, "  ", &format!("{}.", row.does));
    let _ = writeln!(text, "  '{}': (body: {body}, ack: Ack<{answer}>) => void;", row.event);
}

fn all_pushes(pushes: &[Push], schemas: &mut Schemas) -> String {
    let mut text = String::new();
    for push in pushes {
        let bodies: Vec<_> = push.bodies.iter().map(|body| of(&schemas.got(*body))).collect();
        comment(&mut text, "  ", &format!("{}. To {}.", push.says, push.to));
        let _ = writeln!(text, "  '{}': (body: {}) => void;", push.event, bodies.join(" | "));
    }
    text
}

fn interface(text: &mut String, name: &str, schema: &Value) {
    describe(text, "", schema);
    let _ = writeln!(text, "export interface {name} {{");
    for (name, optional, field) in fields(schema) {
        describe(text, "  ", field);
        let mark = if optional { "?" } else { "" };
        let _ = writeln!(text, "  {name}{mark}: {};", of(field));
    }
    text.push_str("}\n");
}

/// An object's fields, each with whether it may be left out and its schema; the required ones come
/// first.
pub fn fields(schema: &Value) -> Vec<(&String, bool, &Value)> {
    let required = schema["required"].as_array();
    let optional = |name: &String| !required.is_some_and(|names| names.iter().any(|it| it == name));
    let fields = schema["properties"].as_object().into_iter().flatten();
    let mut fields: Vec<_> = fields.map(|(name, field)| (name, optional(name), field)).collect();
    fields.sort_by_key(|(name, optional, _)| (*optional, *name != "id"));
    fields
}

fn describe(text: &mut String, indent: &str, schema: &Value) {
    if let Some(says) = schema["description"].as_str() {
        comment(text, indent, says);
    }
}

fn comment(text: &mut String, indent: &str, says: &str) {
    let words: Vec<_> = says.split_whitespace().collect();
    let one = format!("{indent}/** {} */", words.join(" "));
    if one.chars().count() <= WIDTH {
        let _ = writeln!(text, "{one}");
        return;
    }
    let mut line = format!("{indent} *");
    let _ = writeln!(text, "{indent}/**");
    for word in words {
        if line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(text, "{line}");
            line = format!("{indent} *");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(text, "{line}\n{indent} */");
}

/// The TypeScript type of a schema.
fn of(schema: &Value) -> String {
    let Value::Object(members) = schema else { return "unknown".to_owned() };
    if let Some(name) = members.get("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(value) = members.get("const") {
        return literal(value);
    }
    let choices = ["enum", "oneOf", "anyOf"].iter().find_map(|key| members.get(*key)?.as_array());
    if let Some(choices) = choices {
        let is_value = members.contains_key("enum");
        let choice = |choice| if is_value { literal(choice) } else { of(choice) };
        return choices.iter().map(choice).collect::<Vec<_>>().join(" | ");
    }
    match members.get("type") {
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str).map(|kind| of_kind(kind, members));
            kinds.collect::<Vec<_>>().join(" | ")
        }
        Some(Value::String(kind)) => of_kind(kind, members),
        _ => "unknown".to_owned(),
    }
}

fn of_kind(kind: &str, schema: &Map<String, Value>) -> String {
    match kind {
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let item = schema.get("items").map_or_else(|| "unknown".to_owned(), of);
            if item.contains(' ') && !item.starts_with('{') {
                format!("({item})[]")
            } else {
                format!("{item}[]")
            }
        }
        "object" if schema.contains_key("properties") => {
            let schema = Value::Object(schema.clone());
            let field = |(name, optional, field): (&String, bool, &Value)| {
                format!("{name}{}: {}", if optional { "?" } else { "" }, of(field))
            };
            let fields: Vec<_> = fields(&schema).into_iter().map(field).collect();
            format!("{{ {} }}", fields.join("; "))
        }
        "object" => "Record<string, unknown>".to_owned(),
        kind => kind.to_owned(),
    }
}

fn literal(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("'{text}'"),
        None => value.to_string(),
    }
}
