//! Door 2: channels, on a plain WebSocket (`origins/channels-websocket.md`).
//!
//! - [`login`]: a connection's life, from the nick in its address to the last frame
//! - [`session`]: who a connection is now
//! - [`requests`]: what a client may send, by its `type`
//! - [`roster`]: which connections hear of which channel
//! - [`push`]: every event to those who may see it
//! - [`frames`]: what goes over the wire

mod frames;
mod login;
mod push;
mod requests;
mod roster;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio_util::task::TaskTracker;

use crate::domain::App;
use crate::doors::pushed::Pushed;
use crate::doors::tasks;
use roster::Roster;

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all connections of the door share.
struct Hub {
    app: Arc<App>,
    roster: Roster,
    pushed: Pushed,
    /// The open WebSockets, and the nicks that are losing a channel.
    work: TaskTracker,
}

impl Hub {
    /// Waits until all that has been committed so far has been pushed.
    async fn settled(&self) {
        self.pushed.settled(&self.app).await;
    }
}

impl Door {
    /// Opens the door onto `app`; the router serves `/chat/login/`.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let hub = Arc::new(Hub {
            app: app.clone(),
            roster: Roster::new(app.streams()),
            pushed: Pushed::default(),
            work: TaskTracker::new(),
        });
        tokio::spawn(push::run(hub.clone(), app.subscribe()));
        let router = Router::new()
            .route("/chat/login/", get(login::open))
            // A nick with a slash is told what is wrong with it, as others are.
            .route("/chat/login/{*nick}", get(login::open))
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Closes every WebSocket and waits until what they asked is done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        self.hub.roster.close();
        tasks::finish(&self.hub.work, deadline, "requests of the channels").await;
        self.hub.roster.clear();
    }
}
