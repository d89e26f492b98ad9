//! Lists, resends and drops parked events, for the program's commands. A server may use the
//! database meanwhile.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

use super::versions::LIST_APPLIED;
use super::{postgres, sqlite, versions};
use crate::clock::{self, Time};
use crate::config::Url;
use crate::error::CopyError;

/// How long to wait until a server lets another process write to its SQLite file.
const WAIT: Duration = Duration::from_secs(10);

/// How many events are read, queued or dropped at once, while a server waits.
const AT_ONCE: i64 = 500;

/// An event for which the server has given up trying.
#[derive(Debug, sqlx_macros::FromRow)]
pub struct ParkedWebhook {
    /// The event's `webhook-id`.
    pub id: Uuid,
    pub stream: String,
    pub number: i64,
    /// How often it was tried.
    pub attempts: i64,
    failing_since: Time,
    /// What went wrong at the last try.
    pub problem: String,
}

impl ParkedWebhook {
    /// Since when it failed, or waited for an earlier event that failed; in RFC 3339.
    pub fn failing_since(&self) -> String {
        self.failing_since.to_string()
    }
}

/// The parked events of a database.
pub struct ParkedWebhooks {
    url: Url,
    connection: Database,
}

enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Expands `$body` once for each dialect; the name is bound to the connection.
macro_rules! on {
    ($parked:expr, |$connection:ident| $body:expr) => {
        match &mut $parked.connection {
            Database::Sqlite($connection) => $body,
            Database::Postgres($connection) => $body,
        }
    };
}

impl ParkedWebhooks {
    /// Errors: the database cannot be opened, or is of another version.
    pub async fn open(url: &Url) -> Result<ParkedWebhooks, CopyError> {
        let failed = CopyError::of(url);
        let connection = match url.is_file() {
            true => {
                // Deleted data is overwritten, as it is by a server.
                let options = sqlite::existing(url)?.pragma("secure_delete", "on");
                let mut connection = options.busy_timeout(WAIT).connect().await.map_err(failed)?;
                let applied = sqlx::query_as(LIST_APPLIED).fetch_all(&mut connection).await;
                versions::check(url, &sqlite::MIGRATIONS, applied)?;
                Database::Sqlite(connection)
            }
            false => {
                let options = postgres::options(url.expose()).map_err(&failed)?;
                let options = options.disable_statement_logging();
                let mut connection = options.connect().await.map_err(&failed)?;
                let applied = sqlx::query_as(LIST_APPLIED).fetch_all(&mut connection).await;
                versions::check(url, &postgres::MIGRATIONS, applied)?;
                Database::Postgres(connection)
            }
        };
        Ok(ParkedWebhooks { url: url.clone(), connection })
    }

    /// The next parked events after this id, in the order of their ids; none at the end.
    pub async fn list(&mut self, after: Option<Uuid>) -> Result<Vec<ParkedWebhook>, CopyError> {
        let listed = self.page(after).await;
        listed.map_err(CopyError::of(&self.url))
    }

    /// Queues one event again, or all; returns how many were queued.
    pub async fn resend(&mut self, id: Option<Uuid>) -> Result<u64, CopyError> {
        let done = self.take(id, true).await;
        done.map_err(CopyError::of(&self.url))
    }

    /// Drops one event, or all, so that the webhook never gets them; returns how many were dropped.
    pub async fn drop(&mut self, id: Option<Uuid>) -> Result<u64, CopyError> {
        let done = self.take(id, false).await;
        done.map_err(CopyError::of(&self.url))
    }

    async fn page(&mut self, after: Option<Uuid>) -> Result<Vec<ParkedWebhook>, sqlx::Error> {
        on!(self, |connection| {
            sqlx::query_as(
                "select id, stream, number, attempts, failing_since, problem
                 from parked_webhooks where id > $1 order by id limit $2",
            )
            .bind(after.unwrap_or_default())
            .bind(AT_ONCE)
            .fetch_all(connection)
            .await
        })
    }

    async fn take(&mut self, id: Option<Uuid>, queue: bool) -> Result<u64, sqlx::Error> {
        if let Some(id) = id {
            return self.take_these(&[id], queue).await;
        }
        let (mut taken, mut last) = (0, None);
        loop {
            let page = self.page(last).await?;
            let ids = Vec::from_iter(page.iter().map(|parked| parked.id));
            if ids.is_empty() {
                return Ok(taken);
            }
            taken += self.take_these(&ids, queue).await?;
            last = ids.last().copied();
        }
    }

    async fn take_these(&mut self, ids: &[Uuid], queue: bool) -> Result<u64, sqlx::Error> {
        let (mut taken, now) = (0, clock::now());
        on!(self, |connection| {
            let mut tx = connection.begin().await?;
            for id in ids {
                if queue {
                    sqlx::query(
                        "insert into webhooks (id, stream, number, next_at, offline)
                         select id, stream, number, $2, offline from parked_webhooks where id = $1
                         on conflict do nothing",
                    )
                    .bind(id)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
                }
                let delete = sqlx::query("delete from parked_webhooks where id = $1").bind(id);
                taken += delete.execute(&mut *tx).await?.rows_affected();
            }
            tx.commit().await?;
        });
        Ok(taken)
    }
}
