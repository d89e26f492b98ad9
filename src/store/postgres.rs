//! PostgreSQL: its settings, and a lock that keeps nodes apart which do not hear of each other.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bounded::{Pool, SIGN_OF_LIFE, within};
use super::copy::is_unfinished;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const CONNECTIONS: u32 = 10;

/// How long to wait for a connection, new or of the pool, and for a [`DatabaseLock`].
const PATIENCE: Duration = Duration::from_secs(5);

const RETRY: Duration = Duration::from_millis(100);

/// What keeps a statement, a lock or a lost client from holding up the others.
const BOUNDS: [(&str, &str); 4] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_user_timeout", "10s"),
];

/// Connects to a database and migrates it if need be; several nodes may do so at the same time, if
/// they are not to be the only one.
pub(super) async fn open(url: &str, exclusive: bool) -> Result<Pool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("chinwag");
    // A migration may take longer than a request.
    let mut migrating = connect(&options).await?;
    MIGRATIONS.run(&mut migrating).await?;
    if is_unfinished(&mut migrating).await? {
        let why = "it holds an unfinished copy; let `chinwag copy` end first";
        return Err(sqlx::Error::Configuration(why.into()));
    }
    migrating.close().await?;
    let lock = DatabaseLock::acquire(url, exclusive).await?;
    let settings = PgPoolOptions::new()
        .min_connections(1)
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE);
    Pool::connect(settings, options.options(BOUNDS), lock).await
}

/// Connects once, and says what stands against it.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    within(PATIENCE, options.connect()).await
}

/// The number of a [`DatabaseLock`].
pub(super) const LOCK: i64 = i64::from_be_bytes(*b" chinwag");

/// What keeps a node that believes to be the only one, and so does not hear of others, from sharing
/// a database with others: a lock, which PostgreSQL holds as long as the connection is there.
#[derive(Debug)]
pub(super) struct DatabaseLock {
    options: PgConnectOptions,
    /// Whether this node is to be the only one.
    exclusive: bool,
    /// Since when it is there; none once it was lost.
    connection: Mutex<Option<(PgConnection, Instant)>>,
}

impl DatabaseLock {
    /// Errors: another node is there that this one would not hear.
    pub async fn acquire(url: &str, exclusive: bool) -> Result<DatabaseLock, sqlx::Error> {
        // A machine that is gone loses its lock soon.
        let signs_of_life = [
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "10s"),
        ];
        let options = PgConnectOptions::from_str(url)?.application_name("chinwag");
        let options = options.options(signs_of_life);
        let until = Instant::now() + PATIENCE;
        let connection = loop {
            // The one before this may be ending still.
            match lock(&options, exclusive).await? {
                Some(connection) => break connection,
                None if Instant::now() > until => return Err(refused(exclusive)),
                None => tokio::time::sleep(RETRY).await,
            }
        };
        let connection = Mutex::new(Some((connection, Instant::now())));
        Ok(DatabaseLock { options, exclusive, connection })
    }

    /// Takes the lock again if the connection was lost.
    pub async fn ensure(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.connection.lock().await;
        let lost = match connection.as_mut() {
            Some((connection, _)) => match within(SIGN_OF_LIFE, connection.ping()).await {
                Ok(()) => return Ok(()),
                Err(error) => Some(error),
            },
            None => None,
        };
        *connection = None;
        let locked = lock(&self.options, self.exclusive).await?;
        *connection = locked.map(|connection| (connection, Instant::now()));
        match &*connection {
            Some(_) => Ok(()),
            // The lost one may have it until PostgreSQL has noticed.
            None => Err(lost.unwrap_or_else(|| refused(self.exclusive))),
        }
    }

    /// Lets others have the database.
    pub async fn release(&self) {
        *self.connection.lock().await = None;
    }

    /// Whether a transaction was committed whose own connection broke before that was answered;
    /// none if it cannot be known. As this connection is older, PostgreSQL has not crashed since:
    /// then the id might be another transaction's by now.
    pub async fn is_committed(&self, id: &str, begun_at: Instant) -> Option<bool> {
        let mut connection = self.connection.lock().await;
        let (connection, since) = connection.as_mut()?;
        if *since > begun_at {
            return None;
        }
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let status = sqlx::query_scalar("select pg_xact_status($1::text::xid8)").bind(id);
            let status: Result<Option<String>, _> =
                within(SIGN_OF_LIFE, status.fetch_one(&mut *connection)).await;
            match status.ok()??.as_str() {
                "committed" => return Some(true),
                "aborted" => return Some(false),
                // Its own session has not noticed yet.
                _ => tokio::time::sleep(RETRY).await,
            }
        }
        None
    }
}

/// None if others have locked it otherwise.
async fn lock(
    options: &PgConnectOptions,
    exclusive: bool,
) -> Result<Option<PgConnection>, sqlx::Error> {
    let mut connection = connect(options).await?;
    let sql = match exclusive {
        true => "select pg_try_advisory_lock($1)",
        false => "select pg_try_advisory_lock_shared($1)",
    };
    let locked: bool = sqlx::query_scalar(sql).bind(LOCK).fetch_one(&mut connection).await?;
    Ok(locked.then_some(connection))
}

fn refused(exclusive: bool) -> sqlx::Error {
    sqlx::Error::Configuration(match exclusive {
        true => "another server uses it; nodes that share a database need --redis-url".into(),
        false => "a server without --redis-url uses it; nodes that share a database need it".into(),
    })
}
