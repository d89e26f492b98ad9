//! PostgreSQL: its settings, and how a database is opened.

use std::str::FromStr;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection};

use super::bounded::Pool;
use super::database_lock::DatabaseLock;
use super::within::{CONNECT_TIMEOUT, connect};

pub(super) static MIGRATIONS: Migrator = sqlx_macros::migrate!("migrations/postgres");

const CONNECTIONS: u32 = 10;
/// How many of the connections one user may read by at the same time.
pub(super) const READERS_FOR_ONE: usize = 3;

/// For work that may take long: a load, or reading everything. It must not block others for long.
pub(super) const UNBOUNDED: [(&str, &str); 4] = [
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("lock_timeout", "30s"),
    ("tcp_user_timeout", "10s"),
];

/// These keep a statement, a lock or a lost client from holding up the others. If a node is cut off
/// in the middle of a transaction, its locks end with the time that an idle transaction may last.
const BOUNDS: [(&str, &str); 4] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "2s"),
    ("tcp_user_timeout", "10s"),
];

/// The parameters that the driver knows in the query of a URL.
const KNOWN: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Connects to a database and migrates it if necessary. Several nodes may do so at the same time,
/// unless one is to be the only one.
pub(super) async fn open(url: &str, exclusive: bool) -> Result<Pool, sqlx::Error> {
    let options = options(url)?.application_name("chinwag");
    // A migration may take longer than a request, so it runs without bounds.
    let mut migrating = connect(&options).await?;
    MIGRATIONS.run(&mut migrating).await?;
    if is_unfinished(&mut migrating).await? {
        let why = "it holds an unfinished copy; let `chinwag copy` end first";
        return Err(sqlx::Error::Configuration(why.into()));
    }
    migrating.close().await?;
    let lock = DatabaseLock::acquire(options.clone(), exclusive).await?;
    let settings = PgPoolOptions::new()
        .min_connections(1)
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_TIMEOUT);
    Pool::connect(settings, options.options(BOUNDS), lock).await
}

/// How to connect, according to a URL. Unknown parameters in its query are removed: the driver
/// would log them, and one could be a misspelled password.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let Some((place, query)) = url.split_once('?') else {
        return PgConnectOptions::from_str(url);
    };
    let is_known = |part: &&str| {
        let name = part.split_once('=').map_or(*part, |(name, _)| name);
        KNOWN.contains(&name) || name.starts_with("options[")
    };
    let (known, unknown): (Vec<_>, Vec<_>) = query.split('&').partition(is_known);
    if unknown.iter().any(|part| !part.is_empty()) {
        let known = KNOWN.join(", ");
        tracing::warn!(known, "something in the query of the database's URL is not known");
    }
    PgConnectOptions::from_str(&format!("{place}?{}", known.join("&")))
}

/// Whether a database holds an unfinished copy.
pub(super) async fn is_unfinished(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let sql = "select to_regclass('unfinished_copy') is not null";
    sqlx::query_scalar(sql).fetch_one(connection).await
}
