//! What may happen. It owns the rules: who may do what, and what follows. It has never seen a
//! socket, a header or JSON.
//!
//! Its functions take an [`Actor`] and values that have been checked, and must run in a task that
//! nothing cancels: a write that has begun is finished.

mod access;
mod chats;
mod invitations;
mod messages;
mod rooms;
mod teams;
mod users;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};

use crate::bus::Bus;
use crate::config::{Config, Limits};
use crate::error::Error;
use crate::model::{ConnectionId, Published, UserId};
use crate::store::Store;
use rooms::Presence;

pub use rooms::{Room, Visitor};

/// Who asks: a user, on one connection.
#[derive(Debug)]
pub struct Actor {
    pub user_id: UserId,
    pub connection: ConnectionId,
}

/// The chat server without its doors.
pub struct App {
    limits: Limits,
    store: Store,
    bus: Arc<Bus>,
    presence: Mutex<Presence>,
}

impl App {
    /// Opens the store and starts carrying what it commits to the doors.
    pub async fn start(config: &Config) -> Result<App, sqlx::Error> {
        let (store, mut committed) = Store::open(&config.database_url, &config.limits).await?;
        let bus = Arc::new(Bus::default());
        let publisher = bus.clone();
        tokio::spawn(async move {
            while let Some(event) = committed.recv().await {
                publisher.publish(event).await;
            }
        });
        let presence = Mutex::default();
        Ok(App { limits: config.limits.clone(), store, bus, presence })
    }

    /// The bounds that hold for what clients send.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// All events from now on: what is committed in the order of the commits, presence in the
    /// order of its changes. The receiver must be read: writes wait for it.
    pub fn subscribe(&self) -> mpsc::Receiver<Arc<Published>> {
        self.bus.subscribe()
    }

    /// The number of the latest event that was committed, 0 before the first.
    pub fn last_committed(&self) -> u64 {
        self.store.last_committed()
    }

    /// Whether requests can be served now.
    pub async fn ready(&self) -> Result<(), Error> {
        self.store.ping().await
    }

    /// Finishes what has begun and closes the store; each step may take as long as `deadline`.
    pub async fn close(&self, deadline: Duration) {
        self.store.close(deadline).await;
        self.bus.close();
    }
}
