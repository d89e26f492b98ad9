//! Permits to read. The store has few connections to read by: a user who asks for much waits for
//! their own earlier reads, and nobody else does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::buckets::Network;
use super::{App, Viewer};
use crate::error::Error;
use crate::model::UserId;

/// How long a read waits for those before it: while the store is silent, they wait for it one after
/// the other.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// For whom the store is read, and requests wait: a user, from any address, or an address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Requester {
    User(UserId),
    /// All anonymous clients at an address.
    Network(Network),
}

/// The reads that go on, and those that wait.
pub(super) struct Readers {
    /// How many reads of one requester go on at the same time.
    size: usize,
    taken: Mutex<HashMap<Requester, Arc<Semaphore>>>,
}

/// The right to read, as long as it is held. Code that holds one must not ask for another.
pub(super) struct ReadPermit<'a> {
    readers: &'a Readers,
    requester: Requester,
    semaphore: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl App {
    /// Waits until the viewer may read. The service waits for nothing. Errors: `unavailable` after
    /// too long.
    pub(super) async fn read_permit(
        &self,
        viewer: &Viewer,
    ) -> Result<Option<ReadPermit<'_>>, Error> {
        let requester = match &viewer.user_id {
            _ if viewer.service => return Ok(None),
            Some(user_id) => Requester::User(user_id.clone()),
            None => Requester::Network(Network::of(viewer.address)),
        };
        self.readers.take(requester).await.map(Some)
    }
}

impl Readers {
    /// With so many readers for each.
    pub fn of(size: usize) -> Readers {
        Readers { size, taken: Mutex::default() }
    }

    /// Waits until what is the user's own may be read. Errors: as of
    /// [`read_permit`](App::read_permit).
    pub async fn of_user(&self, user_id: &UserId) -> Result<ReadPermit<'_>, Error> {
        self.take(Requester::User(user_id.clone())).await
    }

    async fn take(&self, requester: Requester) -> Result<ReadPermit<'_>, Error> {
        let new = || Arc::new(Semaphore::new(self.size));
        let semaphore = self.taken().entry(requester.clone()).or_insert_with(new).clone();
        let mut read = ReadPermit { readers: self, requester, semaphore, permit: None };
        let permit = timeout(READER_TIMEOUT, read.semaphore.clone().acquire_owned()).await;
        // It is never closed.
        read.permit = permit.map_err(|_| Error::Unavailable(None))?.ok();
        Ok(read)
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Requester, Arc<Semaphore>>> {
        // Nothing panics while it is held.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReadPermit<'_> {
    fn drop(&mut self) {
        // It refers to the semaphore, too.
        self.permit = None;
        let mut taken = self.readers.taken();
        // One reference is this, one is the list's: nobody else reads or waits.
        if Arc::strong_count(&self.semaphore) == 2 {
            taken.remove(&self.requester);
        }
    }
}
