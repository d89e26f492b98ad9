//! Where everything is kept. It owns the database, its schema and the message writer; it knows
//! nothing of clients and delivery, and of access only what a transaction alone can know: that a
//! message's sender is a member when it is appended.
//!
//! One SQL text serves every dialect: [`on!`] expands its body once for each. Reads go to a pool
//! of readers. Writes go through [`Store::begin`] or the [message writer](writer), and every
//! commit that clients should hear of leaves by the channel that [`Store::open`] returns, in the
//! order of the commits.

mod accounts;
mod activity;
mod backup;
mod bounded;
mod chats;
mod copy;
mod direct;
mod ended;
mod events;
mod files;
mod folding;
mod handles;
mod health;
mod invitations;
mod locks;
mod members;
mod messages;
mod nicks;
mod postgres;
mod seats;
mod sqlite;
mod teams;
mod tokens;
mod unlogged;
mod users;
mod writer;

use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sqlx::Sqlite;
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, mpsc};
use tokio::time::Instant;

use crate::config::{Limits, Url};
use crate::error::Error;
use crate::model::{Committed, Event, Kept, NewMessage, Sent};
use bounded::{PgTransaction, Pool};
use files::Files;
use sqlite::SqlitePools;
use writer::Writer;

pub use accounts::Taken;
pub use backup::{Backup, backup};
pub use copy::{CopyStep, copy};
pub use events::{EventReader, StoredEvent};
pub use members::Standing;
pub use unlogged::{Backlog, LogTurn, Unlogged};

/// How many committed events may wait to be taken; then commits wait too.
const COMMITTED_EVENTS: usize = 1024;

/// A database of one of the dialects.
#[derive(Clone)]
enum Db {
    Sqlite(SqlitePools),
    Postgres(Pool),
}

/// Expands `$body` once per dialect: with `Db` the name is a store's pool of readers, with `Tx` the
/// connection of an open transaction.
macro_rules! on {
    (Db $store:expr, |$pool:ident| $body:expr) => {
        match &$store.db {
            $crate::store::Db::Sqlite(pools) => {
                let $pool = &pools.readers;
                $body
            }
            $crate::store::Db::Postgres($pool) => $body,
        }
    };
    (Tx $tx:expr, |$connection:ident| $body:expr) => {
        match &mut $tx.inner {
            $crate::store::Transaction::Sqlite(inner) => {
                let $connection = &mut **inner;
                $body
            }
            $crate::store::Transaction::Postgres(inner) => {
                let $connection = &mut **inner;
                $body
            }
        }
    };
}
use on;

/// Where committed events leave. Its lock is held by whoever writes, from before the first
/// statement until the events are sent: that gives them the order of the commits.
#[derive(Debug)]
struct Exit {
    committed: mpsc::Sender<Committed>,
    last_number: Arc<AtomicU64>,
    keeping: Keeping,
    to_log: Arc<Notify>,
    /// When the database did not answer the last time.
    missed_at: std::sync::Mutex<Option<Instant>>,
}

/// Whom committed events are kept for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping {
    pub for_nodes: bool,
    pub for_log: bool,
}

impl Exit {
    fn miss(&self) {
        *self.missed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn was_missed_since(&self, time: Instant) -> bool {
        let missed_at = self.missed_at.lock().unwrap_or_else(PoisonError::into_inner);
        missed_at.is_some_and(|missed_at| missed_at > time)
    }

    async fn send(&self, events: impl IntoIterator<Item = (Event, Option<Kept>)>) {
        for (event, kept) in events {
            let number = self.last_number.fetch_add(1, Ordering::AcqRel) + 1;
            if self.committed.send(Committed { number, kept, event }).await.is_err() {
                tracing::debug!("an event was committed after the server stopped listening");
            }
        }
    }
}

type Turn = Arc<Mutex<Exit>>;

/// The one store of a server.
pub struct Store {
    db: Db,
    writer: Writer,
    turn: Turn,
    last_number: Arc<AtomicU64>,
    to_log: Arc<Notify>,
}

impl Store {
    /// Opens the database, makes and migrates it if need be, and starts its message writer.
    /// Committed events come out of the receiver; it must be read.
    pub async fn open(
        url: &Url,
        limits: &Limits,
        keeping: Keeping,
    ) -> Result<(Store, mpsc::Receiver<Committed>), sqlx::Error> {
        let (committed, events) = mpsc::channel(COMMITTED_EVENTS);
        let db = match url.is_file() {
            true => Db::Sqlite(SqlitePools::open(url.expose()).await?),
            false => Db::Postgres(postgres::open(url.expose(), !keeping.for_nodes).await?),
        };
        let last_number = Arc::<AtomicU64>::default();
        let to_log = Arc::<Notify>::default();
        let exit = Exit {
            committed,
            last_number: last_number.clone(),
            keeping,
            to_log: to_log.clone(),
            missed_at: std::sync::Mutex::default(),
        };
        let turn = Arc::new(Mutex::new(exit));
        let writer = Writer::start(db.clone(), turn.clone(), limits.max_unwritten);
        if let Db::Sqlite(pools) = &db {
            sqlite::keep_checkpointed(pools, &turn);
        }
        Ok((Store { db, writer, turn, last_number, to_log }, events))
    }

    /// Whether the database is certain to hold nothing: it is a file that is not there.
    pub fn is_new(url: &Url) -> bool {
        url.is_file() && sqlite::is_missing(url.expose())
    }

    /// Makes sure that this node has its lock of the database still. Errors: another node is there
    /// that this one does not hear.
    pub async fn ensure_lock(&self) -> Result<(), sqlx::Error> {
        match &self.db {
            Db::Postgres(pool) => pool.lock.ensure().await,
            // The process keeps it until it ends.
            Db::Sqlite(_) => Ok(()),
        }
    }

    /// Keeps all nodes from deleting rooms that seem to be empty, until
    /// [`release_rooms`](Store::release_rooms) or the end of this node: somebody may be in one
    /// without their knowing.
    pub async fn hold_rooms(&self) -> Result<(), Error> {
        match &self.db {
            Db::Postgres(pool) => Ok(pool.lock.hold_rooms().await?),
            Db::Sqlite(_) => Ok(()),
        }
    }

    /// This node keeps them no more from that, if `all_is_known`.
    pub async fn release_rooms(&self, all_is_known: impl FnOnce() -> bool) -> Result<(), Error> {
        match &self.db {
            Db::Postgres(pool) => Ok(pool.lock.release_rooms(all_is_known).await?),
            Db::Sqlite(_) => Ok(()),
        }
    }

    /// How many of the connections that are read by one user may have at the same time.
    pub fn readers_for_one(&self) -> usize {
        match &self.db {
            Db::Sqlite(_) => sqlite::READERS_FOR_ONE,
            Db::Postgres(_) => postgres::READERS_FOR_ONE,
        }
    }

    /// Opens a transaction, after those that asked before. Whoever calls it must not be
    /// cancelled before it has committed or failed.
    pub async fn begin(&self) -> Result<Tx, Error> {
        Tx::begin(&self.db, &self.turn).await
    }

    /// Appends a message to its chat; see [`Writer::append`].
    pub async fn append_message(&self, message: NewMessage) -> Result<Sent, Error> {
        self.writer.append(message).await
    }

    /// The number of the latest event that was committed, 0 before the first.
    pub fn last_committed(&self) -> u64 {
        self.last_number.load(Ordering::Acquire)
    }

    /// Until the database was taken away from under the server, which cannot go on then.
    pub async fn lost(&self) {
        match &self.db {
            Db::Sqlite(pools) => pools.files.lost().await,
            Db::Postgres(_) => std::future::pending().await,
        }
    }

    /// Writes what is queued and closes the database, each within `deadline`.
    pub async fn close(&self, deadline: Duration) {
        if tokio::time::timeout(deadline, self.writer.drain()).await.is_err() {
            tracing::warn!("the message queue could not be drained in time");
        }
        let closing = async {
            match &self.db {
                Db::Sqlite(pools) => pools.close().await,
                Db::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(deadline, closing).await.is_err() {
            tracing::warn!("the database could not be closed in time");
        }
    }
}

/// Whether a text can be in the database: PostgreSQL takes no NUL, not even to look for one.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(Box<PgTransaction>),
}

/// An open write transaction; dropped, it changes nothing.
pub struct Tx {
    // Dropped before the turn, so that a rollback ends before the next transaction begins.
    inner: Transaction,
    /// Of the file that it is on.
    files: Option<Arc<Files>>,
    turn: Arc<OwnedMutexGuard<Exit>>,
}

impl Tx {
    async fn begin(db: &Db, turn: &Turn) -> Result<Tx, Error> {
        let asked_at = Instant::now();
        let turn = Arc::new(turn.clone().lock_owned().await);
        // Those who wait one after the other do not each wait for a database that is gone.
        if turn.was_missed_since(asked_at) {
            return Err(Error::Unavailable(None));
        }
        match db {
            Db::Sqlite(pools) => {
                pools.files.check()?;
                let inner = pools.writer.begin_with("begin immediate").await?;
                let files = Some(pools.files.clone());
                Ok(Tx { inner: Transaction::Sqlite(inner), files, turn })
            }
            Db::Postgres(pool) => {
                let inner = PgTransaction::begin(pool, turn.clone()).await?;
                let inner = Transaction::Postgres(Box::new(inner));
                Ok(Tx { inner, files: None, turn })
            }
        }
    }

    /// Makes the changes durable, then sends `events` on their way.
    pub async fn commit(mut self, events: impl IntoIterator<Item = Event>) -> Result<(), Error> {
        let events = Vec::from_iter(events);
        let Keeping { for_nodes, for_log } = self.turn.keeping;
        let kept = match for_nodes || for_log {
            true => self.insert_events(&events, !for_log).await?,
            false => Vec::new(),
        };
        match self.inner {
            Transaction::Sqlite(inner) => inner.commit().await?,
            Transaction::Postgres(inner) => inner.commit().await?,
        }
        // After the commit, which may have gone to a file that nobody will find.
        if let Some(files) = self.files {
            files.check()?;
        }
        if for_log && !events.is_empty() {
            self.turn.to_log.notify_one();
        }
        let kept = kept.into_iter().map(Some).chain(iter::repeat_with(|| None));
        self.turn.send(events.into_iter().zip(kept)).await;
        Ok(())
    }
}
