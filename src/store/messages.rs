//! Reads the `messages` table. Only the [ledger](super::ledger) appends to it: on SQLite by
//! [rows](super::rows), on PostgreSQL by [calls](super::calls). Later changes of a message are
//! written by [changes](super::changes).

use std::time::Duration;

use futures_util::{Stream, TryStreamExt};

use super::batch::{self, Key};
use super::file_urls::FileUrls;
use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, Event, Message, MessageId, MessagePage, MessageQuery, NewMessage};
use crate::model::{Sent, Signed};

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

/// Messages with their senders.
macro_rules! signed {
    ($rest:literal) => {
        concat!(
            "select m.*, u.handle, u.name from messages m join users u on u.id = m.user_id
             where m.chat_id = $1 and ",
            $rest
        )
    };
}
pub(super) use signed;

const LIST_EARLIEST: &str = signed!("m.seq between $2 and $3 order by m.seq limit $4");

const LIST_LATEST: &str = signed!("m.seq between $2 and $3 order by m.seq desc limit $4");

/// A message by its id, among the messages from a `seq` on.
const FIND_MESSAGE: &str = signed!(
    "m.seq = (
         select seq from (
             select seq, id from messages where chat_id = $1 and seq >= $2 order by seq limit $4
         ) near
         where id = $3 limit 1
     )"
);

/// How many messages, beginning at the time in an id, are searched for that id: as many as can be
/// sent to a chat within a millisecond.
const NEAR: i64 = 1024;

/// How much later than its message the time in an id may be. Ids are now made with the message's
/// own time; older ids were made a moment later.
const OFF: Duration = Duration::from_secs(1);

/// The range of `seq` in which the messages of a list are.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// The range that the query's times allow.
    pub first: i64,
    pub last: i64,
    /// The part of it that the query's `seq`s allow, too.
    pub from: i64,
    pub to: i64,
}

impl Store {
    /// The messages of a chat after the `seq` `seen_after` that match `query`: the first, and as
    /// many more as fit into `max_bytes`. Errors: `not_found` if replies to a message are asked for
    /// that is not in the chat.
    pub async fn list_messages(
        &self,
        chat_id: ChatId,
        seen_after: i64,
        query: &MessageQuery,
        max_bytes: usize,
    ) -> Result<MessagePage, Error> {
        let (first, last) = self.find_range(chat_id, query.from, query.to).await?;
        let first = first.max(seen_after.saturating_add(1));
        let from = query.after_seq.map_or(first, |seq| first.max(seq.saturating_add(1)));
        let to = query.before_seq.map_or(last, |seq| last.min(seq.saturating_sub(1)));
        if let Some(only) = query.only {
            let bounds = Bounds { first, last, from, to };
            return self.list_only(chat_id, only, query, bounds, max_bytes).await;
        }
        let sql = if query.is_forward() { LIST_EARLIEST } else { LIST_LATEST };
        let mut messages = on!(Db self, |pool| {
            let rows = sqlx::query_as(sql)
                .bind(chat_id)
                .bind(from)
                .bind(to)
                .bind(query.limit as i64)
                .fetch(pool);
            page_of(rows, max_bytes, &self.urls).await?
        });
        if !query.is_forward() {
            messages.reverse();
        }
        // If the page is empty, use the bounds that left it empty.
        let start = messages.first().map_or(from, |it| it.message.seq);
        let end = messages.last().map_or(to, |it| it.message.seq);
        let previous = (start > first && first <= last).then_some(start);
        let next = (end < last && first <= last).then_some(end);
        Ok(MessagePage { messages, next, previous })
    }

    /// A message of a chat.
    pub async fn find_message(
        &self,
        chat_id: ChatId,
        id: MessageId,
    ) -> Result<Option<Signed>, Error> {
        for from in times_of(id) {
            let seq = self.find_seq(chat_id, from).await?;
            let found: Option<Signed> = on!(Db self, |pool| {
                sqlx::query_as(FIND_MESSAGE)
                    .bind(chat_id)
                    .bind(seq)
                    .bind(id)
                    .bind(NEAR)
                    .fetch_optional(pool)
                    .await?
            });
            if let Some(mut signed) = found {
                self.urls.sign(&mut signed.message);
                return Ok(Some(signed));
            }
        }
        Ok(None)
    }

    /// The first and the last `seq` of a chat between two times; an empty range if there are no
    /// messages.
    async fn find_range(
        &self,
        chat_id: ChatId,
        from: Option<Time>,
        to: Option<Time>,
    ) -> Result<(i64, i64), Error> {
        // Find the last one first, so that a message which comes meanwhile is not in the range.
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

    /// Runs [`FIND_SEQ`].
    pub(super) async fn find_seq(&self, chat_id: ChatId, time: Time) -> Result<i64, Error> {
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

/// The first of these rows, and as many more as fit into `max_bytes`.
pub(super) async fn page_of(
    mut rows: impl Stream<Item = Result<Signed, sqlx::Error>> + Unpin,
    max_bytes: usize,
    urls: &FileUrls,
) -> Result<Vec<Signed>, sqlx::Error> {
    let (mut messages, mut bytes) = (Vec::new(), 0);
    while let Some(mut signed) = rows.try_next().await? {
        urls.sign(&mut signed.message);
        bytes += signed.message.size();
        if bytes > max_bytes && !messages.is_empty() {
            break;
        }
        messages.push(signed);
    }
    Ok(messages)
}

/// The times from which the message with this id is searched; none if no message can have the id.
fn times_of(id: MessageId) -> impl Iterator<Item = Time> {
    id.time().into_iter().flat_map(|time| [time, time.before(OFF)])
}

impl Tx {
    /// A message of a chat.
    pub async fn find_message(
        &mut self,
        chat_id: ChatId,
        id: MessageId,
    ) -> Result<Option<Signed>, Error> {
        for from in times_of(id) {
            let seq: Option<i64> = on!(Tx self, |connection| {
                let find = sqlx::query_scalar(FIND_SEQ).bind(chat_id).bind(from);
                find.fetch_optional(connection).await?
            });
            let found: Option<Signed> = on!(Tx self, |connection| {
                sqlx::query_as(FIND_MESSAGE)
                    .bind(chat_id)
                    .bind(seq.unwrap_or(1))
                    .bind(id)
                    .bind(NEAR)
                    .fetch_optional(connection)
                    .await?
            });
            if let Some(mut signed) = found {
                self.urls.sign(&mut signed.message);
                return Ok(Some(signed));
            }
        }
        Ok(None)
    }

    /// Appends one message and its extras; see [`batch::append`].
    pub async fn append_message(
        &mut self,
        message: NewMessage,
    ) -> Result<(Sent, Option<Event>), Error> {
        batch::append(self, message).await
    }

    /// The messages that were sent under these `client_id`s, on SQLite.
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
