//! Deleted users: the row stays, without anything of theirs, so that nobody gets the id again.

use super::{Store, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, UserId};

/// What everybody sees of a deleted user.
const NAME: &str = "Deleted user";

impl Store {
    /// Users who are deleted and whose memberships are still to go: a few of them.
    pub async fn list_being_deleted(&self) -> Result<Vec<UserId>, Error> {
        let users = on!(Db self, |pool| {
            sqlx::query_scalar("select id from users where deletion > 0 order by id limit 100")
                .fetch_all(pool)
                .await
        })?;
        Ok(users)
    }

    /// The next of the chats that a user is a member of: `limit` at most.
    pub async fn list_some_chats(
        &self,
        user_id: &UserId,
        limit: i64,
    ) -> Result<Vec<ChatId>, Error> {
        let chats = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select m.chat_id from members m join chats c on c.id = m.chat_id
                 where m.user_id = $1 and not c.ended limit $2",
            )
                .bind(user_id)
                .bind(limit)
                .fetch_all(pool)
                .await
        })?;
        Ok(chats)
    }
}

impl Tx {
    /// Takes everything from a user but the id and what was said. Memberships are still to go.
    pub async fn delete_profile(&mut self, user_id: &UserId, now: Time) -> Result<(), Error> {
        self.forget_user(user_id);
        on!(Tx self, |connection| {
            sqlx::query(
                "update users
                 set external_id = null, handle = null, handle_folded = null, name = $2,
                     name_folded = '', photo = '', data = null, first_name = null,
                     last_name = null, email = null, email_folded = null, phone_number = null,
                     password_hash = null, protected = true, last_seen_at = null,
                     modified_at = $3, deletion = 1
                 where id = $1",
            )
            .bind(user_id)
            .bind(NAME)
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Takes a user out of all teams, and takes away who has blocked whom, and invitations.
    pub async fn delete_ties(&mut self, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from team_members where user_id = $1")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        on!(Tx self, |connection| {
            sqlx::query("delete from blocks where user_id = $1 or blocked_id = $1")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        on!(Tx self, |connection| {
            sqlx::query(
                "delete from invitations
                 where status = 0 and (invitee_id = $1 or inviter_id = $1)",
            )
            .bind(user_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Nothing of a deleted user is left to be taken away.
    pub async fn end_deletion(&mut self, user_id: &UserId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update users set deletion = 0 where id = $1 and deletion > 0")
                .bind(user_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
