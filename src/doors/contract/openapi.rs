//! `openapi.json`: what is served over HTTP.

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use super::SCHEMAS;
use super::schemas::Schemas;
use crate::doors::requests::{EVENTS, Row};
use crate::doors::rpc::METHODS;
use crate::doors::shape::Method;
use crate::doors::{refusal, rest};
use crate::error::Code;
use crate::model::File;

/// The codes with which a request to `/rpc` is refused as a whole.
const REFUSED_CALLS: [Code; 4] =
    [Code::Unauthenticated, Code::RateLimited, Code::Unavailable, Code::Internal];

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
    whole["components"]["responses"] = json!({ "refusal": refusal() });
    whole["components"]["schemas"]["CallAnswer"] = call_answer(&mut schemas);
    for (name, schema) in super::named(schemas) {
        whole["components"]["schemas"][name] = schema;
    }
    whole
}

fn json_content(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn refusal() -> Value {
    let one = |code: &Code| format!("{} `{}`", refusal::status(*code).as_u16(), code.as_str());
    let codes = Vec::from_iter(Code::ALL.iter().map(one)).join(", ");
    json!({
        "description": format!("refused, with the status of the code: {codes}"),
        "content": json_content(super::refused()),
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
    // The answer to an upload has no address: that comes with the message that shows the file.
    let mut file = schemas.got(File::json_schema);
    if let Some(fields) = file["properties"].as_object_mut() {
        fields.remove("url");
    }
    if let Some(required) = file["required"].as_array_mut() {
        required.retain(|name| name != "url");
    }
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

/// The methods of the rooms API.
fn calls(schemas: &mut Schemas) -> Value {
    let calls: Vec<_> = METHODS.iter().map(|method| call(method, schemas)).collect();
    let call = json!({ "oneOf": calls });
    let answer = json!({ "$ref": format!("{SCHEMAS}/CallAnswer") });
    let batch_of = |one: &Value| json!({ "type": "array", "items": one });
    let mut responses = json!({
        "200": {
            "description": "done, or not: the answer says which",
            "content": json_content(json!({ "anyOf": [answer, batch_of(&answer)] })),
        },
        "204": { "description": "nothing is to be answered" },
    });
    for code in REFUSED_CALLS {
        responses[refusal::status(code).as_str()] = json!({
            "description": format!("`{}`: nothing was done; `id` is null", code.as_str()),
            "content": json_content(answer.clone()),
        });
    }
    json!({ "post": {
        "tags": ["rooms"],
        "summary": "Call one of the methods of the rooms API, or a batch of them",
        "operationId": "rpc",
        "requestBody": {
            "required": true,
            "content": json_content(json!({ "anyOf": [call, batch_of(&call)] })),
        },
        "responses": responses,
        "security": [{ "token": [] }, {}],
    } })
}

/// The schema of the answer to a call of the rooms API.
fn call_answer(schemas: &mut Schemas) -> Value {
    let mut results: Vec<_> = METHODS.iter().map(|method| schemas.got(method.result)).collect();
    results.dedup();
    json!({
        "type": "object",
        "description": "What a call of the rooms API is answered: `result`, or else `error`.",
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
    })
}

fn call(method: &Method, schemas: &mut Schemas) -> Value {
    let parameters = method.parameters.iter();
    let names = Vec::from_iter(parameters.clone().map(|it| it.name));
    let needed = parameters.clone().filter(|it| !it.optional).map(|it| it.name);
    let needed = Vec::from_iter(needed);
    let parameters = parameters.map(|it| (it.name.to_owned(), schemas.got(it.shape)));
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
                    "properties": Map::from_iter(parameters),
                    "required": needed,
                },
                {
                    "type": "array",
                    "description": format!("In this order: {}.", names.join(", ")),
                },
            ] },
        },
        "required": ["jsonrpc", "method"],
    })
}
