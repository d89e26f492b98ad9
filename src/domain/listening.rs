//! The events that this node commits, in the order of the commits, for the program around the
//! server.

use std::sync::Arc;

use tokio::sync::broadcast;
pub use tokio::sync::broadcast::error::RecvError;

use super::App;
use crate::model::Event;

/// How many events a listener may be behind. An event is kept until all listeners have taken it, or
/// so many newer ones have come.
pub const MAX_BEHIND: usize = 1024;

/// A listener's events. They end when the store is closed.
pub type Listening = broadcast::Receiver<Arc<Event>>;

/// The listeners. Their events end when this is dropped.
pub(super) struct Listeners(broadcast::Sender<Arc<Event>>);

impl Listeners {
    pub fn new() -> Listeners {
        Listeners(broadcast::Sender::new(MAX_BEHIND))
    }

    /// A reference for `App::listen`, which does not keep the events open.
    pub fn entry(&self) -> broadcast::WeakSender<Arc<Event>> {
        self.0.downgrade()
    }

    pub fn tell(&self, event: Event) {
        if self.0.receiver_count() > 0 {
            // This fails if the last listener has just gone.
            let _ = self.0.send(Arc::new(event));
        }
    }
}

impl App {
    /// Returns the events that this node commits from now on.
    pub fn listen(&self) -> Listening {
        match self.listeners.upgrade() {
            Some(listeners) => listeners.subscribe(),
            // The store has been closed, so there are no more events.
            None => broadcast::channel(1).1,
        }
    }
}
