//! SQLite, tuned for a server: a write-ahead log, an fsync at every commit, one writer, and
//! checkpoints that run beside the commits instead of in them.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use serde::Serialize;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqliteConnection, SqlitePool};
use tokio::time::{Instant, MissedTickBehavior};

use super::database_files::Files;
use super::ledger::Ledger;
use crate::config::Url;
use crate::error::CopyError;

pub(super) static MIGRATIONS: Migrator = sqlx_macros::migrate!("migrations/sqlite");

const READERS: u32 = 2;
/// How many of the connections one user may read by at the same time.
pub(super) const READERS_FOR_ONE: usize = 1;
/// How often the log is copied into the file. A page that many commits have changed is copied only
/// once for all of them. With a shorter time it is copied more often; with a longer one more pages
/// are copied at once, and commits wait for the disk meanwhile.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(200);
/// How long writers may wait for readers when the log is cut. A backup reads for far longer: until
/// it is done, the log grows.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_millis(100);
/// How long the server that ran before may take to release the file.
const FILE_LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const PAGE_SIZE: i64 = 4096;
/// A write-ahead log with more pages than this is copied completely while nobody writes, so that
/// the next commit starts it from the beginning. For a commit, extending a file costs more than
/// overwriting it.
const LOG_PAGES: i64 = 4096;
/// A log with more pages than this (64 MiB) is cut. It only grows so long while somebody reads for
/// long, as a backup does.
const MAX_LOG_PAGES: i64 = 16_384;
/// How many pages the writer keeps in memory (16 MiB): for each active chat, the page with its last
/// messages and those with its members.
const WRITER_PAGES: i64 = 4096;

/// How a checkpoint copies the log into the file.
#[derive(Clone, Copy)]
pub(super) enum How {
    /// Copies as far as readers allow, and waits for nobody. If that is the whole log, the next
    /// commit starts the log from the beginning.
    Copy,
    /// Copies the whole log and empties it; waits a moment for readers.
    Cut,
}

/// The log after a checkpoint.
pub(super) struct Log {
    /// How many pages the log has; -1 if another process is copying it.
    pub pages: i64,
    /// How many of the pages are not in the file yet.
    pub left: i64,
}

/// The connection that copies the log. While somebody holds it, the file is not closed.
pub(super) struct Checkpointer(PoolConnection<Sqlite>);

impl Checkpointer {
    /// Errors: for example, the disk is full.
    pub async fn checkpoint(&mut self, how: How) -> Result<Log, sqlx::Error> {
        let sql = match how {
            How::Copy => "pragma wal_checkpoint(passive)",
            How::Cut => "pragma wal_checkpoint(truncate)",
        };
        let (_busy, pages, copied): (i64, i64, i64) =
            sqlx::query_as(sql).fetch_one(&mut *self.0).await?;
        Ok(Log { pages, left: pages - copied })
    }
}

#[derive(Clone)]
pub(super) struct SqlitePools {
    /// The only connection that writes.
    pub writer: SqlitePool,
    pub readers: SqlitePool,
    /// The connection for checkpoints.
    checkpointer: SqlitePool,
    pub files: Arc<Files>,
    lock: Arc<File>,
}

impl SqlitePools {
    /// Opens the file; creates and migrates it if necessary. Errors: another server uses it.
    pub async fn open(url: &str) -> Result<SqlitePools, sqlx::Error> {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL could lose acknowledged messages in a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .pragma("journal_size_limit", (MAX_LOG_PAGES * PAGE_SIZE).to_string())
            // Deleted data is overwritten.
            .pragma("secure_delete", "on")
            .pragma("wal_autocheckpoint", "0");
        let lock = Arc::new(lock(options.get_filename()).await?);
        make_private(options.get_filename());
        // The ledger's thread uses this connection besides the driver's thread.
        let writer =
            options.clone().serialized(true).pragma("cache_size", WRITER_PAGES.to_string());
        let writer = pool(1).connect_with(writer).await?;
        MIGRATIONS.run(&writer).await?;
        // After a crash, the log may still hold something that was to be erased.
        let cut = sqlx::query("pragma wal_checkpoint(truncate)");
        cut.execute(&writer).await?;
        let readers =
            pool(READERS).connect_with(options.clone().pragma("query_only", "on")).await?;
        // The readers have read something by now, so the log exists.
        let files = Arc::new(Files::of(options.get_filename())?);
        let checkpointer = pool(1).connect_with(options.busy_timeout(CHECKPOINT_TIMEOUT)).await?;
        Ok(SqlitePools { writer, readers, checkpointer, files, lock })
    }

    /// Closes all connections. The last one to close copies the log into the file.
    pub async fn close(&self) {
        // If the database file was deleted or replaced, SQLite leaves the log, and would apply it
        // to the next file of that name.
        if self.files.is_lost()
            && let Err(error) = self.cut_log().await
        {
            tracing::error!(%error, "the lost file's log is left: delete FILE-wal before reusing its name");
        }
        self.checkpointer.close().await;
        self.readers.close().await;
        self.writer.close().await;
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the database could not be unlocked");
        }
    }

    async fn cut_log(&self) -> Result<Log, sqlx::Error> {
        self.checkpointer().await?.checkpoint(How::Cut).await
    }

    /// Errors: `PoolClosed` once the file is being closed.
    pub async fn checkpointer(&self) -> Result<Checkpointer, sqlx::Error> {
        self.checkpointer.acquire().await.map(Checkpointer)
    }
}

/// Creates a new file that only its owner can read: it holds the keys that sign tokens. SQLite
/// gives the files that it puts beside it the same mode.
fn make_private(file: &Path) {
    // If the file cannot be created, SQLite says why.
    let _ = File::options().write(true).create_new(true).mode(0o600).open(file);
}

/// Keeps other servers away from a database, as they would not hear of each other's events; a
/// backup may still read it. The lock ends with the process, and its file stays. Errors: another
/// server has the lock.
async fn lock(database: &Path) -> Result<File, sqlx::Error> {
    // Use the real name: SQLite follows links, too. And do not lock the database itself: SQLite
    // loses its own locks of a file when any handle of the file is closed.
    let real = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let mut name = real.into_os_string();
    name.push("-lock");
    let opened = File::options().write(true).create(true).truncate(false).open(&name);
    let file = opened.map_err(|error| {
        let why = format!("{}: {error}", name.display());
        sqlx::Error::Configuration(why.into())
    })?;
    let until = Instant::now() + FILE_LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if Instant::now() > until => {
                let why = "another server uses it; nodes that share a database need PostgreSQL";
                return Err(sqlx::Error::Configuration(why.into()));
            }
            // The server that ran before may still be shutting down.
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether there is no such file.
pub(super) fn is_missing(url: &str) -> bool {
    let found = SqliteConnectOptions::from_str(url).map(|it| fs::exists(it.get_filename()));
    matches!(found, Ok(Ok(false)))
}

/// Options to open an existing database; they never create one.
pub(super) fn existing(url: &Url) -> Result<SqliteConnectOptions, CopyError> {
    let failed = CopyError::of(url);
    let options = SqliteConnectOptions::from_str(url.expose()).map_err(&failed)?;
    match fs::metadata(options.get_filename()) {
        Ok(_) => Ok(options.create_if_missing(false).disable_statement_logging()),
        Err(_) => Err(CopyError::NoDatabase(options.get_filename().to_owned())),
    }
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(|connection, _| Box::pin(keep_plans(connection)))
}

/// Keeps SQLite from preparing a statement again whenever its `limit` gets another value, which
/// would cost more than most statements do.
#[expect(unsafe_code, reason = "sqlx does not offer the setting, and lends its handle")]
async fn keep_plans(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut locked = connection.lock_handle().await?;
    let handle = locked.as_raw_handle().as_ptr();
    // SAFETY: the handle is open, and nobody else uses it while it is locked.
    let set = unsafe { rusqlite::Connection::from_handle(handle) }.and_then(|connection| {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
    });
    set.map(drop).map_err(|error| sqlx::Error::AnyDriverError(Box::new(error)))
}

/// Checkpoints until the database is closed.
pub(super) fn keep_checkpointed(pools: &SqlitePools, ledger: &Ledger) {
    let (pools, ledger) = (pools.clone(), ledger.clone());
    tokio::spawn(async move {
        let mut every = tokio::time::interval(CHECKPOINT_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            match keep_log_short(&pools, &ledger).await {
                Ok(()) => {}
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => tracing::warn!(%error, "checkpoint failed"),
            }
        }
    });
}

async fn keep_log_short(pools: &SqlitePools, ledger: &Ledger) -> Result<(), sqlx::Error> {
    let mut checkpointer = pools.checkpointer().await?;
    // If nobody writes, only this check notices that the file is gone. While this holds the
    // checkpointer the file is not closed: closing deletes the log, which would look like a loss.
    let _ = pools.files.check();
    let log = checkpointer.checkpoint(How::Copy).await?;
    // If much is left, somebody has been reading for long, and no checkpoint can copy more.
    if log.pages > LOG_PAGES && log.left <= LOG_PAGES {
        let how = if log.pages > MAX_LOG_PAGES { How::Cut } else { How::Copy };
        ledger.checkpoint(checkpointer, how).await?;
    }
    Ok(())
}

/// A JSON array, as `json_each` reads it.
pub(super) fn json<T: Serialize>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<T> = items.collect();
    // Serializing texts and numbers cannot fail.
    serde_json::to_string(&items).unwrap_or_default()
}
