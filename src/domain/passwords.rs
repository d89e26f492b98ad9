//! Passwords: hashed by Argon2id, and compared to their hashes.
//!
//! That takes long by design. It runs beside the threads that serve messages, on as many at once
//! as half the processors, and what waits for one is bounded.

use std::thread;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Error;
use crate::model::Password;

/// How many passwords may wait to be hashed; one more is answered `unavailable`.
const MAX_WAITING: usize = 256;

/// The hash of a password that nobody has: a name that is nobody's takes as long to refuse as a
/// wrong password.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU$\
                       W7TJjHyFIhX5JyWXkh3D6bEj4ITXdMkYN6hWwhNwF0A";

/// Where passwords are hashed.
pub(super) struct Passwords {
    waiting: Semaphore,
    at_once: Semaphore,
}

impl Default for Passwords {
    fn default() -> Passwords {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Passwords {
            waiting: Semaphore::new(MAX_WAITING),
            at_once: Semaphore::new((processors / 2).max(1)),
        }
    }
}

/// The right to hash one password now.
pub(super) struct Turn<'a> {
    _waiting: SemaphorePermit<'a>,
    _at_once: SemaphorePermit<'a>,
}

impl Passwords {
    /// Waits for a turn. Errors: `unavailable` if too many do.
    pub async fn turn(&self) -> Result<Turn<'_>, Error> {
        let waiting = self.waiting.try_acquire().map_err(|_| Error::Unavailable(None))?;
        let at_once = self.at_once.acquire().await.map_err(|_| Error::Unavailable(None))?;
        Ok(Turn { _waiting: waiting, _at_once: at_once })
    }
}

impl Turn<'_> {
    /// The hash, in the PHC string format.
    pub async fn hash(self, password: Password) -> Result<String, Error> {
        let hash = move || Argon2::default().hash_password(password.expose().as_bytes());
        let hash = aside(hash).await?;
        hash.map(|hash| hash.to_string()).map_err(|_| Error::Internal(None))
    }

    /// Whether the password is the one of this hash; without a hash it is not, after the same
    /// time.
    pub async fn verify(self, password: Password, hash: Option<String>) -> Result<bool, Error> {
        aside(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODYS);
            let verified = Argon2::default().verify_password(password.expose().as_bytes(), hash);
            known && verified.is_ok()
        })
        .await
    }
}

/// Off the threads that serve messages.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal(None))
}
