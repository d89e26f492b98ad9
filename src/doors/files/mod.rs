//! Files over HTTP: `POST /api/files` takes one, and `GET` reads it by the address that its message
//! shows (docs/protocol.md, "Files").

mod download;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::{Router, middleware};
use tokio_util::task::TaskTracker;

use super::tasks;
use crate::domain::App;

/// The door's running parts.
pub struct Door {
    /// The requests being handled.
    work: TaskTracker,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/api/files`. The door has its own limit for
    /// bodies.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let work = TaskTracker::new();
        let router = Router::new()
            .route("/api/files", post(upload::answer))
            .layer(middleware::from_fn_with_state(work.clone(), tasks::to_its_end))
            .route("/api/files/{id}", get(download::answer))
            .layer(DefaultBodyLimit::disable())
            .with_state(app.clone());
        (Door { work }, router)
    }

    /// Waits until the requests already taken are done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tasks::finish(&self.work, deadline, "uploads").await;
    }
}
