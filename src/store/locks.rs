//! The locks of a transaction, which it holds until it ends. On SQLite it locks everything, as only
//! one transaction writes at a time. On PostgreSQL several transactions write at the same time, on
//! this node and on others, and each locks what it is about to change.
//!
//! To exclude deadlocks, all transactions lock in one order: names, then rows of users and teams
//! ([`Tx::find_user_to_change`], [`Tx::find_team`]), then chats, and in the end streams, when the
//! events are stored ([`Tx::commit`]). Several locks of one kind are taken in the order of their
//! numbers or ids. A [batch](super::calls) locks only chats and streams.

use super::{Transaction, Tx};
use crate::error::Error;
use crate::model::{ChatId, fold};

impl Tx {
    /// Keeps others from giving these names to anything, in any spelling. To lock a user's seat,
    /// the user's id is locked as a name.
    pub async fn lock_names(&mut self, names: &[&str]) -> Result<(), Error> {
        if let Transaction::Postgres(inner) = &mut *self.inner {
            sqlx::query(
                "select pg_advisory_xact_lock(number) from (
                     select distinct hashtextextended(name, 0) as number
                     from unnest($1::text[]) name order by number
                 ) names",
            )
            .bind(names.iter().map(|name| fold(name)).collect::<Vec<_>>())
            .execute(&mut **inner)
            .await?;
        }
        Ok(())
    }

    /// Keeps others from changing these chats and their members. It must be called before anything
    /// is changed there.
    pub async fn lock_chats(&mut self, ids: &[ChatId]) -> Result<(), Error> {
        if let Transaction::Postgres(inner) = &mut *self.inner {
            sqlx::query("select 1 from chats where id = any($1) order by id for no key update")
                .bind(ids)
                .execute(&mut **inner)
                .await?;
        }
        Ok(())
    }
}
