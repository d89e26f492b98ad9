//! Leases: which connections came with which token. When a token ends, its connections end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::model::ConnectionId;

/// The live connections of each revocable token.
#[derive(Clone, Default)]
pub(super) struct Leases {
    connections: Arc<Mutex<HashMap<String, HashMap<ConnectionId, CancellationToken>>>>,
}

/// A connection's entry in these; it is removed when this is dropped.
pub(super) struct Lease {
    leases: Leases,
    id: ConnectionId,
    pub access_key_id: String,
    pub ended: CancellationToken,
}

impl Leases {
    pub fn enter(&self, id: ConnectionId, access_key_id: String) -> Lease {
        let ended = CancellationToken::new();
        self.change(|all| {
            all.entry(access_key_id.clone()).or_default().insert(id, ended.clone());
        });
        Lease { leases: self.clone(), id, access_key_id, ended }
    }

    /// Ends the connections of a token that was revoked.
    pub fn end(&self, access_key_id: &str) {
        self.change(|all| {
            let ended = all.remove(access_key_id).into_iter().flatten();
            ended.for_each(|(_, ended)| ended.cancel());
        });
    }

    fn change(
        &self,
        change: impl FnOnce(&mut HashMap<String, HashMap<ConnectionId, CancellationToken>>),
    ) {
        change(&mut self.connections.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.change(|all| {
            if let Some(connections) = all.get_mut(&self.access_key_id) {
                connections.remove(&self.id);
                if connections.is_empty() {
                    all.remove(&self.access_key_id);
                }
            }
        });
    }
}
