//! The connection that writes to SQLite, and the statements that run most often: those of messages
//! and marks. They write prepared rows on the connection's own handle, in the ledger's thread.
//!
//! To write many rows with one statement of the driver, a JSON text must be built and parsed, and
//! the statement passes to the driver's thread and back: together that was more than half of the
//! cost of a stored message. All other statements that write have the same text for both databases,
//! and run [in place](super::in_place) if they are short.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection, SqlitePool};

use super::batch::Key;
use super::chats::Head;
use super::in_place::Handle;
use super::known::Known;
use super::members::KnownMember;
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, Message, UserId};

/// The only connection that writes. If it is dropped in the middle of a transaction, it rolls back.
pub(super) struct SqliteWriter {
    // Declared first: it must be dropped before the connection, whose handle it uses.
    handle: Box<Handle>,
    connection: PoolConnection<Sqlite>,
    /// What is remembered of the database, which nobody else changes.
    pub known: Known,
}

impl SqliteWriter {
    /// Takes the only connection of a pool, which must have been opened as `serialized`.
    #[expect(unsafe_code, reason = "the rows are written through the handle of sqlx")]
    pub async fn take(pool: &SqlitePool) -> Result<SqliteWriter, Error> {
        let mut connection = pool.acquire().await?;
        let handle = connection.lock_handle().await?.as_raw_handle();
        // SAFETY: the handle is open until `connection` is dropped, after `handle`. Both may use
        // it, from two threads even, as it was opened as serialized.
        let rows = unsafe { rusqlite::Connection::from_handle(handle.as_ptr()) }?;
        let handle = Box::new(Handle::new(rows));
        Ok(SqliteWriter { handle, connection, known: Known::default() })
    }

    /// The handle on which short statements run without the driver.
    pub fn in_place(&mut self) -> &mut Handle {
        &mut self.handle
    }

    pub fn rows(&self) -> &rusqlite::Connection {
        self.handle.connection()
    }

    pub fn execute(&self, sql: &str) -> Result<(), Error> {
        self.rows().prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Whether a transaction is open; some errors end it.
    pub fn is_open(&self) -> bool {
        !self.rows().is_autocommit()
    }

    /// Returns those of `keys` under which a message was sent before.
    pub fn find_keys(&self, keys: Vec<Key>) -> Result<Vec<Key>, Error> {
        let mut find = self.rows().prepare_cached(
            "select 1 from messages where chat_id = ?1 and user_id = ?2 and client_id = ?3",
        )?;
        let mut found = Vec::new();
        for key in keys {
            let (chat, user, client) = &key;
            let row = params![bytes(chat), user.as_ref(), client.as_ref()];
            if find.query_row(row, |_| Ok(())).optional()?.is_some() {
                found.push(key);
            }
        }
        Ok(found)
    }

    pub fn insert_messages(&self, messages: &[Arc<Message>]) -> Result<(), Error> {
        let mut insert = self.rows().prepare_cached(
            "insert into messages
                 (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
        )?;
        for message in messages {
            insert.execute(params![
                bytes(&message.chat_id),
                message.seq,
                bytes(&message.id),
                message.user_id.as_ref(),
                message.kind as i16,
                message.body.as_ref(),
                message.client_id.as_ref().map(AsRef::as_ref),
                message.created_at.as_micros(),
            ])?;
        }
        Ok(())
    }

    /// Stores the last `seq` and the activity of chats, and updates the copies of their activity.
    pub fn update_heads(&self, heads: &[&Head]) -> Result<(), Error> {
        let mut update = self
            .rows()
            .prepare_cached("update chats set last_seq = ?2, active_at = ?3 where id = ?1")?;
        let mut keep = self.rows().prepare_cached(
            "update members indexed by members_kept set active_at = ?2
             where chat_id = ?1 and active_at is not null",
        )?;
        for head in heads {
            let (id, at) = (bytes(&head.id), head.active_at.as_micros());
            update.execute(params![id, head.last_seq, at])?;
            if head.kept {
                keep.execute(params![id, at])?;
            }
        }
        Ok(())
    }

    pub fn update_readings(
        &self,
        readings: &[(ChatId, &UserId, &KnownMember)],
    ) -> Result<(), Error> {
        let mut update = self.rows().prepare_cached(
            "update members set read_seq = ?3, own_unread = ?4, sent_at = ?5
             where chat_id = ?1 and user_id = ?2",
        )?;
        for (chat, user, KnownMember { read_seq, own_unread, sent_at, .. }) in readings {
            let sent_at = sent_at.map(Time::as_micros);
            update.execute(params![bytes(chat), user.as_ref(), read_seq, own_unread, sent_at])?;
        }
        Ok(())
    }
}

fn bytes(id: &impl AsRef<[u8]>) -> &[u8] {
    id.as_ref()
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        // A transaction that has ended by itself, as after a full disk, cannot be rolled back.
        if self.is_open()
            && let Err(error) = self.rows().execute_batch("rollback")
        {
            tracing::error!(%error, "a transaction was not rolled back");
        }
    }
}

impl Deref for SqliteWriter {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for SqliteWriter {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
