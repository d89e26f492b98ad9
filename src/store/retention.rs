//! Deletes messages that have been kept for their time. They leave no trace: nothing is pushed, and
//! the chat's history begins later.

use super::ended::SLICE;
use super::{Store, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::ChatId;

/// How many chats are examined in one run.
const RUN: i64 = 500;

/// A chat that may have messages which are too old.
#[derive(sqlx_macros::FromRow)]
pub struct KeptChat {
    pub id: ChatId,
    /// For how many days it keeps messages; 0 if that is not set.
    pub retention_days: i64,
    /// When its first message was sent; `None` if there is none.
    pub oldest: Option<Time>,
}

impl Store {
    /// The next chats after `after`. Without `all`, only chats that have a time set for keeping
    /// messages.
    pub async fn list_kept_chats(&self, after: ChatId, all: bool) -> Result<Vec<KeptChat>, Error> {
        let chats = on!(Db self, |pool| {
            sqlx::query_as(
                "select id, retention_days, (
                     select created_at from messages where chat_id = c.id order by seq limit 1
                 ) as oldest
                 from chats c where id > $1 and not ended and ($2 or retention_days > 0)
                 order by id limit $3",
            )
            .bind(after)
            .bind(all)
            .bind(RUN)
            .fetch_all(pool)
            .await
        })?;
        Ok(chats)
    }

    /// Deletes some of a chat's messages that come after the `seq` `after` and were sent before
    /// `before`, the first ones. Returns the `seq` of the last deleted one; `None` if there are no
    /// more. Members who have not read them are moved past them.
    pub async fn delete_old_messages(
        &self,
        chat_id: ChatId,
        before: Time,
        after: i64,
    ) -> Result<Option<i64>, Error> {
        let mut tx = self.begin().await?;
        // Lock the chat before the messages are read: several nodes share the work.
        if !tx.keep_chat(chat_id).await? {
            return Ok(None);
        }
        let last: Option<i64> = on!(Tx tx, |connection| {
            sqlx::query_scalar(
                "select max(seq) from (
                     select seq, created_at from messages where chat_id = $1 and seq > $2
                     order by seq limit $3
                 ) slice where created_at < $4",
            )
            .bind(chat_id)
            .bind(after)
            .bind(SLICE)
            .bind(before)
            .fetch_one(connection)
            .await?
        });
        let Some(last) = last else {
            return Ok(None);
        };
        tx.forget_chat(chat_id);
        on!(Tx tx, |connection| {
            sqlx::query(
                "update members set read_seq = $2, own_unread = own_unread - (
                     select count(*) from messages s
                     where s.chat_id = $1 and s.seq > members.read_seq and s.seq <= $2
                     and s.user_id = members.user_id
                 )
                 where chat_id = $1 and read_seq < $2",
            )
            .bind(chat_id)
            .bind(last)
            .execute(connection)
            .await?;
        });
        tx.delete_messages(chat_id, after, last).await?;
        tx.commit([]).await?;
        self.note_deletion();
        Ok(Some(last))
    }
}
