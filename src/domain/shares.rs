//! Shares of the readers. The store has few connections to read by. A user who asks for much waits
//! for their own earlier reads, and nobody else does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::rates::Network;
use super::{App, Viewer};
use crate::error::Error;
use crate::model::UserId;

/// How long a read waits for those before it: while the store is silent, they wait for it one after
/// the other.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// What has a share: a user, or an address.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder {
    User(UserId),
    /// All anonymous clients at an address.
    Network(Network),
}

/// The reads that go on, and those that wait.
pub(super) struct Shares {
    /// How many reads of one holder go on at the same time.
    size: usize,
    taken: Mutex<HashMap<Holder, Arc<Semaphore>>>,
}

/// A reader, as long as it is held. Code that holds one must not ask for another.
pub(super) struct Share<'a> {
    shares: &'a Shares,
    holder: Holder,
    semaphore: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl App {
    /// Waits until the viewer may read. The service waits for nothing. Errors: `unavailable` after
    /// too long.
    pub(super) async fn share_of(&self, viewer: &Viewer) -> Result<Option<Share<'_>>, Error> {
        let holder = match &viewer.user_id {
            _ if viewer.service => return Ok(None),
            Some(user_id) => Holder::User(user_id.clone()),
            None => Holder::Network(Network::of(viewer.address)),
        };
        self.shares.take(holder).await.map(Some)
    }
}

impl Shares {
    /// With so many readers for each.
    pub fn of(size: usize) -> Shares {
        Shares { size, taken: Mutex::default() }
    }

    /// Waits until what is the user's own may be read. Errors: as of [`share_of`](App::share_of).
    pub async fn of_user(&self, user_id: &UserId) -> Result<Share<'_>, Error> {
        self.take(Holder::User(user_id.clone())).await
    }

    async fn take(&self, holder: Holder) -> Result<Share<'_>, Error> {
        let new = || Arc::new(Semaphore::new(self.size));
        let semaphore = self.taken().entry(holder.clone()).or_insert_with(new).clone();
        let mut share = Share { shares: self, holder, semaphore, permit: None };
        let permit = timeout(READER_TIMEOUT, share.semaphore.clone().acquire_owned()).await;
        // It is never closed.
        share.permit = permit.map_err(|_| Error::Unavailable(None))?.ok();
        Ok(share)
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Holder, Arc<Semaphore>>> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        // It refers to the semaphore, too.
        self.permit = None;
        let mut taken = self.shares.taken();
        // One reference is this, one is the list's: nobody else reads or waits.
        if Arc::strong_count(&self.semaphore) == 2 {
            taken.remove(&self.holder);
        }
    }
}
