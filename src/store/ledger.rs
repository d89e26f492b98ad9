//! The ledger: one queue of all that is written, and the task that writes it in groups.
//!
//! A group is what has been queued while the group before it was written. It shares a transaction,
//! and so the fsync: its messages are appended together, then its jobs run one after the other,
//! each on the open transaction that [`Tx`] lends it. What it promises:
//!
//! - Nothing is answered before it is durable. If the commit fails, nothing of the group exists, and
//!   all of it is answered with the error.
//! - A job that fails, or is dropped, changes nothing, and the others of its group go on.
//! - Events leave in the order of the commits, before those who caused them are answered.
//!
//! On PostgreSQL each job has a transaction of its own. Other nodes write there too, and jobs that
//! shared one would take their [locks](super::locks) in no order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::append::append;
use super::bounded::PgTransaction;
use super::rows::SqliteWriter;
use super::{Db, Exit, Transaction};
use crate::error::Error;
use crate::model::{Event, NewMessage, Sent};

/// The most entries of one group.
const MAX_GROUP: usize = 512;

/// The most bytes of text that one group appends: they are in memory several times meanwhile.
const MAX_GROUP_BYTES: usize = 8 << 20;

type Answer<T> = oneshot::Sender<Result<T, Error>>;

enum Entry {
    Message(NewMessage, Answer<Sent>),
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
        let writing = Writing { db, exit, queue: entries, waiting: VecDeque::new(), writer: None };
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
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Entry::Message(message, answer)) {
            Ok(()) => answered.await.unwrap_or(Err(Error::Unavailable(None))),
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => Err(Error::Unavailable(None)),
        }
    }

    /// Queues a job and returns the open transaction when it is its turn.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let (answer, answered) = oneshot::channel();
        match self.queue.send(Entry::Job(answer)).await {
            Ok(()) => answered.await.unwrap_or(Err(Error::Unavailable(None))),
            Err(_) => Err(Error::Unavailable(None)),
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

/// What is written together.
#[derive(Default)]
struct Group {
    messages: Vec<NewMessage>,
    senders: Vec<Answer<Sent>>,
    bytes: usize,
    jobs: VecDeque<Answer<Tx>>,
}

impl Group {
    /// Whether an entry may join; `shares` says whether a job may share a transaction.
    fn takes(&self, entry: &Entry, shares: bool) -> bool {
        match entry {
            Entry::Message(message, _) => {
                let fits = self.bytes + message.body.as_ref().len() <= MAX_GROUP_BYTES;
                (fits || self.messages.is_empty()) && (shares || self.jobs.is_empty())
            }
            Entry::Job(_) => shares || (self.messages.is_empty() && self.jobs.is_empty()),
            Entry::CutLog => false,
        }
    }

    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Message(message, sender) => {
                self.bytes += message.body.as_ref().len();
                self.messages.push(message);
                self.senders.push(sender);
            }
            Entry::Job(job) => self.jobs.push_back(job),
            Entry::CutLog => {}
        }
    }

    fn refuse(self, error: &Error) {
        // Here and below: a caller that is gone needs no answer.
        self.senders.into_iter().for_each(|sender| drop(sender.send(Err(error.clone()))));
        self.jobs.into_iter().for_each(|job| drop(job.send(Err(error.clone()))));
    }
}

/// What of a group is done.
#[derive(Default)]
struct Written {
    sent: Vec<Result<Sent, Error>>,
    jobs: Vec<Answer<()>>,
}

/// The writing task.
struct Writing {
    db: Db,
    exit: Exit,
    queue: mpsc::Receiver<Entry>,
    waiting: VecDeque<Entry>,
    /// The connection that writes to a file, between two groups.
    writer: Option<SqliteWriter>,
}

impl Writing {
    async fn run(mut self, closing: CancellationToken) {
        let mut received = Vec::with_capacity(MAX_GROUP);
        loop {
            let count = tokio::select! {
                count = self.queue.recv_many(&mut received, MAX_GROUP) => count,
                () = closing.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            self.waiting.extend(received.drain(..));
            while let Some(entry) = self.waiting.pop_front() {
                self.write_from(entry).await;
            }
        }
    }

    /// Writes the group that begins with an entry.
    async fn write_from(&mut self, first: Entry) {
        if let (Entry::CutLog, Db::Sqlite(pools)) = (&first, &self.db) {
            return pools.cut_log().await;
        }
        let (mut group, shares) = (Group::default(), matches!(self.db, Db::Sqlite(_)));
        group.add(first);
        while let Some(next) = self.waiting.pop_front_if(|next| group.takes(next, shares)) {
            group.add(next);
        }
        let mut written = Written::default();
        let Err(error) = self.write(&mut group, &mut written).await else {
            let sent = group.senders.into_iter().zip(written.sent);
            sent.for_each(|(sender, answer)| drop(sender.send(answer)));
            written.jobs.into_iter().for_each(|job| drop(job.send(Ok(()))));
            // Those after a job that is committed at once.
            group.jobs.into_iter().rev().for_each(|job| self.waiting.push_front(Entry::Job(job)));
            return;
        };
        written.jobs.into_iter().for_each(|job| drop(job.send(Err(error.clone()))));
        group.refuse(&error);
        if let Error::Unavailable(_) = error {
            self.refuse_waiting();
        }
    }

    /// Those who wait one after the other do not each wait for a database that is gone.
    fn refuse_waiting(&mut self) {
        self.waiting.extend(std::iter::from_fn(|| self.queue.try_recv().ok()));
        let mut group = Group::default();
        self.waiting.drain(..).for_each(|entry| group.add(entry));
        group.refuse(&Error::Unavailable(None));
    }

    /// Writes a group in one transaction; what it leaves in `group.jobs` is for the next.
    async fn write(&mut self, group: &mut Group, written: &mut Written) -> Result<(), Error> {
        let transaction = Arc::new(Mutex::new(self.begin().await?));
        let mut events = Vec::new();
        let messages = std::mem::take(&mut group.messages);
        if !messages.is_empty() {
            let (sent, posted) = append(&mut lend(&transaction).await.0, messages).await?;
            written.sent = sent;
            events.extend(posted.into_iter().map(Event::MessageSent));
        }
        let appended = events.len() as u64;
        let alone = written.sent.is_empty() && group.jobs.len() == 1;
        while let Some(job) = group.jobs.pop_front() {
            match run(&transaction, job, alone).await? {
                Some(done) => {
                    events.extend(done.events);
                    written.jobs.push(done.answer);
                    if done.at_once {
                        break;
                    }
                }
                None if alone => return self.roll_back(transaction),
                None => {}
            }
        }
        self.commit(transaction, events).await?;
        metrics::counter!("chinwag_messages_total").increment(appended);
        metrics::counter!("chinwag_message_batches_total").increment(u64::from(appended > 0));
        Ok(())
    }

    async fn begin(&mut self) -> Result<Transaction, Error> {
        match &self.db {
            Db::Sqlite(pools) => {
                pools.files.check()?;
                let writer = match self.writer.take() {
                    Some(writer) => writer,
                    None => SqliteWriter::take(&pools.writer).await?,
                };
                writer.execute("begin immediate")?;
                Ok(Transaction::Sqlite(writer))
            }
            Db::Postgres(pool) => {
                Ok(Transaction::Postgres(Box::new(PgTransaction::begin(pool).await?)))
            }
        }
    }

    async fn commit(
        &mut self,
        transaction: Arc<Mutex<Transaction>>,
        events: Vec<Event>,
    ) -> Result<(), Error> {
        let kept = self.exit.keep(&mut lend(&transaction).await.0, &events).await?;
        match take_back(transaction)? {
            Transaction::Sqlite(writer) => {
                writer.execute("commit")?;
                self.writer = Some(writer);
            }
            Transaction::Postgres(inner) => inner.commit().await?,
        }
        // After the commit, which may have gone to a file that nobody will find.
        if let Db::Sqlite(pools) = &self.db {
            pools.files.check()?;
        }
        self.exit.send(events, kept).await;
        Ok(())
    }

    fn roll_back(&mut self, transaction: Arc<Mutex<Transaction>>) -> Result<(), Error> {
        // That of PostgreSQL is rolled back when it is dropped.
        if let Transaction::Sqlite(writer) = take_back(transaction)? {
            writer.execute("rollback")?;
            self.writer = Some(writer);
        }
        Ok(())
    }
}

/// Whoever it was lent to has given it back.
fn take_back(transaction: Arc<Mutex<Transaction>>) -> Result<Transaction, Error> {
    Ok(Arc::into_inner(transaction).ok_or(Error::Internal(None))?.into_inner())
}

/// Runs a job; none if it is to change nothing.
async fn run(
    transaction: &Arc<Mutex<Transaction>>,
    job: Answer<Tx>,
    alone: bool,
) -> Result<Option<Done>, Error> {
    if !alone {
        execute(transaction, "savepoint job").await?;
    }
    let (tx, outcome) = lend(transaction).await;
    // If the caller is gone, it is dropped here.
    drop(job.send(Ok(tx)));
    let done = outcome.await.ok();
    if done.is_none() && !alone {
        execute(transaction, "rollback to job").await?;
    }
    Ok(done)
}

async fn lend(transaction: &Arc<Mutex<Transaction>>) -> (Tx, oneshot::Receiver<Done>) {
    let (outcome, receiver) = oneshot::channel();
    (Tx { inner: transaction.clone().lock_owned().await, outcome }, receiver)
}

/// On SQLite, where jobs share a transaction.
async fn execute(transaction: &Mutex<Transaction>, sql: &str) -> Result<(), Error> {
    match &*transaction.lock().await {
        Transaction::Sqlite(writer) => writer.execute(sql),
        Transaction::Postgres(_) => Ok(()),
    }
}
