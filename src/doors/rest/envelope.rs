//! The envelope around every answer of the door.

use std::mem;
use std::time::Duration;

use axum::body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::doors::refusal::is_plain;
use crate::doors::{failure, retry};
use crate::error::Error;

/// Items on a page.
pub const PER_PAGE: i64 = 10;

/// How many bytes of a gate's answer are shown.
const MAX_REASON: usize = 1024;

/// What every answer looks like.
#[derive(Serialize, ToSchema)]
pub struct Envelope<T> {
    status: Status,
    data: Vec<T>,
    error: Outcome,
    /// The page asked for, 1 where there are none.
    page: i64,
    per_page: i64,
    /// How many items `data` has.
    current_page: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Fail,
}

/// How the request went.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// The HTTP status.
    code: u16,
    /// Null on success; otherwise why, by the names of the bad fields or by `error`.
    errors: Option<Value>,
    message: &'static str,
    /// After how many milliseconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<T: Serialize> Envelope<T> {
    /// The only page of an answer.
    pub fn of(item: T) -> Envelope<T> {
        Envelope::page(1, vec![item])
    }

    /// One page of an answer.
    pub fn page(page: i64, data: Vec<T>) -> Envelope<T> {
        let current_page = data.len();
        let error = Outcome { code: 200, errors: None, message: "", retry_after_ms: None };
        Envelope { status: Status::Success, data, error, page, per_page: PER_PAGE, current_page }
    }
}

impl Envelope<Value> {
    /// The answer to a request that returns nothing.
    pub fn empty() -> Envelope<Value> {
        Envelope::page(1, Vec::new())
    }
}

impl<T: Serialize> IntoResponse for Envelope<T> {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.error.code).unwrap_or_default();
        let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match serde_json::to_string(&self) {
            Ok(json) => (code, [kind], json).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Why a request was refused: the HTTP status, and what the envelope says.
#[derive(Debug)]
pub struct Refusal {
    code: StatusCode,
    message: &'static str,
    errors: Value,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(code: StatusCode, message: &'static str, errors: Value) -> Refusal {
        Refusal { code, message, errors, retry_after: None }
    }

    /// Fields that are missing or wrong, each with why.
    pub fn form(errors: Value) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "Form error", errors)
    }

    /// A request that names a user who does not exist, or gives a username, an email or a phone
    /// number that is taken.
    pub fn user(why: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "User error", json!({ "error": why }))
    }

    /// A request that was refused before it came to the door's own functions.
    pub fn gate(code: StatusCode, why: &str) -> Refusal {
        let why = match why.trim() {
            "" => code.canonical_reason().unwrap_or("refused"),
            why => why,
        };
        Refusal::new(code, "Request error", json!({ "error": why }))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        failure::log("rest", &error);
        let (code, message) = match &error {
            Error::Invalid { .. } => (StatusCode::BAD_REQUEST, "Form error"),
            Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "Authentication error"),
            Error::Forbidden(_) => (StatusCode::FORBIDDEN, "Access error"),
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, "Not found"),
            Error::Conflict { .. } => (StatusCode::CONFLICT, "Conflict"),
            Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "Form error"),
            Error::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "Rate limited"),
            Error::Unavailable(_) | Error::Unstorable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "Server error")
            }
            Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Server error"),
        };
        let culprit = error.field().filter(|_| message == "Form error").unwrap_or("error");
        let errors = json!({ culprit: why(&error) });
        Refusal { retry_after: error.retry_after(), ..Refusal::new(code, message, errors) }
    }
}

/// What is wrong, without the name of an invalid field: the envelope gives that beside it.
pub fn why(error: &Error) -> String {
    match error {
        Error::Invalid { why, .. } => why.clone(),
        error => error.to_string(),
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = Outcome {
            code: self.code.as_u16(),
            errors: Some(self.errors),
            message: self.message,
            retry_after_ms: self.retry_after.map(retry::milliseconds),
        };
        let envelope = Envelope { status: Status::Fail, error, ..Envelope::empty() };
        let mut response = envelope.into_response();
        if self.code == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.headers_mut().extend(self.retry_after.map(retry::header));
        response
    }
}

/// Puts the refusals of the gates before the door, and those of paths that the door does not have,
/// into the envelope.
pub async fn around(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let own = path.starts_with("/api/") && !is_plain(path);
    let response = next.run(request).await;
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !own || json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let why = body::to_bytes(body, MAX_REASON).await.unwrap_or_default();
    let mut response = Refusal::gate(status, &String::from_utf8_lossy(&why)).into_response();
    // The other headers, such as those that let a page read the answer, hold for the envelope, too.
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.extend(mem::take(response.headers_mut()));
    *response.headers_mut() = parts.headers;
    response
}
