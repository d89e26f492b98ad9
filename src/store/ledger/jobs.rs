//! PostgreSQL's jobs: each has a transaction of its own, a few at the same time.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, Notify, Semaphore, oneshot};
use tokio_util::task::TaskTracker;

use super::{Answer, Done, Tx, is_away, lend, note_commit, take_back};
use crate::error::Error;
use crate::store::bounded::{PgTransaction, Pool};
use crate::store::{Exit, Transaction};

/// How many jobs run at the same time. Even if all jobs and [batches](super::batches) wait for
/// locks, some connections are left for reads.
const AT_ONCE: usize = 3;

/// Runs the jobs' transactions. Clones share everything.
#[derive(Clone)]
pub(super) struct Jobs {
    pool: Pool,
    exit: Arc<Exit>,
    permits: Arc<Semaphore>,
    /// Notified when the database is away: then all waiting jobs fail at once.
    away: Arc<Notify>,
    tasks: TaskTracker,
}

impl Jobs {
    /// `tasks` counts all jobs that have begun: the ledger waits for them when it ends.
    pub fn new(pool: Pool, exit: Arc<Exit>, tasks: TaskTracker) -> Jobs {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Jobs { pool, exit, permits, away: Arc::default(), tasks }
    }

    /// Waits for a permit and opens a transaction. A task sees it to its end, even if the asker
    /// goes away.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let _begun = self.tasks.token();
        let permit = tokio::select! {
            biased;
            permit = self.permits.clone().acquire_owned() => permit,
            () = self.away.notified() => return Err(Error::Unavailable(None)),
        };
        let (answer, answered) = oneshot::channel();
        let jobs = self.clone();
        self.tasks.spawn(async move {
            // The semaphore is never closed, so this is always a permit.
            let _permit = permit;
            if jobs.run(answer).await.is_some_and(|error| is_away(&error)) {
                jobs.away.notify_waiters();
            }
        });
        answered.await.unwrap_or(Err(Error::Unavailable(None)))
    }

    /// Runs a job and answers it; returns the error, if it failed.
    async fn run(&self, asker: Answer<Tx>) -> Option<Error> {
        let begun = Instant::now();
        let transaction = match PgTransaction::begin(&self.pool).await.map_err(Error::from) {
            Ok(begun) => Arc::new(Mutex::new(Transaction::Postgres(Box::new(begun)))),
            Err(error) => {
                drop(asker.send(Err(error.clone())));
                return Some(error);
            }
        };
        let (tx, outcome) = lend(&transaction, &self.exit).await;
        // If the asker is gone, `tx` is dropped here and rolled back. A job may also drop it.
        drop(asker.send(Ok(tx)));
        let Done { events, answer, .. } = outcome.await.ok()?;
        let kept = self.exit.keep(&mut lend(&transaction, &self.exit).await.0, &events).await;
        let committed = async {
            match take_back(transaction)? {
                Transaction::Postgres(tx) => self.exit.commit(*tx, events, kept?).await,
                Transaction::Sqlite(_) => Err(Error::Internal(None)),
            }
        };
        let committed = committed.await;
        note_commit(begun);
        drop(answer.send(committed.clone()));
        committed.err()
    }
}
