//! Whether the database can be used. A load balancer asks this before it sends clients to this
//! node.

use super::{Store, Transaction, Tx, on};
use crate::error::Error;

impl Store {
    /// Checks whether the database can be read and written, by doing so. Errors: it cannot, or what
    /// is written would be lost.
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
    /// Makes the commit write to the disk, without changing anything.
    async fn write_mark(&mut self) -> Result<(), Error> {
        match &mut *self.inner {
            // Nobody reads this number. Its page is written even if the number stays the same.
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
