//! The bytes of the requests that wait, over all sockets, by user and address. Where there is no
//! room for more, the user or address with the most gives way, and not the one that happens to
//! come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Session;
use crate::domain::Requester;
use crate::model::ConnectionId;

pub(super) struct Pending {
    max: usize,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    /// The sum of all sockets' bytes.
    total: usize,
    by_id: HashMap<ConnectionId, SocketBytes>,
}

/// A socket of which something waits.
struct SocketBytes {
    session: Arc<Session>,
    requester: Requester,
    bytes: usize,
}

impl Pending {
    pub fn new(max: usize) -> Pending {
        Pending { max, sockets: Mutex::default() }
    }

    /// Counts bytes of a socket. Returns the sockets that have to [give up](Session::give_up) what
    /// they wait for, as there is no room for it; this one may be among them.
    pub fn add(
        &self,
        session: &Arc<Session>,
        requester: Requester,
        bytes: usize,
    ) -> Vec<Arc<Session>> {
        let mut sockets = self.lock();
        let new =
            || SocketBytes { session: session.clone(), requester: requester.clone(), bytes: 0 };
        let socket = sockets.by_id.entry(session.id).or_insert_with(new);
        socket.bytes += bytes;
        // It may have proved by now who it is.
        socket.requester = requester;
        sockets.total += bytes;
        let mut too_many = Vec::new();
        while sockets.total > self.max
            && let Some(socket) = sockets.take_largest()
        {
            too_many.push(socket.session);
        }
        too_many
    }

    /// What a socket waited for is done, or given up.
    pub fn remove(&self, id: ConnectionId, bytes: usize) {
        let mut sockets = self.lock();
        let Some(socket) = sockets.by_id.get_mut(&id) else {
            // It has had to give up.
            return;
        };
        let bytes = bytes.min(socket.bytes);
        socket.bytes -= bytes;
        if socket.bytes == 0 {
            sockets.by_id.remove(&id);
        }
        sockets.total -= bytes;
    }

    /// A socket has given up all that it waited for.
    pub fn forget(&self, id: ConnectionId) {
        let mut sockets = self.lock();
        if let Some(socket) = sockets.by_id.remove(&id) {
            sockets.total -= socket.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        // Nothing panics while it is held.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    /// Takes the largest socket of the largest requester.
    fn take_largest(&mut self) -> Option<SocketBytes> {
        let mut requesters = HashMap::<&Requester, usize>::new();
        for socket in self.by_id.values() {
            *requesters.entry(&socket.requester).or_default() += socket.bytes;
        }
        let (largest, _) = requesters.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        let of_largest = self.by_id.iter().filter(|(_, socket)| socket.requester == *largest);
        let (id, _) = of_largest.max_by_key(|(_, socket)| socket.bytes)?;
        let id = *id;
        let socket = self.by_id.remove(&id)?;
        self.total -= socket.bytes;
        Some(socket)
    }
}
