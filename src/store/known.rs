//! What must be known about chats and users to append messages and to mark chats as read.
//!
//! On SQLite, where only one connection writes, it is remembered from batch to batch. Other code
//! that changes a chat or a user calls [`Tx::forget_chat`] or the like. On PostgreSQL, where other
//! nodes write, too, each batch [reads it anew](super::calls).

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::chats::Head;
use super::members::KnownMember;
use super::sqlite::json;
use super::{Transaction, Tx};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{Author, ChatId, Handle, Name, Role, UserId};

/// If more chats, users or members than this are remembered, all are forgotten.
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
    /// The members that have sent or read something.
    pub members: HashMap<UserId, KnownMember>,
}

pub(super) struct KnownUser {
    pub author: Arc<Author>,
    pub protected: bool,
}

/// A user, and the user's membership of a chat.
#[derive(sqlx_macros::FromRow)]
pub(super) struct ActorRow {
    pub chat_id: ChatId,
    pub user_id: UserId,
    /// `None` if the user is no member; then all fields down to `role` are, too.
    read_seq: Option<i64>,
    own_unread: Option<i64>,
    blocked: Option<bool>,
    role: Option<Role>,
    muted_until: Option<Time>,
    sent_at: Option<Time>,
    /// `None` if there is no such user; then `protected` is, too.
    name: Option<Name>,
    handle: Option<Handle>,
    protected: Option<bool>,
}

impl Known {
    /// Reads what is not known yet about these users in these chats.
    pub async fn learn<'a>(
        &mut self,
        tx: &mut Tx,
        actors: impl Iterator<Item = (ChatId, &'a UserId)> + Clone,
    ) -> Result<(), Error> {
        if self.chats.len().max(self.users.len()).max(self.members) > MAX_REMEMBERED {
            *self = Known::default();
        }
        let chats = actors.clone().map(|(chat_id, _)| chat_id);
        let chats: HashSet<_> = chats.filter(|id| !self.chats.contains_key(id)).collect();
        tx.find_heads(chats).await?.into_iter().for_each(|head| self.add_head(head));
        let rows = tx.find_actors(&self.unknown(actors)).await?;
        rows.into_iter().for_each(|row| self.add_actor(row));
        Ok(())
    }

    /// Adds a chat, unless it is known already.
    pub fn add_head(&mut self, head: Head) {
        self.chats.entry(head.id).or_insert_with(|| {
            let (pair, members) = (head.pair(), HashMap::new());
            KnownChat { head, pair, members }
        });
    }

    pub fn add_actor(&mut self, row: ActorRow) {
        if let (Some(chat), Some((read_seq, own_unread))) =
            (self.chats.get_mut(&row.chat_id), row.read_seq.zip(row.own_unread))
        {
            let member = KnownMember {
                read_seq,
                own_unread,
                blocked: row.blocked.unwrap_or(false),
                role: row.role.unwrap_or(Role::Member),
                muted_until: row.muted_until,
                sent_at: row.sent_at,
            };
            let before = chat.members.insert(row.user_id.clone(), member);
            self.members += usize::from(before.is_none());
        }
        if let Some((name, protected)) = row.name.zip(row.protected) {
            let author = Arc::new(Author { handle: row.handle, name });
            self.users.insert(row.user_id, KnownUser { author, protected });
        }
    }

    /// The actors about whom something is not known; in a direct chat also its two users.
    fn unknown<'k, 'a: 'k>(
        &'k self,
        actors: impl Iterator<Item = (ChatId, &'a UserId)>,
    ) -> HashSet<(ChatId, &'k UserId)> {
        let mut unknown = HashSet::new();
        for (chat_id, user_id) in actors {
            let Some(chat) = self.chats.get(&chat_id) else {
                continue;
            };
            let all = chat.pair.iter().flatten().chain([user_id]);
            let all = all.filter(|user_id| {
                !chat.members.contains_key(*user_id) || !self.users.contains_key(*user_id)
            });
            unknown.extend(all.map(|user_id| (chat_id, user_id)));
        }
        unknown
    }
}

impl Tx {
    /// Takes what is remembered. The caller returns it by [`remember`](Tx::remember), with the
    /// changes that it has made to the database.
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

    /// Forgets a chat and its members, which are about to change.
    pub(super) fn forget_chat(&mut self, id: ChatId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner
            && let Some(chat) = writer.known.chats.remove(&id)
        {
            writer.known.members -= chat.members.len();
        }
    }

    /// Forgets a user, who is about to change.
    pub(super) fn forget_user(&mut self, id: &UserId) {
        if let Transaction::Sqlite(writer) = &mut *self.inner {
            writer.known.users.remove(id);
        }
    }

    /// Forgets everything, as the members of many chats are about to change.
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
        let Transaction::Sqlite(inner) = &mut *self.inner else {
            return Ok(Vec::new());
        };
        let rows = sqlx::query_as(
            "select unhex(j.value ->> 0, '-') as chat_id, j.value ->> 1 as user_id,
                 m.read_seq, m.own_unread, m.blocked, m.role, m.muted_until, m.sent_at, u.name, u.handle, u.protected
             from json_each($1) j left join members m
             on m.chat_id = unhex(j.value ->> 0, '-') and m.user_id = j.value ->> 1
             left join users u on u.id = j.value ->> 1",
        )
        .bind(json(pairs.iter()))
        .fetch_all(inner.in_place())
        .await?;
        Ok(rows)
    }
}
