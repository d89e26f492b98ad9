//! Removes texts that were edited or deleted from all other places where they stand: the `events`
//! that have told of them, the index of words, and SQLite's log. The `erasures` table lists what is
//! still to be done.

use std::sync::atomic::Ordering;

use sqlx_macros::FromRow;

use super::pages::RowKey;
use super::sqlite::{How, json};
use super::{Db, Store, Transaction, Tx, on};
use crate::error::Error;
use crate::model::{ChatId, Event, Message, MessageId, Stream};

/// How many erasures are done in one round.
const AT_ONCE: i64 = 100;

/// For how many erasures or rows one transaction does its work: others wait for it.
const REWRITTEN_AT_ONCE: usize = 5;

#[derive(FromRow)]
struct Erasure {
    id: i64,
    chat_id: ChatId,
    seq: i64,
    message_id: MessageId,
}

impl Store {
    /// Does up to a round of erasures, and returns whether there may be more. Errors: also if
    /// readers keep SQLite's log from being cut; then try again.
    pub async fn erase_former_texts(&self) -> Result<bool, Error> {
        let erasures: Vec<Erasure> = on!(Db self, |pool| {
            sqlx::query_as("select * from erasures order by id limit $1")
                .bind(AT_ONCE)
                .fetch_all(pool)
                .await?
        });
        if erasures.is_empty() {
            if self.uncut.swap(false, Ordering::Relaxed) {
                self.cut_log().await.inspect_err(|_| self.note_deletion())?;
            }
            return Ok(false);
        }
        let mut events = Vec::new();
        for erasure in &erasures {
            events.extend(self.erase_from_events(erasure).await?);
        }
        self.erase_from_index(&erasures).await?;
        if matches!(self.db, Db::Sqlite(_)) {
            self.erase_from_pages(&erasures, events.into_iter()).await?;
            self.cut_log().await?;
        }
        // If a message needs another erasure meanwhile, that has another id.
        let mut tx = self.begin().await?;
        tx.delete_erasures(erasures.iter().map(|it| it.id).collect()).await?;
        tx.commit([]).await?;
        Ok(erasures.len() as i64 == AT_ONCE)
    }

    /// Notes that something else was deleted: a profile, a chat, old messages. SQLite's log may
    /// still hold it, and the next round cuts the log.
    pub fn note_deletion(&self) {
        self.uncut.store(true, Ordering::Relaxed);
    }

    /// Empties SQLite's log. Errors: also if readers keep it from being cut.
    async fn cut_log(&self) -> Result<(), Error> {
        let Db::Sqlite(pools) = &self.db else {
            return Ok(());
        };
        let log = self.ledger.checkpoint(pools.checkpointer().await?, How::Cut).await?;
        match log.pages {
            0 => Ok(()),
            _ => Err(Error::Unavailable(None)),
        }
    }

    /// Removes the former words from the index, even if the index is far behind.
    async fn erase_from_index(&self, erasures: &[Erasure]) -> Result<(), Error> {
        if self.unindexed.is_none() {
            return Ok(());
        }
        for some in erasures.chunks(REWRITTEN_AT_ONCE) {
            let mut tx = self.begin().await?;
            let messages = Vec::from_iter(some.iter().map(|it| (it.chat_id, it.seq)));
            tx.delete_former_words(&messages).await?;
            tx.commit([]).await?;
        }
        Ok(())
    }

    /// Removes what SQLite has left of messages, of their words and of events on the file's pages.
    async fn erase_from_pages(
        &self,
        erasures: &[Erasure],
        events: impl Iterator<Item = i64>,
    ) -> Result<(), Error> {
        let mut keys = Vec::from_iter(events.map(RowKey::Event));
        let mut tx = self.begin().await?;
        for Erasure { chat_id, seq, .. } in erasures {
            let Transaction::Sqlite(writer) = &mut *tx.inner else { return Ok(()) };
            keys.push(RowKey::Message(*chat_id, *seq));
            keys.extend(writer.find_words(*chat_id, *seq)?);
        }
        tx.commit([]).await?;
        keys.sort_unstable();
        let mut reached = None;
        for some in keys.chunks(REWRITTEN_AT_ONCE) {
            let mut tx = self.begin().await?;
            let Transaction::Sqlite(writer) = &mut *tx.inner else { return Ok(()) };
            for key in some {
                if reached < Some(*key) {
                    reached = writer.rewrite_around(*key)?;
                }
            }
            tx.commit([]).await?;
        }
        Ok(())
    }

    /// Changes the events so that they tell of a message as it is now, and returns their ids.
    async fn erase_from_events(&self, erasure: &Erasure) -> Result<Vec<i64>, Error> {
        // Look them up before the transaction, so that nobody who writes waits for a long search.
        // The JSON of these events begins with the message's id.
        let begins = |event: &str| {
            let id = erasure.message_id;
            format!(r#"{{"event":"{event}","data":{{"message":{{"id":"{id}"%"#)
        };
        let ids: Vec<i64> = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select id from events where stream = $1 and (event like $2 or event like $3)
                 union all
                 select id from events where stream = $4 and event like $5",
            )
            .bind(Stream::Chat(erasure.chat_id).to_string())
            .bind(begins("message-sent"))
            .bind(begins("message-changed"))
            .bind(Stream::Everyone.to_string())
            .bind(begins("message-reported"))
            .fetch_all(pool)
            .await?
        });
        if ids.is_empty() {
            return Ok(ids);
        }
        let mut tx = self.begin().await?;
        tx.lock_chats(&[erasure.chat_id]).await?;
        let now = tx.find_message_at(erasure.chat_id, erasure.seq).await?;
        for (id, event) in tx.list_texts(&ids).await? {
            let event: Event = serde_json::from_str(&event).map_err(unreadable)?;
            let event = match &now {
                Some(now) => event.say_as(&now.message),
                None => event.say_nothing(),
            };
            tx.update_event(id, &serde_json::to_string(&event).map_err(unreadable)?).await?;
        }
        tx.commit([]).await?;
        Ok(ids)
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    super::events::unreadable(&error.to_string())
}

impl Tx {
    /// Requests that the former text of a message be removed from all other places where it stands.
    pub async fn insert_erasure(&mut self, message: &Message) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("insert into erasures (chat_id, seq, message_id) values ($1, $2, $3)")
                .bind(message.chat_id)
                .bind(message.seq)
                .bind(message.id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    async fn delete_erasures(&mut self, ids: Vec<i64>) -> Result<(), Error> {
        match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query("delete from erasures where id in (select value from json_each($1))")
                    .bind(json(ids.iter()))
                    .execute(inner.in_place())
                    .await?;
            }
            Transaction::Postgres(inner) => {
                sqlx::query("delete from erasures where id = any($1)")
                    .bind(ids)
                    .execute(&mut **inner)
                    .await?;
            }
        }
        Ok(())
    }

    /// The JSON of these events, as far as it is stored.
    async fn list_texts(&mut self, ids: &[i64]) -> Result<Vec<(i64, String)>, Error> {
        let texts = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "select id, event from events
                     where id in (select value from json_each($1)) and event is not null",
                )
                .bind(json(ids.iter()))
                .fetch_all(inner.in_place())
                .await?
            }
            Transaction::Postgres(inner) => {
                sqlx::query_as(
                    "select id, event from events where id = any($1) and event is not null",
                )
                .bind(ids)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(texts)
    }

    async fn update_event(&mut self, id: i64, event: &str) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update events set event = $2 where id = $1")
                .bind(id)
                .bind(event)
                .execute(connection)
                .await?;
        });
        Ok(())
    }
}
