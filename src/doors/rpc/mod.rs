//! Door 4: the rooms API, JSON-RPC 2.0 over HTTP (`origins/rooms-api.md`).
//!
//! - [`calls`]: a body, the calls in it, and the answer to them
//! - [`answers`]: results and errors
//! - [`caller`]: who makes them
//! - [`methods`]: a function for each method
//! - [`parameters`]: what a call says

mod answers;
mod caller;
mod calls;
mod methods;
mod parameters;

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Router, middleware};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::App;
use crate::doors::{failure, tasks};
use crate::model::{ChatId, Event, Published, UserId};

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all requests of the door share.
struct Hub {
    app: Arc<App>,
    /// The requests being handled, and what goes on beside them.
    work: TaskTracker,
    /// Once set, nobody is logged out for being idle any more.
    stopped: CancellationToken,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/rpc`.
    pub fn open(app: &Arc<App>) -> (Door, Router) {
        let hub = Arc::new(Hub {
            app: app.clone(),
            work: TaskTracker::new(),
            stopped: CancellationToken::new(),
        });
        tokio::spawn(follow(hub.clone(), app.subscribe()));
        let idle =
            hub.stopped.clone().run_until_cancelled_owned(log_out_idle(Arc::downgrade(&hub)));
        tokio::spawn(idle);
        let router = Router::new()
            .route("/rpc", post(calls::handle))
            .layer(middleware::from_fn_with_state(hub.work.clone(), tasks::to_its_end))
            // The server's own limit holds.
            .layer(DefaultBodyLimit::disable())
            .with_state(hub.clone());
        (Door { hub }, router)
    }

    /// Waits until what was asked is done, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        self.hub.stopped.cancel();
        tasks::finish(&self.hub.work, deadline, "calls of the rooms API").await;
    }
}

/// Logs out users who have not called for too long, again and again until the door is gone.
async fn log_out_idle(hub: Weak<Hub>) {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(60);
    while let Some(app) = hub.upgrade().map(|hub| hub.app.clone()) {
        let pause = (app.limits().lobby_timeout / 4).clamp(SHORTEST, LONGEST);
        // In a task of its own, as a write that has begun is to be finished.
        let round = tokio::spawn(async move { app.log_out_idle().await });
        if round.await.is_err() {
            tracing::error!("idle users were not logged out");
        }
        tokio::time::sleep(pause).await;
    }
}

/// Puts who is in a room and no member of its chat any more back into the waiting room, until the bus is
/// closed.
async fn follow(hub: Arc<Hub>, mut events: mpsc::Receiver<Arc<Published>>) {
    while let Some(published) = events.recv().await {
        let Some(event) = &published.event else {
            continue;
        };
        match event {
            Event::MemberRemoved { chat, user_id } => recall(&hub, chat.id, user_id),
            Event::MemberLeft { chat_id, user_id, .. } => recall(&hub, *chat_id, user_id),
            // A user in a room is a member, and keeps the room from being deleted.
            Event::ChatUpdated(_) | Event::ChatDeleted { .. } => {}
            // Later calls of who came without a token are refused.
            Event::UserProtected { .. } => {}
            // What is said is picked up.
            Event::MessageSent(_) => {}
            Event::ChatCreated(_)
            | Event::MemberJoined { .. }
            | Event::ChatRead { .. }
            | Event::Invited(_)
            | Event::TokenEnded { .. }
            | Event::NickConnected { .. }
            | Event::NickGone { .. }
            | Event::ChannelJoined { .. }
            | Event::ChannelLeft { .. }
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. } => {}
        }
    }
}

/// Not awaited: the domain may be waiting for this task to take an event.
fn recall(hub: &Arc<Hub>, chat_id: ChatId, user_id: &UserId) {
    let (app, user_id) = (hub.app.clone(), user_id.clone());
    hub.work.spawn(async move {
        if let Err(error) = app.recall(chat_id, &user_id).await {
            failure::log("recall from a room", &error);
        }
    });
}
