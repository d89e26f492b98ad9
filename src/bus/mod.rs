//! Carries committed events to the doors. It knows neither what an event means nor who is to
//! hear of it.
//!
//! What it promises: every subscriber gets every event published after it subscribed, once, in
//! the order of publication. A subscriber that is slow makes the publisher wait; nothing is
//! dropped.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::model::Committed;

/// How many events may wait for one subscriber.
const WAITING_EVENTS: usize = 1024;

/// The bus of a single node.
#[derive(Default)]
pub struct Bus {
    subscribers: Mutex<Vec<mpsc::Sender<Arc<Committed>>>>,
}

impl Bus {
    /// All events from now on.
    pub fn subscribe(&self) -> mpsc::Receiver<Arc<Committed>> {
        let (sender, receiver) = mpsc::channel(WAITING_EVENTS);
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.push(sender);
        receiver
    }

    /// Hands an event to every subscriber, waiting for those that are behind.
    pub async fn publish(&self, event: Committed) {
        let event = Arc::new(event);
        let subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for subscriber in subscribers {
            // A subscriber that is gone was a door of a server shutting down.
            let _ = subscriber.send(event.clone()).await;
        }
    }
}
