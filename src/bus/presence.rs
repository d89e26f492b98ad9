//! Who is in which room, as all nodes know it, in Redis.
//!
//! What it promises: of all who enter and leave a room, each learns whether the user came first or
//! left last, anywhere; what is said of that comes to every node in the order in which it happened.
//! It is as lasting as the nodes that keep it up: each has its own part, which it can put there
//! again, and which any node can take away when that one is gone.
//!
//! - `room:<chat>` maps the users who are in a room to their profiles
//! - `in:<chat>:<user>` is the set of nodes through which the user is
//! - `node:<node>` is the set of rooms and users of a node

use std::collections::BTreeMap;
use std::sync::LazyLock;

use redis::{AsyncCommands, Pipeline, Script};

use super::redis::Redis;
use crate::model::{ChatId, Profile, Stream, UserId, read_id};

/// Who keeps a user in a room: a node, or [`LOBBY`].
pub type Holder = str;

/// The holder of those who are in rooms without a connection to any node.
pub const LOBBY: &Holder = "lobby";

static ENTER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if ARGV[4] == '1' and redis.call('hlen', KEYS[1]) == 0 then return { 0, -1 } end
         local first = redis.call('hset', KEYS[1], ARGV[1], ARGV[2])
         redis.call('sadd', KEYS[2], ARGV[3])
         redis.call('sadd', KEYS[3], ARGV[5])
         local count = redis.call('hlen', KEYS[1])
         if first == 1 and ARGV[6] ~= '' then
             redis.call('publish', KEYS[4], ARGV[6] .. count .. ARGV[7])
         end
         return { first, count }",
    )
});

static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('srem', KEYS[2], ARGV[2])
         redis.call('srem', KEYS[3], ARGV[3])
         if redis.call('scard', KEYS[2]) > 0 then return -1 end
         local profile = redis.call('hget', KEYS[1], ARGV[1])
         if not profile then return -1 end
         redis.call('hdel', KEYS[1], ARGV[1])
         local count = redis.call('hlen', KEYS[1])
         redis.call('publish', KEYS[4], ARGV[4] .. profile .. ARGV[5] .. count .. ARGV[6])
         return count",
    )
});

/// What is said of someone who enters, around the number of participants.
pub struct Said {
    pub before: String,
    pub after: String,
}

impl Said {
    /// All of it.
    pub fn with(&self, participants: usize) -> String {
        format!("{}{participants}{}", self.before, self.after)
    }
}

/// How a user enters a room.
pub struct Entry<'a> {
    pub chat_id: ChatId,
    pub user: &'a Profile,
    pub holder: &'a Holder,
    /// Whether somebody must be there already.
    pub into_company: bool,
    /// What the others hear of it, if they are to.
    pub said: Option<Said>,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Entered {
    /// Whether the user was not there before, and how many are there.
    In { first: bool, count: usize },
    /// Nobody was there.
    Nobody,
}

/// Everyone's presence.
#[derive(Clone)]
pub struct SharedPresence {
    redis: Redis,
}

impl SharedPresence {
    pub fn new(redis: &Redis) -> SharedPresence {
        SharedPresence { redis: redis.clone() }
    }

    /// None if Redis does not answer.
    pub async fn enter(&self, entry: Entry<'_>) -> Option<Entered> {
        let Entry { chat_id, user, holder, into_company, said } = entry;
        // Texts: nothing in them can fail to serialize.
        let profile = serde_json::to_string(user).unwrap_or_default();
        let (before, after) = said.map(|said| (said.before, said.after)).unwrap_or_default();
        let mut call = ENTER.prepare_invoke();
        for key in self.keys(chat_id, &user.id, holder) {
            call.key(key);
        }
        call.arg(user.id.as_ref()).arg(profile).arg(holder).arg(i32::from(into_company));
        call.arg(pair(chat_id, &user.id)).arg(before).arg(after);
        let (first, count): (bool, i64) =
            self.redis.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        Some(match usize::try_from(count) {
            Ok(count) => Entered::In { first, count },
            Err(_) => Entered::Nobody,
        })
    }

    /// Returns how many are left if the user is in the room by no holder any more; none if Redis
    /// does not answer. `said` stands around the profile and the number of participants.
    pub async fn leave(
        &self,
        chat_id: ChatId,
        user_id: &UserId,
        holder: &Holder,
        said: [String; 3],
    ) -> Option<Option<usize>> {
        let mut call = LEAVE.prepare_invoke();
        for key in self.keys(chat_id, user_id, holder) {
            call.key(key);
        }
        call.arg(user_id.as_ref()).arg(holder).arg(pair(chat_id, user_id));
        for text in said {
            call.arg(text);
        }
        let count: i64 =
            self.redis.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        Some(usize::try_from(count).ok())
    }

    /// How many users are in each of these rooms; none if Redis does not answer.
    pub async fn count(&self, chats: &[ChatId]) -> Option<Vec<usize>> {
        if chats.is_empty() {
            return Some(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(chats.len());
        for chat_id in chats {
            pipeline.hlen(self.room(*chat_id));
        }
        self.redis.ask(async |mut redis| pipeline.query_async(&mut redis).await).await
    }

    /// Who is in a room: `max` users, or a few more, if there are so many. None if Redis does not
    /// answer.
    pub async fn list(&self, chat_id: ChatId, max: usize) -> Option<Vec<Profile>> {
        let (mut cursor, mut profiles) = (0u64, BTreeMap::new());
        loop {
            let mut scan = redis::cmd("hscan");
            scan.arg(self.room(chat_id)).arg(cursor).arg("count").arg(max);
            let page: (u64, Vec<(String, String)>) =
                self.redis.ask(async |mut redis| scan.query_async(&mut redis).await).await?;
            // While others come and go, one may be there twice.
            profiles.extend(page.1);
            cursor = page.0;
            if cursor == 0 || profiles.len() >= max {
                break;
            }
        }
        Some(profiles.values().filter_map(|text| serde_json::from_str(text).ok()).collect())
    }

    /// Through whom a user is in a room; nobody if Redis does not answer.
    pub async fn list_holders(&self, chat_id: ChatId, user_id: &UserId) -> Vec<String> {
        let key = self.inside(chat_id, user_id);
        let holders = self.redis.ask(async |mut redis| redis.smembers(key).await).await;
        holders.unwrap_or_default()
    }

    /// Whom a holder keeps in rooms; none if Redis does not answer.
    pub async fn list_held(&self, holder: &Holder) -> Option<Vec<(ChatId, UserId)>> {
        let key = self.held(holder);
        let pairs: Vec<String> =
            self.redis.ask(async |mut redis| redis.smembers(key).await).await?;
        Some(pairs.iter().filter_map(|pair| read_pair(pair)).collect())
    }

    fn keys(&self, chat_id: ChatId, user_id: &UserId, holder: &Holder) -> [String; 4] {
        let topic = self.redis.key(&Stream::Chat(chat_id).to_string());
        [self.room(chat_id), self.inside(chat_id, user_id), self.held(holder), topic]
    }

    fn room(&self, chat_id: ChatId) -> String {
        self.redis.key(&format!("room:{chat_id}"))
    }

    fn inside(&self, chat_id: ChatId, user_id: &UserId) -> String {
        self.redis.key(&format!("in:{chat_id}:{}", user_id.as_ref()))
    }

    fn held(&self, holder: &Holder) -> String {
        self.redis.key(&format!("node:{holder}"))
    }
}

fn pair(chat_id: ChatId, user_id: &UserId) -> String {
    format!("{chat_id} {}", user_id.as_ref())
}

fn read_pair(text: &str) -> Option<(ChatId, UserId)> {
    let (chat_id, user_id) = text.split_once(' ')?;
    Some((read_id(chat_id)?, UserId::stored(user_id)))
}
