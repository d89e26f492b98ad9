//! Refusals of the two doors that answer `{error}`: events over HTTP, and files.

use axum::body::{self, Body};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::warnings::warned;
use super::{failure, retry};
use crate::error::{Code, Error};

/// How many bytes of a gate's refusal are shown.
const MAX_REASON: usize = 1024;

/// Whether a path leads to one of these doors.
pub fn is_plain(path: &str) -> bool {
    path.starts_with("/api/events/") || path == "/api/files" || path.starts_with("/api/files/")
}

/// A refused request: the status, and `{error}`, with the warnings if there are any.
pub struct Refusal {
    pub status: StatusCode,
    pub error: Error,
    pub warnings: Vec<String>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { status: status(error.code()), error, warnings: Vec::new() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal { status, error, warnings } = self;
        let body = json!({ "error": failure::object(&error) }).to_string();
        let mut response = json(status, warned(&body, &warnings).into_owned());
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.extend(error.retry_after().map(retry::header));
        response
    }
}

/// The status of a request that is refused with this code.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::Invalid => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An answer that is JSON.
pub fn json(status: StatusCode, json: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

/// Puts the refusals of the gates before these doors into the form `{error}`.
pub async fn explained(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (own, is_read) = (is_plain(path), path.starts_with("/api/files/"));
    let response = next.run(request).await;
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !own || json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let why = body::to_bytes(body, MAX_REASON).await.unwrap_or_default();
    let why = String::from_utf8_lossy(&why);
    let code = Code::ALL.iter().find(|code| self::status(**code) == status);
    let code = code.unwrap_or(match status.is_server_error() {
        true => &Code::Unavailable,
        false => &Code::Invalid,
    });
    let message = match why.trim() {
        "" if status == StatusCode::METHOD_NOT_ALLOWED && is_read => "send it with GET or HEAD",
        "" if status == StatusCode::METHOD_NOT_ALLOWED => "send it with POST",
        "" => status.canonical_reason().unwrap_or("the request was refused"),
        why => why,
    };
    let error = json!({ "error": { "code": code, "message": message } });
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(error.to_string()))
}
