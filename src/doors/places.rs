//! How many connections may be open: in all, and by one address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::Client;
use crate::config::Limits;
use crate::domain::Network;

/// The connections that may be open.
pub struct Places {
    all: Arc<Semaphore>,
    per_address: usize,
    taken: Mutex<HashMap<Network, usize>>,
}

/// A connection's share of those that may be open. A request that asks to become a WebSocket
/// carries it in its extensions, as the WebSocket outlives what has accepted the connection.
#[derive(Clone)]
pub struct Permit {
    _place: Arc<OwnedSemaphorePermit>,
    /// None where the client's address is not known from the connection, until it is.
    seat: Option<Arc<Seat>>,
}

/// One of those that an address may have. It is free again when this is dropped.
pub struct Seat {
    network: Network,
    places: Arc<Places>,
}

impl Places {
    pub fn of(limits: &Limits) -> Arc<Places> {
        Arc::new(Places {
            all: Arc::new(Semaphore::new(limits.max_connections)),
            per_address: limits.max_connections_per_address(),
            taken: Mutex::default(),
        })
    }

    /// Waits for a connection's place.
    pub async fn place(&self) -> Option<Permit> {
        // None if the semaphore were closed, which it never is.
        let place = self.all.clone().acquire_owned().await.ok()?;
        Some(Permit { _place: Arc::new(place), seat: None })
    }

    /// A client's seat; none if its address has as many as it may.
    pub fn seat(self: &Arc<Self>, client: Client) -> Option<Arc<Seat>> {
        let network = Network::of(client.address);
        let mut taken = self.taken();
        let count = taken.entry(network.clone()).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        Some(Arc::new(Seat { network, places: self.clone() }))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The connection keeps this seat as long as its place.
    pub fn keep(&mut self, seat: Arc<Seat>) {
        self.seat = Some(seat);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}
