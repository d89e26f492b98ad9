//! Which nodes there are, in Redis: each says every now and then that it is alive.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{AsyncCommands, Script};
use uuid::Uuid;

use super::redis::Redis;

/// How often a node says that it is alive.
pub const BEAT: Duration = Duration::from_secs(2);
/// After this long a node that has said nothing is dead.
const DEAD: Duration = Duration::from_secs(8);

/// Answers the name of what Redis holds, which is new if it has lost everything; whether the node
/// was known; and who is dead.
static SAY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local now = tonumber(redis.call('time')[1])
         local known = redis.call('zscore', KEYS[1], ARGV[1])
         redis.call('zadd', KEYS[1], now, ARGV[1])
         redis.call('set', KEYS[2], ARGV[2], 'nx')
         local dead = redis.call('zrangebyscore', KEYS[1], '-inf', '(' .. (now - ARGV[3]))
         return { redis.call('get', KEYS[2]), known and 1 or 0, dead }",
    )
});

/// The nodes of a cluster.
#[derive(Clone)]
pub struct Roll {
    redis: Redis,
}

/// What a node hears when it says that it is alive.
#[derive(Debug)]
pub struct Heartbeat {
    /// The name of what Redis holds: another one if it has lost everything since.
    pub memory: String,
    /// Whether it was known to be alive.
    pub known: bool,
    pub dead: Vec<Uuid>,
}

impl Roll {
    pub fn new(redis: &Redis) -> Roll {
        Roll { redis: redis.clone() }
    }

    /// Says that a node is alive; none if Redis does not answer.
    pub async fn say(&self, node: Uuid) -> Option<Heartbeat> {
        let mut call = SAY.key(self.redis.key("nodes"));
        call.key(self.redis.key("memory"));
        call.arg(node.to_string()).arg(Uuid::now_v7().to_string()).arg(DEAD.as_secs());
        let (memory, known, dead): (String, bool, Vec<String>) =
            self.redis.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        let dead = dead.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
        Some(Heartbeat { memory, known, dead })
    }

    /// A node is gone, and nothing of it is left.
    pub async fn strike(&self, node: Uuid) {
        let nodes = self.redis.key("nodes");
        let struck = self.redis.ask(async |mut redis| redis.zrem(nodes, node.to_string()).await);
        let _: Option<i64> = struck.await;
    }
}
