//! Pages of only some of a chat's messages: those that answer one of them, or those that are
//! pinned.

use super::messages::{Bounds, page_of, signed};
use super::{Store, Tx, on};
use crate::error::Error;
use crate::model::{ChatId, MessagePage, MessageQuery, Only};

const EARLIEST_REPLIES: &str =
    signed!("m.reply_seq = $5 and m.seq between $2 and $3 order by m.seq limit $4");

const LATEST_REPLIES: &str =
    signed!("m.reply_seq = $5 and m.seq between $2 and $3 order by m.seq desc limit $4");

const EARLIEST_PINNED: &str =
    signed!("m.pinned_at is not null and m.seq between $2 and $3 order by m.seq limit $4");

const LATEST_PINNED: &str =
    signed!("m.pinned_at is not null and m.seq between $2 and $3 order by m.seq desc limit $4");

impl Store {
    /// Errors: `not_found` if replies to a message are asked for that is not in the chat.
    pub(super) async fn list_only(
        &self,
        chat_id: ChatId,
        only: Only,
        query: &MessageQuery,
        bounds: Bounds,
        max_bytes: usize,
    ) -> Result<MessagePage, Error> {
        let reply_seq = match only {
            Only::Pinned => None,
            Only::Replies(id) => {
                let found = self.find_message(chat_id, id).await?;
                Some(found.ok_or_else(|| Error::no_message("query.reply_to"))?.message.seq)
            }
        };
        let sql = match (reply_seq, query.is_forward()) {
            (Some(_), true) => EARLIEST_REPLIES,
            (Some(_), false) => LATEST_REPLIES,
            (None, true) => EARLIEST_PINNED,
            (None, false) => LATEST_PINNED,
        };
        let Bounds { first, last, from, to } = bounds;
        let mut messages = on!(Db self, |pool| {
            let rows = sqlx::query_as(sql)
                .bind(chat_id)
                .bind(from)
                .bind(to)
                .bind(query.limit as i64);
            let rows = match reply_seq {
                Some(seq) => rows.bind(seq),
                None => rows,
            };
            page_of(rows.fetch(pool), max_bytes, &self.urls).await?
        });
        if !query.is_forward() {
            messages.reverse();
        }
        let start = messages.first().map_or(from, |it| it.message.seq);
        let end = messages.last().map_or(to, |it| it.message.seq);
        let before = self.has_only(chat_id, reply_seq, first, start - 1).await?;
        let after = self.has_only(chat_id, reply_seq, end + 1, last).await?;
        let (previous, next) = (before.then_some(start), after.then_some(end));
        Ok(MessagePage { messages, next, previous })
    }

    /// Whether there are such messages from one `seq` to another.
    async fn has_only(
        &self,
        chat_id: ChatId,
        reply_seq: Option<i64>,
        from: i64,
        to: i64,
    ) -> Result<bool, Error> {
        let found = on!(Db self, |pool| {
            let find = match reply_seq {
                Some(_) => sqlx::query_scalar(
                    "select exists (
                         select 1 from messages
                         where chat_id = $1 and seq between $2 and $3 and reply_seq = $4
                     )",
                ),
                None => sqlx::query_scalar(
                    "select exists (
                         select 1 from messages
                         where chat_id = $1 and seq between $2 and $3 and pinned_at is not null
                     )",
                ),
            };
            let find = find.bind(chat_id).bind(from).bind(to);
            match reply_seq {
                Some(seq) => find.bind(seq).fetch_one(pool).await,
                None => find.fetch_one(pool).await,
            }
        })?;
        Ok(found)
    }
}

impl Tx {
    /// How many messages of a chat are pinned.
    pub async fn count_pinned(&mut self, chat_id: ChatId) -> Result<i64, Error> {
        let count = on!(Tx self, |connection| {
            sqlx::query_scalar(
                "select count(*) from messages where chat_id = $1 and pinned_at is not null",
            )
            .bind(chat_id)
            .fetch_one(connection)
            .await
        })?;
        Ok(count)
    }
}
