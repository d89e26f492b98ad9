//! Who is online, as all nodes know it.
//!
//! What it promises: of all nodes that a user's connections come to and go from, each first coming
//! and each last going is told once, to every node that follows the user, in the order in which
//! they happened. As with the rooms, each node has its own part, which it can put there again, and
//! which any node can take away when that one is gone.
//!
//! - `online:<user>` is the set of the nodes that a user is connected to
//! - `connected:<node>` is the set of the users that are connected to one

use std::sync::LazyLock;

use ::redis::{AsyncCommands, Pipeline, Script};
use uuid::Uuid;

use super::Redis;
use super::pubsub::told_to_all;
use crate::clock::Time;
use crate::model::{Event, Stream, UserId};

static COME: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local nodes, users, topic = unpack(KEYS)
         local user, node, text, announce = unpack(ARGV)
         local first = redis.call('scard', nodes) == 0
         redis.call('sadd', nodes, node)
         redis.call('sadd', users, user)
         if first and announce == '1' then redis.call('publish', topic, text) end
         return 1",
    )
});

static GO: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local nodes, users, topic = unpack(KEYS)
         local user, node, text = unpack(ARGV)
         redis.call('srem', users, user)
         local was = redis.call('srem', nodes, node) == 1
         local last = redis.call('scard', nodes) == 0
         if was and last then redis.call('publish', topic, text) end
         return last",
    )
});

impl Redis {
    /// A user's first connection to a node has come; others hear of it if there was none anywhere
    /// and it is to be announced. None if Redis does not answer.
    pub async fn come_online(
        &self,
        user_id: &UserId,
        node: Uuid,
        at: Time,
        announce: bool,
    ) -> Option<()> {
        let mut call = COME.prepare_invoke();
        call.key(self.nodes_of(user_id)).key(self.users_of(node)).key(self.topic(user_id));
        call.arg(user_id.as_ref()).arg(node.to_string()).arg(text(user_id, true, at));
        call.arg(i32::from(announce));
        let done = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await;
        self.noted::<i64>(done).map(drop)
    }

    /// A user's last connection to a node has gone; others hear of it if there is none anywhere.
    /// Returns whether that is so; `None` if Redis does not answer.
    pub async fn go_offline(&self, user_id: &UserId, node: Uuid, at: Time) -> Option<bool> {
        let mut call = GO.prepare_invoke();
        call.key(self.nodes_of(user_id)).key(self.users_of(node)).key(self.topic(user_id));
        call.arg(user_id.as_ref()).arg(node.to_string()).arg(text(user_id, false, at));
        let last = self.ask(async |mut redis| call.invoke_async(&mut redis).await).await;
        // A script's false is none, and its true is one.
        self.noted::<Option<i64>>(last).map(|last| last.is_some())
    }

    /// Of each user, whether they are connected to some node; `None` if Redis does not answer.
    pub async fn are_online(&self, users: &[&UserId]) -> Option<Vec<bool>> {
        if users.is_empty() {
            return Some(Vec::new());
        }
        let mut pipeline = Pipeline::with_capacity(users.len());
        for user_id in users {
            pipeline.exists(self.nodes_of(user_id));
        }
        self.ask(async |mut redis| pipeline.query_async(&mut redis).await).await
    }

    /// The users that are connected to a node; `None` if Redis does not answer.
    pub async fn list_online(&self, node: Uuid) -> Option<Vec<UserId>> {
        let key = self.users_of(node);
        let ids: Vec<String> = self.ask(async |mut redis| redis.smembers(key).await).await?;
        Some(ids.iter().map(|id| UserId::stored(id)).collect())
    }

    fn nodes_of(&self, user_id: &UserId) -> String {
        self.key(&format!("online:{}", user_id.as_ref()))
    }

    fn users_of(&self, node: Uuid) -> String {
        self.key(&format!("connected:{node}"))
    }

    fn topic(&self, user_id: &UserId) -> String {
        self.key(&Stream::User(user_id.clone()).to_string())
    }
}

/// What the nodes are told.
fn text(user_id: &UserId, online: bool, last_seen: Time) -> String {
    told_to_all(Event::PresenceChanged { user_id: user_id.clone(), online, last_seen })
}
