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

use super::{postgres, sqlite, versions};
use crate::clock;
use crate::config::Url;
use crate::error::CopyError;
use records::{HEADER, RecordWriter};
use tables::{Kind, PRIVATE, SECRET, TABLES, Table};

/// Rows that the driver reads ahead of a file; each may be half a megabyte.
const AHEAD: usize = 32;

/// What is exported.
#[derive(Clone, Debug)]
pub enum Export {
    /// Everything, the hashes of passwords too.
    All,
    /// A chat, and the public profiles of those who are or were in it.
    Chat(Uuid),
    /// What a user has said and is part of, and the profile, by the user's `id`.
    User(String),
}

/// Writes an export as lines of JSON. A server may use the database: all lines are of one state of
/// it. Returns how many rows that are. Errors: also if there is no such chat or user.
pub async fn export(database: &Url, what: &Export, out: &mut impl Write) -> Result<u64, CopyError> {
    let failed = CopyError::of(database);
    let mut reader = Reader::open(database).await?;
    if !reader.is_there(what).await.map_err(&failed)? {
        return Err(CopyError::NothingToExport);
    }
    out.write_all(HEADER.as_bytes()).map_err(unwritten)?;
    let mut rows = 0;
    for table in &TABLES {
        rows += reader.write(database, table, what, out).await?;
    }
    out.flush().map_err(unwritten)?;
    Ok(rows)
}

/// A transaction that reads one state of a database.
enum Reader {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The same on either kind of database.
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
        let options = options.application_name("chinwag export").disable_statement_logging();
        let mut connection = options.connect().await.map_err(&failed)?;
        let begin = "begin isolation level repeatable read, read only";
        sqlx::raw_sql(begin).execute(&mut connection).await.map_err(&failed)?;
        let applied = sqlx::query_as(versions::LIST_APPLIED).fetch_all(&mut connection).await;
        versions::check(database, &postgres::MIGRATIONS, applied)?;
        Ok(Reader::Postgres(connection))
    }

    async fn is_there(&mut self, what: &Export) -> Result<bool, sqlx::Error> {
        with!(self, |connection| match what {
            Export::All => Ok(true),
            Export::Chat(id) => {
                let sql = "select exists (select 1 from chats where id = $1 and not ended)";
                sqlx::query_scalar(sql).bind(*id).fetch_one(connection).await
            }
            Export::User(id) => {
                let sql = "select exists (select 1 from users where id = $1)";
                sqlx::query_scalar(sql).bind(id).fetch_one(connection).await
            }
        })
    }

    /// Writes the rows of a table.
    async fn write(
        &mut self,
        database: &Url,
        table: &Table,
        what: &Export,
        out: &mut impl Write,
    ) -> Result<u64, CopyError> {
        let sql = select(table, what);
        with!(self, |connection| {
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = match what {
                Export::All => query,
                Export::Chat(id) => query.bind(*id),
                Export::User(id) => query.bind(id),
            };
            write_rows(query.fetch(connection), table, out, database).await
        })
    }
}

/// The query for the rows of a table, in the order of its key.
fn select(table: &Table, what: &Export) -> String {
    let Table { name, key, of_all, of_chat, of_user, .. } = table;
    let (begin, filter) = match what {
        Export::All => (tables::ALL, of_all),
        Export::Chat(_) => (tables::OF_CHAT, of_chat),
        Export::User(_) => (tables::OF_USER, of_user),
    };
    let shown = |column: &str| match what {
        Export::All => column.to_owned(),
        _ if column == SECRET => format!("null as {column}"),
        Export::Chat(_) if PRIVATE.contains(&column) => format!("null as {column}"),
        Export::User(_) if PRIVATE.contains(&column) => {
            format!("case when id = $1 then {column} end as {column}")
        }
        _ => column.to_owned(),
    };
    let columns = table.columns.iter().map(|(column, _)| match *name {
        "users" => shown(column),
        _ => (*column).to_owned(),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!("{begin} select {columns} from {name} where {filter} order by {key}")
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
                Kind::Time => record.add(column, row.try_get::<Option<clock::Time>, _>(at)),
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
