//! Reading an export into a database, all of it or nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};

use super::records::{Record, write_row};
use super::tables::{Kind, TABLES, Table};
use crate::clock;
use crate::config::{Limits, Url};
use crate::error::CopyError;
use crate::store::exit::Keeping;
use crate::store::sqlite::json;
use crate::store::{Store, postgres, sqlite};

/// The version of the format that is read.
const VERSION: u64 = 1;

/// The most bytes of a line: far more than a row has.
const MAX_LINE: u64 = 64 << 20;

/// About how many bytes of rows one statement writes.
const AT_ONCE: usize = 1 << 20;

/// How long it may take to close the database.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of an import, for one table.
#[derive(Clone, Debug)]
pub struct Imported {
    pub table: &'static str,
    pub read: u64,
    /// The rows that were not written were in the database already.
    pub written: u64,
}

/// Reads an export, or the standard input if `file` is `-`, into a database that no server uses; a
/// database that does not exist is created. Users, teams and chats that are there already stay as
/// they are, with everything in them. If there is an error, nothing is written.
pub async fn import(database: &Url, file: &Path) -> Result<Vec<Imported>, CopyError> {
    let mut lines = Lines::open(file)?;
    if !lines.begin_an_export()? {
        let why = "this is no export of Chinwag's; one that is compressed is to be unpacked first";
        return Err(lines.unimportable("1", why));
    }
    // This creates and migrates the database, and keeps servers away until it is closed.
    let opened = Store::open(database, &Limits::default(), Keeping::default(), String::new()).await;
    let (store, _events) = opened.map_err(CopyError::of(database))?;
    let imported = import_lines(database, lines).await;
    store.close(CLOSE_TIMEOUT).await;
    imported
}

async fn import_lines(database: &Url, mut lines: Lines<'_>) -> Result<Vec<Imported>, CopyError> {
    let mut import = Import {
        target: Target::open(database).await?,
        database,
        tables: Vec::new(),
        known: HashSet::new(),
        pending: Pending::default(),
    };
    // How many rows the current export has had so far; `None` between exports.
    let mut rows = None;
    while lines.next()? {
        let record = Record::parse(&lines.text).map_err(|why| lines.unimportable_here(why))?;
        rows = match (record, rows) {
            (Record::Header(VERSION), None) => Some(0),
            (Record::Header(_), None) => {
                return Err(lines.unimportable_here("this was made by another version of Chinwag"));
            }
            (Record::Row(table, row), Some(rows)) => {
                import.add(&lines, table, &row).await?;
                Some(rows + 1)
            }
            (Record::End(all), Some(rows)) if all == rows => None,
            _ => return Err(lines.unimportable_here("a part of the export is missing before it")),
        };
    }
    if rows.is_some() {
        return Err(lines.unimportable_here("the export is not whole: its last line is missing"));
    }
    import.flush(&lines).await?;
    import.finish().await
}

/// The lines of a file.
struct Lines<'a> {
    file: &'a Path,
    lines: BufReader<Box<dyn Read>>,
    text: Vec<u8>,
    /// The number of the line in `text`.
    number: u64,
}

impl Lines<'_> {
    fn open(file: &Path) -> Result<Lines<'_>, CopyError> {
        let failed = |source| CopyError::File { file: file.to_owned(), source };
        let lines: Box<dyn Read> = match file == Path::new("-") {
            true => Box::new(io::stdin()),
            false => Box::new(File::open(file).map_err(failed)?),
        };
        Ok(Lines { file, lines: BufReader::new(lines), text: Vec::new(), number: 0 })
    }

    /// Whether the rest of the file begins like an export.
    fn begin_an_export(&mut self) -> Result<bool, CopyError> {
        let failed = |source| CopyError::File { file: self.file.to_owned(), source };
        Ok(self.lines.fill_buf().map_err(failed)?.starts_with(br#"{"chinwag_export":"#))
    }

    /// Reads the next line; returns false if there is none.
    fn next(&mut self) -> Result<bool, CopyError> {
        let failed = |source| CopyError::File { file: self.file.to_owned(), source };
        self.text.clear();
        let mut line = (&mut self.lines).take(MAX_LINE);
        if line.read_until(b'\n', &mut self.text).map_err(failed)? == 0 {
            return Ok(false);
        }
        self.number += 1;
        match self.text.len() as u64 == MAX_LINE {
            true => Err(self.unimportable_here("it is longer than any row")),
            false => Ok(true),
        }
    }

    fn unimportable_here(&self, why: impl Into<String>) -> CopyError {
        self.unimportable(self.number, why)
    }

    fn unimportable(&self, lines: impl ToString, why: impl Into<String>) -> CopyError {
        let (file, lines, why) = (self.file.to_owned(), lines.to_string(), why.into());
        CopyError::Unimportable { file, lines, why }
    }
}

/// Rows of one table that are to be written.
#[derive(Default)]
struct Pending {
    table: Option<&'static Table>,
    /// A JSON array, without its end.
    rows: Vec<u8>,
    /// All columns that occur in these rows. A row without one of them gets the database's default.
    columns: BTreeSet<&'static str>,
    /// The ids of users, teams and chats, by which other rows refer to them.
    ids: Vec<String>,
    first_line: u64,
}

struct Import<'a> {
    target: Target,
    database: &'a Url,
    tables: Vec<Imported>,
    /// Tables and ids of the users, teams and chats of the export that were in the database before.
    known: HashSet<(&'static str, String)>,
    pending: Pending,
}

impl Import<'_> {
    /// Adds a row to those that are to be written, unless it is part of something that was there
    /// before.
    async fn add(
        &mut self,
        lines: &Lines<'_>,
        table: &'static Table,
        row: &BTreeMap<String, &RawValue>,
    ) -> Result<(), CopyError> {
        let is_other = self.pending.table.is_none_or(|pending| pending.name != table.name);
        if is_other || self.pending.rows.len() >= AT_ONCE {
            self.flush(lines).await?;
            self.pending.table = Some(table);
            self.pending.first_line = lines.number;
        }
        self.count(table).read += 1;
        let id_in =
            |column| row.get(column).and_then(|it| serde_json::from_str::<String>(it.get()).ok());
        let whole = table.part_of.and_then(|(column, whole)| Some((whole, id_in(column)?)));
        if whole.is_some_and(|whole| self.known.contains(&whole)) {
            return Ok(());
        }
        if table.is_whole() {
            self.pending.ids.extend(id_in("id"));
        }
        let begin = if self.pending.rows.is_empty() { b'[' } else { b',' };
        self.pending.rows.push(begin);
        let columns = write_row(table, row, &mut self.pending.rows)
            .map_err(|why| lines.unimportable_here(why))?;
        self.pending.columns.extend(columns);
        Ok(())
    }

    /// Writes the pending rows.
    async fn flush(&mut self, lines: &Lines<'_>) -> Result<(), CopyError> {
        let Pending { table, mut rows, columns, ids, first_line } =
            std::mem::take(&mut self.pending);
        let Some(table) = table.filter(|_| !rows.is_empty()) else {
            return Ok(());
        };
        rows.push(b']');
        let unwritten = |error| match error {
            sqlx::Error::Database(error) => {
                let detail = error.try_downcast_ref::<PgDatabaseError>().and_then(|it| it.detail());
                let why =
                    format!("{}: {} {}", table.name, error.message(), detail.unwrap_or_default());
                lines.unimportable(format!("{first_line} to {}", lines.number), why.trim_end())
            }
            error => CopyError::of(self.database)(error),
        };
        let rows = String::from_utf8(rows).map_err(|it| lines.unimportable_here(it.to_string()))?;
        if table.is_whole() {
            let known = self.target.find(table.name, &ids).await.map_err(unwritten)?;
            self.known.extend(known.into_iter().map(|id| (table.name, id)));
        }
        let columns = Vec::from_iter(columns);
        let written = self.target.write(table, &columns, &rows).await.map_err(unwritten)?;
        self.count(table).written += written;
        Ok(())
    }

    fn count(&mut self, table: &Table) -> &mut Imported {
        let at = self.tables.iter().position(|it| it.table == table.name).unwrap_or_else(|| {
            self.tables.push(Imported { table: table.name, read: 0, written: 0 });
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    async fn finish(self) -> Result<Vec<Imported>, CopyError> {
        self.target.commit().await.map_err(CopyError::of(self.database))?;
        Ok(self.tables)
    }
}

/// A transaction that writes to a database.
enum Target {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Expands `$body` once for each kind of database.
macro_rules! with {
    ($target:expr, |$connection:pat_param| $body:expr) => {
        match $target {
            Target::Sqlite($connection) => $body,
            Target::Postgres($connection) => $body,
        }
    };
}

impl Target {
    async fn open(database: &Url) -> Result<Target, CopyError> {
        let failed = CopyError::of(database);
        let mut target = match database.is_file() {
            true => {
                let options = sqlite::existing(database)?.foreign_keys(true);
                Target::Sqlite(options.connect().await.map_err(&failed)?)
            }
            false => {
                let options = postgres::options(database.expose()).map_err(&failed)?;
                let options = options.application_name("chinwag import");
                let options = options.options(postgres::UNBOUNDED);
                let options = options.disable_statement_logging();
                Target::Postgres(options.connect().await.map_err(&failed)?)
            }
        };
        with!(&mut target, |connection| {
            sqlx::raw_sql("begin").execute(connection).await.map_err(&failed)?;
        });
        Ok(target)
    }

    /// Which of these users, teams or chats are in the database.
    async fn find(&mut self, table: &str, ids: &[String]) -> Result<Vec<String>, sqlx::Error> {
        let ids = json(ids.iter());
        match self {
            Target::Sqlite(connection) => {
                let key = if table == "users" { "value" } else { "unhex(value, '-')" };
                let sql = format!(
                    "select value from json_each($1)
                     where {key} in (select id from {table})"
                );
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(ids).fetch_all(connection).await
            }
            Target::Postgres(connection) => {
                let kind = if table == "users" { "text" } else { "uuid" };
                let sql = format!(
                    "select value from json_array_elements_text($1::text::json)
                     where value::{kind} in (select id from {table})"
                );
                sqlx::query_scalar(AssertSqlSafe(sql)).bind(ids).fetch_all(connection).await
            }
        }
    }

    /// Writes the rows that are not there yet, and returns how many these are.
    async fn write(
        &mut self,
        table: &Table,
        columns: &[&str],
        rows: &str,
    ) -> Result<u64, sqlx::Error> {
        let Table { name, key, .. } = table;
        let names = columns.join(", ");
        match self {
            Target::Sqlite(connection) => {
                let values = columns.iter().map(|column| match table.kind(column) {
                    Some(Kind::Uuid) => format!("unhex(value ->> '{column}', '-')"),
                    _ => format!("value ->> '{column}'"),
                });
                let values = values.collect::<Vec<_>>().join(", ");
                let sql = format!(
                    "insert into {name} ({names}) select {values} from json_each($1) where true
                     on conflict ({key}) do nothing"
                );
                let done = sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
                Ok(done.rows_affected())
            }
            Target::Postgres(connection) => {
                let sql = format!(
                    "insert into {name} ({names})
                     select {names} from json_populate_recordset(null::{name}, $1::text::json)
                     on conflict ({key}) do nothing"
                );
                let done = sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Counts the members of the imported chats, lets files expire that no message holds, commits,
    /// and closes the connection.
    async fn commit(self) -> Result<(), sqlx::Error> {
        let count = "update chats
             set member_count = (select count(*) from members where chat_id = chats.id)
             where member_count = 0 and not ended";
        let expire = "update files set expires_at = $1 where expires_at is null
             and not exists (select 1 from message_files where file_id = files.id)";
        with!(self, |mut connection| {
            sqlx::raw_sql(count).execute(&mut connection).await?;
            sqlx::query(expire).bind(clock::now()).execute(&mut connection).await?;
            sqlx::raw_sql("commit").execute(&mut connection).await?;
            // Without statistics of the new rows the database would plan badly.
            let names = TABLES.map(|table| format!("analyze {}", table.name)).join("; ");
            sqlx::raw_sql(AssertSqlSafe(names)).execute(&mut connection).await?;
            connection.close().await
        })
    }
}
