//! Reading an export into a database, all of it or nothing.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::records::{Record, write_row};
use super::tables::{Kind, Table};
use crate::config::{Limits, Url};
use crate::error::CopyError;
use crate::store::exit::Keeping;
use crate::store::sqlite::json;
use crate::store::{Store, postgres, sqlite};

/// The version of the format that is read.
const VERSION: u32 = 1;

/// The most bytes of a line: far more than a row has.
const MAX_LINE: u64 = 64 << 20;

/// About how many bytes of rows one statement writes.
const AT_ONCE: usize = 1 << 20;

/// How long the database may take to be closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What became of the rows of a table.
#[derive(Clone, Debug)]
pub struct Imported {
    pub table: &'static str,
    pub read: u64,
    /// The others were there already.
    pub written: u64,
}

/// Reads an export, `-` being the standard input, into a database that no server uses; a new one is
/// made. Users, teams and chats that are there already stay as they are, and what is in such chats.
/// Errors: nothing is written.
pub async fn import(database: &Url, file: &Path) -> Result<Vec<Imported>, CopyError> {
    let failed = |source| CopyError::File { file: file.to_owned(), source };
    let lines: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(file).map_err(failed)?),
    };
    // It makes and migrates the database, and keeps servers away until it is closed.
    let opened = Store::open(database, &Limits::default(), Keeping::default(), String::new()).await;
    let (store, _events) = opened.map_err(CopyError::of(database))?;
    let mut import = Import {
        target: Target::open(database).await?,
        database,
        file,
        tables: Vec::new(),
        known_chats: HashSet::new(),
        pending: Pending::default(),
    };
    import.read(BufReader::new(lines)).await?;
    let imported = import.finish().await?;
    store.close(CLOSE_TIMEOUT).await;
    Ok(imported)
}

/// Rows of one table that are to be written.
#[derive(Default)]
struct Pending {
    table: Option<&'static Table>,
    /// As a JSON array, without its end.
    rows: Vec<u8>,
    /// Those of them that are chats.
    chats: Vec<Uuid>,
    first_line: u64,
    last_line: u64,
}

struct Import<'a> {
    target: Target,
    database: &'a Url,
    file: &'a Path,
    tables: Vec<Imported>,
    /// The chats of the export that were there before.
    known_chats: HashSet<Uuid>,
    pending: Pending,
}

impl Import<'_> {
    async fn read(&mut self, mut lines: impl BufRead) -> Result<(), CopyError> {
        let failed = |source| CopyError::File { file: self.file.to_owned(), source };
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            (&mut lines).take(MAX_LINE).read_until(b'\n', &mut text).map_err(failed)?;
            if text.is_empty() {
                break;
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            let unfit = |why: String| self.unimportable(line.to_string(), why);
            let record: Record<'_> =
                serde_json::from_slice(&text).map_err(|error| unfit(error.to_string()))?;
            if line == 1 && record.chinwag_export.is_none() {
                return Err(unfit("this is no export of Chinwag's".into()));
            }
            match (record.chinwag_export, &record.table) {
                (Some(VERSION), None) => continue,
                (Some(_), None) => {
                    return Err(unfit("this was made by another version of Chinwag".into()));
                }
                (None, Some(name)) => {
                    let table = Table::find(name).ok_or_else(|| {
                        unfit(format!("this version of Chinwag has no table {name}"))
                    })?;
                    self.add(line, table, &record).await?;
                }
                _ => return Err(unfit("a line has either a version or a row".into())),
            }
        }
        self.flush().await
    }

    /// Adds a row to those that are to be written, unless it is in a chat that was there before.
    async fn add(
        &mut self,
        line: u64,
        table: &'static Table,
        record: &Record<'_>,
    ) -> Result<(), CopyError> {
        let is_other = self.pending.table.is_none_or(|pending| pending.name != table.name);
        if is_other || self.pending.rows.len() >= AT_ONCE {
            self.flush().await?;
            self.pending.table = Some(table);
            self.pending.first_line = line;
        }
        if is_other && !self.tables.iter().any(|it| it.table == table.name) {
            self.tables.push(Imported { table: table.name, read: 0, written: 0 });
        }
        if let Some(imported) = self.tables.iter_mut().find(|it| it.table == table.name) {
            imported.read += 1;
        }
        let id_in =
            |column| record.row.get(column).and_then(|it| serde_json::from_str(it.get()).ok());
        if id_in("chat_id").is_some_and(|chat: Uuid| self.known_chats.contains(&chat)) {
            return Ok(());
        }
        if table.name == "chats" {
            self.pending.chats.extend(id_in("id"));
        }
        self.pending.last_line = line;
        let begin = if self.pending.rows.is_empty() { b'[' } else { b',' };
        self.pending.rows.push(begin);
        write_row(table, &record.row, &mut self.pending.rows)
            .map_err(|why| self.unimportable(line.to_string(), why))
    }

    /// Writes the rows.
    async fn flush(&mut self) -> Result<(), CopyError> {
        let Pending { table, mut rows, chats, first_line, last_line } =
            std::mem::take(&mut self.pending);
        let Some(table) = table.filter(|_| !rows.is_empty()) else {
            return Ok(());
        };
        rows.push(b']');
        let lines = || format!("{first_line} to {last_line}");
        let rows = String::from_utf8(rows)
            .map_err(|error| self.unimportable(lines(), error.to_string()))?;
        let known = self.target.find_chats(&chats).await.map_err(CopyError::of(self.database))?;
        self.known_chats.extend(known);
        let written = self.target.write(table, &rows).await.map_err(|error| match error {
            sqlx::Error::Database(error) => {
                self.unimportable(lines(), format!("{}: {}", table.name, error.message()))
            }
            error => CopyError::of(self.database)(error),
        })?;
        if let Some(imported) = self.tables.iter_mut().find(|it| it.table == table.name) {
            imported.written += written;
        }
        self.pending.table = Some(table);
        self.pending.first_line = last_line + 1;
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<Imported>, CopyError> {
        self.target.commit().await.map_err(CopyError::of(self.database))?;
        Ok(self.tables)
    }

    fn unimportable(&self, lines: String, why: String) -> CopyError {
        CopyError::Unimportable { file: self.file.to_owned(), lines, why }
    }
}

/// A transaction that writes to a database.
enum Target {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The same on either kind of database.
macro_rules! with {
    ($target:expr, |$connection:ident| $body:expr) => {
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
                let options = options.disable_statement_logging();
                Target::Postgres(options.connect().await.map_err(&failed)?)
            }
        };
        with!(&mut target, |connection| {
            sqlx::raw_sql("begin").execute(connection).await.map_err(&failed)?;
        });
        Ok(target)
    }

    /// Those of these chats that are there.
    async fn find_chats(&mut self, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
        match self {
            Target::Sqlite(connection) => {
                let sql = "select id from chats
                     where id in (select unhex(value, '-') from json_each($1))";
                sqlx::query_scalar(sql).bind(json(ids.iter())).fetch_all(connection).await
            }
            Target::Postgres(connection) => {
                let sql = "select id from chats where id = any($1)";
                sqlx::query_scalar(sql).bind(ids).fetch_all(connection).await
            }
        }
    }

    /// Writes rows that are not there yet, and returns how many these are.
    async fn write(&mut self, table: &Table, rows: &str) -> Result<u64, sqlx::Error> {
        let (Table { name, key, .. }, columns) = (table, table.names());
        match self {
            Target::Sqlite(connection) => {
                let values = table.columns.iter().map(|(column, kind)| match kind {
                    Kind::Uuid => format!("unhex(value ->> '{column}', '-')"),
                    _ => format!("value ->> '{column}'"),
                });
                let values = values.collect::<Vec<_>>().join(", ");
                let sql = format!(
                    "insert into {name} ({columns}) select {values} from json_each($1) where true
                     on conflict ({key}) do nothing"
                );
                let done = sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
                Ok(done.rows_affected())
            }
            Target::Postgres(connection) => {
                let sql = format!(
                    "insert into {name} ({columns})
                     select {columns} from json_populate_recordset(null::{name}, $1::text::json)
                     on conflict ({key}) do nothing"
                );
                let done = sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(connection).await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Counts the members of the chats that have come, and commits.
    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        let count = "update chats
             set member_count = (select count(*) from members where chat_id = chats.id)
             where member_count = 0 and not ended";
        with!(self, |connection| {
            sqlx::raw_sql(count).execute(&mut *connection).await?;
            sqlx::raw_sql("commit").execute(connection).await?;
        });
        Ok(())
    }
}
