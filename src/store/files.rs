//! The `files` table: the files that users have sent, and which messages hold them. As long as no
//! message holds a file, it has a time at which it expires: then housekeeping deletes it. The bytes
//! are in [blobs](super::blobs).

use std::collections::BTreeSet;

use sqlx_macros::FromRow;

use super::{Store, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, File, FileId, FileName, FileType, Message, UserId};

/// How many expired files are listed at once.
const AT_ONCE: i64 = 100;

#[derive(FromRow)]
struct FileRow {
    id: FileId,
    name: FileName,
    kind: FileType,
    size: i64,
    width: Option<i64>,
    height: Option<i64>,
}

impl From<FileRow> for File {
    fn from(row: FileRow) -> File {
        let FileRow { id, name, kind, size, width, height } = row;
        File { id, name, kind, size, width, height, url: String::new() }
    }
}

impl Store {
    /// The file that an address names, and until when the address is valid, in seconds since 1970.
    /// Errors: `forbidden` if the address is not signed or too old; `not_found`.
    pub async fn find_file(
        &self,
        id: FileId,
        until: i64,
        signature: &str,
    ) -> Result<(File, i64), Error> {
        let until = self.urls.check(id, until, signature)?;
        let found: Option<FileRow> = on!(Db self, |pool| {
            sqlx::query_as("select id, name, kind, size, width, height from files where id = $1")
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        Ok((found.ok_or_else(|| Error::no_file("id"))?.into(), until))
    }

    /// How many bytes all files have.
    pub async fn count_file_bytes(&self) -> Result<u64, Error> {
        let bytes: i64 = on!(Db self, |pool| {
            sqlx::query_scalar("select cast(coalesce(sum(size), 0) as bigint) from files")
                .fetch_one(pool)
                .await?
        });
        Ok(bytes.unsigned_abs())
    }

    /// Some of the files that have expired, without the first `skipped`.
    pub async fn list_expired_files(&self, now: Time, skipped: i64) -> Result<Vec<FileId>, Error> {
        let files = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select id from files where expires_at <= $1
                 order by expires_at, id limit $2 offset $3",
            )
            .bind(now)
            .bind(AT_ONCE)
            .bind(skipped)
            .fetch_all(pool)
            .await?
        });
        Ok(files)
    }

    /// Gives the file of a message its address.
    pub fn sign_file(&self, message: &mut Message) {
        self.urls.sign(message);
    }
}

impl Tx {
    /// Stores a file that no message holds yet; it expires at `expires_at`.
    pub async fn insert_file(
        &mut self,
        file: &File,
        user_id: &UserId,
        now: Time,
        expires_at: Time,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into files
                     (id, user_id, name, kind, size, width, height, created_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(file.id)
            .bind(user_id)
            .bind(&file.name)
            .bind(&file.kind)
            .bind(file.size)
            .bind(file.width)
            .bind(file.height)
            .bind(now)
            .bind(expires_at)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Keeps a user's file from expiring, for a message; `None` if the user has no such file, or it
    /// has expired.
    pub async fn hold_file(
        &mut self,
        id: FileId,
        user_id: &UserId,
        now: Time,
    ) -> Result<Option<File>, Error> {
        let held: Option<FileRow> = on!(Tx self, |connection| {
            sqlx::query_as(
                "update files set expires_at = null
                 where id = $1 and user_id = $2 and (expires_at is null or expires_at > $3)
                 returning id, name, kind, size, width, height",
            )
            .bind(id)
            .bind(user_id)
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        let signed = |row| {
            let file = File::from(row);
            File { url: self.urls.url(file.id), ..file }
        };
        Ok(held.map(signed))
    }

    /// Notes that a new message holds its file.
    pub(super) async fn insert_message_file(&mut self, message: &Message) -> Result<(), Error> {
        let Some(file) = &message.file else {
            return Ok(());
        };
        on!(Tx self, |connection| {
            sqlx::query("insert into message_files (chat_id, seq, file_id) values ($1, $2, $3)")
                .bind(message.chat_id)
                .bind(message.seq)
                .bind(file.id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Separates a message from its file; a file that no message holds any more expires.
    pub async fn delete_message_file(&mut self, message: &Message, now: Time) -> Result<(), Error> {
        self.delete_message_files(message.chat_id, message.seq - 1, message.seq, now).await
    }

    /// Separates a chat's messages after `after` up to `to` from their files.
    pub(super) async fn delete_message_files(
        &mut self,
        chat_id: ChatId,
        after: i64,
        to: i64,
        now: Time,
    ) -> Result<(), Error> {
        let files: Vec<FileId> = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "delete from message_files where chat_id = $1 and seq > $2 and seq <= $3
                 returning file_id",
            )
            .bind(chat_id)
            .bind(after)
            .bind(to)
            .fetch_all(connection)
            .await?
        });
        // Each file once, and all in the same order everywhere, as they are locked one after the
        // other.
        for id in BTreeSet::from_iter(files) {
            // First lock the file. Whoever sends it in another message holds the lock until that
            // message is committed, and only the next statement sees the message.
            on!(Tx self, |connection| {
                sqlx::query("update files set expires_at = expires_at where id = $1")
                    .bind(id)
                    .execute(connection)
                    .await?;
            });
            on!(Tx self, |connection| {
                sqlx::query(
                    "update files set expires_at = $2 where id = $1 and not exists (
                         select 1 from message_files where file_id = $1
                     )",
                )
                .bind(id)
                .bind(now)
                .execute(connection)
                .await?;
            });
        }
        Ok(())
    }

    /// Lets the files of a user expire that no message holds.
    pub async fn expire_unused_files(&mut self, user_id: &UserId, now: Time) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update files set expires_at = $2 where user_id = $1 and expires_at is not null",
            )
            .bind(user_id)
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Marks a file as expired if its time comes by `until`: from now on no message can hold it.
    /// Returns false if a message holds it, or it is gone.
    pub async fn end_file(&mut self, id: FileId, until: Time) -> Result<bool, Error> {
        let done = on!(Tx self, |connection| {
            sqlx::query("update files set expires_at = 0 where id = $1 and expires_at <= $2")
                .bind(id)
                .bind(until)
                .execute(connection)
                .await?
                .rows_affected()
        });
        Ok(done > 0)
    }

    /// Deletes the row of a file whose bytes are deleted.
    pub async fn delete_file(&mut self, id: FileId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from files where id = $1 and expires_at is not null")
                .bind(id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
