//! The `reactions` table: which users react to a message, and how. What is shown of it is stored
//! with the message, so that reading a page of messages does not need this table.

use super::{Tx, on};
use crate::error::Error;
use crate::model::{Message, ReactionText, UserId};

impl Tx {
    /// Returns whether the reaction is new.
    pub async fn insert_reaction(
        &mut self,
        message: &Message,
        reaction: &ReactionText,
        user_id: &UserId,
    ) -> Result<bool, Error> {
        let done = on!(Tx self, |connection| {
            sqlx::query(
                "insert into reactions (chat_id, seq, reaction, user_id) values ($1, $2, $3, $4)
                 on conflict do nothing",
            )
            .bind(message.chat_id)
            .bind(message.seq)
            .bind(reaction)
            .bind(user_id)
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(done > 0)
    }

    /// Returns whether there was such a reaction.
    pub async fn delete_reaction(
        &mut self,
        message: &Message,
        reaction: &ReactionText,
        user_id: &UserId,
    ) -> Result<bool, Error> {
        let done = on!(Tx self, |connection| {
            sqlx::query(
                "delete from reactions
                 where chat_id = $1 and seq = $2 and reaction = $3 and user_id = $4",
            )
            .bind(message.chat_id)
            .bind(message.seq)
            .bind(reaction)
            .bind(user_id)
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(done > 0)
    }

    /// Deletes all reactions to a message.
    pub async fn delete_reactions(&mut self, message: &Message) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from reactions where chat_id = $1 and seq = $2")
                .bind(message.chat_id)
                .bind(message.seq)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Some of the users with this reaction to a message.
    pub async fn list_reacting(
        &mut self,
        message: &Message,
        reaction: &ReactionText,
        limit: usize,
    ) -> Result<Vec<UserId>, Error> {
        let users = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select user_id from reactions where chat_id = $1 and seq = $2 and reaction = $3
                 order by user_id limit $4",
            )
            .bind(message.chat_id)
            .bind(message.seq)
            .bind(reaction)
            .bind(limit as i64)
            .fetch_all(connection)
            .await
        })?;
        Ok(users)
    }
}
