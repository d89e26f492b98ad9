//! PostgreSQL's connections and transactions, [bounded in time](super::within).

use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{
    PgConnectOptions, PgDatabaseError, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Either, Error, Execute, Executor, PgConnection,
    PgPool, Postgres, Row, SqlStr,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::database_lock::DatabaseLock;
use super::within::{SIGN_OF_LIFE, silence, within};

/// How long PostgreSQL may take to answer, for each row: longer than it lets a statement take.
const ANSWER: Duration = Duration::from_secs(12);

/// How long PostgreSQL may take to say why it refuses connections.
const REFUSAL: Duration = Duration::from_millis(500);

type Rows<'e> = BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>;

/// A node's connections.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    inner: PgPool,
    pub lock: Arc<DatabaseLock>,
    /// Held while a task finds out why there is no connection.
    explaining: Arc<Mutex<()>>,
    outdated: Arc<Outdated>,
}

/// Connections that are older than this may have prepared statements that no longer fit the tables,
/// because a newer version has added columns. They are replaced.
#[derive(Debug, Default)]
struct Outdated(SyncMutex<Option<Instant>>);

impl Outdated {
    /// Notes the time if the error shows that statements are outdated.
    fn note(&self, error: &Error) {
        if is_outdated(error) {
            *self.since() = Some(Instant::now());
        }
    }

    fn is(&self, connection: &PoolConnectionMetadata) -> bool {
        self.since().is_some_and(|since| since.elapsed() < connection.age)
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a statement was prepared before its table was changed.
pub(super) fn is_outdated(error: &Error) -> bool {
    let error = error.as_database_error().and_then(|error| error.try_downcast_ref());
    // This code stands for anything that PostgreSQL does not support, and the message may be in any
    // language. So the name of the routine decides.
    error.is_some_and(|error: &PgDatabaseError| {
        error.code() == "0A000" && error.routine() == Some("RevalidateCachedQuery")
    })
}

impl Pool {
    pub async fn connect(
        settings: PgPoolOptions,
        options: PgConnectOptions,
        lock: DatabaseLock,
    ) -> Result<Pool, Error> {
        // A connection that does not answer is replaced. The pool's own test would wait for its
        // answer.
        let outdated = Arc::<Outdated>::default();
        let (before, after) = (outdated.clone(), outdated.clone());
        let settings = settings
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| is_good(&before, connection, &metadata))
            .after_release(move |connection, metadata| is_good(&after, connection, &metadata));
        let inner = settings.connect_with(options).await?;
        Ok(Pool { inner, lock: Arc::new(lock), explaining: Arc::default(), outdated })
    }

    pub fn connect_options(&self) -> Arc<PgConnectOptions> {
        self.inner.connect_options()
    }

    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    pub async fn close(&self) {
        self.inner.close().await;
        self.lock.release().await;
    }

    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, Error> {
        self.explain(self.inner.acquire().await).await
    }

    /// If no connection could be had in time, asks PostgreSQL why, and returns its refusal, if
    /// there is one: the pool would keep that to itself and try again. One task at a time asks.
    async fn explain<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.outdated.note(error);
        }
        if !matches!(result, Err(Error::PoolTimedOut)) {
            return result;
        }
        let Ok(_explaining) = self.explaining.try_lock() else {
            return result;
        };
        let options = self.connect_options();
        match timeout(REFUSAL, options.connect()).await {
            Ok(Err(refused)) => Err(refused),
            _ => result,
        }
    }
}

fn is_good<'c>(
    outdated: &Outdated,
    connection: &'c mut PgConnection,
    metadata: &PoolConnectionMetadata,
) -> BoxFuture<'c, Result<bool, Error>> {
    let is_outdated = outdated.is(metadata);
    Box::pin(
        async move { Ok(!is_outdated && within(SIGN_OF_LIFE, connection.ping()).await.is_ok()) },
    )
}

/// A transaction; dropped before it is committed, it is rolled back.
#[derive(Debug)]
pub(super) struct PgTransaction {
    /// `None` once it has ended.
    connection: Option<PoolConnection<Postgres>>,
    /// The id that PostgreSQL gives it.
    id: String,
    begun_at: Instant,
    pool: Pool,
}

impl PgTransaction {
    pub async fn begin(pool: &Pool) -> Result<PgTransaction, Error> {
        let xid = "select pg_current_xact_id()::text as xid";
        Ok(PgTransaction::begin_with(pool, xid).await?.0)
    }

    /// Begins with a statement, in the same round trip, and returns its rows. Each row must have
    /// the transaction's id as `xid`. If there are no rows, the transaction must not be committed.
    pub async fn begin_with(
        pool: &Pool,
        statement: &str,
    ) -> Result<(PgTransaction, Vec<PgRow>), Error> {
        let connection = Some(pool.acquire().await?);
        // If this fails or is cancelled, the transaction is dropped like any other.
        let (id, begun_at) = (String::new(), Instant::now());
        let mut begun = PgTransaction { connection, id, begun_at, pool: pool.clone() };
        let begin = sqlx::raw_sql(AssertSqlSafe(format!("begin; {statement}")));
        let rows = within(ANSWER, begin.fetch_all(begun.connection()?)).await?;
        if let Some(row) = rows.first() {
            begun.id = row.try_get("xid")?;
        }
        Ok((begun, rows))
    }

    /// Errors: the transaction is not committed, or it is not known whether it is.
    pub async fn commit(mut self) -> Result<(), Error> {
        let commit = sqlx::raw_sql("commit").execute(self.connection()?);
        let Err(error) = within(ANSWER, commit).await else {
            self.connection = None;
            return Ok(());
        };
        // When the connection is closed, the transaction ends on the server, too.
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
        match self.pool.lock.is_committed(&self.id, self.begun_at).await {
            Some(true) => Ok(()),
            Some(false) | None => Err(error),
        }
    }

    fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        self.connection.as_deref_mut().ok_or(Error::PoolClosed)
    }
}

impl Drop for PgTransaction {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        tokio::spawn(async move {
            let rollback = sqlx::raw_sql("rollback").execute(&mut *connection);
            if let Err(error) = within(SIGN_OF_LIFE, rollback).await {
                tracing::debug!(%error, "a transaction was not rolled back but given up");
                connection.close_on_drop();
            }
        });
    }
}

impl<'c> Executor<'c> for &'c mut PgTransaction {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let outdated = self.pool.outdated.clone();
        match self.connection() {
            Ok(connection) => row_by_row(connection.fetch_many(query))
                .inspect_err(move |error| outdated.note(error))
                .boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async {
            let outdated = self.pool.outdated.clone();
            let row = within(ANSWER, self.connection()?.fetch_optional(query)).await;
            row.inspect_err(|error| outdated.note(error))
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(async { within(ANSWER, self.connection()?.prepare_with(sql, parameters)).await })
    }
}

impl<'c> Executor<'c> for &'c Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Rows<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let rows = row_by_row(self.inner.fetch_many(query));
        rows.then(|row| self.explain(row)).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async {
            self.explain(within(ANSWER, self.inner.fetch_optional(query)).await).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        Box::pin(within(ANSWER, self.inner.prepare_with(sql, parameters)))
    }
}

fn row_by_row<'e, T: Send + 'e>(
    rows: BoxStream<'e, Result<T, Error>>,
) -> BoxStream<'e, Result<T, Error>> {
    let next = |rows: Option<BoxStream<'e, Result<T, Error>>>| async {
        let mut rows = rows?;
        match timeout(ANSWER, rows.next()).await {
            Ok(row) => row.map(|row| (row, Some(rows))),
            Err(_) => Some((Err(silence()), None)),
        }
    };
    stream::unfold(Some(rows), next).boxed()
}
