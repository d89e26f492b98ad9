//! Which nodes are alive: each says so every now and then.

use std::sync::LazyLock;
use std::time::Duration;

use ::redis::{AsyncCommands, Script};
use uuid::Uuid;

use super::Redis;

/// How often a node says that it is alive.
pub const BEAT: Duration = Duration::from_secs(2);
/// After this long a node that has said nothing is dead.
const DEAD: Duration = Duration::from_secs(8);
/// After this long it is late.
const LATE: Duration = Duration::from_secs(4);
/// How long it is remembered that a node was lost: it may come back, and somebody with it.
const LOST_FOR: Duration = Duration::from_secs(5 * 60);
/// How long it is that a node has left: its users may be on their way to another one.
const LEFT_FOR: Duration = Duration::from_secs(60);

static SAY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local nodes, epoch, lost = unpack(KEYS)
         local node, new_epoch, dead_after, lost_for = unpack(ARGV)
         local now = tonumber(redis.call('time')[1])
         local known = redis.call('zscore', nodes, node)
         redis.call('zadd', nodes, now, node)
         redis.call('set', epoch, new_epoch, 'nx')
         local dead = redis.call('zrangebyscore', nodes, '-inf', '(' .. (now - dead_after))
         if #dead > 0 then redis.call('set', lost, 1, 'ex', lost_for) end
         return { redis.call('get', epoch), known and 1 or 0, dead }",
    )
});

static COUNT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local nodes, lost = unpack(KEYS)
         local now = tonumber(redis.call('time')[1])
         local late = redis.call('zcount', nodes, '-inf', '(' .. (now - ARGV[1]))
         if late > 0 or redis.call('exists', lost) == 1 then return -1 end
         return redis.call('zcard', nodes)",
    )
});

static LEAVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local nodes, lost = unpack(KEYS)
         local node, left_for = ARGV[1], tonumber(ARGV[2])
         redis.call('zrem', nodes, node)
         if redis.call('ttl', lost) < left_for then redis.call('set', lost, 1, 'ex', left_for) end",
    )
});

/// What a node is answered when it says that it is alive.
#[derive(Debug)]
pub struct Beat {
    /// Another one if Redis has lost what it held.
    pub epoch: String,
    /// Whether the node was known to be alive.
    pub known: bool,
    pub dead: Vec<Uuid>,
}

impl Redis {
    /// Says that a node is alive; `None` if Redis does not answer.
    pub async fn beat(&self, node: Uuid) -> Option<Beat> {
        let mut call = SAY.key(self.key("nodes"));
        call.key(self.key("epoch")).key(self.key("lost"));
        call.arg(node.to_string()).arg(Uuid::now_v7().to_string());
        call.arg(DEAD.as_secs()).arg(LOST_FOR.as_secs());
        let (epoch, known, dead): (String, bool, Vec<String>) =
            self.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        let dead = dead.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
        Some(Beat { epoch, known, dead })
    }

    /// Whether a node is known to be alive; `None` if Redis does not answer.
    pub async fn is_alive(&self, node: Uuid) -> Option<bool> {
        let nodes = self.key("nodes");
        let score: Option<f64> =
            self.ask(async |mut redis| redis.zscore(nodes, node.to_string()).await).await?;
        Some(score.is_some())
    }

    /// How many nodes there are; `None` if Redis does not answer, or one of them is late, or was
    /// lost or has left lately.
    pub async fn count_nodes(&self) -> Option<usize> {
        let mut call = COUNT.key(self.key("nodes"));
        call.key(self.key("lost")).arg(LATE.as_secs());
        let count: i64 = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        usize::try_from(count).ok()
    }

    /// A node takes its leave, and nothing of it is left.
    pub async fn leave(&self, node: Uuid) {
        let mut call = LEAVE.key(self.key("nodes"));
        call.key(self.key("lost")).arg(node.to_string()).arg(LEFT_FOR.as_secs());
        let _: Option<()> = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await;
    }

    /// A node is gone, and nothing of it is left.
    pub async fn remove_node(&self, node: Uuid) {
        let nodes = self.key("nodes");
        let _: Option<i64> =
            self.ask(async |mut redis| redis.zrem(nodes, node.to_string()).await).await;
    }
}
