//! The task that writes to SQLite. There is one, and it writes the whole queue.

use std::collections::VecDeque;
use std::iter::{from_fn, repeat_with};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::group::{Group, MAX_GROUP, answer};
use super::{Answer, Done, Entry, Tx, is_away, lend, note_commit, take_back};
use crate::defects;
use crate::error::Error;
use crate::model::Kept;
use crate::store::batch::{self, Written};
use crate::store::rows::SqliteWriter;
use crate::store::sqlite::SqlitePools;
use crate::store::{Exit, Transaction};

/// How long the jobs of a group may take, as its messages wait for them. The remaining jobs are
/// left to the next group.
const JOBS: Duration = Duration::from_millis(5);

pub(super) struct Writing {
    pools: SqlitePools,
    exit: Exit,
    queue: mpsc::Receiver<Entry>,
    waiting: VecDeque<Entry>,
    /// The connection that writes, kept here between two groups.
    writer: Option<SqliteWriter>,
}

impl Writing {
    pub fn new(pools: SqlitePools, exit: Exit, queue: mpsc::Receiver<Entry>) -> Writing {
        Writing { pools, exit, queue, waiting: VecDeque::new(), writer: None }
    }

    /// Runs until the queue is closed and empty.
    pub async fn run(mut self, closing: CancellationToken) {
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

    /// Writes the group that begins with this entry.
    async fn write_from(&mut self, first: Entry) {
        if let Entry::Checkpoint(mut checkpointer, how, answer) = first {
            // An asker that is gone needs no answer.
            let _ = answer.send(checkpointer.checkpoint(how).await);
            return;
        }
        let mut group = Group::default();
        group.add(first);
        // Add what came while the jobs of the group before waited: in a group, messages are written
        // before jobs.
        let room = MAX_GROUP.saturating_sub(self.waiting.len());
        self.waiting.extend(from_fn(|| self.queue.try_recv().ok()).take(room));
        while let Some(next) = self.waiting.pop_front_if(|next| group.takes(next)) {
            group.add(next);
        }
        match self.write(&mut group).await {
            Ok(Written { sent, marked, .. }) => {
                answer(group.senders, sent);
                answer(group.markers, marked);
                answer(group.done, repeat_with(|| Ok(())));
                // Jobs for which there was no time, or which had to wait for the commit of another
                // job.
                let left = group.jobs.into_iter().rev().map(Entry::Job);
                left.for_each(|job| self.waiting.push_front(job));
            }
            Err(error) => {
                group.refuse(&error);
                if is_away(&error) {
                    self.refuse_waiting();
                }
            }
        }
    }

    /// If the database is away, refuses all waiting entries at once.
    fn refuse_waiting(&mut self) {
        self.waiting.extend(from_fn(|| self.queue.try_recv().ok()));
        let mut group = Group::default();
        self.waiting.drain(..).for_each(|entry| group.add(entry));
        group.refuse(&Error::Unavailable(None));
    }

    /// Writes a group in one transaction. The jobs that it leaves in `group.jobs` are for the next
    /// one.
    async fn write(&mut self, group: &mut Group) -> Result<Written, Error> {
        let begun = Instant::now();
        let transaction = Arc::new(Mutex::new(self.begin().await?));
        match self.fill(&transaction, group).await {
            Ok(Some((mut written, kept))) => {
                if defects::has("acknowledge before commit") {
                    answer(mem::take(&mut group.senders), mem::take(&mut written.sent));
                }
                self.commit(transaction).await?;
                note_commit(begun);
                written.count();
                self.exit.send(mem::take(&mut written.events), kept).await;
                Ok(written)
            }
            Ok(None) => {
                self.roll_back(transaction)?;
                Ok(Written::default())
            }
            Err(error) => {
                wait_for_driver(&mut *transaction.lock().await).await?;
                Err(error)
            }
        }
    }

    /// Writes a group and its events into an open transaction; `None` if nothing is to be
    /// committed.
    async fn fill(
        &mut self,
        transaction: &Arc<Mutex<Transaction>>,
        group: &mut Group,
    ) -> Result<Option<(Written, Vec<Kept>)>, Error> {
        let alone = !group.has_batch() && group.jobs.len() == 1;
        let mut written = Written::default();
        if group.has_batch() {
            let (messages, marks) = (mem::take(&mut group.messages), mem::take(&mut group.marks));
            written =
                batch::write(&mut lend(transaction, &self.exit).await.0, messages, marks).await?;
        }
        let (begun, mut ran, mut at_once) = (Instant::now(), false, false);
        while !at_once
            && (!ran || begun.elapsed() < JOBS)
            && let Some(job) = group.jobs.pop_front()
        {
            ran = true;
            match run(transaction, &self.exit, job, alone).await? {
                Some(done) => {
                    written.events.extend(done.events);
                    group.done.push(done.answer);
                    at_once = done.at_once;
                }
                None if alone => return Ok(None),
                None => {}
            }
        }
        let kept =
            self.exit.keep(&mut lend(transaction, &self.exit).await.0, &written.events).await?;
        Ok(Some((written, kept)))
    }

    async fn begin(&mut self) -> Result<Transaction, Error> {
        self.pools.files.check()?;
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => SqliteWriter::take(&self.pools.writer).await?,
        };
        writer.execute("begin immediate")?;
        Ok(Transaction::Sqlite(writer))
    }

    async fn commit(&mut self, transaction: Arc<Mutex<Transaction>>) -> Result<(), Error> {
        if let Transaction::Sqlite(writer) = take_back(transaction)? {
            writer.execute("commit")?;
            self.writer = Some(writer);
        }
        // Check after the commit: it may have gone to a file that was deleted or replaced.
        Ok(self.pools.files.check()?)
    }

    fn roll_back(&mut self, transaction: Arc<Mutex<Transaction>>) -> Result<(), Error> {
        // A transaction that has ended by itself cannot be rolled back.
        if let Transaction::Sqlite(writer) = take_back(transaction)?
            && writer.is_open()
        {
            writer.execute("rollback")?;
            self.writer = Some(writer);
        }
        Ok(())
    }
}

/// Runs a job; `None` if the job was dropped, and so changes nothing.
async fn run(
    transaction: &Arc<Mutex<Transaction>>,
    exit: &Exit,
    job: Answer<Tx>,
    alone: bool,
) -> Result<Option<Done>, Error> {
    if !alone && let Transaction::Sqlite(writer) = &*transaction.lock().await {
        writer.execute("savepoint job")?;
    }
    let (tx, outcome) = lend(transaction, exit).await;
    // If the caller is gone, `tx` is dropped here.
    drop(job.send(Ok(tx)));
    let done = outcome.await.ok();
    if let Transaction::Sqlite(writer) = &mut *transaction.lock().await {
        if done.is_none() {
            // The driver may still be running a statement for which nobody waits.
            writer.ping().await?;
            // This happens after a full disk, for example, which ends the whole transaction.
            if !writer.is_open() {
                return Err(Error::Unavailable(None));
            }
            if !alone {
                writer.execute("rollback to job")?;
            }
        }
        if !alone {
            writer.execute("release job")?;
        }
    }
    Ok(done)
}

/// Waits until SQLite's driver has finished its last statement, even if nobody waits for the
/// result.
async fn wait_for_driver(transaction: &mut Transaction) -> Result<(), Error> {
    if let Transaction::Sqlite(writer) = transaction {
        writer.ping().await?;
    }
    Ok(())
}
