//! Moving everything from SQLite to PostgreSQL.
//!
//! Rows are copied in the order of their primary keys, in PostgreSQL's binary `copy` format, and
//! are compared in that format: the checksum of a table is the SHA-256 of what `copy … to stdout
//! (format binary)` returns. So the target always holds the first rows of a table, and their number
//! says where an unfinished copy continues.

mod rows;
mod source;
mod target;

use futures_util::{Stream, TryStreamExt};
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;

use crate::config::Url;
use crate::error::CopyError;
use rows::{Batch, Checksum, KnownMember, Table};
use source::Source;
use target::Target;

/// The tables that are copied, each after those it refers to, and which of their rows. The other
/// tables and rows matter only to a running server: ephemeral chats have nobody in them when it is
/// stopped, and the events are in the event log already. Streams keep their numbers, and events
/// that the webhook does not have yet are copied.
const TABLES: [(&str, &str); 21] = [
    ("users", "true"),
    ("teams", "true"),
    ("chats", "not ephemeral"),
    ("members", "chat_id not in (select id from chats where ephemeral)"),
    ("messages", "chat_id not in (select id from chats where ephemeral)"),
    ("reactions", "chat_id not in (select id from chats where ephemeral)"),
    ("mentions", "chat_id not in (select id from chats where ephemeral)"),
    (
        "files",
        "expires_at is not null or id in (
             select file_id from message_files
             where chat_id not in (select id from chats where ephemeral)
         )",
    ),
    ("message_files", "chat_id not in (select id from chats where ephemeral)"),
    ("team_members", "true"),
    ("invitations", "chat_id not in (select id from chats where ephemeral)"),
    ("tokens", "true"),
    ("released_handles", "true"),
    ("blocks", "true"),
    ("former_members", "chat_id not in (select id from chats where ephemeral)"),
    ("bans", "chat_id not in (select id from chats where ephemeral)"),
    (
        "streams",
        "stream not like 'chat/%'
         or unhex(substr(stream, 6), '-') in (select id from chats where not ephemeral)",
    ),
    (
        "events",
        "(stream, number) in (
             select stream, number from webhooks union select stream, number from parked_webhooks
         )",
    ),
    ("webhooks", "true"),
    ("parked_webhooks", "true"),
    ("erasures", "true"),
];

/// The tables whose rows get their numbers from the database.
const NUMBERED: [&str; 2] = ["events", "erasures"];

/// The progress of a copy, in rows.
#[derive(Clone, Debug)]
pub enum CopyStep {
    /// The source has this many rows.
    Read { table: &'static str, rows: u64 },
    /// The target has `rows` rows, committed.
    Copied { table: &'static str, rows: u64, of: u64 },
    /// The target has been read back.
    Compared { table: &'static str, rows: u64, of: u64, same: bool },
}

/// Copies a SQLite database that nobody uses into an empty PostgreSQL database, or continues an
/// unfinished copy, and compares the two in the end. No other program may write to the target
/// meanwhile: that would spoil the copy.
pub async fn copy(from: &Url, to: &Url, mut report: impl FnMut(CopyStep)) -> Result<(), CopyError> {
    let mut source = Source::open(from).await?;
    let unread = CopyError::of(from);
    if source.has_unlogged().await.map_err(&unread)? {
        return Err(CopyError::Unlogged(from.clone()));
    }
    let mut target = Target::open(to).await?;
    let (mut tables, mut origin) = (Vec::new(), Sha256::new());
    for (name, filter) in TABLES {
        let table = source.describe(name, filter).await.map_err(&unread)?;
        let read = checksum(&mut source, &table).await.map_err(&unread)?;
        origin.update(read.digest);
        report(CopyStep::Read { table: name, rows: read.rows });
        tables.push((table, read));
    }
    target.prepare(&origin.finalize()).await?;
    for (table, read) in &tables {
        copy_table(&mut source, &mut target, table, read.rows, &mut report).await?;
    }
    compare(&mut target, &tables, &mut report).await?;
    target.finish(&TABLES.map(|(name, _)| name), &NUMBERED).await
}

/// Computes the checksum of a table by reading it once.
async fn checksum(source: &mut Source, table: &Table) -> Result<Checksum, sqlx::Error> {
    let (mut rows, mut reading) = (source.rows(table, 0), KnownMember::start());
    loop {
        let batch = fill(&mut rows, table).await?;
        if batch.rows == 0 {
            return Ok(reading.finish());
        }
        reading.add(&batch);
    }
}

async fn copy_table(
    source: &mut Source,
    target: &mut Target,
    table: &Table,
    of: u64,
    report: &mut impl FnMut(CopyStep),
) -> Result<(), CopyError> {
    let (unread, unwritten) = (CopyError::of(&source.url), CopyError::of(&target.url));
    let mut done = target.count(table).await.map_err(&unwritten)?;
    report(CopyStep::Copied { table: table.name, rows: done, of });
    let mut rows = source.rows(table, done);
    let mut batch = fill(&mut rows, table).await.map_err(&unread)?;
    while batch.rows > 0 {
        let (stored, next) = tokio::join!(target.store(table, &batch), fill(&mut rows, table));
        stored.map_err(&unwritten)?;
        done += batch.rows;
        report(CopyStep::Copied { table: table.name, rows: done, of });
        batch = next.map_err(&unread)?;
    }
    Ok(())
}

/// The next rows that are stored together; an empty batch at the end.
async fn fill(
    rows: &mut (impl Stream<Item = Result<SqliteRow, sqlx::Error>> + Unpin),
    table: &Table,
) -> Result<Batch, sqlx::Error> {
    let mut batch = Batch::default();
    while !batch.is_full() {
        match rows.try_next().await? {
            Some(row) => batch.push(&row, table)?,
            None => break,
        }
    }
    Ok(batch)
}

/// Reads the target back.
async fn compare(
    target: &mut Target,
    tables: &[(Table, Checksum)],
    report: &mut impl FnMut(CopyStep),
) -> Result<(), CopyError> {
    let mut different = Vec::new();
    for (table, read) in tables {
        let written = target.checksum(table).await.map_err(CopyError::of(&target.url))?;
        let same = written == *read;
        let (rows, of) = (written.rows, read.rows);
        report(CopyStep::Compared { table: table.name, rows, of, same });
        if !same {
            different.push(table.name);
        }
    }
    match different.is_empty() {
        true => Ok(()),
        false => Err(CopyError::Differs { url: target.url.clone(), tables: different.join(", ") }),
    }
}
