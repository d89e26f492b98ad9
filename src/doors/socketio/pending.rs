//! Counts the bytes of the requests that wait, over all sockets, by user or address. If they are
//! over the limit, the user or address with the most gives way, and not the one that happens to
//! send next.

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

/// A socket with waiting requests.
struct SocketBytes {
    session: Arc<Session>,
    requester: Requester,
    bytes: usize,
}

impl Pending {
    pub fn new(max: usize) -> Pending {
        Pending { max, sockets: Mutex::default() }
    }

    /// Counts so many bytes more for a socket. If all sockets are then over the limit, returns
    /// those that must [give up](Session::give_up) their requests; this one may be among them.
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
        // By now the socket may have proved which user it is.
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

    /// Counts so many bytes less: a request of the socket does not wait any more.
    pub fn remove(&self, id: ConnectionId, bytes: usize) {
        let mut sockets = self.lock();
        let Some(socket) = sockets.by_id.get_mut(&id) else {
            // The socket has had to give up its requests.
            return;
        };
        let bytes = bytes.min(socket.bytes);
        socket.bytes -= bytes;
        if socket.bytes == 0 {
            sockets.by_id.remove(&id);
        }
        sockets.total -= bytes;
    }

    /// Counts nothing more for a socket, which has given up all its requests.
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
