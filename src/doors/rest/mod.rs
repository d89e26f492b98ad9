//! Door 3: accounts and direct messages, over HTTP and a WebSocket
//! (`origins/direct-messages-rest.md`).
//!
//! - [`envelope`]: what every answer looks like, refusals included
//! - [`body`], [`caller`]: what a request says, and who makes it
//! - [`accounts`], [`threads`], [`live`]: the endpoints

mod accounts;
mod body;
mod caller;
mod envelope;
mod live;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::domain::App;
use crate::model::{Event, Published};
use live::Live;

pub use envelope::around as enveloped;

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all requests of the door share.
struct Hub {
    app: Arc<App>,
    live: Live,
    /// The open WebSockets.
    work: TaskTracker,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Chinwag: accounts and direct messages"),
    paths(
        accounts::register,
        accounts::log_in,
        accounts::refresh,
        accounts::log_out,
        threads::list_inbox,
        threads::list_thread,
        live::open,
    ),
    modifiers(&BearerToken)
)]
struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

impl Door {
    /// Opens the door onto `app`; the router serves `/api/`.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let hub =
            Arc::new(Hub { app: app.clone(), live: Live::default(), work: TaskTracker::new() });
        tokio::spawn(push(hub.clone(), app.subscribe()));
        let description = Description::openapi();
        let router = Router::new()
            .route("/api/register", post(accounts::register))
            .route("/api/auth_token", post(accounts::log_in).delete(accounts::log_out))
            .route("/api/auth_token/refresh", post(accounts::refresh))
            .route("/api/inbox", get(threads::list_inbox))
            .route("/api/thread/{username}", get(threads::list_thread))
            .route("/api/ws", get(live::open))
            .layer(middleware::from_fn(to_its_end))
            .route("/api/openapi.json", get(async move || Json(description.clone())))
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Closes every WebSocket and waits until what they asked is done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        self.hub.live.close();
        self.hub.work.close();
        if tokio::time::timeout(deadline, self.hub.work.wait()).await.is_err() {
            tracing::warn!("some direct messages were given up");
        }
    }
}

/// Handles a request in a task of its own: hyper drops the handler of a client that goes away, and
/// a write that has begun is to be finished.
async fn to_its_end(request: Request, next: Next) -> Response {
    let handled = tokio::spawn(next.run(request)).await;
    handled.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Shows every event to those it concerns, until the bus is closed.
async fn push(hub: Arc<Hub>, mut events: mpsc::Receiver<Arc<Published>>) {
    while let Some(published) = events.recv().await {
        match &published.event {
            Event::MessageSent(posted) => hub.live.push(posted),
            // Only tokens connect here, which no event takes away.
            Event::UserProtected { .. } => {}
            Event::ChatCreated(_)
            | Event::ChatUpdated(_)
            | Event::MemberJoined { .. }
            | Event::MemberLeft { .. }
            | Event::MemberRemoved { .. }
            | Event::TeamLeft { .. }
            | Event::ChatRead { .. }
            | Event::Invited(_)
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. } => {}
        }
    }
}
