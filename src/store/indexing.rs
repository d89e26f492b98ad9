//! The index by which messages are searched: the tables `search_chats` and `search_words`. It is
//! filled after the commits, chat by chat. For each chat it notes up to which `seq` and which
//! change it has come. As these numbers have no gaps, nothing is missed.
//!
//! Each word has the number of its chat before it, so that a search reads only the words of the
//! chats it is for. Searches are in [searching](super::searching); reading what is still to be
//! indexed is in [unindexed](super::unindexed).

use std::collections::HashMap;

use sqlx_macros::FromRow;

use super::indexed::{SEQ_BITS, rowid, word_in};
use super::sqlite::json;
use super::unindexed::{Missing, Reached};
use super::{Store, Transaction, Tx, on};
use crate::error::Error;
use crate::model::ChatId;

/// For how many chats one transaction brings the index forward.
const CHATS: usize = 200;

/// A chat's number in the index, and how far the index has come with it.
#[derive(FromRow)]
struct Place {
    chat_id: ChatId,
    number: i64,
    seq: i64,
    change: i64,
}

impl Store {
    /// Brings the index forward by a step in each of these chats, and returns the chats for which
    /// more may be missing.
    pub async fn index_once(&self, chats: &[ChatId]) -> Result<Vec<ChatId>, Error> {
        let mut left = Vec::new();
        for some in chats.chunks(CHATS) {
            left.extend(self.index_some(some.to_vec()).await?);
        }
        Ok(left)
    }

    async fn index_some(&self, mut chats: Vec<ChatId>) -> Result<Vec<ChatId>, Error> {
        chats.sort_unstable();
        let missing = self.list_missing(&chats).await?;
        let more = missing.iter().filter(|(_, missing)| missing.more);
        let mut left = Vec::from_iter(more.map(|(id, _)| *id));
        let missing: Vec<_> =
            missing.into_iter().filter(|(_, missing)| missing.from != missing.to).collect();
        if missing.is_empty() {
            return Ok(left);
        }
        let mut tx = self.begin().await?;
        let overtaken = tx.insert_words(&missing).await?;
        tx.commit([]).await?;
        left.extend(overtaken);
        Ok(left)
    }

    /// Empties the index.
    pub async fn delete_index(&self) -> Result<(), Error> {
        let is_there: bool = on!(Db self, |pool| {
            sqlx::query_scalar("select exists (select 1 from search_chats)").fetch_one(pool).await?
        });
        if !is_there {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        let statements: &[&'static str] = match &*tx.inner {
            // This is faster than deleting row by row.
            Transaction::Sqlite(_) => &[
                "drop table search_words",
                "create virtual table search_words using fts5(
                     words, detail = column, columnsize = 0, tokenize = \"ascii tokenchars '@'\"
                 )",
                "insert into search_words (search_words, rank) values ('secure-delete', 1)",
                "delete from search_chats",
            ],
            Transaction::Postgres(_) => &["truncate search_words, search_chats"],
        };
        for sql in statements {
            on!(Tx tx, |connection| {
                sqlx::query(*sql).execute(connection).await?;
            });
        }
        tx.commit([]).await
    }
}

impl Tx {
    /// Writes the missing words, and how far the index has come. Returns the chats for which others
    /// have done some of this meanwhile; nothing is written for these.
    async fn insert_words(&mut self, missing: &[(ChatId, Missing)]) -> Result<Vec<ChatId>, Error> {
        let chats = Vec::from_iter(missing.iter().map(|(id, _)| *id));
        let places: HashMap<_, _> =
            self.lock_places(&chats).await?.into_iter().map(|it| (it.chat_id, it)).collect();
        let (mut overtaken, mut rows, mut reached) = (Vec::new(), Vec::new(), Vec::new());
        for (id, missing) in missing {
            // The chat has ended meanwhile.
            let Some(place) = places.get(id) else { continue };
            if missing.from != (Reached { seq: place.seq, change: place.change }) {
                overtaken.push(*id);
                continue;
            }
            reached.push((place.number, missing.to.seq, missing.to.change));
            rows.extend(missing.words.iter().map(|(seq, words)| {
                let words = words.iter().map(|word| word_in(place.number, word));
                (rowid(place.number, *seq), words.collect::<Vec<_>>().join(" "))
            }));
        }
        // FTS5 flushes its buffer whenever a rowid is lower than the one before.
        rows.sort_unstable_by_key(|(rowid, _)| *rowid);
        self.replace_words(&rows).await?;
        self.update_reached(&reached).await?;
        Ok(overtaken)
    }

    /// The places of these chats in the index, without ended chats; missing places are made. Until
    /// the transaction ends, nobody else can write there.
    async fn lock_places(&mut self, chats: &[ChatId]) -> Result<Vec<Place>, Error> {
        let places = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "insert into search_chats (chat_id, seq, change)
                     select id, 0, 0 from chats
                     where id in (select unhex(value, '-') from json_each($1)) and not ended
                     on conflict do nothing",
                )
                .bind(json(chats.iter()))
                .execute(inner.in_place())
                .await?;
                sqlx::query_as(
                    "select s.chat_id, s.number, s.seq, s.change
                     from search_chats s join chats c on c.id = s.chat_id and not c.ended
                     where s.chat_id in (select unhex(value, '-') from json_each($1))",
                )
                .bind(json(chats.iter()))
                .fetch_all(inner.in_place())
                .await?
            }
            Transaction::Postgres(inner) => {
                sqlx::query(
                    "insert into search_chats (chat_id, seq, change)
                     select id, 0, 0 from chats where id = any($1) and not ended order by id
                     on conflict do nothing",
                )
                .bind(chats)
                .execute(&mut **inner)
                .await?;
                sqlx::query(
                    "select 1 from search_chats where chat_id = any($1) order by chat_id
                     for update",
                )
                .bind(chats)
                .execute(&mut **inner)
                .await?;
                // A separate statement, so that it sees what was committed while the lock waited.
                sqlx::query_as(
                    "select s.chat_id, s.number, s.seq, s.change
                     from search_chats s join chats c on c.id = s.chat_id and not c.ended
                     where s.chat_id = any($1)",
                )
                .bind(chats)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(places)
    }

    /// Replaces the former words of messages; the rows of messages without words are deleted.
    async fn replace_words(&mut self, rows: &[(i64, String)]) -> Result<(), Error> {
        let (gone, there): (Vec<_>, Vec<_>) = rows.iter().partition(|(_, words)| words.is_empty());
        let gone = gone.into_iter().map(|(rowid, _)| *rowid);
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "delete from search_words where rowid in (select value from json_each($1))",
                )
                .bind(json(gone))
                .execute(inner.in_place())
                .await?;
                sqlx::query(
                    "insert or replace into search_words (rowid, words)
                     select value ->> 0, value ->> 1 from json_each($1)",
                )
                .bind(json(there.into_iter()))
                .execute(inner.in_place())
                .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query("delete from search_words where rowid = any($1)")
                    .bind(gone.collect::<Vec<_>>())
                    .execute(&mut **inner)
                    .await?;
                let (rowids, words): (Vec<_>, Vec<_>) =
                    there.into_iter().map(|(rowid, words)| (*rowid, words.as_str())).unzip();
                sqlx::query(
                    "insert into search_words (rowid, words)
                     select id, array_to_tsvector(string_to_array(words, ' '))
                     from unnest($1::bigint[], $2::text[]) w (id, words)
                     on conflict (rowid) do update set words = excluded.words",
                )
                .bind(rowids)
                .bind(words)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    async fn update_reached(&mut self, reached: &[(i64, i64, i64)]) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "update search_chats set seq = j.value ->> 1, change = j.value ->> 2
                     from json_each($1) j where number = j.value ->> 0",
                )
                .bind(json(reached.iter()))
                .execute(inner.in_place())
                .await?;
            }
            Transaction::Postgres(inner) => {
                let numbers = Vec::from_iter(reached.iter().map(|it| it.0));
                let seqs = Vec::from_iter(reached.iter().map(|it| it.1));
                let changes = Vec::from_iter(reached.iter().map(|it| it.2));
                sqlx::query(
                    "update search_chats s set seq = r.seq, change = r.change
                     from unnest($1::bigint[], $2::bigint[], $3::bigint[]) r (number, seq, change)
                     where s.number = r.number",
                )
                .bind(numbers)
                .bind(seqs)
                .bind(changes)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    /// Deletes the former words of changed messages, if the index does not know of the change yet.
    /// The words of an edited text come into the index when it comes to the change.
    pub(super) async fn delete_former_words(
        &mut self,
        messages: &[(ChatId, i64)],
    ) -> Result<(), Error> {
        let chats = Vec::from_iter(messages.iter().map(|(chat_id, _)| *chat_id));
        self.lock_places(&chats).await?;
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query(
                    "delete from search_words where rowid in (
                         select (s.number << $2) | m.seq
                         from json_each($1) j
                         cross join messages m
                         on m.chat_id = unhex(j.value ->> 0, '-') and m.seq = j.value ->> 1
                         join search_chats s on s.chat_id = m.chat_id and m.change > s.change
                     )",
                )
                .bind(json(messages.iter()))
                .bind(SEQ_BITS)
                .execute(inner.in_place())
                .await?;
            }
            Transaction::Postgres(inner) => {
                let (ids, seqs): (Vec<_>, Vec<_>) = messages.iter().copied().unzip();
                sqlx::query(
                    "delete from search_words where rowid in (
                         select (s.number << $3) | m.seq
                         from unnest($1::uuid[], $2::bigint[]) j (chat_id, seq)
                         join messages m on m.chat_id = j.chat_id and m.seq = j.seq
                         join search_chats s on s.chat_id = m.chat_id and m.change > s.change
                     )",
                )
                .bind(ids)
                .bind(seqs)
                .bind(SEQ_BITS)
                .execute(&mut **inner)
                .await?;
            }
        }
        Ok(())
    }

    /// Deletes the words of a chat's messages after `after` up to `to`. If the chat has ended,
    /// nobody can add words for it after this.
    pub(super) async fn delete_words(
        &mut self,
        chat_id: ChatId,
        after: i64,
        to: i64,
    ) -> Result<(), Error> {
        let number: Option<i64> = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_scalar("select number from search_chats where chat_id = $1")
                    .bind(chat_id)
                    .fetch_optional(inner.in_place())
                    .await?
            }
            Transaction::Postgres(inner) => {
                // This waits for a transaction that is just giving the chat its place, and may be
                // writing its words.
                sqlx::query(
                    "insert into search_chats (chat_id, seq, change) values ($1, 0, 0)
                     on conflict do nothing",
                )
                .bind(chat_id)
                .execute(&mut **inner)
                .await?;
                sqlx::query_scalar("select number from search_chats where chat_id = $1 for update")
                    .bind(chat_id)
                    .fetch_optional(&mut **inner)
                    .await?
            }
        };
        let Some(number) = number else { return Ok(()) };
        on!(Tx self, |connection| {
            sqlx::query("delete from search_words where rowid > $1 and rowid <= $2")
                .bind(rowid(number, after))
                .bind(rowid(number, to))
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Deletes the place of a deleted chat.
    pub(super) async fn delete_place(&mut self, chat_id: ChatId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "delete from search_chats
                 where chat_id = $1 and not exists (select 1 from chats where id = $1)",
            )
            .bind(chat_id)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}
