//! Finds what is missing in the [index](super::indexing): which chats have messages or changes that
//! are not indexed yet, as far as this node knows or according to the database, and which these
//! are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::{Mutex, PoisonError};

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;
use tokio::sync::Notify;

use super::indexed::word_of_sender;
use super::sqlite::json;
use super::{Db, Store, on};
use crate::error::Error;
use crate::model::{Body, Change, ChatId, Event, UserId, words_of};

/// How many messages are read at once, of one chat and in all, and how many bytes, including those
/// of their former words: other writes wait while words are inserted and deleted.
const OF_CHAT: i64 = 100;
const AT_ONCE: i64 = 250;
const MAX_BYTES: usize = 1 << 20;

/// The chats for which something may be missing in the index, as far as this node knows.
#[derive(Default)]
pub struct Unindexed {
    chats: Mutex<HashSet<ChatId>>,
    more: Notify,
}

impl Unindexed {
    /// Notes the chats of events that change what searches find.
    pub(super) fn note(&self, events: &[Event]) {
        self.add(events.iter().filter_map(|event| match event {
            Event::MessageSent(posted) => Some(posted.message.chat_id),
            Event::MessageChanged(changed)
                if matches!(changed.changed, Change::Edited | Change::Deleted) =>
            {
                Some(changed.message.chat_id)
            }
            _ => None,
        }));
    }

    pub fn add(&self, chats: impl IntoIterator<Item = ChatId>) {
        let mut chats = chats.into_iter().peekable();
        if chats.peek().is_some() {
            self.chats.lock().unwrap_or_else(PoisonError::into_inner).extend(chats);
            self.more.notify_one();
        }
    }

    /// Returns when something was added after this last returned.
    pub async fn added(&self) {
        self.more.notified().await;
    }

    /// All chats that were added since the last call.
    pub fn take(&self) -> Vec<ChatId> {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *chats).into_iter().collect()
    }
}

/// How far the index has come with a chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    pub seq: i64,
    pub change: i64,
}

/// A message whose words are to be written.
#[derive(FromRow)]
struct Unread {
    chat_id: ChatId,
    seq: i64,
    /// The number of its latest change, if it was changed.
    change: Option<i64>,
    user_id: UserId,
    body: Body,
    /// Whether its words may have changed since it was sent.
    rewritten: bool,
    /// How many bytes of former words SQLite must delete for it.
    former: i64,
}

/// The number in whose order messages are read.
#[derive(Clone, Copy)]
enum By {
    Seq,
    Change,
}

/// What is missing for a chat: the words of messages by `seq`, and how far the index comes with
/// them.
#[derive(Default)]
pub(super) struct Missing {
    pub from: Reached,
    pub to: Reached,
    pub words: BTreeMap<i64, Vec<String>>,
    /// Whether more may be missing.
    pub more: bool,
}

macro_rules! unread_on_file {
    ($number:literal) => {
        concat!(
            "select m.chat_id, m.seq, m.change, m.user_id, m.body,
                 m.edited_at is not null or m.deleted_at is not null as rewritten,
                 coalesce((
                     select length(w.c0) from search_chats s
                     join search_words_content w on w.id = (s.number << 32) | m.seq
                     where s.chat_id = m.chat_id
                 ), 0) as former
             from json_each($1) j cross join json_each((
                 select json_group_array(seq) from (
                     select seq from messages
                     where chat_id = unhex(j.value ->> 0, '-') and ",
            $number,
            " > j.value ->> 1 order by ",
            $number,
            " limit $2
                 )
             )) found cross join messages m
             on m.chat_id = unhex(j.value ->> 0, '-') and m.seq = found.value limit $3"
        )
    };
}

macro_rules! unread_on_server {
    ($number:literal) => {
        concat!(
            "select m.* from unnest($1::uuid[], $3::bigint[]) j (chat_id, after)
             cross join lateral (
                 select chat_id, seq, change, user_id, body,
                     edited_at is not null or deleted_at is not null as rewritten,
                     0::bigint as former
                 from messages where chat_id = j.chat_id and ",
            $number,
            " > j.after order by ",
            $number,
            " limit $2
             ) m limit $4"
        )
    };
}

impl Store {
    /// Some of the chats for which something is missing in the index, after this chat.
    pub async fn list_unindexed(&self, after: Option<ChatId>) -> Result<Vec<ChatId>, Error> {
        let chats = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select c.id from chats c left join search_chats s on s.chat_id = c.id
                 where c.id > $1 and not c.ended
                 and (c.last_seq > coalesce(s.seq, 0) or c.last_change > coalesce(s.change, 0))
                 order by c.id limit 1000",
            )
            .bind(after.unwrap_or(ChatId::from(uuid::Uuid::nil())))
            .fetch_all(pool)
            .await?
        });
        Ok(chats)
    }

    /// What is missing for these chats; if it is much, only some of it.
    pub(super) async fn list_missing(
        &self,
        chats: &[ChatId],
    ) -> Result<Vec<(ChatId, Missing)>, Error> {
        let reached = self.list_reached(chats).await?.into_iter();
        let mut missing: BTreeMap<ChatId, Missing> = reached
            .map(|(id, from)| (id, Missing { from, to: from, ..Missing::default() }))
            .collect();
        let after_seq = missing.iter().map(|(id, it)| (*id, it.from.seq)).collect();
        let (messages, all) = self.list_unread(By::Seq, after_seq).await?;
        let mut counts = HashMap::<ChatId, i64>::new();
        for message in messages {
            *counts.entry(message.chat_id).or_default() += 1;
            if let Some(of_chat) = missing.get_mut(&message.chat_id) {
                of_chat.to.seq = message.seq;
                of_chat.add(&message);
            }
        }
        // Read the changes after the messages, so that their words are the latest.
        let after = missing.iter().map(|(id, it)| (*id, it.from.change)).collect();
        let (messages, all_changes) = self.list_unread(By::Change, after).await?;
        let mut changes = HashMap::<ChatId, i64>::new();
        for message in messages {
            *changes.entry(message.chat_id).or_default() += 1;
            if let Some(of_chat) = missing.get_mut(&message.chat_id) {
                of_chat.to.change = message.change.unwrap_or(of_chat.to.change);
                if message.rewritten {
                    of_chat.add(&message);
                }
            }
        }
        for (id, of_chat) in &mut missing {
            let is_full = |counts: &HashMap<_, i64>| counts.get(id).copied() == Some(OF_CHAT);
            of_chat.more = !all || !all_changes || is_full(&counts) || is_full(&changes);
        }
        Ok(missing.into_iter().collect())
    }

    /// How far the index has come with these chats, without ended ones.
    async fn list_reached(&self, chats: &[ChatId]) -> Result<Vec<(ChatId, Reached)>, Error> {
        let reached: Vec<(ChatId, i64, i64)> = match &self.db {
            Db::Sqlite(pools) => {
                sqlx::query_as(
                    "select c.id, coalesce(s.seq, 0), coalesce(s.change, 0)
                     from chats c left join search_chats s on s.chat_id = c.id
                     where c.id in (select unhex(value, '-') from json_each($1)) and not c.ended",
                )
                .bind(json(chats.iter()))
                .fetch_all(&pools.readers)
                .await?
            }
            Db::Postgres(pool) => {
                sqlx::query_as(
                    "select c.id, coalesce(s.seq, 0), coalesce(s.change, 0)
                     from chats c left join search_chats s on s.chat_id = c.id
                     where c.id = any($1) and not c.ended",
                )
                .bind(chats)
                .fetch_all(pool)
                .await?
            }
        };
        Ok(reached.into_iter().map(|(id, seq, change)| (id, Reached { seq, change })).collect())
    }

    /// The next messages of each chat after a number, up to [`AT_ONCE`] and [`MAX_BYTES`]; and
    /// whether these are all that were asked for.
    async fn list_unread(
        &self,
        by: By,
        after: Vec<(ChatId, i64)>,
    ) -> Result<(Vec<Unread>, bool), Error> {
        let (mut messages, mut bytes) = (Vec::<Unread>::new(), 0);
        let mut rows = match &self.db {
            Db::Sqlite(pools) => {
                let sql = match by {
                    By::Seq => unread_on_file!("seq"),
                    By::Change => unread_on_file!("change"),
                };
                let query =
                    sqlx::query_as(sql).bind(json(after.iter())).bind(OF_CHAT).bind(AT_ONCE);
                query.fetch(&pools.readers)
            }
            Db::Postgres(pool) => {
                let sql = match by {
                    By::Seq => unread_on_server!("seq"),
                    By::Change => unread_on_server!("change"),
                };
                let (ids, after): (Vec<_>, Vec<_>) = after.into_iter().unzip();
                sqlx::query_as(sql).bind(ids).bind(OF_CHAT).bind(after).bind(AT_ONCE).fetch(pool)
            }
        };
        while let Some(message) = rows.try_next().await? {
            messages.push(message);
            bytes += messages.last().map_or(0, |it| it.body.as_ref().len() + it.former as usize);
            if bytes > MAX_BYTES {
                return Ok((messages, false));
            }
        }
        let all = (messages.len() as i64) < AT_ONCE;
        Ok((messages, all))
    }
}

impl Missing {
    fn add(&mut self, message: &Unread) {
        let mut words = words_of(message.body.as_ref());
        if !words.is_empty() {
            words.push(word_of_sender(&message.user_id));
        }
        self.words.insert(message.seq, words);
    }
}
