//! Lets a door finish what it has begun.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_util::task::TaskTracker;

/// Handles a request in a task of its own: hyper drops the handler of a client that goes away, but
/// a write that has begun must be finished.
pub async fn to_its_end(
    State(tasks): State<TaskTracker>,
    request: Request,
    next: Next,
) -> Response {
    let handled = tasks.spawn(next.run(request)).await;
    handled.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Waits until all tasks are done, at most for `deadline`. If they are not done by then, logs that
/// `what` was given up.
pub async fn finish(tasks: &TaskTracker, deadline: Duration, what: &str) {
    tasks.close();
    if tokio::time::timeout(deadline, tasks.wait()).await.is_err() {
        tracing::warn!("the time to end is over; given up: {what}");
    }
}
