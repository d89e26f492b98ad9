//! What a node hears from the others, on the topics of the streams that it follows.
//!
//! What it promises: what comes over a topic is heard in order, at most once. A node that could not
//! listen hears [`Heard::Subscribed`] again when it can, and [`Heard::Missed`] now and then until it
//! does. The follower then looks in the store for what it has missed.

use std::collections::HashSet;
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::PubSubSink;
use ::redis::{ErrorKind, RedisError, RedisResult};
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::pubsub::{MISSED, Moved, Packet, Subscriptions, Text, own_topic};
use super::{REDIS_TIMEOUT, Redis};
use crate::model::{Event, Stream};

/// How long a node may hear nothing, not even itself, before it listens anew.
const SILENCE: Duration = Duration::from_secs(4);
/// The pause between tries to listen.
const RETRY: Duration = Duration::from_millis(300);
/// How often a node that cannot listen looks for what it has missed.
const LOOK: Duration = Duration::from_secs(2);
/// How much may wait to be taken.
const WAITING: usize = 8192;
/// How many topics one command names.
const TOPICS: usize = 1000;

/// What comes from the other nodes.
pub enum Heard {
    Packet(Packet),
    Moved(Moved),
    /// Another node tells of what is not stored.
    Told(Event),
    /// These streams are heard from now on; what was published before may have been missed.
    Subscribed(Vec<Stream>),
    /// Something may have been missed of any stream.
    Missed,
}

/// Hears the other nodes, as long as it is kept.
pub struct Hearing {
    heard: mpsc::Receiver<Heard>,
    _task: AbortOnDropHandle<()>,
}

impl Hearing {
    pub(super) fn start(redis: &Redis, node: Uuid, subscriptions: Arc<Subscriptions>) -> Hearing {
        let (hearing, heard) = mpsc::channel(WAITING);
        let own = own_topic(redis, node);
        let listener = Listener { redis: redis.clone(), subscriptions, hearing, node, own };
        Hearing { heard, _task: AbortOnDropHandle::new(tokio::spawn(listener.run())) }
    }

    /// The next of what is heard; `None` if nothing more comes.
    pub async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

struct Listener {
    redis: Redis,
    subscriptions: Arc<Subscriptions>,
    hearing: mpsc::Sender<Heard>,
    node: Uuid,
    /// The topic on which this node talks to itself.
    own: String,
}

impl Listener {
    /// Listens until nobody hears it.
    async fn run(self) {
        let mut looked = Instant::now();
        let mut silent = false;
        while !self.hearing.is_closed() {
            let Err(error) = self.listen(&mut silent).await;
            if !mem::replace(&mut silent, true) {
                tracing::warn!(%error, "the other nodes are not heard");
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                let _ = self.hearing.try_send(Heard::Missed);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Listens as long as that works.
    async fn listen(&self, silent: &mut bool) -> Result<Infallible, RedisError> {
        let connected = timeout(REDIS_TIMEOUT, self.redis.client.get_async_pubsub()).await;
        let (mut sink, mut stream) = connected.map_err(late)??.split();
        let mut streams = {
            let mut lists = self.subscriptions.lock();
            lists.changes.clear();
            Vec::from_iter(lists.streams.iter().cloned())
        };
        // What users' streams tell comes first, as it does when the follower looks.
        streams.sort_by_key(|stream| !stream.is_users());
        let fixed = [self.own.clone(), self.redis.key(MISSED)];
        timeout(REDIS_TIMEOUT, sink.subscribe(&fixed[..])).await.map_err(late)??;
        self.subscribe(&mut sink, streams).await?;
        if mem::replace(silent, false) {
            tracing::info!("the other nodes are heard again");
        }
        loop {
            tokio::select! {
                () = self.subscriptions.changed.notified() => self.follow_changes(&mut sink).await?,
                message = timeout(SILENCE, stream.next()) => {
                    let message = message.map_err(late)?.ok_or_else(closed)?;
                    let topic = message.get_channel_name();
                    if topic == self.own {
                        continue;
                    }
                    let heard = match topic == fixed[1] {
                        true => Some(Heard::Missed),
                        false => self.read(message.get_payload_bytes()),
                    };
                    if let Some(heard) = heard {
                        // A node that is too far behind begins anew.
                        self.hearing.try_send(heard).map_err(|_| closed())?;
                    }
                }
            }
        }
    }

    /// `None` for what this node has published itself.
    fn read(&self, text: &[u8]) -> Option<Heard> {
        match serde_json::from_slice(text) {
            Ok(Text::Packet(packet)) => (packet.node != self.node).then_some(Heard::Packet(packet)),
            Ok(Text::Moved(moved)) => Some(Heard::Moved(moved)),
            Ok(Text::Told { node, event }) => (node != self.node).then_some(Heard::Told(*event)),
            Err(error) => {
                tracing::error!(%error, "another node is not understood");
                None
            }
        }
    }

    async fn follow_changes(&self, sink: &mut PubSubSink) -> RedisResult<()> {
        let (come, gone): (Vec<_>, Vec<_>) = {
            let mut lists = self.subscriptions.lock();
            let changes: HashSet<_> = mem::take(&mut lists.changes).into_iter().collect();
            changes.into_iter().partition(|stream| lists.streams.contains(stream))
        };
        for gone in gone.chunks(TOPICS) {
            timeout(REDIS_TIMEOUT, sink.unsubscribe(self.topics(gone))).await.map_err(late)??;
        }
        self.subscribe(sink, come).await
    }

    async fn subscribe(&self, sink: &mut PubSubSink, streams: Vec<Stream>) -> RedisResult<()> {
        for streams in streams.chunks(TOPICS) {
            timeout(REDIS_TIMEOUT, sink.subscribe(self.topics(streams))).await.map_err(late)??;
            let _ = self.hearing.send(Heard::Subscribed(streams.to_vec())).await;
        }
        Ok(())
    }

    fn topics(&self, streams: &[Stream]) -> Vec<String> {
        streams.iter().map(|stream| self.redis.key(&stream.to_string())).collect()
    }
}

fn late(_: tokio::time::error::Elapsed) -> RedisError {
    RedisError::from((ErrorKind::Io, "Redis did not answer in time"))
}

fn closed() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection was given up"))
}
