//! Changes of messages after they were sent: the columns of `messages` that changes fill, and the
//! numbers of the changes, from `chats.last_change`. In each chat these are 1, 2, 3… without a gap,
//! in the order of the commits, as a change takes its number in the transaction that makes it.

use super::messages::{page_of, signed};
use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::error::Error;
use crate::model::{ChangePage, ChatId, File, List, Message, Signed, UserId};

const LIST_CHANGES: &str =
    signed!("m.change > $2 and m.change <= $3 and m.seq > $5 order by m.change limit $4");

const FIND_AT: &str = signed!("m.seq = $2");

impl Store {
    /// The messages of a chat with a `seq` after `seen_after` that were changed after the change
    /// `after`, each once, in the order of their latest changes: at most `limit`, and no more than
    /// fit into `max_bytes` after the first.
    pub async fn list_changes(
        &self,
        chat_id: ChatId,
        seen_after: i64,
        after: i64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ChangePage, Error> {
        // Read this first: a change that is made meanwhile is in the next page.
        let last: Option<i64> = on!(Db self, |pool| {
            sqlx::query_scalar("select last_change from chats where id = $1")
                .bind(chat_id)
                .fetch_optional(pool)
                .await?
        });
        let last_change = last.unwrap_or_default();
        let messages = on!(Db self, |pool| {
            let rows = sqlx::query_as(LIST_CHANGES)
                .bind(chat_id)
                .bind(after)
                .bind(last_change)
                .bind(limit as i64)
                .bind(seen_after)
                .fetch(pool);
            page_of(rows, max_bytes, &self.urls).await?
        });
        let end = messages.last().and_then(|it: &Signed| it.message.change);
        Ok(ChangePage { messages, next: end.filter(|end| *end < last_change), last_change })
    }

    /// The latest messages of a chat that are not deleted, newest first, without the first
    /// `skipped` of them.
    pub async fn list_undeleted(
        &self,
        chat_id: ChatId,
        last_seq: i64,
        skipped: i64,
        limit: i64,
    ) -> Result<Vec<Signed>, Error> {
        let mut to = last_seq.saturating_sub(skipped);
        loop {
            let deleted: i64 = on!(Db self, |pool| {
                sqlx::query_scalar(
                    "select count(*) from messages
                     where chat_id = $1 and seq > $2 and seq <= $3 and deleted_at is not null",
                )
                .bind(chat_id)
                .bind(to)
                .bind(last_seq)
                .fetch_one(pool)
                .await?
            });
            let further = last_seq.saturating_sub(skipped).saturating_sub(deleted);
            if further == to {
                break;
            }
            to = further;
        }
        let mut messages: Vec<Signed> = on!(Db self, |pool| {
            sqlx::query_as(signed!(
                "m.seq <= $2 and m.deleted_at is null order by m.seq desc limit $3"
            ))
            .bind(chat_id)
            .bind(to)
            .bind(limit)
            .fetch_all(pool)
            .await
        })?;
        messages.iter_mut().for_each(|signed| self.urls.sign(&mut signed.message));
        Ok(messages)
    }
}

impl Tx {
    /// The message of this `seq`.
    pub async fn find_message_at(
        &mut self,
        chat_id: ChatId,
        seq: i64,
    ) -> Result<Option<Signed>, Error> {
        let mut found: Option<Signed> = on!(Tx self, |connection| {
            sqlx::query_as(FIND_AT).bind(chat_id).bind(seq).fetch_optional(connection).await
        })?;
        found.iter_mut().for_each(|signed| self.urls.sign(&mut signed.message));
        Ok(found)
    }

    /// The number of a new change to one of the chat's messages, and whether members see only what
    /// was sent since they joined.
    pub async fn next_change(&mut self, chat_id: ChatId) -> Result<(i64, bool), Error> {
        let next = on!(Tx self, |connection| {
            sqlx::query_as(
                "update chats set last_change = last_change + 1 where id = $1
                 returning last_change, since_joining",
            )
            .bind(chat_id)
            .fetch_one(connection)
            .await
        })?;
        Ok(next)
    }

    /// The members who joined before a message was sent.
    pub async fn list_who_see(&mut self, chat_id: ChatId, seq: i64) -> Result<Vec<UserId>, Error> {
        let members = on!(Tx self, |connection| {
            sqlx::query_scalar("select user_id from members where chat_id = $1 and joined_seq < $2")
                .bind(chat_id)
                .bind(seq)
                .fetch_all(connection)
                .await
        })?;
        Ok(members)
    }

    /// Stores everything of a message besides its text.
    pub async fn update_message(&mut self, message: &Message) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "update messages
                 set modified_at = $3, change = $4, edited_at = $5, deleted_at = $6, pinned_at = $7,
                     reply_id = $8, reply_seq = $9, replies = $10, mentions = $11, data = $12,
                     reactions = $13, file = $14
                 where chat_id = $1 and seq = $2",
            )
            .bind(message.chat_id)
            .bind(message.seq)
            .bind(message.modified_at)
            .bind(message.change)
            .bind(message.edited_at)
            .bind(message.deleted_at)
            .bind(message.pinned_at)
            .bind(message.reply_id)
            .bind(message.reply_seq)
            .bind(message.replies)
            .bind(message.mentions.as_ref().map(List::json))
            .bind(message.data.as_ref().map(AsRef::as_ref))
            .bind(message.reactions.as_ref().map(List::json))
            .bind(message.file.as_ref().map(File::json))
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Stores a message's text.
    pub async fn update_body(&mut self, message: &Message) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update messages set body = $3 where chat_id = $1 and seq = $2")
                .bind(message.chat_id)
                .bind(message.seq)
                .bind(&message.body)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Which of `user_ids` are no members of a chat.
    pub async fn list_strangers(
        &mut self,
        chat_id: ChatId,
        user_ids: &[UserId],
    ) -> Result<Vec<String>, Error> {
        let strangers = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_scalar(
                    "select value from json_each($2) where not exists (
                         select 1 from members where chat_id = $1 and user_id = value
                     )",
                )
                .bind(chat_id)
                .bind(json(user_ids.iter()))
                .fetch_all(inner.in_place())
                .await?
            }
            Transaction::Postgres(inner) => {
                sqlx::query_scalar(
                    "select value from unnest($2::text[]) value where not exists (
                         select 1 from members where chat_id = $1 and user_id = value
                     )",
                )
                .bind(chat_id)
                .bind(user_ids)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(strangers)
    }
}
