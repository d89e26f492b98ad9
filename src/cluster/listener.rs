//! What a node hears from the others, on the topics of the streams that it follows.
//!
//! What it promises: what comes over a topic is heard in order, at most once. If too much waits to
//! be taken, the node stops listening until all of that is taken. A node that could not listen
//! hears [`Heard::Subscribed`] again when it can, and [`Heard::Missed`] now and then until it does.
//! The follower then looks in the store for what it has missed. What is not stored stays missed.

use std::collections::HashSet;
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::PubSubSink;
use ::redis::{ErrorKind, RedisError, RedisResult};
use futures_util::StreamExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
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
/// How many bytes of what was heard may wait to be taken.
const MAX_WAITING: u32 = 32 << 20;
/// How many of these an entry counts as, besides the bytes of its text.
const ENTRY: usize = 256;
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
    heard: mpsc::UnboundedReceiver<(Heard, OwnedSemaphorePermit)>,
    missed: Arc<Notify>,
    _task: AbortOnDropHandle<()>,
}

impl Hearing {
    pub(super) fn start(redis: &Redis, node: Uuid, subscriptions: Arc<Subscriptions>) -> Hearing {
        // Bounded by the room.
        let (hearing, heard) = mpsc::unbounded_channel();
        let missed = Arc::<Notify>::default();
        let listener = Listener {
            redis: redis.clone(),
            subscriptions,
            hearing,
            missed: missed.clone(),
            room: Arc::new(Semaphore::new(MAX_WAITING as usize)),
            node,
            own: own_topic(redis, node),
        };
        Hearing { heard, missed, _task: AbortOnDropHandle::new(tokio::spawn(listener.run())) }
    }

    /// The next of what is heard; `None` if nothing more comes. That something may have been missed
    /// comes after all that was heard, and once, however often it was noted meanwhile.
    pub async fn next(&mut self) -> Option<Heard> {
        tokio::select! {
            biased;
            heard = self.heard.recv() => heard.map(|(heard, _)| heard),
            () = self.missed.notified() => Some(Heard::Missed),
        }
    }
}

struct Listener {
    redis: Redis,
    subscriptions: Arc<Subscriptions>,
    hearing: mpsc::UnboundedSender<(Heard, OwnedSemaphorePermit)>,
    missed: Arc<Notify>,
    /// A permit for each byte that may still wait to be taken.
    room: Arc<Semaphore>,
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
            self.subscriptions.lock().changes = None;
            if !mem::replace(&mut silent, true) {
                tracing::warn!(%error, "the other nodes are not heard");
            }
            tokio::time::sleep(RETRY).await;
            // So that a node which is behind does not queue the same look-ups with each try.
            let _taken = self.room.acquire_many(MAX_WAITING).await;
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.missed.notify_one();
            }
        }
    }

    /// Listens as long as that works.
    async fn listen(&self, silent: &mut bool) -> Result<Infallible, RedisError> {
        let connected = timeout(REDIS_TIMEOUT, self.redis.client.get_async_pubsub()).await;
        let (mut sink, mut stream) = connected.map_err(late)??.split();
        let mut streams = {
            let mut lists = self.subscriptions.lock();
            lists.changes = Some(Vec::new());
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
                    let (topic, text) = (message.get_channel_name(), message.get_payload_bytes());
                    if topic == fixed[1] {
                        self.missed.notify_one();
                    } else if topic != self.own
                        && let Some(heard) = self.read(text)
                    {
                        self.hand_over(heard, text.len())?;
                    }
                }
            }
        }
    }

    /// Errors: too much waits to be taken.
    fn hand_over(&self, heard: Heard, bytes: usize) -> RedisResult<()> {
        let bytes = u32::try_from(ENTRY + bytes).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(bytes);
        let room = room.map_err(|_| given_up("this node is too far behind"))?;
        // It fails only when the server ends.
        let _ = self.hearing.send((heard, room));
        Ok(())
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
            let changes = lists.changes.as_mut().map(mem::take);
            let changes: HashSet<_> = changes.into_iter().flatten().collect();
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
            // Not counted: a node that follows very many streams must be able to name them all.
            self.hand_over(Heard::Subscribed(streams.to_vec()), 0)?;
        }
        Ok(())
    }

    fn topics(&self, streams: &[Stream]) -> Vec<String> {
        streams.iter().map(|stream| self.redis.key(&stream.to_string())).collect()
    }
}

fn late(_: tokio::time::error::Elapsed) -> RedisError {
    given_up("Redis did not answer in time")
}

fn closed() -> RedisError {
    given_up("Redis has closed the connection")
}

fn given_up(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, why))
}
