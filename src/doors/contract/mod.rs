//! The contract with clients, written from the types of requests, answers and pushes. It is kept in
//! `web-demo/contract/`, from where it is built into the server; a test compares it with the types.

mod asyncapi;
mod openapi;
mod schemas;
mod texts;
mod typescript;

use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::requests::Row;
use super::socketio::PUSHES;
use schemas::Schemas;

/// Where the named schemas are in a description.
const SCHEMAS: &str = "#/components/schemas";

/// `chinwag.d.ts`: the events of Socket.IO in TypeScript.
pub fn types() -> String {
    typescript::types(PUSHES)
}

/// `asyncapi.json`: what goes over lasting connections.
pub fn asyncapi() -> String {
    written(&asyncapi::description(PUSHES))
}

/// `openapi.json`: what is served over HTTP.
pub fn openapi() -> String {
    written(&openapi::description())
}

fn written(description: &Value) -> String {
    format!("{description:#}\n")
}

/// The schema of the request of an event: its body, and who acts.
fn asked(row: &Row, schemas: &mut Schemas) -> Value {
    let acting = if row.takes_user() { "ActingUser" } else { "Acting" };
    let acting = json!({ "$ref": format!("{SCHEMAS}/{acting}") });
    match schemas.sent(row.request) {
        body if body.get("$ref").is_some() => json!({ "allOf": [body, acting] }),
        _ => acting,
    }
}

/// The schema of the answer to an event, with warnings.
fn answered(row: &Row, schemas: &mut Schemas) -> Value {
    let warnings = json!({ "$ref": format!("{SCHEMAS}/Warnings") });
    json!({ "allOf": [schemas.got(row.answer), warnings] })
}

/// The schema of the answer to a refused request.
fn refused() -> Value {
    json!({ "$ref": format!("{SCHEMAS}/Refused") })
}

/// All schemas that have a name.
fn named(mut schemas: Schemas) -> Map<String, Value> {
    let failure = schemas.got(|schemas| schemas.subschema_for::<Failure>());
    let mut named = schemas.named();
    let user = |says: &str| {
        json!({
            "description": says,
            "type": ["object", "null"],
            "properties": { "id": { "type": ["string", "integer"] } },
            "required": ["id"],
        })
    };
    let actor = user("Who acts, for this request only; in place of the socket's latest user.");
    named.insert("Acting".into(), json!({ "type": "object", "properties": { "actor": actor } }));
    let user = user("Who acts from now on.");
    let both = json!({ "type": "object", "properties": { "actor": actor, "user": user } });
    named.insert("ActingUser".into(), both);
    let warnings = json!({
        "description": "A sentence for each field of the request that the server does not know, \
            up to five; while it listens on loopback only.",
        "type": "array",
        "items": { "type": "string" },
    });
    let refused = json!({
        "description": "What a request is answered that was refused.",
        "type": "object",
        "properties": { "error": failure, "warnings": warnings },
        "required": ["error"],
    });
    named.insert("Refused".into(), refused);
    let warnings = json!({ "type": "object", "properties": { "warnings": warnings } });
    named.insert("Warnings".into(), warnings);
    named
}
