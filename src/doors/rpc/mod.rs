//! Door 4: the rooms API, JSON-RPC 2.0 over HTTP (docs/protocol.md, "The rooms API").
//!
//! - [`calls`]: reads the calls in a body, and answers them
//! - [`answers`]: results and errors
//! - [`caller`]: the user or service that makes them
//! - [`methods`]: a function for each method
//! - [`parameters`]: the parameters of a call

mod answers;
mod caller;
mod calls;
mod methods;
mod parameters;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Router, middleware};
use tokio_util::task::TaskTracker;

use crate::domain::App;
use crate::doors::{measured, tasks};

pub use methods::METHODS;

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all requests of the door share.
struct Hub {
    app: Arc<App>,
    /// The requests being handled.
    work: TaskTracker,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/rpc`.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let hub = Arc::new(Hub { app: app.clone(), work: TaskTracker::new() });
        let router = Router::new()
            .route("/rpc", post(calls::handle))
            .layer(middleware::from_fn_with_state(hub.work.clone(), tasks::to_its_end))
            .layer(middleware::from_fn_with_state("rpc", measured::requests))
            // The gate before all doors has its own limit.
            .layer(DefaultBodyLimit::disable())
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Waits until the requests already taken are done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tasks::finish(&self.hub.work, deadline, "calls of the rooms API").await;
    }
}
