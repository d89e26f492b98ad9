//! The bytes of the requests that wait, over all sockets, and whose they are. Where there is no
//! room for more, the user or address with the most gives way, and not the one that happens to
//! come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Session;
use crate::domain::Network;
use crate::model::{ConnectionId, UserId};

/// Whose requests wait: a user's, from any address, if the socket has proved to be theirs; else
/// those of one address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    User(UserId),
    Network(Network),
}

pub(super) struct Waiting {
    max: usize,
    shares: Mutex<Shares>,
}

#[derive(Default)]
struct Shares {
    /// The sum of all sockets' bytes.
    total: usize,
    sockets: HashMap<ConnectionId, Share>,
}

/// A socket of which something waits.
struct Share {
    session: Arc<Session>,
    holder: Holder,
    bytes: usize,
}

impl Waiting {
    pub fn new(max: usize) -> Waiting {
        Waiting { max, shares: Mutex::default() }
    }

    /// Counts bytes of a socket. Returns the sockets that have to [give up](Session::give_up) what
    /// they wait for, as there is no room for it; this one may be among them.
    pub fn add(&self, session: &Arc<Session>, holder: Holder, bytes: usize) -> Vec<Arc<Session>> {
        let mut shares = self.lock();
        let new = || Share { session: session.clone(), holder: holder.clone(), bytes: 0 };
        let share = shares.sockets.entry(session.id).or_insert_with(new);
        share.bytes += bytes;
        // It may have proved by now who it is.
        share.holder = holder;
        shares.total += bytes;
        let mut too_many = Vec::new();
        while shares.total > self.max
            && let Some(share) = shares.take_largest()
        {
            too_many.push(share.session);
        }
        too_many
    }

    /// What a socket waited for is done, or given up.
    pub fn remove(&self, id: ConnectionId, bytes: usize) {
        let mut shares = self.lock();
        let Some(share) = shares.sockets.get_mut(&id) else {
            // It has had to give up.
            return;
        };
        let bytes = bytes.min(share.bytes);
        share.bytes -= bytes;
        if share.bytes == 0 {
            shares.sockets.remove(&id);
        }
        shares.total -= bytes;
    }

    /// A socket has given up all that it waited for.
    pub fn forget(&self, id: ConnectionId) {
        let mut shares = self.lock();
        if let Some(share) = shares.sockets.remove(&id) {
            shares.total -= share.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shares> {
        // Nothing panics while it is held.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    /// Takes the largest socket of the largest holder.
    fn take_largest(&mut self) -> Option<Share> {
        let mut holders = HashMap::<&Holder, usize>::new();
        for share in self.sockets.values() {
            *holders.entry(&share.holder).or_default() += share.bytes;
        }
        let (largest, _) = holders.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        let of_largest = self.sockets.iter().filter(|(_, share)| share.holder == *largest);
        let (id, _) = of_largest.max_by_key(|(_, share)| share.bytes)?;
        let id = *id;
        let share = self.sockets.remove(&id)?;
        self.total -= share.bytes;
        Some(share)
    }
}
