//! The same over HTTP: `POST /api/events/{event}` with the event's body is answered as the event's
//! acknowledgement is (docs/protocol.md, "Over HTTP"). The table of events is in
//! [`requests`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{self, Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use super::asked::{self, Asked};
use super::client::Client;
use super::credential::credential;
use super::measured::Measured;
use super::requests::{self, Answer};
use super::{failure, retry, tasks};
use crate::config::Limits;
use crate::domain::{App, Connection, Viewer};
use crate::error::Error;
use crate::model::ConnectionId;

const PATH: &str = "/api/events/";

/// How much is shown of what a gate before the door says.
const MAX_REASON: usize = 1024;

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

struct Hub {
    app: Arc<App>,
    /// Whether answers warn of fields that nobody knows.
    warns: bool,
    /// The requests being handled.
    work: TaskTracker,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/api/events/`. Answers warn of unknown fields
    /// if it `warns`.
    pub fn open(app: &Arc<App>, warns: bool) -> (Door, Router) {
        let hub = Arc::new(Hub { app: app.clone(), warns, work: TaskTracker::new() });
        let router = Router::new()
            .route("/api/events/{event}", post(answer))
            // The gate before all doors has a limit of its own.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(hub.work.clone(), tasks::to_its_end))
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Waits until what was asked is done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tasks::finish(&self.hub.work, deadline, "events over HTTP").await;
    }
}

/// A refused request: the status, and `{error}`.
struct Refusal(StatusCode, Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal(status(&error), error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Refusal(status, error) = self;
        let mut response = json(status, json!({ "error": failure::object(&error) }).to_string());
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        headers.extend(error.retry_after().map(retry::header));
        response
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::Conflict { .. } => StatusCode::CONFLICT,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn json(status: StatusCode, json: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

async fn answer(
    State(hub): State<Arc<Hub>>,
    Path(event): Path<String>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let _measured = Measured::begin("events");
    let answered = hub.answer(&event, &parts, body).await;
    answered.inspect_err(|Refusal(_, error)| failure::log(requests::name(&event), error))
}

impl Hub {
    async fn answer(
        &self,
        event: &str,
        parts: &Parts,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Response, Refusal> {
        let connection = self.connect(parts).await?;
        let body = read(&parts.headers, body, self.app.limits())?;
        let body: &RawValue = serde_json::from_slice(&body).map_err(|error| Error::Invalid {
            field: None,
            why: format!("the body must be JSON: {error}"),
        })?;
        let asked = self.warns.then(Asked::default);
        let asked_for = asked.as_ref();
        let answered =
            requests::answer_single(&connection, &self.app, event, body, asked_for).await;
        let warnings = asked.map(|asked| asked.warnings(body, answered.as_ref().err()));
        let Answer { json: answer, .. } = answered?;
        let answer = asked::warned(&answer, &warnings.unwrap_or_default()).into_owned();
        Ok(json(StatusCode::OK, answer))
    }

    /// Lets the client in by its credential, or as nobody in particular, and counts its request. A
    /// refused credential counts for its address: further tries are not free.
    async fn connect(&self, parts: &Parts) -> Result<Connection, Error> {
        let client = Client::of_request(parts)?;
        let token = credential(&parts.headers, &parts.uri);
        let connected =
            self.app.connect(ConnectionId::new(), token.as_deref(), client.address).await;
        let viewer = match &connected {
            Ok(connection) => connection.viewer(),
            Err(_) => Viewer::nobody(client.address),
        };
        self.app.admit_request(&viewer).await?;
        connected
    }
}

/// The body, which is JSON and says so.
fn read(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    limits: &Limits,
) -> Result<Bytes, Refusal> {
    let invalid = |why: String| Error::Invalid { field: None, why };
    let body = body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let (field, unit) = ("body".to_owned(), "bytes");
            Refusal::from(Error::TooLarge { field, max: limits.max_frame, unit })
        }
        status => Refusal(status, invalid(error.body_text())),
    })?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let why = "send the body as JSON, with the header Content-Type: application/json";
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, invalid(why.to_owned())));
    }
    Ok(body)
}

/// Puts what the gates before the door refuse into `{error}`.
pub async fn explained(request: Request, next: Next) -> Response {
    let own = request.uri().path().starts_with(PATH);
    let response = next.run(request).await;
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !own || json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let why = body::to_bytes(body, MAX_REASON).await.unwrap_or_default();
    let why = String::from_utf8_lossy(&why);
    let code = match status {
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limited",
        StatusCode::INTERNAL_SERVER_ERROR => "internal",
        status if status.is_server_error() => "unavailable",
        _ => "invalid",
    };
    let message = match why.trim() {
        "" if status == StatusCode::METHOD_NOT_ALLOWED => "send the event with POST",
        "" => status.canonical_reason().unwrap_or("the request was refused"),
        why => why,
    };
    let error = json!({ "error": { "code": code, "message": message } });
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(error.to_string()))
}
