//! The `messages` table, as it is read. The [ledger](super::ledger) alone writes it: on SQLite by
//! [rows](super::rows), on PostgreSQL by [calls](super::calls).

use futures_util::TryStreamExt;

use super::batch::Key;
use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, Message, MessagePage, MessageQuery};

/// The `seq` of a chat's first message of this time or later, or the one after its last message. It
/// is found by bisection: within a chat times never fall as `seq` rises.
const FIND_SEQ: &str = "
    with recursive search (low, high) as (
        select cast(1 as bigint), last_seq + 1 from chats where id = $1
        union all
        select case when m.created_at < $2 then m.seq + 1 else low end,
            case when m.created_at < $2 then high else coalesce(m.seq, (low + high) / 2) end
        from search left join messages m on m.chat_id = $1 and m.seq = (
            select min(seq) from messages
            where chat_id = $1 and seq >= (low + high) / 2 and seq < high
        )
        where low < high
    )
    select low from search where low = high";

const LIST_EARLIEST: &str = "
    select * from messages where chat_id = $1 and seq between $2 and $3 order by seq limit $4";

const LIST_LATEST: &str = "
    select * from messages where chat_id = $1 and seq between $2 and $3 order by seq desc limit $4";

impl Store {
    /// The messages of a chat that match `query`, and no more than fit into `max_bytes` after the
    /// first.
    pub async fn list_messages(
        &self,
        chat_id: ChatId,
        query: &MessageQuery,
        max_bytes: usize,
    ) -> Result<MessagePage, Error> {
        let (first, last) = self.find_range(chat_id, query.from, query.to).await?;
        let from = query.after_seq.map_or(first, |seq| first.max(seq.saturating_add(1)));
        let to = query.before_seq.map_or(last, |seq| last.min(seq.saturating_sub(1)));
        let sql = if query.is_forward() { LIST_EARLIEST } else { LIST_LATEST };
        let (mut messages, mut bytes) = (Vec::new(), 0);
        on!(Db self, |pool| {
            let mut rows = sqlx::query_as::<_, Message>(sql)
                .bind(chat_id)
                .bind(from)
                .bind(to)
                .bind(query.limit as i64)
                .fetch(pool);
            while let Some(message) = rows.try_next().await? {
                bytes += message.size();
                if bytes > max_bytes && !messages.is_empty() {
                    break;
                }
                messages.push(message);
            }
        });
        if !query.is_forward() {
            messages.reverse();
        }
        // Of an empty page, the bounds that left it empty.
        let start = messages.first().map_or(from, |message| message.seq);
        let end = messages.last().map_or(to, |message| message.seq);
        let previous = (start > first && first <= last).then_some(start);
        let next = (end < last && first <= last).then_some(end);
        Ok(MessagePage { messages, next, previous })
    }

    /// The first and the last `seq` of a chat between two times; an empty range if nothing is.
    async fn find_range(
        &self,
        chat_id: ChatId,
        from: Option<Time>,
        to: Option<Time>,
    ) -> Result<(i64, i64), Error> {
        // The last one first: what comes meanwhile is not taken for older than it is.
        let last = match to {
            Some(to) => self.find_seq(chat_id, to.next()).await? - 1,
            None => self.find_last_seq(chat_id).await?,
        };
        let first = match from {
            Some(from) => self.find_seq(chat_id, from).await?,
            None => 1,
        };
        Ok((first, last))
    }

    async fn find_seq(&self, chat_id: ChatId, time: Time) -> Result<i64, Error> {
        let seq: Option<i64> = on!(Db self, |pool| {
            sqlx::query_scalar(FIND_SEQ).bind(chat_id).bind(time).fetch_optional(pool).await
        })?;
        Ok(seq.unwrap_or(1))
    }

    async fn find_last_seq(&self, chat_id: ChatId) -> Result<i64, Error> {
        let seq: Option<i64> = on!(Db self, |pool| {
            sqlx::query_scalar("select last_seq from chats where id = $1")
                .bind(chat_id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(seq.unwrap_or(0))
    }
}

impl Tx {
    /// The messages that were sent under these `client_id`s, on a file.
    pub(super) async fn find_sent(&mut self, keys: Vec<Key>) -> Result<Vec<Message>, Error> {
        let Transaction::Sqlite(writer) = &mut *self.inner else {
            return Ok(Vec::new());
        };
        let keys = writer.find_keys(keys)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let messages = sqlx::query_as(
            "select m.* from json_each($1) j join messages m
             on m.chat_id = unhex(j.value ->> 0, '-') and m.user_id = j.value ->> 1
             and m.client_id = j.value ->> 2",
        )
        .bind(json(keys.iter()))
        .fetch_all(writer.in_place())
        .await?;
        Ok(messages)
    }
}
