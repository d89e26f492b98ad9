//! The `messages` table. It is written by the [ledger](super::ledger) alone.

use std::sync::Arc;

use futures_util::TryStreamExt;

use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, ClientId, Message, MessagePage, MessageQuery, UserId};

/// The first and the last `seq` of a chat between two times, by the index of times: within a chat
/// times never fall while `seq` rises. Nothing between them is an empty range.
const FIND_RANGE: &str = "
    select
        case when cast($2 as bigint) is null then 1 else coalesce((
            select seq from messages where chat_id = $1 and created_at >= $2
            order by created_at, seq limit 1
        ), last_seq + 1) end,
        case when cast($3 as bigint) is null then last_seq else coalesce((
            select seq from messages where chat_id = $1 and created_at <= $3
            order by created_at desc, seq desc limit 1
        ), 0) end
    from chats where id = $1";

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

    async fn find_range(
        &self,
        chat_id: ChatId,
        from: Option<Time>,
        to: Option<Time>,
    ) -> Result<(i64, i64), Error> {
        let range = on!(Db self, |pool| {
            sqlx::query_as(FIND_RANGE).bind(chat_id).bind(from).bind(to).fetch_optional(pool).await
        })?;
        Ok(range.unwrap_or_default())
    }
}

impl Tx {
    /// The messages that were sent under these `client_id`s.
    pub(super) async fn find_sent(
        &mut self,
        keys: &[(ChatId, UserId, ClientId)],
    ) -> Result<Vec<Message>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let messages = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "select m.* from json_each($1) j join messages m
                     on m.chat_id = unhex(j.value ->> 0, '-') and m.user_id = j.value ->> 1
                     and m.client_id = j.value ->> 2",
                )
                .bind(json(keys.iter()))
                .fetch_all(&mut **inner)
                .await?
            }
            Transaction::Postgres(inner) => {
                let column = |(chat, user, client): &_| (*chat, (*user, *client));
                let (chats, (users, clients)): (Vec<ChatId>, (Vec<&UserId>, Vec<&ClientId>)) =
                    keys.iter().map(|(chat, user, client)| column(&(chat, user, client))).unzip();
                sqlx::query_as(
                    "select m.* from unnest($1::uuid[], $2::text[], $3::text[])
                         j (chat_id, user_id, client_id)
                     join messages m on m.chat_id = j.chat_id and m.user_id = j.user_id
                     and m.client_id = j.client_id",
                )
                .bind(chats)
                .bind(users)
                .bind(clients)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(messages)
    }

    /// Stores new messages, all in one statement.
    pub(super) async fn insert_messages(&mut self, messages: &[Arc<Message>]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                let rows = json(messages.iter().map(|m| {
                    let (at, kind) = (m.created_at.as_micros(), m.kind as i16);
                    (m.chat_id, m.seq, m.id, &m.user_id, kind, &m.body, &m.client_id, at)
                }));
                sqlx::query(
                    "insert into messages
                         (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
                     select unhex(value ->> 0, '-'), value ->> 1, unhex(value ->> 2, '-'),
                         value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 7
                     from json_each($1)",
                )
                .bind(rows)
                .execute(&mut **inner)
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "insert into messages
                         (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
                     select chat_id, seq, id, user_id, kind, body, client_id, at, at
                     from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::smallint[],
                         $6::text[], $7::text[], $8::bigint[])
                         m (chat_id, seq, id, user_id, kind, body, client_id, at)",
                )
                .bind(Vec::from_iter(messages.iter().map(|m| m.chat_id)))
                .bind(Vec::from_iter(messages.iter().map(|m| m.seq)))
                .bind(Vec::from_iter(messages.iter().map(|m| m.id)))
                .bind(Vec::from_iter(messages.iter().map(|m| &m.user_id)))
                .bind(Vec::from_iter(messages.iter().map(|m| m.kind as i16)))
                .bind(Vec::from_iter(messages.iter().map(|m| &m.body)))
                .bind(Vec::from_iter(messages.iter().map(|m| m.client_id.as_ref())))
                .bind(Vec::from_iter(messages.iter().map(|m| m.created_at)))
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }
}
