//! The SQLite database that is read.

use std::time::Duration;

use futures_util::stream::BoxStream;
use sqlx::sqlite::{SqliteLockingMode, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use super::rows::{Kind, Table};
use crate::config::Url;
use crate::error::CopyError;
use crate::store::sqlite::{self, MIGRATIONS};
use crate::store::versions::{self, LIST_APPLIED};

/// How long another process may take to let go of the file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// How many rows the driver reads ahead; each may be half a megabyte.
const AHEAD: usize = 32;

/// A database in which nobody else can read or write.
pub struct Source {
    pub url: Url,
    connection: SqliteConnection,
}

impl Source {
    pub async fn open(url: &Url) -> Result<Source, CopyError> {
        if !url.is_file() {
            let why = "only a SQLite database can be copied; PostgreSQL has pg_dump";
            return Err(CopyError::Unfit { url: url.clone(), why });
        }
        // A server, even an idle one, holds a lock that conflicts with an exclusive one.
        let options = sqlite::existing(url)?
            .locking_mode(SqliteLockingMode::Exclusive)
            .busy_timeout(LOCK_TIMEOUT)
            .row_buffer_size(AHEAD);
        let failed = |error| refusal(url, error);
        let mut connection = options.connect().await.map_err(&failed)?;
        sqlx::query("begin exclusive").execute(&mut connection).await.map_err(&failed)?;
        let applied = sqlx::query_as(LIST_APPLIED).fetch_all(&mut connection).await;
        versions::check(url, &MIGRATIONS, applied)?;
        Ok(Source { url: url.clone(), connection })
    }

    /// Whether there are events that are not in the event log yet.
    pub async fn has_unlogged(&mut self) -> Result<bool, sqlx::Error> {
        let sql = "select exists (select 1 from events where not logged)";
        sqlx::query_scalar(sql).fetch_one(&mut self.connection).await
    }

    /// Reads a table's columns and primary key from the schema.
    pub async fn describe(
        &mut self,
        name: &'static str,
        filter: &str,
    ) -> Result<Table, sqlx::Error> {
        let sql = "select name, type, pk from pragma_table_info($1) order by cid";
        let schema: Vec<(String, String, i64)> =
            sqlx::query_as(sql).bind(name).fetch_all(&mut self.connection).await?;
        let kinds = schema.iter().map(|(column, declared, _)| {
            let unknown = || sqlx::Error::ColumnNotFound(format!("{name}.{column} {declared}"));
            Kind::of(declared).ok_or_else(unknown)
        });
        let kinds = kinds.collect::<Result<_, _>>()?;
        let mut key: Vec<_> = schema.iter().filter(|(_, _, place)| *place > 0).collect();
        key.sort_by_key(|(_, _, place)| *place);
        let key = list(key.into_iter().map(|(column, _, _)| column.as_str()));
        let columns = list(schema.iter().map(|(column, _, _)| column.as_str()));
        let select = format!("select {columns} from {name} where {filter} order by {key}");
        let select_all = format!("select {columns} from {name} order by {key}");
        Ok(Table { name, columns, kinds, select, select_all })
    }

    /// The rows of a table, without the first `skipped`.
    pub fn rows(
        &mut self,
        table: &Table,
        skipped: u64,
    ) -> BoxStream<'_, Result<SqliteRow, sqlx::Error>> {
        let sql = format!("{} limit -1 offset {skipped}", table.select);
        sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.connection)
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// If the database is locked, the error says that it is in use.
fn refusal(url: &Url, error: sqlx::Error) -> CopyError {
    const BUSY: i32 = 5;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    match code {
        Some(code) if code & 0xff == BUSY => CopyError::InUse(url.clone()),
        _ => CopyError::Database { url: url.clone(), source: error },
    }
}
