//! The `mentions` table: which users a message mentions, to count unread mentions. The ids that a
//! message shows are in the message's own row.

use super::sqlite::json;
use super::{Transaction, Tx, on};
use crate::error::Error;
use crate::model::Message;

impl Tx {
    /// Stores which users a new message mentions.
    pub(super) async fn insert_mentions(&mut self, message: &Message) -> Result<(), Error> {
        let Some(mentions) = &message.mentions else {
            return Ok(());
        };
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "insert into mentions (chat_id, seq, user_id)
                     select $1, $2, value from json_each($3) where value <> $4
                     on conflict do nothing",
                )
                .bind(message.chat_id)
                .bind(message.seq)
                .bind(json(mentions.0.iter()))
                .bind(&message.user_id)
                .execute(inner.in_place())
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "insert into mentions (chat_id, seq, user_id)
                     select $1, $2, value from unnest($3::text[]) value where value <> $4
                     on conflict do nothing",
                )
                .bind(message.chat_id)
                .bind(message.seq)
                .bind(&mentions.0)
                .bind(&message.user_id)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    /// Replaces the users that a message mentions.
    pub async fn replace_mentions(&mut self, message: &Message) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("delete from mentions where chat_id = $1 and seq = $2")
                .bind(message.chat_id)
                .bind(message.seq)
                .execute(connection)
                .await?;
        });
        self.insert_mentions(message).await
    }
}
