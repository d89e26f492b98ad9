//! `openapi.json`: what is served over HTTP.

use serde_json::{Map, Value, json};

use super::SCHEMAS;
use super::schemas::Schemas;
use crate::doors::failure::Failure;
use crate::doors::requests::{EVENTS, Row};
use crate::doors::rest;
use crate::doors::rpc::METHODS;
use crate::doors::shape::Method;
use crate::model::File;

/// The statuses of refused requests, with their codes.
const STATUSES: [(&str, &str); 9] = [
    ("400", "invalid"),
    ("401", "unauthenticated"),
    ("403", "forbidden"),
    ("404", "not_found"),
    ("409", "conflict"),
    ("413", "too_large"),
    ("429", "rate_limited"),
    ("500", "internal"),
    ("503", "unavailable"),
];

/// The description: that of the REST door, and what the other doors add to it.
pub fn description() -> Value {
    let mut schemas = Schemas::at(SCHEMAS);
    let mut whole = rest::description();
    for row in EVENTS.iter().filter(|row| !row.is_of_socket()) {
        whole["paths"][format!("/api/events/{}", row.event)] = event(row, &mut schemas);
    }
    whole["paths"]["/api/files"] = upload(&mut schemas);
    whole["paths"]["/api/files/{id}"] = download();
    whole["paths"]["/rpc"] = calls(&mut schemas);
    whole["components"]["responses"] = json!({ "refusal": refusal(&mut schemas) });
    for (name, schema) in super::named(schemas) {
        whole["components"]["schemas"][name] = schema;
    }
    whole
}

fn json_content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn refusal(schemas: &mut Schemas) -> Value {
    let failure = schemas.got(|schemas| schemas.subschema_for::<Failure>());
    let codes = STATUSES.map(|(status, code)| format!("{status} `{code}`")).join(", ");
    json!({
        "description": format!("refused, with the status of the code: {codes}"),
        "content": json_content(json!({
            "type": "object",
            "properties": { "error": failure },
            "required": ["error"],
        })),
    })
}

fn event(row: &Row, schemas: &mut Schemas) -> Value {
    let body = super::asked(row, schemas);
    json!({ "post": {
        "tags": ["events"],
        "summary": row.does,
        "description": format!("The event `{}` of Socket.IO ({}).", row.event, row.feature),
        "operationId": row.event,
        "requestBody": { "required": true, "content": json_content(body) },
        "responses": {
            "200": {
                "description": "done: what the acknowledgement would say",
                "content": json_content(super::answered(row, schemas)),
            },
            "default": { "$ref": "#/components/responses/refusal" },
        },
        "security": [{ "token": [] }, {}],
    } })
}

fn upload(schemas: &mut Schemas) -> Value {
    let query = |name: &str, says: &str| json!({ "name": name, "in": "query", "description": says, "schema": { "type": "string" } });
    let file = schemas.got(|schemas| schemas.subschema_for::<File>());
    json!({ "post": {
        "tags": ["files"],
        "summary": "Upload a file, as the body or as the field `file` of a form",
        "operationId": "upload-file",
        "parameters": [
            query("name", "what it is called, where the body is the file"),
            query("user", "whose it is: with the service's key, or without a token"),
        ],
        "requestBody": { "required": true, "content": {
            "application/octet-stream": { "schema": {} },
            "multipart/form-data": { "schema": {
                "type": "object",
                "properties": { "file": { "type": "string", "format": "binary" } },
                "required": ["file"],
            } },
        } },
        "responses": {
            "201": { "description": "taken", "content": json_content(json!({
                "type": "object",
                "properties": { "file": file },
                "required": ["file"],
            })) },
            "default": { "$ref": "#/components/responses/refusal" },
        },
        "security": [{ "token": [] }, {}],
    } })
}

fn download() -> Value {
    let parameter = |name: &str, place: &str| json!({ "name": name, "in": place, "required": true, "schema": { "type": "string" } });
    let bytes = |says: &str| json!({ "description": says, "content": { "*/*": { "schema": {} } } });
    json!({ "get": {
        "tags": ["files"],
        "summary": "Read a file by the address that its message shows",
        "operationId": "read-file",
        "parameters": [
            parameter("id", "path"), parameter("until", "query"), parameter("signature", "query"),
        ],
        "responses": {
            "200": bytes("the file"),
            "206": bytes("a part of it"),
            "default": { "$ref": "#/components/responses/refusal" },
        },
    } })
}

/// The methods of the rooms API, as calls and as their answers.
fn calls(schemas: &mut Schemas) -> Value {
    let calls: Vec<_> = METHODS.iter().map(|method| call(method, schemas)).collect();
    let mut results: Vec<_> = METHODS.iter().map(|method| schemas.got(method.result)).collect();
    results.dedup();
    let answer = json!({
        "type": "object",
        "description": "`result`, or else `error`.",
        "properties": {
            "jsonrpc": { "const": "2.0" },
            "id": { "type": ["string", "number", "null"] },
            "result": { "anyOf": results },
            "error": {
                "type": "object",
                "properties": {
                    "code": {
                        "type": "integer",
                        "description": "JSON-RPC's own code, or -32000 with `data`.",
                    },
                    "message": { "type": "string" },
                    "data": {
                        "type": "object",
                        "description": "As `Failure`, without `message`.",
                    },
                },
                "required": ["code", "message"],
            },
        },
        "required": ["jsonrpc", "id"],
    });
    let batch_of = |one: &Value| json!({ "type": "array", "items": one });
    let call = json!({ "oneOf": calls });
    json!({ "post": {
        "tags": ["rooms"],
        "summary": "Call one of the methods of the rooms API, or a batch of them",
        "operationId": "rpc",
        "requestBody": {
            "required": true,
            "content": json_content(json!({ "anyOf": [call, batch_of(&call)] })),
        },
        "responses": {
            "200": {
                "description": "done, or not: the answer says which",
                "content": json_content(json!({ "anyOf": [answer, batch_of(&answer)] })),
            },
            "204": { "description": "nothing is to be answered" },
            "401": { "description": "the credential is not valid" },
        },
        "security": [{ "token": [] }, {}],
    } })
}

fn call(method: &Method, schemas: &mut Schemas) -> Value {
    let state = schemas.got(METHODS[0].result);
    let parameter = |name: &&'static str| {
        let schema = match *name {
            "user" | "keyHolder" => state.clone(),
            "encoding" => json!({ "const": "base64" }),
            "offset" => json!({ "type": "integer", "minimum": 0 }),
            "limit" => json!({ "type": "integer", "minimum": 1 }),
            _ => json!({ "type": "string" }),
        };
        ((*name).to_owned(), schema)
    };
    let may_be_absent = |name: &str| matches!(name, "encoding" | "offset" | "limit");
    let names = method.parameters.iter();
    let required: Vec<_> = names.clone().filter(|name| !may_be_absent(name)).collect();
    json!({
        "title": method.name,
        "type": "object",
        "properties": {
            "jsonrpc": { "const": "2.0" },
            "id": { "type": ["string", "number", "null"] },
            "method": { "enum": [method.name, format!("Chatty.{}", method.name)] },
            "params": { "anyOf": [
                {
                    "type": "object",
                    "properties": Map::from_iter(names.map(parameter)),
                    "required": required,
                },
                {
                    "type": "array",
                    "description": format!("In this order: {}.", method.parameters.join(", ")),
                },
            ] },
        },
        "required": ["jsonrpc", "method"],
    })
}
