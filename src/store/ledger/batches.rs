//! Writes PostgreSQL's batches: the messages and marks that have come meanwhile, in one
//! transaction.
//!
//! A chat is in only one batch at a time, so that its messages keep the order of the queue. As long
//! as batches are quick, they are written one after the other. If a batch takes long, because one
//! of its chats is locked or the database is far away, other chats do not wait for it.
//!
//! For PostgreSQL the cost is in the transaction rather than in the message. So if messages come
//! faster than they are written, a batch begins only every [`PACE`], or after [`BESIDE`] if another
//! one is still being written. A message that comes alone does not wait.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::group::{Group, MAX_GROUP, answer};
use super::{Entry, is_away, note_commit};
use crate::error::Error;
use crate::model::ChatId;
use crate::store::Exit;
use crate::store::batch::{self, Written};
use crate::store::bounded::Pool;
use crate::store::calls::{begin_batch, insert_webhooks, write_batch};
use crate::store::outgoing::Outgoing;

/// How long to wait after the beginning of the batch before.
const PACE: Duration = Duration::from_millis(10);

/// How long to wait if the batch before is still being written. It is slow, and a batch beside it
/// would only make both smaller.
const BESIDE: Duration = Duration::from_millis(50);

/// If this many messages and marks are waiting and no batch is being written, the next batch begins
/// at once: a larger one would hardly make each message cheaper.
const WORTH_IT: usize = 32;

/// How many batches are written at the same time.
const AT_ONCE: usize = 3;

pub(super) struct Batches {
    pool: Pool,
    exit: Arc<Exit>,
    queue: mpsc::Receiver<Entry>,
    waiting: VecDeque<Entry>,
    /// How many entries may wait.
    capacity: usize,
    /// The batches that are being written; each returns whether the database is away.
    underway: JoinSet<bool>,
    /// The chats in these batches, each with its batch.
    chats: HashMap<ChatId, Id>,
    /// When the latest batch was begun; `None` if the next one need not wait.
    begun: Option<Instant>,
}

impl Batches {
    pub fn new(
        pool: Pool,
        exit: Arc<Exit>,
        queue: mpsc::Receiver<Entry>,
        capacity: usize,
    ) -> Batches {
        let (waiting, underway) = (VecDeque::new(), JoinSet::new());
        let (chats, begun) = (HashMap::new(), None);
        Batches { pool, exit, queue, waiting, capacity, underway, chats, begun }
    }

    /// Runs until the queue is closed and empty, and all entries are answered.
    pub async fn run(mut self, closing: CancellationToken) {
        let (mut received, mut open) = (Vec::with_capacity(MAX_GROUP), true);
        while open || !self.waiting.is_empty() || !self.underway.is_empty() {
            let has_room = self.waiting.len() < self.capacity;
            let may_begin = !self.waiting.is_empty() && self.underway.len() < AT_ONCE;
            let next = self.next().unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                count = self.queue.recv_many(&mut received, MAX_GROUP), if open && has_room => {
                    open = count > 0;
                    self.waiting.extend(received.drain(..));
                }
                Some(ended) = self.underway.join_next_with_id() => self.note_end(ended),
                () = sleep_until(next), if may_begin => {}
                () = closing.cancelled(), if !self.queue.is_closed() => self.queue.close(),
            }
            self.begin();
        }
    }

    /// The earliest time at which the next batch may begin, if it must wait.
    fn next(&self) -> Option<Instant> {
        let pace = if self.underway.is_empty() { PACE } else { BESIDE };
        self.begun.map(|begun| begun + pace)
    }

    /// Begins a batch if it is time. If each waiting chat is in a batch already, the next try comes
    /// after another pause.
    fn begin(&mut self) {
        let now = Instant::now();
        let is_worth_it = self.underway.is_empty() && self.waiting.len() >= WORTH_IT;
        if self.waiting.is_empty()
            || self.underway.len() >= AT_ONCE
            || (self.next().is_some_and(|next| now < next) && !is_worth_it)
        {
            return;
        }
        self.begun = Some(now);
        let group = self.next_group();
        if !group.has_batch() {
            return;
        }
        let chats = Vec::from_iter(group.chats());
        let task = self.underway.spawn(write(self.pool.clone(), self.exit.clone(), group));
        self.chats.extend(chats.into_iter().map(|chat_id| (chat_id, task.id())));
    }

    /// A group of waiting entries, without those of chats that are in a batch already.
    fn next_group(&mut self) -> Group {
        let (mut group, mut left, mut count) = (Group::default(), VecDeque::new(), 0);
        while let Some(entry) = self.waiting.pop_front() {
            let is_busy = entry.chat_id().is_some_and(|id| self.chats.contains_key(&id));
            if is_busy {
                left.push_back(entry);
            } else if count < MAX_GROUP && group.takes(&entry) {
                count += 1;
                group.add(entry);
            } else {
                left.push_back(entry);
                break;
            }
        }
        left.append(&mut self.waiting);
        self.waiting = left;
        group
    }

    fn note_end(&mut self, ended: Result<(Id, bool), JoinError>) {
        let (ended, is_away) = ended.unwrap_or_else(|error| (error.id(), false));
        self.chats.retain(|_, batch| *batch != ended);
        if is_away {
            self.refuse_waiting();
        }
        if self.waiting.is_empty() && self.underway.is_empty() {
            self.begun = None;
        }
    }

    /// If the database is away, refuses all waiting entries at once.
    fn refuse_waiting(&mut self) {
        while let Ok(entry) = self.queue.try_recv() {
            self.waiting.push_back(entry);
        }
        let mut group = Group::default();
        self.waiting.drain(..).for_each(|entry| group.add(entry));
        group.refuse(&Error::Unavailable(None));
    }
}

/// Writes a batch and answers its entries; returns whether the database is away.
async fn write(pool: Pool, exit: Arc<Exit>, mut group: Group) -> bool {
    match write_group(&pool, &exit, &mut group).await {
        Ok(written) => {
            answer(group.senders, written.sent);
            answer(group.markers, written.marked);
            false
        }
        Err(error) => {
            group.refuse(&error);
            is_away(&error)
        }
    }
}

async fn write_group(pool: &Pool, exit: &Exit, group: &mut Group) -> Result<Written, Error> {
    let begun = Instant::now();
    let (messages, marks) = (mem::take(&mut group.messages), mem::take(&mut group.marks));
    let (mut tx, found) = begin_batch(pool, &messages, &marks).await?;
    let mut numbered = batch::number(found.known, found.sent, messages, marks);
    if numbered.changes_nothing() {
        return Ok(numbered.written);
    }
    let events = mem::take(&mut numbered.written.events);
    let kept = match exit.are_logged() {
        Some(logged) => write_batch(&mut tx, &numbered, Outgoing::of(&events)?, logged).await?,
        None => write_batch(&mut tx, &numbered, Outgoing::default(), true).await?,
    };
    if exit.has_webhook() {
        insert_webhooks(&mut tx, &kept).await?;
    }
    exit.commit(tx, events, kept).await?;
    note_commit(begun.into_std());
    numbered.written.count();
    Ok(numbered.written)
}
