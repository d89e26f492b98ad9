//! Door 2: the channels' protocol, on a plain WebSocket (docs/protocol.md, "Channels").
//!
//! - [`login`]: a connection's life, from the nick in its address to the last frame
//! - [`session`]: a connection with its nick
//! - [`requests`]: the requests that a client may send, by their `type`, and how each is done
//! - [`show`]: what connections are shown of each event
//! - [`frames`]: what goes over the wire

mod frames;
mod login;
mod requests;
mod session;
mod show;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio_util::task::TaskTracker;

use crate::domain::App;
use crate::doors::shape::Frames;
use crate::doors::tasks;

/// The frames that go over the WebSocket.
pub const FRAMES: Frames =
    Frames { address: "/chat/login/{nick}", sent: requests::SENT, got: frames::GOT };

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all connections of the door share.
struct Hub {
    app: Arc<App>,
    /// The open WebSockets.
    work: TaskTracker,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/chat/login/`.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let hub = Arc::new(Hub { app: app.clone(), work: TaskTracker::new() });
        let router = Router::new()
            .route("/chat/login/", get(login::open))
            // This matches a nick with a slash, too, so that its client is told what is wrong with
            // it.
            .route("/chat/login/{*nick}", get(login::open))
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Waits until every WebSocket is closed and its requests are done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tasks::finish(&self.hub.work, deadline, "requests of the channels").await;
    }
}
