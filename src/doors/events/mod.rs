//! The events of Socket.IO over HTTP: `POST /api/events/{event}` takes the event's body, and
//! answers with the event's acknowledgement (docs/protocol.md, "Over HTTP"). The table of events is
//! in [`requests`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::Response;
use axum::routing::post;
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use super::credential;
use super::measured::Measured;
use super::refusal::{Refusal, json};
use super::requests;
use super::warnings::warned;
use super::{failure, tasks};
use crate::config::Limits;
use crate::domain::App;
use crate::error::Error;

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

struct Hub {
    app: Arc<App>,
    /// Whether answers warn of unknown fields.
    warns: bool,
    /// The requests being handled.
    work: TaskTracker,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/api/events/`. If it `warns`, answers warn of
    /// unknown fields.
    pub fn open(app: &Arc<App>, warns: bool) -> (Door, Router) {
        let hub = Arc::new(Hub { app: app.clone(), warns, work: TaskTracker::new() });
        let router = Router::new()
            .route("/api/events/{event}", post(answer))
            // The gate before all doors has its own limit.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(hub.work.clone(), tasks::to_its_end))
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Waits until the requests already taken are done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tasks::finish(&self.hub.work, deadline, "events over HTTP").await;
    }
}

async fn answer(
    State(hub): State<Arc<Hub>>,
    Path(event): Path<String>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let _measured = Measured::begin("events");
    let answered = hub.answer(&event, &parts, body).await;
    answered.inspect_err(|refused| failure::log(requests::name(&event), &refused.error))
}

impl Hub {
    async fn answer(
        &self,
        event: &str,
        parts: &Parts,
        body: Result<Bytes, BytesRejection>,
    ) -> Result<Response, Refusal> {
        let connection = credential::connect(&self.app, parts).await?;
        let body = read(&parts.headers, body, self.app.limits())?;
        let body: &RawValue = serde_json::from_slice(&body).map_err(|error| Error::Invalid {
            field: None,
            why: format!("the body must be JSON: {error}"),
        })?;
        let answered = requests::answer_single(&connection, &self.app, event, body).await;
        let warnings = match self.warns {
            true => requests::warnings(event, body, answered.as_ref().err()),
            false => Vec::new(),
        };
        match answered {
            Ok(answer) => Ok(json(StatusCode::OK, warned(&answer.json, &warnings).into_owned())),
            Err(error) => Err(Refusal { warnings, ..error.into() }),
        }
    }
}

/// Reads the body. Errors: it is too large, or its head does not say that it is JSON.
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
        status => Refusal { status, ..invalid(error.body_text()).into() },
    })?;
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let why = "send the body as JSON, with the header Content-Type: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Refusal { status, ..invalid(why.to_owned()).into() });
    }
    Ok(body)
}
