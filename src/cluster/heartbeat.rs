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

static SAY: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local nodes, epoch = KEYS[1], KEYS[2]
         local node, new_epoch, dead_after = unpack(ARGV)
         local now = tonumber(redis.call('time')[1])
         local known = redis.call('zscore', nodes, node)
         redis.call('zadd', nodes, now, node)
         redis.call('set', epoch, new_epoch, 'nx')
         local dead = redis.call('zrangebyscore', nodes, '-inf', '(' .. (now - dead_after))
         return { redis.call('get', epoch), known and 1 or 0, dead }",
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
    /// Says that a node is alive; none if Redis does not answer.
    pub async fn beat(&self, node: Uuid) -> Option<Beat> {
        let mut call = SAY.key(self.key("nodes"));
        call.key(self.key("epoch"));
        call.arg(node.to_string()).arg(Uuid::now_v7().to_string()).arg(DEAD.as_secs());
        let (epoch, known, dead): (String, bool, Vec<String>) =
            self.ask(async |mut redis| call.invoke_async(&mut redis).await).await?;
        let dead = dead.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
        Some(Beat { epoch, known, dead })
    }

    /// Whether a node is known to be alive; none if Redis does not answer.
    pub async fn is_alive(&self, node: Uuid) -> Option<bool> {
        let nodes = self.key("nodes");
        let score: Option<f64> =
            self.ask(async |mut redis| redis.zscore(nodes, node.to_string()).await).await?;
        Some(score.is_some())
    }

    /// A node is gone, and nothing of it is left.
    pub async fn remove_node(&self, node: Uuid) {
        let nodes = self.key("nodes");
        let _: Option<i64> =
            self.ask(async |mut redis| redis.zrem(nodes, node.to_string()).await).await;
    }
}
