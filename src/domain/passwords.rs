//! Passwords: hashed by Argon2id, and compared to their hashes.
//!
//! Hashing takes long by design. It runs in threads of its own, half as many as there are
//! processors. How many passwords may wait is bounded, in all and for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::buckets::Network;
use crate::error::Error;
use crate::model::Password;

/// How many passwords may wait or be hashed, in all and from one address; one more is answered
/// `unavailable`.
const MAX_WAITING: usize = 256;
const MAX_WAITING_OF_ADDRESS: usize = 16;

/// The hash of no real password. With it, refusing an unknown name takes as long as refusing a
/// wrong password.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU$\
                       W7TJjHyFIhX5JyWXkh3D6bEj4ITXdMkYN6hWwhNwF0A";

/// The threads that hash passwords, and those that wait for them.
pub(super) struct Passwords {
    waiting: Mutex<HashMap<Network, usize>>,
    at_once: Semaphore,
    work: mpsc::Sender<Work>,
}

type Work = Box<dyn FnOnce() + Send>;

impl Default for Passwords {
    fn default() -> Passwords {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let at_once = (processors / 2).max(1);
        let (work, queue) = mpsc::channel::<Work>();
        let queue = Arc::new(Mutex::new(queue));
        // Use threads of our own: a hash takes 19 MiB, which the allocator keeps for the thread
        // that used it, and the runtime has hundreds of threads for blocking work.
        for _ in 0..at_once {
            let queue = queue.clone();
            thread::spawn(move || {
                while let Some(work) = next(&queue) {
                    // A panic must not end the thread: other passwords need it, too.
                    let _ = catch_unwind(AssertUnwindSafe(work));
                }
            });
        }
        Passwords { waiting: Mutex::default(), at_once: Semaphore::new(at_once), work }
    }
}

/// The next work for a thread; `None` once there can be no more.
fn next(queue: &Mutex<mpsc::Receiver<Work>>) -> Option<Work> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// The right to hash one password now.
pub(super) struct HashPermit<'a> {
    counted: Counted<'a>,
    _at_once: SemaphorePermit<'a>,
}

/// A password that waits or is being hashed. It is counted until this is dropped.
struct Counted<'a> {
    passwords: &'a Passwords,
    network: Network,
}

impl Passwords {
    /// Waits for a permit. Errors: `unavailable` if too many are waiting.
    pub async fn permit(&self, address: IpAddr) -> Result<HashPermit<'_>, Error> {
        let counted = self.count(Network::of(address)).ok_or(Error::Unavailable(None))?;
        let at_once = self.at_once.acquire().await.map_err(|_| Error::Unavailable(None))?;
        Ok(HashPermit { counted, _at_once: at_once })
    }

    fn count(&self, network: Network) -> Option<Counted<'_>> {
        let mut waiting = self.lock();
        let all: usize = waiting.values().sum();
        let own = waiting.get(&network).copied().unwrap_or_default();
        if all >= MAX_WAITING || own >= MAX_WAITING_OF_ADDRESS {
            return None;
        }
        waiting.insert(network.clone(), own + 1);
        Some(Counted { passwords: self, network })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        // No code panics while it holds the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut waiting = self.passwords.lock();
        if let Some(own) = waiting.get_mut(&self.network) {
            *own -= 1;
            if *own == 0 {
                waiting.remove(&self.network);
            }
        }
    }
}

impl HashPermit<'_> {
    /// The password's hash, in the PHC string format.
    pub async fn hash(self, password: Password) -> Result<String, Error> {
        let hash = move || Argon2::default().hash_password(password.expose().as_bytes());
        let hash = self.aside(hash).await?;
        hash.map(|hash| hash.to_string()).map_err(|_| Error::Internal(None))
    }

    /// Whether the password has this hash. Without a hash the answer is no, after the same time.
    pub async fn verify(self, password: Password, hash: Option<String>) -> Result<bool, Error> {
        self.aside(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODYS);
            let verified = Argon2::default().verify_password(password.expose().as_bytes(), hash);
            known && verified.is_ok()
        })
        .await
    }

    /// Runs work in one of the threads for hashing.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let work = move || {
            // If the server ends, nobody waits for the answer.
            let _ = answer.send(work());
        };
        // The threads live as long as `Passwords`, so this does not fail.
        let _ = self.counted.passwords.work.send(Box::new(work));
        answered.await.map_err(|_| Error::Internal(None))
    }
}
