//! Permits to read. The store has few connections for reads. A user who asks for much waits for
//! their own earlier reads, and others do not wait for these.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::buckets::Network;
use super::{App, Viewer};
use crate::error::Error;
use crate::model::UserId;

/// How long a read waits for earlier ones: while the store does not answer, they wait for it one
/// after the other.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// For whom reads wait and requests are counted: a user, from any address, or an address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Requester {
    User(UserId),
    /// All anonymous clients at an address.
    Network(Network),
}

/// The reads that are running, and those that wait.
pub(super) struct Readers {
    /// How many reads of one requester may run at the same time.
    size: usize,
    taken: Mutex<HashMap<Requester, Arc<Semaphore>>>,
}

/// The right to read, as long as it is held. Code that holds one must not ask for another: it could
/// wait for itself.
pub(super) struct ReadPermit<'a> {
    readers: &'a Readers,
    requester: Requester,
    semaphore: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl App {
    /// Waits until the viewer may read. The service need not wait. Errors: `unavailable` after too
    /// long.
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
    /// `size` is how many reads of one requester may run at the same time.
    pub fn of(size: usize) -> Readers {
        Readers { size, taken: Mutex::default() }
    }

    /// Waits until a user's own data may be read. Errors: those of
    /// [`read_permit`](App::read_permit).
    pub async fn of_user(&self, user_id: &UserId) -> Result<ReadPermit<'_>, Error> {
        self.take(Requester::User(user_id.clone())).await
    }

    async fn take(&self, requester: Requester) -> Result<ReadPermit<'_>, Error> {
        let new = || Arc::new(Semaphore::new(self.size));
        let semaphore = self.taken().entry(requester.clone()).or_insert_with(new).clone();
        let mut read = ReadPermit { readers: self, requester, semaphore, permit: None };
        let permit = timeout(READER_TIMEOUT, read.semaphore.clone().acquire_owned()).await;
        // The semaphore is never closed, so this is always a permit.
        read.permit = permit.map_err(|_| Error::Unavailable(None))?.ok();
        Ok(read)
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Requester, Arc<Semaphore>>> {
        // No code panics while it holds the lock.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReadPermit<'_> {
    fn drop(&mut self) {
        // Drop the permit first: it holds a reference to the semaphore, too.
        self.permit = None;
        let mut taken = self.readers.taken();
        // One reference is this one, the other is in the map: nobody else reads or waits.
        if Arc::strong_count(&self.semaphore) == 2 {
            taken.remove(&self.requester);
        }
    }
}
