//! The ledger: one queue of all that is written, and the task that writes it in groups.
//!
//! A group is what has been queued while the group before it was written. It shares a transaction,
//! and so the fsync: its messages and marks are written together, as a [batch](super::batch), then
//! its jobs run one after the other, each on the open transaction that [`Tx`] lends it; after 5 ms
//! the remaining jobs are left to the next group, so that messages do not wait for them. What it
//! promises:
//!
//! - Nothing is answered before it is durable. If the commit fails, nothing of the group exists, and
//!   all of it is answered with the error.
//! - A job that fails, or is dropped, changes nothing, and the others of its group go on.
//! - Events leave in the order of the commits, before those who caused them are answered.
//!
//! On PostgreSQL each job has a transaction of its own. Other nodes write there too, and jobs that
//! shared one would take their [locks](super::locks) in no order.

mod group;
mod writing;

use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Db, Exit, Transaction};
use crate::error::Error;
use crate::model::{Event, Mark, Marked, NewMessage, Sent};
use writing::Writing;

type Answer<T> = oneshot::Sender<Result<T, Error>>;

enum Entry {
    Message(NewMessage, Answer<Sent>),
    Mark(Mark, Answer<Marked>),
    Job(Answer<Tx>),
    /// Cut SQLite's log while nobody writes.
    CutLog,
}

/// The way to the writing task.
#[derive(Clone)]
pub(super) struct Ledger {
    queue: mpsc::Sender<Entry>,
    closing: CancellationToken,
    task: TaskTracker,
}

impl Ledger {
    /// Starts the task; `capacity` entries may wait for it. On a file it has a thread of its own,
    /// where it appends and commits without handing over to another.
    pub fn start(db: Db, exit: Exit, capacity: usize) -> io::Result<Ledger> {
        let (queue, entries) = mpsc::channel(capacity);
        let closing = CancellationToken::new();
        let task = TaskTracker::new();
        let on_file = matches!(db, Db::Sqlite(_));
        let writing = Writing::new(db, exit, entries);
        let writing = task.track_future(writing.run(closing.clone()));
        if on_file {
            let runtime = Handle::current();
            let thread = thread::Builder::new().name("chinwag-ledger".into());
            thread.spawn(move || runtime.block_on(writing))?;
        } else {
            tokio::spawn(writing);
        }
        Ok(Ledger { queue, closing, task })
    }

    /// Queues a message and returns it once it is durable. Errors: `unavailable` if the queue is
    /// full, `not_found` also for a user who is no member, `conflict`.
    pub async fn append(&self, message: NewMessage) -> Result<Sent, Error> {
        self.ask(|answer| Entry::Message(message, answer)).await
    }

    /// Queues that a member has read a chat. Errors: `unavailable` if the queue is full,
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

    /// Queues a job and returns the open transaction when it is its turn.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let (answer, answered) = oneshot::channel();
        match self.queue.send(Entry::Job(answer)).await {
            Ok(()) => answered.await.unwrap_or(Err(Error::Unavailable(None))),
            Err(_) => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    /// Has SQLite's log cut between two groups.
    pub async fn cut_log(&self) {
        // A ledger that has ended leaves that to the last connection.
        let _ = self.queue.send(Entry::CutLog).await;
    }

    /// False once the task has ended, as it does when the store is closed.
    pub fn is_running(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Refuses further entries and waits until those in the queue are written and answered.
    pub async fn drain(&self) {
        self.closing.cancel();
        self.task.close();
        self.task.wait().await;
    }
}

/// A job's hold of the open transaction. Dropped before it is committed, it changes nothing.
pub struct Tx {
    // Given back first: the outcome says that it is.
    pub(super) inner: OwnedMutexGuard<Transaction>,
    outcome: oneshot::Sender<Done>,
}

/// What a job that is done wants committed.
struct Done {
    events: Vec<Event>,
    /// Whether nobody may come between it and the commit.
    at_once: bool,
    answer: Answer<()>,
}

impl Tx {
    /// Returns when the changes are durable and `events` on their way.
    pub async fn commit(self, events: impl IntoIterator<Item = Event>) -> Result<(), Error> {
        self.end(events, false).await
    }

    /// The same, and no other job runs before that: for a caller that holds a lock over the commit
    /// which another job may wait for.
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
        // Where the ledger has ended there is no answer.
        let _ = self.outcome.send(Done { events, at_once, answer });
        answered.await.unwrap_or(Err(Error::Unavailable(None)))
    }
}
