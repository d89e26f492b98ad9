//! The `chats` table.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use sqlx_macros::FromRow;
use uuid::Uuid;

use super::direct::direct_pair;
use super::sqlite::json;
use super::{Store, Transaction, Tx, on};
use crate::clock::Time;
use crate::error::Error;
use crate::model::{
    ChannelName, Chat, ChatId, ChatPage, ClientId, Data, Description, ListedChat, Membership, Name,
    TeamId, UserId,
};

/// A chat's columns and the ids of its first `$2` members, one per line: no id has a line break.
macro_rules! chat_columns {
    () => {
        "c.id, c.name, c.description, c.private, c.direct_pair is not null as direct,
         c.channel_name, c.ephemeral, c.team_id, c.creator_id, c.last_seq, c.last_change, c.active_at,
         c.data, c.frozen, c.slow_mode, c.since_joining, c.retention_days,
         c.created_at, c.modified_at, (
             select string_agg(user_id, '\n') from (
                 select user_id from members where chat_id = c.id
                 order by joined_at, user_id limit $2
             ) m
         ) as users"
    };
}

const FIND_CHAT: &str = concat!("select ", chat_columns!(), " from chats c where c.id = $1");

/// Of the chats with a copy of their activity, only as many are read as are asked for. The number
/// of chats without a copy is bounded: see [`activity`](super::activity).
const LIST_CHATS: &str = concat!(
    "with page as (
         select * from (
             select chat_id, active_at from members
             where user_id = $1 and (active_at, chat_id) < ($3, $4)
             order by active_at desc, chat_id desc limit $5
         ) kept
         union all
         select * from (
             select m.chat_id, c.active_at from members m join chats c on c.id = m.chat_id
             where m.user_id = $1 and m.active_at is null and (c.active_at, c.id) < ($3, $4)
             order by c.active_at desc, c.id desc limit $5
         ) sorted
         order by 2 desc, 1 desc limit $5
     )
     select ",
    chat_columns!(),
    ", c.last_seq - own.read_seq - own.own_unread as unread, (
             select count(*) from mentions
             where user_id = $1 and chat_id = c.id and seq > own.read_seq
         ) as mentions, own.role, own.muted, own.pinned,
         coalesce(own.archived_seq >= c.last_seq, false) as archived, cast(coalesce((
             select octet_length(body) + octet_length(coalesce(data, ''))
                 + octet_length(coalesce(reactions, ''))
             from messages where chat_id = c.id and seq = c.last_seq
         ), 0) as bigint) as last_size,
         c.since_joining and own.joined_seq >= c.last_seq as is_last_unseen
     from page join chats c on c.id = page.chat_id
     join members own on own.chat_id = page.chat_id and own.user_id = $1
     order by page.active_at desc, page.chat_id desc"
);

#[derive(FromRow)]
pub(super) struct ChatRow {
    id: ChatId,
    name: Name,
    description: Option<Description>,
    private: bool,
    direct: bool,
    channel_name: Option<ChannelName>,
    ephemeral: bool,
    team_id: Option<TeamId>,
    creator_id: UserId,
    last_seq: i64,
    last_change: i64,
    data: Option<Data>,
    frozen: bool,
    slow_mode: i64,
    since_joining: bool,
    retention_days: i64,
    created_at: Time,
    modified_at: Time,
    users: Option<String>,
}

#[derive(FromRow)]
struct ListedChatRow {
    #[sqlx(flatten)]
    chat: ChatRow,
    #[sqlx(flatten)]
    membership: Membership,
    active_at: Time,
    /// About how many bytes the chat's latest message takes.
    last_size: i64,
    /// Whether that message was sent before the member joined, and must not be shown to them.
    is_last_unseen: bool,
}

impl From<ChatRow> for Chat {
    fn from(row: ChatRow) -> Chat {
        let users = row.users.unwrap_or_default();
        Chat {
            id: row.id,
            name: row.name,
            description: row.description,
            private: row.private,
            direct: row.direct,
            channel_name: row.channel_name,
            ephemeral: row.ephemeral,
            team_id: row.team_id,
            creator_id: row.creator_id,
            users: users.lines().map(UserId::stored).collect(),
            last_seq: row.last_seq,
            last_change: row.last_change,
            data: row.data,
            frozen: row.frozen,
            slow_mode: row.slow_mode,
            since_joining: row.since_joining,
            retention_days: row.retention_days,
            participants: 0,
            created_at: row.created_at,
            modified_at: row.modified_at,
        }
    }
}

/// What is needed to append a message to a chat.
#[derive(FromRow)]
pub(super) struct Head {
    #[sqlx(rename = "chat_id")]
    pub id: ChatId,
    pub last_seq: i64,
    pub active_at: Time,
    direct_pair: Option<String>,
    pub channel_name: Option<ChannelName>,
    /// Whether only moderators may send.
    pub frozen: bool,
    /// How many seconds a member must wait between two messages; 0 if there is no wait.
    pub slow_mode: i64,
    /// Whether any member has a copy of the chat's [activity](super::activity).
    pub kept: bool,
}

impl Head {
    /// The two users of a direct chat.
    pub fn pair(&self) -> Option<[UserId; 2]> {
        let (one, other) = self.direct_pair.as_deref()?.split_once('\n')?;
        Some([UserId::stored(one), UserId::stored(other)])
    }
}

impl Store {
    /// A user's chats, latest activity first, from `before` on: at most `limit` of them, and no
    /// more than fit into `max_bytes` after the first.
    pub async fn list_chats(
        &self,
        user_id: &UserId,
        before: Option<(Time, ChatId)>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<ChatPage, Error> {
        let (time, id) = before.unwrap_or((Time::from_micros(i64::MAX), ChatId::new()));
        let (mut chats, mut next, mut last, mut bytes) = (Vec::new(), None, None, 0);
        let mut places = Vec::new();
        on!(Db self, |pool| {
            let mut rows = sqlx::query_as::<_, ListedChatRow>(LIST_CHATS)
                .bind(user_id)
                .bind(Chat::MAX_USERS)
                .bind(time)
                .bind(id)
                .bind(limit as i64 + 1)
                .fetch(pool);
            while let Some(row) = rows.try_next().await? {
                let chat = Chat::from(row.chat);
                bytes += chat.size() + usize::try_from(row.last_size).unwrap_or_default();
                if chats.len() == limit || (bytes > max_bytes && !chats.is_empty()) {
                    next = last;
                    break;
                }
                last = Some((row.active_at, chat.id));
                if !row.is_last_unseen {
                    places.push((chat.id, chat.last_seq));
                }
                chats.push(ListedChat { chat, membership: Some(row.membership) });
            }
        });
        let last_messages = self.list_last_messages(places).await?;
        Ok(ChatPage { chats, last_messages, next })
    }

    /// Whether a chat is deleted when its last participant leaves.
    pub async fn is_ephemeral(&self, id: ChatId) -> Result<bool, Error> {
        let found: Option<bool> = on!(Db self, |pool| {
            sqlx::query_scalar("select ephemeral from chats where id = $1 and not ended")
                .bind(id)
                .fetch_optional(pool)
                .await
        })?;
        Ok(found.unwrap_or(false))
    }

    /// Up to 100 ephemeral chats that were made before this time, in the order of their ids: those
    /// after `after`, or the first. If there are none, all have been listed.
    pub async fn list_ephemeral_chats(
        &self,
        before: Time,
        after: Option<ChatId>,
    ) -> Result<Vec<ChatId>, Error> {
        let ids = on!(Db self, |pool| {
            sqlx::query_scalar(
                "select id from chats
                 where ephemeral and not ended and created_at < $1 and id > $2
                 order by id limit 100",
            )
            .bind(before)
            .bind(after.unwrap_or(Uuid::nil().into()))
            .fetch_all(pool)
            .await
        })?;
        Ok(ids)
    }

    /// The chat with this name as a channel.
    pub async fn find_channel(&self, name: &ChannelName) -> Result<Option<ChatId>, Error> {
        let id = on!(Db self, |pool| {
            sqlx::query_scalar("select id from chats where channel_name = $1")
                .bind(name)
                .fetch_optional(pool)
                .await
        })?;
        Ok(id)
    }
}

impl Tx {
    pub async fn find_chat(&mut self, id: ChatId) -> Result<Option<Chat>, Error> {
        let row: Option<ChatRow> = on!(Tx self, |connection| {
            sqlx::query_as(FIND_CHAT).bind(id).bind(Chat::MAX_USERS).fetch_optional(connection).await
        })?;
        Ok(row.map(Chat::from))
    }

    /// The chat with this name as a channel.
    pub async fn find_channel(&mut self, name: &ChannelName) -> Result<Option<ChatId>, Error> {
        let id = on!(Tx self, |connection| {
            sqlx::query_scalar("select id from chats where channel_name = $1")
                .bind(name)
                .fetch_optional(connection)
                .await
        })?;
        Ok(id)
    }

    /// Stores a chat's name, description and settings.
    pub async fn update_chat(&mut self, chat: &Chat) -> Result<(), Error> {
        self.forget_chat(chat.id);
        on!(Tx self, |connection| {
            sqlx::query(
                "update chats set name = $2, description = $3, private = $4, modified_at = $5,
                     name_folded = $6, data = $7, frozen = $8, slow_mode = $9,
                     since_joining = $10, retention_days = $11
                 where id = $1",
            )
            .bind(chat.id)
            .bind(&chat.name)
            .bind(&chat.description)
            .bind(chat.private)
            .bind(chat.modified_at)
            .bind(folded_name(chat))
            .bind(&chat.data)
            .bind(chat.frozen)
            .bind(chat.slow_mode)
            .bind(chat.since_joining)
            .bind(chat.retention_days)
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Stores a new chat; its `users` are its members.
    pub async fn insert_chat(&mut self, chat: &Chat) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query(
                "insert into chats (id, name, description, private, direct_pair, channel_name,
                     ephemeral, team_id, creator_id, last_seq, active_at, created_at, modified_at,
                     name_folded)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13)",
            )
            .bind(chat.id)
            .bind(&chat.name)
            .bind(&chat.description)
            .bind(chat.private)
            .bind(chat.direct.then(|| direct_pair(&chat.users)))
            .bind(&chat.channel_name)
            .bind(chat.ephemeral)
            .bind(chat.team_id)
            .bind(&chat.creator_id)
            .bind(chat.last_seq)
            .bind(chat.created_at)
            .bind(chat.modified_at)
            .bind(folded_name(chat))
            .execute(connection)
            .await?;
        });
        self.insert_members(chat.id, &chat.users, chat.created_at).await?;
        Ok(())
    }

    /// The chat that this user has created with this `client_id`.
    pub async fn find_made(
        &mut self,
        user_id: &UserId,
        client_id: &ClientId,
    ) -> Result<Option<ChatId>, Error> {
        // Until the transaction ends, nobody else can look for it.
        self.lock_names(&[client_id.as_ref()]).await?;
        let made = on!(Tx self, |connection| {
            sqlx::query_scalar("select id from chats where creator_id = $1 and client_id = $2")
                .bind(user_id)
                .bind(client_id)
                .fetch_optional(connection)
                .await
        })?;
        Ok(made)
    }

    /// Stores the `client_id` with which its creator has made the chat.
    pub async fn note_made(&mut self, chat_id: ChatId, client_id: &ClientId) -> Result<(), Error> {
        on!(Tx self, |connection| {
            sqlx::query("update chats set client_id = $2 where id = $1")
                .bind(chat_id)
                .bind(client_id)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// What is needed to append to these chats, on SQLite. Chats that do not exist are missing.
    pub(super) async fn find_heads(&mut self, chats: HashSet<ChatId>) -> Result<Vec<Head>, Error> {
        let Transaction::Sqlite(inner) = &mut *self.inner else {
            return Ok(Vec::new());
        };
        if chats.is_empty() {
            return Ok(Vec::new());
        }
        let heads = sqlx::query_as(
            "select id as chat_id, last_seq, active_at, direct_pair, channel_name, frozen,
                 slow_mode, exists (
                 select 1 from members indexed by members_kept
                 where chat_id = chats.id and active_at is not null
             ) as kept
             from chats where id in (select unhex(value, '-') from json_each($1)) and not ended",
        )
        .bind(json(chats.iter()))
        .fetch_all(inner.in_place())
        .await?;
        Ok(heads)
    }
}

/// The form in which a public chat's name is searched; `None` for any other chat.
fn folded_name(chat: &Chat) -> Option<String> {
    (!chat.private && chat.team_id.is_none()).then(|| chat.name.folded())
}
