//! What has to be known of chats and users to append messages to them and to mark them as read.
//!
//! The one writer of a file remembers it from batch to batch, as nobody else changes the database.
//! Whatever changes one of these by other means says so: [`Tx::forget_chat`] and the like. On
//! PostgreSQL other nodes write, too, and each batch reads it anew.

use std::collections::{HashMap, HashSet};
use std::mem;

use super::chats::Head;
use super::members::Reading;
use super::sqlite::json;
use super::{Transaction, Tx};
use crate::error::Error;
use crate::model::{ChatId, UserId, Username};

/// How many chats, or users, are remembered before all are forgotten.
const MAX_REMEMBERED: usize = 50_000;

#[derive(Default)]
pub(super) struct Known {
    pub chats: HashMap<ChatId, KnownChat>,
    pub users: HashMap<UserId, KnownUser>,
    /// How many members the chats have together.
    members: usize,
}

pub(super) struct KnownChat {
    pub head: Head,
    /// The two users of a direct chat.
    pub pair: Option<[UserId; 2]>,
    /// How far the members that have sent or read something have read.
    pub members: HashMap<UserId, Reading>,
}

pub(super) struct KnownUser {
    pub username: Username,
    pub protected: bool,
}

/// A user as they stand to a chat.
#[derive(sqlx::FromRow)]
struct ActorRow {
    chat_id: ChatId,
    user_id: UserId,
    /// None if they are no member; so it is with the next.
    read_seq: Option<i64>,
    own_unread: Option<i64>,
    /// None if there is no such user; so it is with the next.
    username: Option<Username>,
    protected: Option<bool>,
    /// Whether there are copies of the chat's [activity](super::activity).
    kept: bool,
}

impl Known {
    /// Reads what is not known yet of these users in these chats.
    pub async fn learn(
        &mut self,
        tx: &mut Tx,
        actors: &HashSet<(ChatId, &UserId)>,
    ) -> Result<(), Error> {
        if self.chats.len().max(self.users.len()).max(self.members) > MAX_REMEMBERED {
            *self = Known::default();
        }
        let chats = actors.iter().map(|(chat_id, _)| *chat_id);
        let chats: HashSet<_> = chats.filter(|id| !self.chats.contains_key(id)).collect();
        for head in tx.find_heads(chats).await? {
            let (pair, members) = (head.pair(), HashMap::new());
            self.chats.insert(head.id, KnownChat { head, pair, members });
        }
        let rows = tx.find_actors(&self.unknown(actors)).await?;
        for row in rows {
            if let Some(chat) = self.chats.get_mut(&row.chat_id) {
                chat.head.kept |= row.kept;
            }
            if let (Some(chat), Some((read_seq, own_unread))) =
                (self.chats.get_mut(&row.chat_id), row.read_seq.zip(row.own_unread))
            {
                let reading = Reading { read_seq, own_unread };
                let before = chat.members.insert(row.user_id.clone(), reading);
                self.members += usize::from(before.is_none());
            }
            if let Some((username, protected)) = row.username.zip(row.protected) {
                self.users.insert(row.user_id, KnownUser { username, protected });
            }
        }
        Ok(())
    }

    /// Those of whom something is unknown; in a direct chat of both of its users.
    fn unknown<'a>(
        &'a self,
        actors: &HashSet<(ChatId, &'a UserId)>,
    ) -> HashSet<(ChatId, &'a UserId)> {
        let mut unknown = HashSet::new();
        for (chat_id, user_id) in actors {
            let Some(chat) = self.chats.get(chat_id) else {
                continue;
            };
            let all = chat.pair.iter().flatten().chain([*user_id]);
            let all = all.filter(|user_id| {
                !chat.members.contains_key(*user_id) || !self.users.contains_key(*user_id)
            });
            unknown.extend(all.map(|user_id| (*chat_id, user_id)));
        }
        unknown
    }
}

impl Tx {
    /// What is remembered; the caller gives it back, changed as the database is.
    pub(super) fn take_known(&mut self) -> Known {
        match &mut *self.inner {
            Transaction::Sqlite(writer) => mem::take(&mut writer.known),
            Transaction::Postgres(_) => Known::default(),
        }
    }

    pub(super) fn remember(&mut self, known: Known) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known = known;
        }
    }

    /// A chat, or its members, are about to change.
    pub(super) fn forget_chat(&mut self, id: ChatId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner
            && let Some(chat) = writer.known.chats.remove(&id)
        {
            writer.known.members -= chat.members.len();
        }
    }

    /// A user is about to change.
    pub(super) fn forget_user(&mut self, id: &UserId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known.users.remove(id);
        }
    }

    /// The members of many chats are about to change.
    pub(super) fn forget_all(&mut self) {
        drop(self.take_known());
    }

    async fn find_actors(
        &mut self,
        pairs: &HashSet<(ChatId, &UserId)>,
    ) -> Result<Vec<ActorRow>, Error> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let rows = match &mut *self.inner {
            Transaction::Sqlite(inner) => {
                sqlx::query_as(
                    "select unhex(j.value ->> 0, '-') as chat_id, j.value ->> 1 as user_id,
                         m.read_seq, m.own_unread, coalesce(u.handle, u.id) as username,
                         u.protected, false as kept
                     from json_each($1) j left join members m
                     on m.chat_id = unhex(j.value ->> 0, '-') and m.user_id = j.value ->> 1
                     left join users u on u.id = j.value ->> 1",
                )
                .bind(json(pairs.iter()))
                .fetch_all(&mut **inner)
                .await?
            }
            // After the chats have been locked: what others changed before is seen.
            Transaction::Postgres(inner) => {
                let (chats, users): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
                sqlx::query_as(
                    "select j.chat_id, j.user_id, m.read_seq, m.own_unread,
                         coalesce(u.handle, u.id) as username, u.protected, exists (
                             select 1 from members
                             where chat_id = j.chat_id and active_at is not null
                         ) as kept
                     from unnest($1::uuid[], $2::text[]) j (chat_id, user_id)
                     left join members m on m.chat_id = j.chat_id and m.user_id = j.user_id
                     left join users u on u.id = j.user_id",
                )
                .bind(chats)
                .bind(users)
                .fetch_all(&mut **inner)
                .await?
            }
        };
        Ok(rows)
    }
}
