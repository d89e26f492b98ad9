//! How many connections may be open: in all, and by one address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::Client;
use crate::config::Limits;
use crate::domain::Network;

/// The slots for open connections: a fixed number in all, and a fixed number for each address.
pub struct Slots {
    all: Arc<Semaphore>,
    per_address: usize,
    taken: Mutex<HashMap<Network, usize>>,
}

/// The slot of an open connection. A request that asks to become a WebSocket carries it in its
/// extensions, because the WebSocket outlives the task that serves HTTP on the connection.
#[derive(Clone)]
pub struct Permit {
    _slot: Arc<OwnedSemaphorePermit>,
    /// `None` while the client's address is not known.
    of_address: Option<Arc<AddressSlot>>,
}

/// One of the slots of an address. When this is dropped, the slot is free again.
pub struct AddressSlot {
    network: Network,
    slots: Arc<Slots>,
}

impl Slots {
    pub fn of(limits: &Limits) -> Arc<Slots> {
        Arc::new(Slots {
            all: Arc::new(Semaphore::new(limits.max_connections)),
            per_address: limits.max_connections_per_address(),
            taken: Mutex::default(),
        })
    }

    /// Waits for a free slot.
    pub async fn take(&self) -> Option<Permit> {
        // None if the semaphore were closed, which it never is.
        let slot = self.all.clone().acquire_owned().await.ok()?;
        Some(Permit { _slot: Arc::new(slot), of_address: None })
    }

    /// A slot of the client's address; `None` if all of them are taken.
    pub fn take_of_address(self: &Arc<Self>, client: Client) -> Option<Arc<AddressSlot>> {
        let network = Network::of(client.address);
        let mut taken = self.taken();
        let count = taken.entry(network.clone()).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Arc::new(AddressSlot { network, slots: self.clone() }))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Keeps a slot of the client's address as long as the connection is open.
    pub fn keep(&mut self, slot: Arc<AddressSlot>) {
        self.of_address = Some(slot);
    }
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}
