//! What sqlx requires of a database and this one does not have: sqlx's own connections,
//! transactions and statements. The type has no values, so that none of this code ever runs.

use std::str::FromStr;
use std::time::Duration;

use log::LevelFilter;
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{
    ConnectOptions, Connection, Either, Error, FromRow, IntoArguments, SqlStr, Statement,
    Transaction,
};
use sqlx_core::Url;
use sqlx_core::transaction::TransactionManager;

use super::{Arguments, Column, InPlace, Kind, Row, unknown};

#[derive(Clone, Debug)]
pub enum Absent {}

type Outcome = Result<(), Error>;

impl Connection for Absent {
    type Database = InPlace;
    type Options = Absent;

    async fn close(self) -> Outcome {
        match self {}
    }

    async fn close_hard(self) -> Outcome {
        match self {}
    }

    async fn ping(&mut self) -> Outcome {
        match *self {}
    }

    async fn begin(&mut self) -> Result<Transaction<'_, InPlace>, Error> {
        match *self {}
    }

    fn shrink_buffers(&mut self) {
        match *self {}
    }

    async fn flush(&mut self) -> Outcome {
        match *self {}
    }

    fn should_flush(&self) -> bool {
        match *self {}
    }
}

impl ConnectOptions for Absent {
    type Connection = Absent;

    fn from_url(_: &Url) -> Result<Absent, Error> {
        Err(unknown("it has no address"))
    }

    async fn connect(&self) -> Result<Absent, Error> {
        match *self {}
    }

    fn log_statements(self, _: LevelFilter) -> Absent {
        match self {}
    }

    fn log_slow_statements(self, _: LevelFilter, _: Duration) -> Absent {
        match self {}
    }
}

impl FromStr for Absent {
    type Err = Error;

    fn from_str(_: &str) -> Result<Absent, Error> {
        Err(unknown("it has no address"))
    }
}

impl TransactionManager for Absent {
    type Database = InPlace;

    async fn begin(connection: &mut Absent, _: Option<SqlStr>) -> Outcome {
        match *connection {}
    }

    async fn commit(connection: &mut Absent) -> Outcome {
        match *connection {}
    }

    async fn rollback(connection: &mut Absent) -> Outcome {
        match *connection {}
    }

    fn start_rollback(connection: &mut Absent) {
        match *connection {}
    }

    fn get_transaction_depth(connection: &Absent) -> usize {
        match *connection {}
    }
}

impl Statement for Absent {
    type Database = InPlace;

    fn into_sql(self) -> SqlStr {
        match self {}
    }

    fn sql(&self) -> &SqlStr {
        match *self {}
    }

    fn parameters(&self) -> Option<Either<&[Kind], usize>> {
        match *self {}
    }

    fn columns(&self) -> &[Column] {
        match *self {}
    }

    fn query(&self) -> Query<'_, InPlace, Arguments> {
        match *self {}
    }

    fn query_with<A: IntoArguments<InPlace>>(&self, _: A) -> Query<'_, InPlace, A> {
        match *self {}
    }

    fn query_as<O>(&self) -> QueryAs<'_, InPlace, O, Arguments>
    where
        O: for<'r> FromRow<'r, Row>,
    {
        match *self {}
    }

    fn query_as_with<'s, O, A>(&'s self, _: A) -> QueryAs<'s, InPlace, O, A>
    where
        O: for<'r> FromRow<'r, Row>,
        A: IntoArguments<InPlace>,
    {
        match *self {}
    }

    fn query_scalar<O>(&self) -> QueryScalar<'_, InPlace, O, Arguments>
    where
        (O,): for<'r> FromRow<'r, Row>,
    {
        match *self {}
    }

    fn query_scalar_with<'s, O, A>(&'s self, _: A) -> QueryScalar<'s, InPlace, O, A>
    where
        (O,): for<'r> FromRow<'r, Row>,
        A: IntoArguments<InPlace>,
    {
        match *self {}
    }
}
