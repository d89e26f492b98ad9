//! Carries events to the doors of this node. It knows neither what an event means nor who is to
//! hear of it.
//!
//! What it promises: every subscriber gets every event published after it subscribed, once, in
//! the order of publication. A subscriber that is slow makes the publisher wait; nothing is
//! dropped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::model::Published;

/// How many events may wait for one subscriber.
const WAITING_EVENTS: usize = 1024;

/// The bus of a node.
#[derive(Default)]
pub struct Bus {
    subscribers: Mutex<Vec<mpsc::Sender<Arc<Published>>>>,
}

impl Bus {
    /// All events from now on, until the bus is closed.
    pub fn subscribe(&self) -> mpsc::Receiver<Arc<Published>> {
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        self.subscribers().push(sender);
        receiver
    }

    /// Ends every subscription.
    pub fn close(&self) {
        self.subscribers().clear();
    }

    /// Hands an event to every subscriber, waiting for those that are behind.
    pub async fn publish(&self, event: Published) {
        let event = Arc::new(event);
        let subscribers = self.subscribers().clone();
        for subscriber in subscribers {
            // A subscriber that is gone was a door of a server shutting down.
            let _ = subscriber.send(event.clone()).await;
        }
    }

    fn subscribers(&self) -> MutexGuard<'_, Vec<mpsc::Sender<Arc<Published>>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
