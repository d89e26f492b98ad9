//! Handles: which user has which, in any spelling; and the `released_handles` table.

use super::{Tx, on};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{Handle, User, UserId, fold};

impl Tx {
    /// The user with this handle in any spelling. If there are several, it is the same one as for
    /// [`find_user_id`](super::Store::find_user_id).
    pub async fn find_user_by_handle(&mut self, handle: &Handle) -> Result<Option<User>, Error> {
        const EXACT: &str = "select * from users where handle = $1";
        const FOLDED: &str = "select * from users where handle_folded = $1";
        match self.find_user_by(EXACT, handle.as_ref()).await? {
            Some(user) => Ok(Some(user)),
            None => self.find_user_by(FOLDED, &handle.folded()).await,
        }
    }

    /// Whether somebody else has this handle in any spelling, or has it as an id, or had it until
    /// lately (see [`release_handle`](Tx::release_handle)). A name means only one user.
    pub async fn is_handle_taken(
        &mut self,
        handle: &Handle,
        own_id: &UserId,
    ) -> Result<bool, Error> {
        let taken = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select exists (
                     select 1 from users
                     where (handle = $1 or handle_folded = $2 or id = $1) and id <> $3
                 ) or exists (
                     select 1 from released_handles
                     where handle_folded = $2 and user_id <> $3 and until > $4
                 )",
            )
            .bind(handle)
            .bind(handle.folded())
            .bind(own_id)
            .bind(clock::now())
            .fetch_one(connection)
            .await
        })?;
        Ok(taken)
    }

    /// Reserves a handle for the user who gives it up, until `until`.
    pub async fn release_handle(
        &mut self,
        handle: &Handle,
        user_id: &UserId,
        until: Time,
    ) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into released_handles (handle_folded, user_id, until) values ($1, $2, $3)
                 on conflict (handle_folded) do update set user_id = $2, until = $3",
            )
            .bind(handle.folded())
            .bind(user_id)
            .bind(until)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Deletes the reservations of handles that are free again.
    pub async fn delete_free_handles(&mut self, now: Time) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from released_handles where until <= $1")
                .bind(now)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Whether somebody has this id, or has it, in any spelling, as a handle.
    pub async fn is_id_taken(&mut self, id: &UserId) -> Result<bool, Error> {
        let taken = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select exists (
                     select 1 from users where handle = $1 or handle_folded = $2 or id = $1
                 )",
            )
            .bind(id)
            .bind(fold(id.as_ref()))
            .fetch_one(connection)
            .await
        })?;
        Ok(taken)
    }
}
