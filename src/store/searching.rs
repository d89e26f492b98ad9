//! Searches messages by the [index](super::indexing). It goes chat by chat, latest activity first,
//! until no further chat can have a later message than those that were found.

use std::cmp::Reverse;

use sqlx_macros::FromRow;

use super::indexed::{MAX_SEQ, rowid, word_in, word_of_sender};
use super::messages::page_of;
use super::sqlite::json;
use super::{Db, Store, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{ChatId, SearchPage, SearchPlace, SearchQuery, Signed, UserId};

/// How many chats one statement searches.
const CHATS: usize = 32;

/// A chat that somebody may search.
#[derive(FromRow)]
pub struct Searchable {
    chat_id: ChatId,
    number: i64,
    /// When its latest message came, or an earlier time.
    active_at: Time,
    /// The user sees messages after this `seq`.
    pub seen_after: i64,
}

/// Where to search in a chat: the chat, the query in the form that the database's index takes, and
/// the first and the last rowid.
type Look = (ChatId, String, i64, i64);

#[derive(FromRow)]
struct Found {
    time: Time,
    chat_id: ChatId,
    seq: i64,
}

impl Store {
    /// A user's chats, latest activity first. With `all`, the user sees all messages in them.
    pub async fn list_searchable(
        &self,
        user_id: &UserId,
        all: bool,
    ) -> Result<Vec<Searchable>, Error> {
        let chats = on!(Db self, |pool| {
            sqlx::query_as(
                "select c.id as chat_id, s.number, c.active_at,
                     case when c.since_joining and not $2 then m.joined_seq else 0 end as seen_after
                 from members m join chats c on c.id = m.chat_id
                 join search_chats s on s.chat_id = m.chat_id
                 where m.user_id = $1 and not c.ended order by c.active_at desc, c.id desc",
            )
            .bind(user_id)
            .bind(all)
            .fetch_all(pool)
            .await?
        });
        Ok(chats)
    }

    /// One chat; `None` if nothing in it is indexed.
    pub async fn find_searchable(
        &self,
        chat_id: ChatId,
        seen_after: i64,
    ) -> Result<Option<Searchable>, Error> {
        let chat: Option<Searchable> = on!(Db self, |pool| {
            sqlx::query_as(
                "select c.id as chat_id, s.number, c.active_at, cast(0 as bigint) as seen_after
                 from chats c join search_chats s on s.chat_id = c.id where c.id = $1",
            )
            .bind(chat_id)
            .fetch_optional(pool)
            .await?
        });
        Ok(chat.map(|chat| Searchable { seen_after, ..chat }))
    }

    /// The messages in `chats` that match `query`, the latest first, and no more than fit into
    /// `max_bytes` after the first. `chats` must be in the order of their activity, latest first.
    pub async fn search_messages(
        &self,
        chats: &[Searchable],
        query: &SearchQuery,
        max_bytes: usize,
    ) -> Result<SearchPage, Error> {
        let mut places: Vec<SearchPlace> = Vec::new();
        for some in chats.chunks(CHATS) {
            // All messages in the remaining chats are older.
            let is_enough = |last: &SearchPlace| last.time > some[0].active_at;
            if places.get(query.limit).is_some_and(is_enough) {
                break;
            }
            let found = self.search_some(some, query).await?;
            // Drop messages that came meanwhile and are later than the query allows.
            places.extend(found.into_iter().filter(|place| {
                query.to.is_none_or(|to| place.time <= to)
                    && query.before.is_none_or(|before| *place < before)
            }));
            places.sort_unstable_by_key(|place| Reverse(*place));
            places.truncate(query.limit + 1);
        }
        let wanted = &places[..places.len().min(query.limit)];
        let mut messages = self.list_found(wanted, max_bytes).await?;
        let is_last = messages.len() == places.len();
        let next = messages.last().filter(|_| !is_last).map(|signed| SearchPlace {
            time: signed.message.created_at,
            chat_id: signed.message.chat_id,
            seq: signed.message.seq,
        });
        // A message that was just deleted may still be in the index. Then the page is shorter, and
        // still has a next one.
        messages.retain(|signed| signed.message.deleted_at.is_none());
        Ok(SearchPage { messages, next })
    }

    async fn search_some(
        &self,
        chats: &[Searchable],
        query: &SearchQuery,
    ) -> Result<Vec<SearchPlace>, Error> {
        let mut looks = Vec::new();
        for chat in chats {
            looks.extend(self.look(chat, query).await?);
        }
        let (limit, sender) = (query.limit as i64 + 1, &query.user_id);
        let found: Vec<Found> = match &self.db {
            _ if looks.is_empty() => return Ok(Vec::new()),
            Db::Sqlite(pools) => {
                sqlx::query_as(
                    "select m.chat_id, m.seq, m.created_at as time
                     from json_each($1) look cross join json_each((
                         select json_group_array(rowid & $2) from (
                             select rowid from search_words
                             where search_words match (look.value ->> 1)
                             and rowid between look.value ->> 2 and look.value ->> 3
                             order by rowid desc limit $3
                         )
                     )) found cross join messages m
                     on m.chat_id = unhex(look.value ->> 0, '-') and m.seq = found.value
                     where $4 is null or m.user_id = $4",
                )
                .bind(json(looks.iter()))
                .bind(MAX_SEQ)
                .bind(limit)
                .bind(sender)
                .fetch_all(&pools.readers)
                .await?
            }
            Db::Postgres(pool) => {
                // The primary key must not be used for this: PostgreSQL expects it to be faster
                // than it is.
                sqlx::query_as(
                    "select m.chat_id, m.seq, m.created_at as time
                     from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
                         look (chat_id, words, first, last)
                     cross join lateral (
                         select (w.rowid + 0) & $5 as seq from search_words w
                         where w.words @@ look.words::tsquery
                         and w.rowid + 0 between look.first and look.last
                         order by w.rowid + 0 desc limit $6
                     ) found
                     join messages m on m.chat_id = look.chat_id and m.seq = found.seq
                     where $7::text is null or m.user_id = $7",
                )
                .bind(Vec::from_iter(looks.iter().map(|it| it.0)))
                .bind(Vec::from_iter(looks.iter().map(|it| it.1.as_str())))
                .bind(Vec::from_iter(looks.iter().map(|it| it.2)))
                .bind(Vec::from_iter(looks.iter().map(|it| it.3)))
                .bind(MAX_SEQ)
                .bind(limit)
                .bind(sender)
                .fetch_all(pool)
                .await?
            }
        };
        let place = |it: Found| SearchPlace { time: it.time, chat_id: it.chat_id, seq: it.seq };
        Ok(found.into_iter().map(place).collect())
    }

    /// Where to search in a chat; `None` if nothing there can match.
    async fn look(&self, chat: &Searchable, query: &SearchQuery) -> Result<Option<Look>, Error> {
        if query.from.is_some_and(|from| from > chat.active_at) {
            return Ok(None);
        }
        let mut first = chat.seen_after.saturating_add(1);
        if let Some(from) = query.from {
            first = first.max(self.find_seq(chat.chat_id, from).await?);
        }
        let mut last = MAX_SEQ;
        if let Some(end) = end_in(chat.chat_id, query).filter(|end| *end <= chat.active_at) {
            last = self.find_seq(chat.chat_id, end).await? - 1;
        }
        if let Some(before) = query.before.filter(|before| before.chat_id == chat.chat_id) {
            last = last.min(before.seq.saturating_sub(1));
        }
        if first > last {
            return Ok(None);
        }
        let words = self.words_in(chat.number, query);
        Ok(Some((chat.chat_id, words, rowid(chat.number, first), rowid(chat.number, last))))
    }

    /// The query, in the form that the database's index takes.
    fn words_in(&self, number: i64, query: &SearchQuery) -> String {
        let words = query.text.0.iter().map(|wanted| (wanted.word.clone(), wanted.is_beginning));
        let sender = query.user_id.iter().map(|id| (word_of_sender(id), false));
        // Words have only letters, digits and marks, so nothing needs to be escaped.
        let words = words.chain(sender).map(|(word, is_beginning)| {
            let word = word_in(number, &word);
            match (&self.db, is_beginning) {
                (Db::Sqlite(_), true) => format!("\"{word}\"*"),
                (Db::Sqlite(_), false) => format!("\"{word}\""),
                (Db::Postgres(_), true) => format!("'{word}':*"),
                (Db::Postgres(_), false) => format!("'{word}'"),
            }
        });
        let and = match &self.db {
            Db::Sqlite(_) => " ",
            Db::Postgres(_) => " & ",
        };
        words.collect::<Vec<_>>().join(and)
    }

    /// The messages at these places, as many as fit into `max_bytes` after the first.
    async fn list_found(
        &self,
        places: &[SearchPlace],
        max_bytes: usize,
    ) -> Result<Vec<Signed>, Error> {
        let messages = match &self.db {
            Db::Sqlite(pools) => {
                let places = places.iter().map(|place| (place.chat_id, place.seq));
                let rows = sqlx::query_as(
                    "select m.*, u.handle, u.name
                     from json_each($1) j cross join messages m
                     on m.chat_id = unhex(j.value ->> 0, '-') and m.seq = j.value ->> 1
                     join users u on u.id = m.user_id",
                )
                .bind(json(places))
                .fetch(&pools.readers);
                page_of(rows, max_bytes, &self.urls).await?
            }
            Db::Postgres(pool) => {
                let (ids, seqs): (Vec<_>, Vec<_>) =
                    places.iter().map(|place| (place.chat_id, place.seq)).unzip();
                let rows = sqlx::query_as(
                    "select m.*, u.handle, u.name
                     from unnest($1::uuid[], $2::bigint[]) with ordinality
                         place (chat_id, seq, number)
                     join messages m on m.chat_id = place.chat_id and m.seq = place.seq
                     join users u on u.id = m.user_id
                     order by place.number",
                )
                .bind(ids)
                .bind(seqs)
                .fetch(pool);
                page_of(rows, max_bytes, &self.urls).await?
            }
        };
        Ok(messages)
    }
}

/// All messages that are found in a chat must be older than this time; `None` if there is no such
/// bound.
fn end_in(chat_id: ChatId, query: &SearchQuery) -> Option<Time> {
    let of_query = query.to.map(Time::next);
    let of_place = query.before.map(|before| match chat_id > before.chat_id {
        // Of several chats with messages of the same time, this one comes before the chat of
        // `before`.
        true => before.time,
        false => before.time.next(),
    });
    of_query.into_iter().chain(of_place).min()
}
