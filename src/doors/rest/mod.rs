//! Door 3: accounts and direct messages, over HTTP and a WebSocket (docs/protocol.md, "Accounts and
//! direct messages").
//!
//! - [`envelope`]: the form of every answer, refusals included
//! - [`body`], [`caller`]: read the body of a request, and find who makes it
//! - [`accounts`], [`threads`], [`live`]: the endpoints
//! - [`mod@description`]: the endpoints described

mod accounts;
mod body;
mod caller;
mod description;
mod envelope;
mod live;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use utoipa::OpenApi;

use crate::domain::App;
use crate::doors::{measured, tasks};
use description::Description;

pub use envelope::around as enveloped;
pub use live::FRAMES;

/// The endpoints, in OpenAPI.
pub fn description() -> Value {
    json!(Description::openapi())
}

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all requests of the door share.
struct Hub {
    app: Arc<App>,
    /// The requests being handled, and the open WebSockets.
    work: TaskTracker,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/api/`.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let hub = Arc::new(Hub { app: app.clone(), work: TaskTracker::new() });
        let router = Router::new()
            .route("/api/register", post(accounts::register))
            .route("/api/accounts", post(accounts::create_account))
            .route("/api/auth_token", post(accounts::log_in).delete(accounts::log_out))
            .route("/api/auth_token/refresh", post(accounts::refresh))
            .route("/api/inbox", get(threads::list_inbox))
            .route("/api/thread/{username}", get(threads::list_thread))
            .route("/api/ws", get(live::open))
            // The gate before all doors has its own limit.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn_with_state(hub.work.clone(), tasks::to_its_end))
            .layer(middleware::from_fn_with_state("rest", measured::requests))
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Waits until the requests already taken are done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tasks::finish(&self.hub.work, deadline, "requests of the REST door").await;
    }
}
