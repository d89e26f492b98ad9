//! The sessions that the engine has, by their ids.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use engineioxide::socket::Sid;

use super::engine::EngineSocket;
use super::session::Session;

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

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let sockets = Vec::from_iter(self.lock().values().filter_map(Weak::upgrade));
        sockets.iter().filter_map(|socket| socket.data.session.get().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Sid, Weak<EngineSocket>>> {
        // Nothing panics while it is held.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
