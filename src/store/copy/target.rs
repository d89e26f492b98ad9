//! The PostgreSQL database that is filled.

use std::time::Duration;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::time::Instant;

use super::rows::{Batch, Checksum, Table};
use crate::config::Url;
use crate::error::CopyError;
use crate::store::database_lock::LOCK;
use crate::store::postgres::{self, MIGRATIONS, is_unfinished};
use crate::store::versions::{Applied, LIST_APPLIED, are_chinwags};

/// How long a session may take to end after it was told to.
const SESSION_END_TIMEOUT: Duration = Duration::from_secs(5);

/// A database that no server and no other copy can use while this exists.
pub struct Target {
    pub url: Url,
    connection: PgConnection,
}

impl Target {
    /// Connects, and refuses a database that is in use or holds something else.
    pub async fn open(url: &Url) -> Result<Target, CopyError> {
        if url.is_file() {
            let why = "only a PostgreSQL database can be copied to";
            return Err(CopyError::Unfit { url: url.clone(), why });
        }
        let failed = CopyError::of(url);
        let options = postgres::options(url.expose()).map_err(&failed)?;
        let options = options.application_name("chinwag copy").options(postgres::UNBOUNDED);
        let connection = options.disable_statement_logging().connect().await.map_err(&failed)?;
        let mut target = Target { url: url.clone(), connection };
        if !target.claim().await.map_err(&failed)? {
            return Err(CopyError::InUse(url.clone()));
        }
        let taken = !is_unfinished(&mut target.connection).await.map_err(&failed)?
            && target.has_data().await.map_err(&failed)?;
        match taken {
            true => Err(CopyError::NotEmpty(url.clone())),
            false => Ok(target),
        }
    }

    /// Takes the lock that servers hold; returns false if a server or another copy holds it.
    async fn claim(&mut self) -> Result<bool, sqlx::Error> {
        let until = Instant::now() + SESSION_END_TIMEOUT;
        loop {
            let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK);
            let locked = lock.fetch_one(&mut self.connection).await?;
            if locked || Instant::now() > until {
                return Ok(locked);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether the database holds anything that somebody would miss. If there are no users, a
    /// server has stored nothing.
    async fn has_data(&mut self) -> Result<bool, sqlx::Error> {
        let sql = "select exists (select 1 from pg_tables
                   where schemaname = current_schema and tablename <> '_sqlx_migrations')";
        if !sqlx::query_scalar(sql).fetch_one(&mut self.connection).await? {
            return Ok(false);
        }
        let sql = "select to_regclass('_sqlx_migrations') is not null";
        if !sqlx::query_scalar(sql).fetch_one(&mut self.connection).await? {
            return Ok(true);
        }
        let applied: Vec<Applied> =
            sqlx::query_as(LIST_APPLIED).fetch_all(&mut self.connection).await?;
        if !are_chinwags(&MIGRATIONS, &applied) {
            return Ok(true);
        }
        sqlx::query_scalar("select exists (select 1 from users)")
            .fetch_one(&mut self.connection)
            .await
    }

    /// Migrates the database and stores where its data comes from. Errors: an unfinished copy of
    /// another database is there.
    pub async fn prepare(&mut self, origin: &[u8]) -> Result<(), CopyError> {
        let failed = CopyError::of(&self.url);
        let migrated = MIGRATIONS.run(&mut self.connection).await;
        migrated.map_err(|error| failed(error.into()))?;
        match self.note(origin).await.map_err(&failed)? == origin {
            true => Ok(()),
            false => Err(CopyError::OtherOrigin(self.url.clone())),
        }
    }

    /// Stores where the data comes from, unless that is stored already; returns what is stored.
    async fn note(&mut self, origin: &[u8]) -> Result<Vec<u8>, sqlx::Error> {
        let mut tx = self.connection.begin().await?;
        if !is_unfinished(&mut tx).await? {
            sqlx::query("create table unfinished_copy (origin bytea not null)")
                .execute(&mut *tx)
                .await?;
            sqlx::query("insert into unfinished_copy values ($1)")
                .bind(origin)
                .execute(&mut *tx)
                .await?;
        }
        let noted = sqlx::query_scalar("select origin from unfinished_copy").fetch_one(&mut *tx);
        let noted = noted.await?;
        tx.commit().await?;
        Ok(noted)
    }

    pub async fn count(&mut self, table: &Table) -> Result<u64, sqlx::Error> {
        let sql = format!("select count(*) from {}", table.name);
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut self.connection).await?;
        Ok(count as u64)
    }

    /// Stores rows in a transaction of their own.
    pub async fn store(&mut self, table: &Table, batch: &Batch) -> Result<(), sqlx::Error> {
        let Table { name, columns, .. } = table;
        let sql = format!("copy {name} ({columns}) from stdin (format binary)");
        let mut copy = self.connection.copy_in_raw(&sql).await?;
        for part in batch.file() {
            copy.send(part).await?;
        }
        copy.finish().await?;
        Ok(())
    }

    pub async fn checksum(&mut self, table: &Table) -> Result<Checksum, sqlx::Error> {
        let rows = self.count(table).await?;
        let sql = format!("copy ({}) to stdout (format binary)", table.select_all);
        let (mut file, mut hash) = (self.connection.copy_out_raw(&sql).await?, Sha256::new());
        while let Some(part) = file.try_next().await? {
            hash.update(part);
        }
        Ok(Checksum { rows, digest: hash.finalize().into() })
    }

    /// Completes the copy. New rows of the `numbered` tables will get numbers after the present
    /// ones.
    pub async fn finish(mut self, tables: &[&str], numbered: &[&str]) -> Result<(), CopyError> {
        let failed = CopyError::of(&self.url);
        for table in numbered {
            let go_on = AssertSqlSafe(format!(
                "select setval(pg_get_serial_sequence('{table}', 'id'), max(id)) from {table}"
            ));
            sqlx::query(go_on).execute(&mut self.connection).await.map_err(&failed)?;
        }
        // Without statistics of its new tables the database would plan badly.
        let analyze = AssertSqlSafe(format!("analyze {}", tables.join(", ")));
        sqlx::query(analyze).execute(&mut self.connection).await.map_err(&failed)?;
        let drop = sqlx::query("drop table unfinished_copy").execute(&mut self.connection).await;
        drop.map_err(&failed)?;
        self.connection.close().await.map_err(failed)
    }
}
