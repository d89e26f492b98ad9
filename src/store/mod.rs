//! The store. It owns the database, its schema and the ledger; it does not know clients or
//! delivery. Of access it decides one thing, in [`batch`]: who may send a message to a chat (a
//! member who is not blocked or muted, within freezing and slow mode). Only the transaction that
//! appends the message can know that, and it asks for a whole batch at once.
//!
//! One SQL text serves both dialects: [`on!`] expands its body once for each. Reads go to a pool of
//! readers. All writes go through the [`ledger`], and the events of all commits leave by the
//! channel that [`Store::open`] returns, in the order of the commits.

mod accounts;
mod activity;
mod alone;
mod backup;
mod bans;
mod batch;
mod blobs;
mod blocks;
mod bounded;
mod calls;
mod changes;
mod chats;
mod copy;
mod database_files;
mod database_lock;
mod deletions;
mod direct;
mod ended;
mod erasures;
mod events;
mod exit;
mod export;
mod failures;
mod file_urls;
mod files;
mod folding;
mod forgetting;
mod handles;
mod health;
mod in_place;
mod indexed;
mod indexing;
mod invitations;
mod known;
mod last_messages;
mod ledger;
mod listed_members;
mod locks;
mod members;
mod memberships;
mod mentions;
mod messages;
mod nicks;
mod outbox_lock;
mod outgoing;
mod pages;
mod parked;
mod people;
mod postgres;
mod public_chats;
mod reactions;
mod replies;
mod retention;
mod roles;
mod rows;
mod searching;
mod seats;
mod sqlite;
mod teams;
mod tokens;
mod unindexed;
mod unlogged;
mod users;
mod versions;
mod webhook_notes;
mod webhooks;
mod within;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::{Limits, Url};
use crate::error::Error;
use crate::model::{Committed, Mark, Marked, NewMessage, Sent};
use bounded::{PgTransaction, Pool};
use exit::{Exit, Told};
use file_urls::FileUrls;
use ledger::Ledger;
use rows::SqliteWriter;
use sqlite::SqlitePools;

pub use accounts::Taken;
pub use alone::LedgerAlone;
pub use backup::{Backup, backup};
pub use blobs::{Blob, Blobs, Writing};
pub use copy::{CopyStep, copy};
pub use events::{EventReader, StoredEvent};
pub use exit::Keeping;
pub use export::{Export, Imported, export, import};
pub use forgetting::ForgottenTo;
pub use ledger::Tx;
pub use members::Standing;
pub use outbox_lock::OutboxLock;
pub use parked::{ParkedWebhook, ParkedWebhooks};
pub use people::People;
pub use searching::Searchable;
pub use tokens::read_token_key;
pub use unindexed::Unindexed;
pub use unlogged::{Backlog, Unlogged};
pub use webhook_notes::Outcome;
pub use webhooks::{Due, Webhook, WebhookQueue};

/// How many committed events may wait in the channel. When it is full, commits wait.
const COMMITTED_EVENTS: usize = 1024;

/// A database of one of the dialects.
#[derive(Clone)]
enum Db {
    Sqlite(SqlitePools),
    Postgres(Pool),
}

/// Expands `$body` once for each dialect. The name is bound to the store's pool of readers with
/// `Db`, to the connection of an open transaction with `Tx`, and to the connection of a transaction
/// under a lock with `Locked`.
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
        match &mut *$tx.inner {
            $crate::store::Transaction::Sqlite(inner) => {
                let $connection = inner.in_place();
                $body
            }
            $crate::store::Transaction::Postgres(inner) => {
                let $connection = &mut **inner;
                $body
            }
        }
    };
    (Locked $tx:expr, |$connection:ident| $body:expr) => {
        match $tx {
            $crate::store::outbox_lock::LockedTx::Sqlite(tx) => {
                $crate::store::on!(Tx tx, |$connection| $body)
            }
            $crate::store::outbox_lock::LockedTx::Postgres(inner) => {
                let $connection = &mut **inner;
                $body
            }
        }
    };
}
use on;

/// The one store of a server.
pub struct Store {
    db: Db,
    ledger: Ledger,
    urls: Arc<FileUrls>,
    last_number: Arc<AtomicU64>,
    told: Told,
    /// `None` if messages cannot be searched.
    unindexed: Option<Arc<Unindexed>>,
    /// Whether SQLite's log still holds what was deleted since the log was last cut.
    uncut: AtomicBool,
}

impl Store {
    /// Opens the database, creates and migrates it if necessary, and starts its ledger. Committed
    /// events come out of the receiver, which must be read. The addresses of files begin with
    /// `base`.
    pub async fn open(
        url: &Url,
        limits: &Limits,
        keeping: Keeping,
        base: String,
    ) -> Result<(Store, mpsc::Receiver<Committed>), sqlx::Error> {
        let (committed, events) = mpsc::channel(COMMITTED_EVENTS);
        let db = match url.is_file() {
            true => Db::Sqlite(SqlitePools::open(url.expose()).await?),
            false => Db::Postgres(postgres::open(url.expose(), !keeping.for_nodes).await?),
        };
        let last_number = Arc::<AtomicU64>::default();
        let told = Told::default();
        let unindexed = keeping.for_search.then(Arc::<Unindexed>::default);
        let urls = Arc::new(FileUrls::read(&db, base).await?);
        let (number, telling) = (last_number.clone(), told.clone());
        let exit = Exit::new(committed, number, keeping, telling, urls.clone(), unindexed.clone());
        let ledger = Ledger::start(db.clone(), exit, limits.max_unwritten)?;
        if let Db::Sqlite(pools) = &db {
            sqlite::keep_checkpointed(pools, &ledger);
        }
        // The log of a SQLite database that has just been opened is empty.
        let uncut = AtomicBool::default();
        Ok((Store { db, ledger, urls, last_number, told, unindexed, uncut }, events))
    }

    /// Whether the database certainly holds nothing, because its file is not there.
    pub fn is_new(url: &Url) -> bool {
        url.is_file() && sqlite::is_missing(url.expose())
    }

    /// Makes sure that this node still has its lock of the database, and logs if it has not.
    pub async fn ensure_lock(&self) {
        if let Db::Postgres(pool) = &self.db {
            pool.lock.ensure_in_time().await;
        }
        // On SQLite the process keeps the lock of the file until it ends.
    }

    /// Keeps all nodes from deleting rooms that seem to be empty, until
    /// [`release_rooms`](Store::release_rooms) or the end of this node. It is for a node that may
    /// have somebody in a room without the other nodes knowing it.
    pub async fn hold_rooms(&self) -> Result<(), Error> {
        match &self.db {
            Db::Postgres(pool) => Ok(pool.lock.hold_rooms().await?),
            Db::Sqlite(_) => Ok(()),
        }
    }

    /// Ends what [`hold_rooms`](Store::hold_rooms) began, if `all_is_known` returns true.
    pub async fn release_rooms(&self, all_is_known: impl FnOnce() -> bool) -> Result<(), Error> {
        match &self.db {
            Db::Postgres(pool) => Ok(pool.lock.release_rooms(all_is_known).await?),
            Db::Sqlite(_) => Ok(()),
        }
    }

    /// How many of the reading connections one user may use at the same time.
    pub fn readers_for_one(&self) -> usize {
        match &self.db {
            Db::Sqlite(_) => sqlite::READERS_FOR_ONE,
            Db::Postgres(_) => postgres::READERS_FOR_ONE,
        }
    }

    /// Opens a transaction, after those that asked before; see [`Ledger::begin`].
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.ledger.begin().await
    }

    /// Appends a message to its chat; see [`Ledger::append`].
    pub async fn append_message(&self, message: NewMessage) -> Result<Sent, Error> {
        self.ledger.append(message).await
    }

    /// Marks a chat as read; see [`Ledger::mark`].
    pub async fn mark_read(&self, mark: Mark) -> Result<Marked, Error> {
        self.ledger.mark(mark).await
    }

    /// The number of the latest event that was committed, 0 before the first.
    pub fn last_committed(&self) -> u64 {
        self.last_number.load(Ordering::Acquire)
    }

    /// The chats that are still to be [indexed](Store::index_once); `None` if messages cannot be
    /// searched.
    pub fn unindexed(&self) -> Option<&Arc<Unindexed>> {
        self.unindexed.as_ref()
    }

    /// Returns when the database file was deleted or replaced; then the server must end.
    pub async fn lost(&self) {
        match &self.db {
            Db::Sqlite(pools) => pools.files.lost().await,
            Db::Postgres(_) => std::future::pending().await,
        }
    }

    /// Writes what is queued and closes the database, each within `deadline`.
    pub async fn close(&self, deadline: Duration) {
        if tokio::time::timeout(deadline, self.ledger.drain()).await.is_err() {
            tracing::warn!("the queue of what is to be written could not be drained in time");
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

/// Whether the database can store a text. PostgreSQL accepts no NUL, not even in a search.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// An open write transaction. If it is dropped, it changes nothing.
enum Transaction {
    Sqlite(SqliteWriter),
    Postgres(Box<PgTransaction>),
}
