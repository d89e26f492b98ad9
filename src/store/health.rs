//! Whether the database can be used; a balancer that sends clients to this node asks.

use super::{Store, Transaction, Tx, on};
use crate::error::Error;

impl Store {
    /// Whether the database can be read and written: something is. Errors: it cannot be, or what
    /// is written would be gone.
    pub async fn ping(&self) -> Result<(), Error> {
        if !self.ledger.is_running() {
            return Err(Error::Unavailable(None));
        }
        on!(Db self, |pool| {
            sqlx::query("select 1").execute(pool).await?;
        });
        let mut tx = self.begin().await?;
        tx.write_mark().await?;
        tx.commit([]).await
    }
}

impl Tx {
    /// Has the commit write to the disk, and changes nothing.
    async fn write_mark(&mut self) -> Result<(), Error> {
        match &mut *self.inner {
            // Nobody reads it; the page that it is on is written even if it stays the same.
            Transaction::Sqlite(inner) => {
                sqlx::query("pragma user_version = 1").execute(inner.in_place()).await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query("select pg_logical_emit_message(true, 'chinwag', ''::text)::text")
                    .execute(&mut **inner)
                    .await?;
            }
        }
        Ok(())
    }
}
