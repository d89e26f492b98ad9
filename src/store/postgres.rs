//! PostgreSQL, for more than one node: a pool whose connections give up in time.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const CONNECTIONS: u32 = 10;

/// How long a request waits for a connection before it is `unavailable`.
const PATIENCE: Duration = Duration::from_secs(5);

/// What keeps a statement, a lock or a lost client from holding up the others.
const BOUNDS: [(&str, &str); 4] = [
    ("statement_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_user_timeout", "10s"),
];

/// Connects to a database and migrates it if need be; several nodes may do so at the same time.
pub(super) async fn open(url: &str) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.application_name("chinwag");
    // A migration may take longer than a request.
    let migrating = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    MIGRATIONS.run(&migrating).await?;
    migrating.close().await;
    PgPoolOptions::new()
        .min_connections(1)
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options.options(BOUNDS))
        .await
}
