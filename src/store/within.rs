//! How long PostgreSQL may take to answer. PostgreSQL limits its own statements. But if its machine
//! is gone nothing answers, and only these limits end the waiting.

use std::io;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Error, PgConnection};
use tokio::time::timeout;

/// How long to wait for a connection, new or from the pool, and for the lock of a database.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an idle connection may take to show that it still works.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// Connects once. Errors: why that is not possible.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    within(CONNECT_TIMEOUT, options.connect()).await
}

/// The answer, or an error if it does not come in time.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(patience, answer).await.unwrap_or_else(|_| Err(silence()))
}

pub(super) fn silence() -> Error {
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, "PostgreSQL does not answer"))
}
