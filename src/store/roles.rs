//! A member's role, and whether the member is muted, in the `members` table.

use super::{Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, Role, UserId};

impl Tx {
    pub async fn find_owner(&mut self, chat_id: ChatId) -> Result<Option<UserId>, Error> {
        let owner = on!(Tx self, |connection| {
            sqlx::query_scalar("select user_id from members where chat_id = $1 and role = 2")
                .bind(chat_id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(owner)
    }

    /// The user who becomes the owner when the owner leaves: the moderator who joined first, or the
    /// member who did if there is no moderator.
    pub async fn find_heir(
        &mut self,
        chat_id: ChatId,
        owner: &UserId,
    ) -> Result<Option<UserId>, Error> {
        let heir = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select user_id from members where chat_id = $1 and user_id <> $2
                 order by role desc, joined_at, user_id limit 1",
            )
            .bind(chat_id)
            .bind(owner)
            .fetch_optional(connection)
            .await
        })?;
        Ok(heir)
    }

    /// Sets a member's role. A moderator is not muted any more.
    pub async fn update_role(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        role: Role,
    ) -> Result<(), Error> {
        self.forget_chat(chat_id);
        on!(Tx self, |connection| {
            sqlx::query(
                "update members
                 set role = $3, muted_until = case when $4 then null else muted_until end
                 where chat_id = $1 and user_id = $2",
            )
                .bind(chat_id)
                .bind(user_id)
                .bind(role as i16)
            .bind(role > Role::Member)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Mutes a member until a time, or unmutes them with `None`.
    pub async fn update_muted(
        &mut self,
        chat_id: ChatId,
        user_id: &UserId,
        until: Option<Time>,
    ) -> Result<(), Error> {
        self.forget_chat(chat_id);
        on!(Tx self, |connection| {
            sqlx::query("update members set muted_until = $3 where chat_id = $1 and user_id = $2")
                .bind(chat_id)
                .bind(user_id)
                .bind(until)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
