//! An export: rows as lines of JSON, for people and for another database. Its format is
//! `docs/export.schema.json`; what it holds is in [tables].

mod import;
mod records;
mod tables;

use std::io::{self, Write};

use futures_util::{Stream, TryStreamExt};
use sqlx::{
    AssertSqlSafe, ColumnIndex, ConnectOptions, Decode, PgConnection, Row, SqliteConnection, Type,
};
use uuid::Uuid;

pub use import::{Imported, import};

use super::sqlite::json;
use super::{postgres, sqlite, versions};
use crate::clock;
use crate::config::Url;
use crate::error::CopyError;
use records::{HEADER, RecordWriter};
use tables::{Kind, TABLES, Table};

/// How many rows the driver reads ahead from SQLite; each may be half a megabyte.
const AHEAD: usize = 32;

/// What is exported.
#[derive(Clone, Debug)]
pub enum Export {
    /// Everything, including the hashes of passwords.
    All,
    /// A chat, and the public profiles of users who are or were in it.
    Chat(Uuid),
    /// The messages, memberships and profile of the user with this `id`.
    User(String),
}

/// Writes an export as lines of JSON. A server may use the database meanwhile: all lines are of one
/// state of it. Returns the number of rows. Errors: also if there is no such chat or user.
pub async fn export(database: &Url, what: &Export, out: &mut impl Write) -> Result<u64, CopyError> {
    let failed = CopyError::of(database);
    let mut reader = Reader::open(database).await?;
    let chats = reader.list_chats(what).await.map_err(&failed)?;
    let is_there = match what {
        Export::All => true,
        Export::Chat(_) => !chats.is_empty(),
        Export::User(id) => reader.has_user(id).await.map_err(&failed)?,
    };
    if !is_there {
        return Err(CopyError::NothingToExport);
    }
    out.write_all(HEADER.as_bytes()).map_err(unwritten)?;
    let mut rows = 0;
    for table in &TABLES {
        rows += reader.write(database, table, what, &chats, out).await?;
    }
    // Without this line, an import could not tell a part of an export from a whole one.
    writeln!(out, r#"{{"rows":{rows}}}"#).map_err(unwritten)?;
    out.flush().map_err(unwritten)?;
    Ok(rows)
}

/// A transaction that reads one state of a database.
enum Reader {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Expands `$body` once for each kind of database.
macro_rules! with {
    ($reader:expr, |$connection:ident| $body:expr) => {
        match $reader {
            Reader::Sqlite($connection) => $body,
            Reader::Postgres($connection) => $body,
        }
    };
}

impl Reader {
    async fn open(database: &Url) -> Result<Reader, CopyError> {
        let failed = CopyError::of(database);
        if database.is_file() {
            let options =
                sqlite::existing(database)?.read_only(true).immutable(false).row_buffer_size(AHEAD);
            let mut connection = options.connect().await.map_err(&failed)?;
            sqlx::raw_sql("begin").execute(&mut connection).await.map_err(&failed)?;
            let applied = sqlx::query_as(versions::LIST_APPLIED).fetch_all(&mut connection).await;
            versions::check(database, &sqlite::MIGRATIONS, applied)?;
            return Ok(Reader::Sqlite(connection));
        }
        let options = postgres::options(database.expose()).map_err(&failed)?;
        let options = options.application_name("chinwag export").options(postgres::UNBOUNDED);
        let mut connection =
            options.disable_statement_logging().connect().await.map_err(&failed)?;
        let begin = "begin isolation level repeatable read, read only";
        sqlx::raw_sql(begin).execute(&mut connection).await.map_err(&failed)?;
        let applied = sqlx::query_as(versions::LIST_APPLIED).fetch_all(&mut connection).await;
        versions::check(database, &postgres::MIGRATIONS, applied)?;
        if postgres::is_unfinished(&mut connection).await.map_err(&failed)? {
            let why = "it waits for the rest of a copy: end that by the same chinwag copy";
            return Err(CopyError::Unfit { url: database.clone(), why });
        }
        Ok(Reader::Postgres(connection))
    }

    /// The chats that an export of a chat or a user covers.
    async fn list_chats(&mut self, what: &Export) -> Result<Vec<Uuid>, sqlx::Error> {
        with!(self, |connection| match what {
            Export::All => Ok(Vec::new()),
            Export::Chat(id) => {
                let sql = format!("{} and id = $1", tables::ALL_CHATS);
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(*id).fetch_all(connection).await
            }
            Export::User(id) => {
                sqlx::query_scalar(tables::CHATS_OF_USER).bind(id).fetch_all(connection).await
            }
        })
    }

    async fn has_user(&mut self, id: &str) -> Result<bool, sqlx::Error> {
        let sql = "select exists (select 1 from users where id = $1)";
        with!(self, |connection| sqlx::query_scalar(sql).bind(id).fetch_one(connection).await)
    }

    /// Writes the rows of a table.
    async fn write(
        &mut self,
        database: &Url,
        table: &Table,
        what: &Export,
        chats: &[Uuid],
        out: &mut impl Write,
    ) -> Result<u64, CopyError> {
        match self {
            Reader::Sqlite(connection) => {
                let sql = select(table, what, "select unhex(value, '-') from json_each($1)");
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = match what {
                    Export::All => query,
                    Export::Chat(_) => query.bind(json(chats.iter())),
                    Export::User(id) => query.bind(json(chats.iter())).bind(id),
                };
                write_rows(query.fetch(connection), table, out, database).await
            }
            Reader::Postgres(connection) => {
                let sql = select(table, what, "select unnest($1::uuid[])");
                let query = sqlx::query(AssertSqlSafe(sql));
                let query = match what {
                    Export::All => query,
                    Export::Chat(_) => query.bind(chats),
                    Export::User(id) => query.bind(chats).bind(id),
                };
                write_rows(query.fetch(connection), table, out, database).await
            }
        }
    }
}

/// The query for the rows of a table, in the order of its key. `chats` is a query for the chats in
/// `$1` that the export covers; `$2` is the user.
fn select(table: &Table, what: &Export, chats: &str) -> String {
    let Table { name, key, of_all, of_chat, of_user, .. } = table;
    let (chats, others, filter) = match what {
        Export::All => (tables::ALL_CHATS, tables::ALL, of_all),
        Export::Chat(_) => (chats, tables::OF_CHAT, of_chat),
        Export::User(_) => (chats, tables::OF_USER, of_user),
    };
    let columns = table.columns.iter().map(|(column, _)| table.shown(column, what));
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!(
        "with c (id) as ({chats}), {others} select {columns} from {name} where {filter} order by {key}"
    )
}

async fn write_rows<R: Row>(
    mut rows: impl Stream<Item = Result<R, sqlx::Error>> + Unpin,
    table: &Table,
    out: &mut impl Write,
    database: &Url,
) -> Result<u64, CopyError>
where
    usize: ColumnIndex<R>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i16: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Uuid: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> clock::Time: Decode<'r, R::Database> + Type<R::Database>,
{
    let unread = CopyError::of(database);
    let (mut line, mut count) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await.map_err(&unread)? {
        line.clear();
        let mut record = RecordWriter::begin(&mut line, table.name);
        for (at, (column, kind)) in table.columns.iter().enumerate() {
            match kind {
                Kind::Text => record.add(column, row.try_get::<Option<&str>, _>(at)),
                Kind::Json => record.add_json(column, row.try_get(at)),
                Kind::Uuid => record.add(column, row.try_get::<Option<Uuid>, _>(at)),
                Kind::Big => record.add(column, row.try_get::<Option<i64>, _>(at)),
                Kind::Small => record.add(column, row.try_get::<Option<i16>, _>(at)),
                Kind::Flag => record.add(column, row.try_get::<Option<bool>, _>(at)),
                Kind::Time => record.add_time(column, row.try_get(at)),
            }
            .map_err(&unread)?;
        }
        record.end();
        out.write_all(&line).map_err(unwritten)?;
        count += 1;
    }
    Ok(count)
}

fn unwritten(source: io::Error) -> CopyError {
    CopyError::File { file: "the standard output".into(), source }
}
