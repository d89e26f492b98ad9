//! The way out of the store for committed events, in the order of the commits.

use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc, oneshot};

use super::Tx;
use super::bounded::PgTransaction;
use super::file_urls::FileUrls;
use super::unindexed::Unindexed;
use crate::error::Error;
use crate::model::{Committed, Event, Kept};

/// Sends committed events out of the store.
pub(super) struct Exit {
    committed: mpsc::Sender<Committed>,
    last_number: Arc<AtomicU64>,
    keeping: Keeping,
    told: Told,
    /// Makes the addresses of the files in events.
    pub urls: Arc<FileUrls>,
    unindexed: Option<Arc<Unindexed>>,
    /// Ends when the turn that was taken last ends.
    last_turn: Mutex<Option<oneshot::Receiver<()>>>,
}

/// For whom committed events are stored: other nodes, the event log, the webhook, or nobody. And
/// whether messages are indexed for searches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping {
    pub for_nodes: bool,
    pub for_log: bool,
    pub for_webhook: bool,
    pub for_search: bool,
}

/// Notified when this node has committed something for the event log or the webhook.
#[derive(Clone, Default)]
pub(super) struct Told {
    pub log: Arc<Notify>,
    pub webhook: Arc<Notify>,
}

/// A transaction's turn in the order in which events leave. It must not be dropped before the turns
/// that come earlier have ended.
struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _end: oneshot::Sender<()>,
}

impl Turn {
    async fn comes(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is sent on this channel: the turn before ends when it is dropped.
            let _ = before.await;
        }
    }
}

impl Exit {
    /// Sends events to `committed`, and tells the writer of the index by `unindexed`.
    pub fn new(
        committed: mpsc::Sender<Committed>,
        last_number: Arc<AtomicU64>,
        keeping: Keeping,
        told: Told,
        urls: Arc<FileUrls>,
        unindexed: Option<Arc<Unindexed>>,
    ) -> Exit {
        let last_turn = Mutex::default();
        Exit { committed, last_number, keeping, told, urls, unindexed, last_turn }
    }

    /// Whether events need not wait for an event log, as there is none; `None` if they are not
    /// stored.
    pub fn are_logged(&self) -> Option<bool> {
        let Keeping { for_nodes, for_log, for_webhook, .. } = self.keeping;
        (for_nodes || for_log || for_webhook).then_some(!for_log)
    }

    /// Whether stored events are also queued for the webhook.
    pub fn has_webhook(&self) -> bool {
        self.keeping.for_webhook
    }

    /// Stores events in the transaction that made them, if anybody needs them.
    pub async fn keep(&self, tx: &mut Tx, events: &[Event]) -> Result<Vec<Kept>, Error> {
        let Some(logged) = self.are_logged() else {
            return Ok(Vec::new());
        };
        let kept = tx.insert_events(events, logged).await?;
        if self.has_webhook() {
            tx.insert_webhooks(&kept).await?;
        }
        Ok(kept)
    }

    /// Commits one of several transactions that are open at the same time, and sends its events. It
    /// must not be cancelled.
    ///
    /// The turn is taken while the transaction still holds its locks. A transaction that has waited
    /// for these locks, or has seen what this one wrote, therefore gets a later turn, and its
    /// events come later.
    pub async fn commit(
        &self,
        tx: PgTransaction,
        events: Vec<Event>,
        kept: Vec<Kept>,
    ) -> Result<(), Error> {
        let mut turn = self.take_turn();
        let committed = tx.commit().await;
        turn.comes().await;
        committed?;
        self.send(events, kept).await;
        Ok(())
    }

    fn take_turn(&self) -> Turn {
        let (end, ended) = oneshot::channel();
        // No code panics while it holds the lock.
        let mut last = self.last_turn.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { before: last.replace(ended), _end: end }
    }

    /// Sends committed events, with what was stored of them, if they were stored.
    pub async fn send(&self, events: Vec<Event>, kept: Vec<Kept>) {
        if self.keeping.for_log && !events.is_empty() {
            self.told.log.notify_one();
        }
        if self.keeping.for_webhook && !events.is_empty() {
            self.told.webhook.notify_one();
        }
        if let Some(unindexed) = &self.unindexed {
            unindexed.note(&events);
        }
        let kept = kept.into_iter().map(Some).chain(iter::repeat_with(|| None));
        let at = Instant::now();
        for (event, kept) in events.into_iter().zip(kept) {
            let number = self.last_number.fetch_add(1, Ordering::AcqRel) + 1;
            if self.committed.send(Committed { number, kept, at, event }).await.is_err() {
                tracing::debug!("an event was committed after the server stopped listening");
            }
        }
    }
}
