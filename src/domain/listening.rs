//! What the program around the server hears of what this node commits, in the order of the commits.

use std::sync::Arc;

use tokio::sync::broadcast;
pub use tokio::sync::broadcast::error::RecvError;

use super::App;
use crate::model::Event;

/// How many events a listener may be behind. Each is kept until all listeners have
/// taken it, or so many newer ones have come.
pub const MAX_BEHIND: usize = 1024;

/// What a listener takes the events from. It ends when the store is closed.
pub type Listening = broadcast::Receiver<Arc<Event>>;

/// Those who listen. The events end when this is dropped.
pub(super) struct Listeners(broadcast::Sender<Arc<Event>>);

impl Listeners {
    pub fn new() -> Listeners {
        Listeners(broadcast::Sender::new(MAX_BEHIND))
    }

    /// For `App::listen`, without keeping the events open.
    pub fn entry(&self) -> broadcast::WeakSender<Arc<Event>> {
        self.0.downgrade()
    }

    pub fn tell(&self, event: Event) {
        if self.0.receiver_count() > 0 {
            // It fails when the last of them has just gone.
            let _ = self.0.send(Arc::new(event));
        }
    }
}

impl App {
    /// Begins to listen to what this node commits from now on.
    pub fn listen(&self) -> Listening {
        match self.listeners.upgrade() {
            Some(listeners) => listeners.subscribe(),
            // The store has been closed: there is nothing more to hear.
            None => broadcast::channel(1).1,
        }
    }
}
