//! The participants of each room, on all nodes.
//!
//! What it promises: a node that lets a user enter or leave a room learns whether that is the
//! user's first or last connection on any node, and every node hears of these changes in the order
//! in which they happened. Nothing here is durable: each node restores its own part after Redis has
//! lost it, and the other nodes remove the part of a node that is gone.
//!
//! - `room:<chat>` maps the users who are in a room to their profiles
//! - `holders:<chat>:<user>` is the set of the [holders](Holder) that keep the user there
//! - `held:<holder>` is the set of the rooms and users that one holder keeps

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::Ordering;

use ::redis::{AsyncCommands, Pipeline, Script, ScriptInvocation};
use uuid::Uuid;

use super::Redis;
use crate::model::{ChatId, Profile, Stream, UserId, read_id};

/// What the two scripts say is read as [`Moved`](super::Moved).
static ENTER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local room, holders, held, topic = unpack(KEYS)
         local chat, user, holder, pair, profile, only_if_occupied, announce = unpack(ARGV)
         if only_if_occupied == '1' and redis.call('hlen', room) == 0 then return { 0, -1 } end
         local first = redis.call('hset', room, user, profile)
         redis.call('sadd', holders, holder)
         redis.call('sadd', held, pair)
         local count = redis.call('hlen', room)
         if first == 1 and announce == '1' then
             redis.call('publish', topic, '{\"moved\":{\"chat_id\":\"' .. chat
                 .. '\",\"joined\":true,\"participants\":' .. count
                 .. ',\"user\":' .. profile .. '}}')
         end
         return { first, count }",
    )
});

static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local room, holders, held, topic = unpack(KEYS)
         local chat, user, holder, pair = unpack(ARGV)
         redis.call('srem', holders, holder)
         redis.call('srem', held, pair)
         if redis.call('scard', holders) > 0 then return -1 end
         local profile = redis.call('hget', room, user)
         if not profile then return -2 end
         redis.call('hdel', room, user)
         local count = redis.call('hlen', room)
         redis.call('publish', topic, '{\"moved\":{\"chat_id\":\"' .. chat
             .. '\",\"joined\":false,\"participants\":' .. count
             .. ',\"user\":' .. profile .. '}}')
         return count",
    )
});

/// What holds a user in a room: a node, or the rooms API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A node, by connections to it.
    Node(Uuid),
    /// The rooms API, whose users have no connection.
    Lobby,
}

/// How a user enters a room.
pub struct Entry<'a> {
    pub chat_id: ChatId,
    pub user: &'a Profile,
    pub holder: Holder,
    /// Whether somebody must be there already.
    pub only_if_occupied: bool,
    /// Whether the others hear of it at once, if the user comes first.
    pub announce: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Entered {
    /// Whether the user was not there before, and how many are there.
    In { first: bool, count: usize },
    /// Nobody was there.
    Unoccupied,
}

/// What came of leaving.
#[derive(Debug, PartialEq, Eq)]
pub enum Left {
    /// Others hold the user there still.
    StillThere,
    /// The user was not there.
    Unknown,
    Gone {
        remaining: usize,
    },
}

impl Redis {
    /// `None` if Redis does not answer.
    pub async fn enter_room(&self, entry: Entry<'_>) -> Option<Entered> {
        let Entry { chat_id, user, holder, only_if_occupied, announce } = entry;
        // Texts: nothing in them can fail to serialize.
        let profile = serde_json::to_string(user).unwrap_or_default();
        let mut call = ENTER.prepare_invoke();
        self.name(&mut call, chat_id, &user.id, holder);
        call.arg(profile).arg(i32::from(only_if_occupied)).arg(i32::from(announce));
        let entered = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await;
        let (first, count): (bool, i64) = self.noted(entered)?;
        Some(match usize::try_from(count) {
            Ok(count) => Entered::In { first, count },
            Err(_) => Entered::Unoccupied,
        })
    }

    /// `None` if Redis does not answer.
    pub async fn leave_room(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        holder: Holder,
    ) -> Option<Left> {
        let mut call = LEAVE.prepare_invoke();
        self.name(&mut call, chat_id, user_id, holder);
        let left = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await;
        let remaining: i64 = self.noted(left)?;
        Some(match usize::try_from(remaining) {
            Ok(remaining) => Left::Gone { remaining },
            Err(_) if remaining == -1 => Left::StillThere,
            Err(_) => Left::Unknown,
        })
    }

    /// How many users are in each of these rooms; `None` if Redis does not answer.
    pub async fn count_rooms(&self, chats: &[ChatId]) -> Option<Vec<usize>> {
        if chats.is_empty() {
            return Some(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(chats.len());
        for chat_id in chats {
            pipeline.hlen(self.room(*chat_id));
        }
        self.ask(async |mut redis| pipeline.query_async(&mut redis).await).await
    }

    /// Who is in a room: `max` users, or a few more, if there are so many. None if Redis does not
    /// answer.
    pub async fn list_room(&self, chat_id: ChatId, max: usize) -> Option<Vec<Profile>> {
        let (mut cursor, mut profiles) = (0u64, BTreeMap::new());
        loop {
            let mut scan = ::redis::cmd("hscan");
            scan.arg(self.room(chat_id)).arg(cursor).arg("count").arg(max);
            let page: (u64, Vec<(String, String)>) =
                self.ask(async |mut redis| scan.query_async(&mut redis).await).await?;
            // While others come and go, one may be there twice.
            profiles.extend(page.1);
            cursor = page.0;
            if cursor == 0 || profiles.len() >= max {
                break;
            }
        }
        Some(profiles.values().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// Whether a user is held in a room by somebody else than this; `None` if Redis does not
    /// answer.
    pub async fn is_held_otherwise(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        holder: Holder,
    ) -> Option<bool> {
        let key = self.holders(chat_id, user_id);
        let holders: Vec<String> = self.ask(async |mut redis| redis.smembers(key).await).await?;
        Some(holders.iter().any(|other| *other != holder.to_string()))
    }

    /// The users that a holder holds in rooms; `None` if Redis does not answer.
    pub async fn list_held(&self, holder: Holder) -> Option<Vec<(ChatId, UserId)>> {
        let key = self.held(holder);
        let pairs: Vec<String> = self.ask(async |mut redis| redis.smembers(key).await).await?;
        Some(pairs.iter().filter_map(|pair| read_pair(pair)).collect())
    }

    /// Whether somebody has entered or left a room without Redis' answer since this was last asked.
    pub fn take_presence_missed(&self) -> bool {
        self.presence_missed.swap(false, Ordering::AcqRel)
    }

    /// Whether somebody has, since it was last taken note of.
    pub fn is_presence_missed(&self) -> bool {
        self.presence_missed.load(Ordering::Acquire)
    }

    /// What is known of presence is to be put there again.
    pub fn note_presence_missed(&self) {
        self.presence_missed.store(true, Ordering::Release);
    }

    pub(super) fn noted<T>(&self, answer: Option<T>) -> Option<T> {
        if answer.is_none() {
            self.note_presence_missed();
        }
        answer
    }

    /// Adds what both scripts begin with.
    fn name(
        &self,
        call: &mut ScriptInvocation<'_>,
        chat_id: ChatId,
        user_id: &UserId,
        holder: Holder,
    ) {
        call.key(self.room(chat_id)).key(self.holders(chat_id, user_id)).key(self.held(holder));
        call.key(self.key(&Stream::Chat(chat_id).to_string()));
        let pair = format!("{chat_id} {}", user_id.as_ref());
        call.arg(chat_id.to_string()).arg(user_id.as_ref()).arg(holder.to_string()).arg(pair);
    }

    fn room(&self, chat_id: ChatId) -> String {
        self.key(&format!("room:{chat_id}"))
    }

    fn holders(&self, chat_id: ChatId, user_id: &UserId) -> String {
        self.key(&format!("holders:{chat_id}:{}", user_id.as_ref()))
    }

    fn held(&self, holder: Holder) -> String {
        self.key(&format!("held:{holder}"))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Node(node) => node.fmt(f),
            Holder::Lobby => f.write_str("lobby"),
        }
    }
}

fn read_pair(text: &str) -> Option<(ChatId, UserId)> {
    let (chat_id, user_id) = text.split_once(' ')?;
    Some((read_id(chat_id)?, UserId::stored(user_id)))
}
