//! The sessions that the engine has, by their ids.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use engineioxide::socket::Sid;

use super::engine::EngineSocket;

#[derive(Default)]
pub(super) struct Open {
    sockets: Mutex<HashMap<Sid, Weak<EngineSocket>>>,
}

impl Open {
    pub fn add(&self, socket: &Arc<EngineSocket>) {
        self.lock().insert(socket.id, Arc::downgrade(socket));
    }

    pub fn remove(&self, id: Sid) {
        self.lock().remove(&id);
    }

    /// The session of this id, as a request writes it.
    pub fn get(&self, id: &str) -> Option<Arc<EngineSocket>> {
        self.lock().get(&id.parse().ok()?)?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Weak<EngineSocket>>> {
        // Nothing panics while it is held.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
