//! The ledger, through which all writes go. What it promises:
//!
//! - Nothing is answered before it is durable. If a commit fails, nothing of its transaction
//!   exists, and all of it is answered with the error.
//! - A job that fails, or is dropped, changes nothing, and does not affect the other jobs.
//! - Events leave in the order of the commits, before the requests that caused them are answered.
//!
//! On SQLite one [task](writing) writes the queue in groups. A group is what was queued while the
//! group before was written. It shares one transaction, and so one fsync. First its messages and
//! marks are written together, as a [batch](super::batch). Then its jobs run one after the other,
//! each on the open transaction, which is lent to it as a [`Tx`]. After 5 ms the remaining jobs are
//! left to the next group, so that messages do not wait for them.
//!
//! On PostgreSQL several transactions run at the same time: [batches] of messages and marks, where
//! each chat is in one batch at a time, and [jobs], each in a transaction of its own. Other nodes
//! write there, too; all transactions take [locks](super::locks) in one order.

mod batches;
mod group;
mod jobs;
mod writing;

use std::sync::Arc;
use std::time::Instant;
use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::file_urls::FileUrls;
use super::sqlite::{Checkpointer, How, Log};
use super::{Db, Exit, Transaction};
use crate::error::Error;
use crate::model::{ChatId, Event, Mark, Marked, NewMessage, Sent};
use batches::Batches;
use jobs::Jobs;
use writing::Writing;

type Answer<T> = oneshot::Sender<Result<T, Error>>;

enum Entry {
    Message(NewMessage, Answer<Sent>),
    Mark(Mark, Answer<Marked>),
    Job(Answer<Tx>),
    /// Copies SQLite's log into its file while nobody writes.
    Checkpoint(Checkpointer, How, oneshot::Sender<Result<Log, sqlx::Error>>),
}

impl Entry {
    fn chat_id(&self) -> Option<ChatId> {
        match self {
            Entry::Message(message, _) => Some(message.chat_id),
            Entry::Mark(mark, _) => Some(mark.chat_id),
            Entry::Job(_) | Entry::Checkpoint(..) => None,
        }
    }
}

/// A handle to the tasks that write.
#[derive(Clone)]
pub(super) struct Ledger {
    queue: mpsc::Sender<Entry>,
    /// `None` on SQLite, where jobs are in the queue.
    jobs: Option<Jobs>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Ledger {
    /// Starts the task that writes the queue, which holds up to `capacity` entries. On SQLite the
    /// task has a thread of its own, where it appends and commits without switching threads.
    pub fn start(db: Db, exit: Exit, capacity: usize) -> io::Result<Ledger> {
        let (queue, entries) = mpsc::channel(capacity);
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let jobs = match db {
            Db::Sqlite(pools) => {
                let writing = Writing::new(pools, exit, entries);
                let writing = tasks.track_future(writing.run(closing.clone()));
                let runtime = Handle::current();
                let thread = thread::Builder::new().name("chinwag-ledger".into());
                thread.spawn(move || runtime.block_on(writing))?;
                None
            }
            Db::Postgres(pool) => {
                let exit = Arc::new(exit);
                let batches = Batches::new(pool.clone(), exit.clone(), entries, capacity);
                tasks.spawn(batches.run(closing.clone()));
                Some(Jobs::new(pool, exit, tasks.clone()))
            }
        };
        Ok(Ledger { queue, jobs, closing, tasks })
    }

    /// Queues a message, and returns it once it is durable. Errors: `unavailable` if the queue is
    /// full, `not_found` also for a user who is no member, `conflict`.
    pub async fn append(&self, message: NewMessage) -> Result<Sent, Error> {
        self.ask(|answer| Entry::Message(message, answer)).await
    }

    /// Queues a mark, that a member has read a chat. Errors: `unavailable` if the queue is full,
    /// `not_found` also for a user who is no member.
    pub async fn mark(&self, mark: Mark) -> Result<Marked, Error> {
        self.ask(|answer| Entry::Mark(mark, answer)).await
    }

    async fn ask<T>(&self, entry: impl FnOnce(Answer<T>) -> Entry) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(entry(answer)) {
            Ok(()) => answered.await.unwrap_or(Err(Error::Unavailable(None))),
            Err(TrySendError::Full(_)) => Err(Error::Unavailable(None)),
            Err(TrySendError::Closed(_)) => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    /// Returns an open transaction for a job, after the jobs that asked before.
    pub async fn begin(&self) -> Result<Tx, Error> {
        if let Some(jobs) = &self.jobs {
            return match self.closing.is_cancelled() {
                true => Err(sqlx::Error::PoolClosed.into()),
                false => jobs.begin().await,
            };
        }
        let (answer, answered) = oneshot::channel();
        match self.queue.send(Entry::Job(answer)).await {
            Ok(()) => answered.await.unwrap_or(Err(Error::Unavailable(None))),
            Err(_) => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    /// Copies SQLite's log into its file between two groups. Errors: `PoolClosed` once the ledger
    /// has ended; SQLite then copies the log as it closes the file.
    pub async fn checkpoint(
        &self,
        checkpointer: Checkpointer,
        how: How,
    ) -> Result<Log, sqlx::Error> {
        let (answer, answered) = oneshot::channel();
        match self.queue.send(Entry::Checkpoint(checkpointer, how, answer)).await {
            // The entry is dropped if the database fails for a group before it.
            Ok(()) => answered.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)),
            Err(_) => Err(sqlx::Error::PoolClosed),
        }
    }

    /// Returns false once the task has ended, which it does when the store is closed.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Refuses further entries and waits until those in the queue are written and answered.
    pub async fn drain(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The open transaction, while it is lent to a job. If the job drops this without a commit, it
/// changes nothing.
pub struct Tx {
    // Dropped first: when the outcome arrives, the transaction has been returned.
    pub(super) inner: OwnedMutexGuard<Transaction>,
    outcome: oneshot::Sender<Done>,
    pub(super) urls: Arc<FileUrls>,
}

/// What a job that has run wants to be committed.
struct Done {
    events: Vec<Event>,
    /// Whether no other job may run before the commit.
    at_once: bool,
    answer: Answer<()>,
}

impl Tx {
    /// Commits; returns when the changes are durable and `events` have been sent.
    pub async fn commit(self, events: impl IntoIterator<Item = Event>) -> Result<(), Error> {
        self.end(events, false).await
    }

    /// Commits like [`commit`](Tx::commit), and lets no other job run before that. This is for a
    /// caller that holds a lock during the commit, for which another job may wait.
    pub async fn commit_at_once(
        self,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<(), Error> {
        self.end(events, true).await
    }

    async fn end(
        self,
        events: impl IntoIterator<Item = Event>,
        at_once: bool,
    ) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        let events = Vec::from_iter(events);
        drop(self.inner);
        // If the ledger has ended, nobody answers.
        let _ = self.outcome.send(Done { events, at_once, answer });
        answered.await.unwrap_or(Err(Error::Unavailable(None)))
    }
}

/// Lends a transaction to a job. The receiver gets the outcome, or is closed if the job dropped it.
async fn lend(transaction: &Arc<Mutex<Transaction>>, exit: &Exit) -> (Tx, oneshot::Receiver<Done>) {
    let (outcome, receiver) = oneshot::channel();
    let (inner, urls) = (transaction.clone().lock_owned().await, exit.urls.clone());
    (Tx { inner, outcome, urls }, receiver)
}

/// Takes a transaction back from a job that has released it.
fn take_back(transaction: Arc<Mutex<Transaction>>) -> Result<Transaction, Error> {
    Ok(Arc::into_inner(transaction).ok_or(Error::Internal(None))?.into_inner())
}

/// Records how long a transaction took, including its commit.
fn note_commit(begun: Instant) {
    metrics::histogram!("chinwag_commit_seconds").record(begun.elapsed());
}

/// Whether the database as a whole cannot be used, so that other entries would fail, too.
fn is_away(error: &Error) -> bool {
    use sqlx::Error as E;
    let Error::Unavailable(Some(cause)) = error else {
        return false;
    };
    matches!(
        **cause,
        E::PoolTimedOut
            | E::PoolClosed
            | E::Io(_)
            | E::Tls(_)
            | E::Protocol(_)
            | E::WorkerCrashed
            | E::AnyDriverError(_)
    )
}
