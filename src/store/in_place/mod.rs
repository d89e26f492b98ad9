//! Runs SQLite's statements in place: on the connection's own handle, in the thread that asks. The
//! driver has a thread for each connection, and passing each statement there and back takes 10 to
//! 20 µs, which is more than most statements take. So the statements of jobs run in place, as they
//! are few and short. Statements that may take long, such as reading a page, go through the driver.
//!
//! For sqlx this is a database of its own, so that one SQL text serves both.

mod absent;
mod values;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection};
use sqlx::error::BoxDynError;
use sqlx::{Database, Either, Error, Execute, Executor, SqlStr};

use absent::Absent;
pub use values::{Arguments, Done, Row};
use values::{Cell, CellRef, Column, Failure, Kind};

/// How many prepared statements are kept: more than the number of statements that write.
const STATEMENTS: usize = 256;

/// SQLite in place, as a database of sqlx.
#[derive(Debug)]
pub struct InPlace;

impl Database for InPlace {
    type Connection = Absent;
    type TransactionManager = Absent;
    type Row = Row;
    type QueryResult = Done;
    type Column = Column;
    type TypeInfo = Kind;
    type Value = Cell;
    type ValueRef<'r> = CellRef<'r>;
    type Arguments = Arguments;
    type ArgumentBuffer = Vec<Value>;
    type Statement = Absent;

    const NAME: &'static str = "SQLite";
    const URL_SCHEMES: &'static [&'static str] = &[];
}

/// The handle of an open connection.
#[derive(Debug)]
pub struct Handle(Connection);

impl Handle {
    pub fn new(connection: Connection) -> Handle {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Handle(connection)
    }

    pub fn connection(&self) -> &Connection {
        &self.0
    }

    /// Runs a statement and passes each of its rows to `row`, until that returns false.
    fn run<'q>(
        &self,
        mut query: impl Execute<'q, InPlace>,
        mut row: impl FnMut(Row) -> bool,
    ) -> Result<Done, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?.unwrap_or_default();
        let sql = query.sql();
        let mut statement = self.0.prepare_cached(sql.as_str()).map_err(failed)?;
        bind(&mut statement, arguments).map_err(failed)?;
        let mut columns: Option<Arc<[Column]>> = None;
        let mut rows = statement.raw_query();
        while let Some(found) = rows.next().map_err(failed)? {
            let columns = columns.get_or_insert_with(|| Column::all_of(found.as_ref()));
            let cells = (0..columns.len()).map(|index| Ok(Cell(found.get(index)?)));
            let cells = cells.collect::<Result<_, _>>().map_err(failed)?;
            if !row(Row { columns: columns.clone(), cells }) {
                break;
            }
        }
        Ok(Done { rows_affected: self.0.changes() })
    }
}

/// Binds parameters by the numbers in their names: `$2` is the second, wherever it stands.
fn bind(statement: &mut CachedStatement<'_>, arguments: Arguments) -> rusqlite::Result<()> {
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name[1..].parse().ok());
        let number: usize = number.unwrap_or(place);
        if let Some(value) = number.checked_sub(1).and_then(|index| arguments.0.get(index)) {
            statement.raw_bind_parameter(place, value)?;
        }
    }
    Ok(())
}

/// Makes the error that the driver would return.
fn failed(error: rusqlite::Error) -> Error {
    match Failure::of(error) {
        Ok(failure) => Error::Database(Box::new(failure)),
        Err(error) => Error::AnyDriverError(Box::new(error)),
    }
}

impl<'c> Executor<'c> for &'c mut Handle {
    type Database = InPlace;

    fn execute<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Done, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, InPlace>,
    {
        Box::pin(async move { self.run(query, |_| true) })
    }

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<Done, Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, InPlace>,
    {
        let rows = async move {
            match self.fetch_all(query).await {
                Ok(rows) => rows.into_iter().map(|row| Ok(Either::Right(row))).collect(),
                Err(error) => vec![Err(error)],
            }
        };
        stream::once(rows).flat_map(stream::iter).boxed()
    }

    fn fetch_all<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Vec<Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, InPlace>,
    {
        Box::pin(async move {
            let mut rows = Vec::new();
            self.run(query, |row| {
                rows.push(row);
                true
            })?;
            Ok(rows)
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, InPlace>,
    {
        Box::pin(async move {
            let mut first = None;
            self.run(query, |row| {
                first = Some(row);
                false
            })?;
            Ok(first)
        })
    }

    fn prepare_with<'e>(self, _: SqlStr, _: &'e [Kind]) -> BoxFuture<'e, Result<Absent, Error>>
    where
        'c: 'e,
    {
        Box::pin(async { Err(unknown("statements are prepared when they run")) })
    }
}

fn unknown(why: &'static str) -> Error {
    Error::Configuration(BoxDynError::from(why))
}
