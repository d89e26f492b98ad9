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

    /// Who a chat passes to when its owner goes: the moderator, or else the member, who joined
    /// first.
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

    /// Whoever moderates is muted no more.
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

    /// Until when a member may send nothing; none for one who may.
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
