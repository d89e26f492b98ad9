//! The answers to calls: a result or an error, with the id of the call.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::doors::failure;
use crate::error::Error;

/// The result of a call as JSON, or its error.
pub type Done = Result<Box<RawValue>, Fault>;

/// The error of a call.
#[derive(Serialize)]
pub struct Fault {
    code: i32,
    message: String,
    /// `{code, field?, reason?, retry_after_ms?}` of an error of the domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Fault {
    /// The body is no JSON.
    pub fn no_json() -> Fault {
        Fault::new(-32700, "Parse error")
    }

    /// The body is no call, or a batch of no calls or of too many.
    pub fn no_call() -> Fault {
        Fault::new(-32600, "Invalid request")
    }

    pub fn no_method() -> Fault {
        Fault::new(-32601, "Method not found")
    }

    fn new(code: i32, message: &str) -> Fault {
        Fault { code, message: message.to_owned(), data: None }
    }
}

impl From<Error> for Fault {
    /// Wrong parameters have JSON-RPC's own code. All other errors share one code, and `data` says
    /// which error it is.
    fn from(error: Error) -> Fault {
        let code = if matches!(error, Error::Invalid { .. }) { -32602 } else { -32000 };
        let mut data = json!(failure::object(&error));
        if let Value::Object(data) = &mut data {
            data.remove("message");
        }
        Fault { code, message: error.to_string(), data: Some(data) }
    }
}

/// An answer with a body of JSON.
pub fn response(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// The answer to a call. Its id is exactly what the client has written.
pub fn answer(id: &RawValue, done: Done) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        jsonrpc: &'static str,
        id: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<Box<RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Fault>,
    }
    let (result, error) = match done {
        Ok(result) => (Some(result), None),
        Err(fault) => (None, Some(fault)),
    };
    let answer = Answer { jsonrpc: "2.0", id, result, error };
    // It holds texts, numbers and values that are JSON already, so that it can always be written.
    serde_json::to_string(&answer).unwrap_or_default()
}
