//! What a transaction keeps to itself until it ends. On SQLite that is everything, as one writes at
//! a time; on PostgreSQL several write at the same time, of this node and of others, and a
//! transaction locks what it is about to change.
//!
//! So that no two wait for each other, all lock in one order: names, then rows of users and teams
//! ([`Tx::find_user_to_change`], [`Tx::find_team`]), then chats, and streams at the end, when the
//! events are stored ([`Tx::commit`]); several of a kind in the order of their numbers or ids. A
//! [batch](super::calls) locks chats and streams alone.

use super::{Transaction, Tx};
use crate::error::Error;
use crate::model::{ChatId, fold};

impl Tx {
    /// Keeps others from giving out these names, in any spelling, whatever they are of. A user's id
    /// is the name of their seat.
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

    /// Keeps others from changing these chats, and who is in them. It comes before anything is
    /// changed there.
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
