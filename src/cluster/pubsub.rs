//! What the nodes tell each other: events, on a topic for each stream.
//!
//! What it promises: what one node publishes on a topic comes in order to every node that has
//! subscribed to it, at most once. Nobody waits for Redis: what cannot be published at once is
//! dropped, and then, as soon as something can be again, every node hears [`Heard::Missed`]. A node
//! that could not listen hears [`Heard::Subscribed`] again when it can, and [`Heard::Missed`] now
//! and then until it does. The follower then looks in the store for what it has missed.

use std::collections::HashSet;
use std::convert::Infallible;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::aio::PubSubSink;
use ::redis::{ErrorKind, Pipeline, RedisError, RedisResult};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{REDIS_TIMEOUT, Redis};
use crate::model::{ChatId, Event, Kept, Position, Profile, Stream};

/// How often a node talks to itself, and how long it may hear nothing before it listens anew.
const PING: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(4);
/// The pause between tries to listen.
const RETRY: Duration = Duration::from_millis(300);
/// How often a node that cannot listen looks for what it has missed.
const LOOK: Duration = Duration::from_secs(2);
/// How much may wait, either way.
const WAITING: usize = 8192;
/// How many topics one command names.
const TOPICS: usize = 1000;
/// The topic that every node subscribes to, beside its own.
const MISSED: &str = "missed";
/// Larger events are not sent to nodes that follow another stream: they fetch them.
const MAX_MIRRORED: usize = 16 << 10;

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

/// What goes over a topic.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Text {
    Packet(Packet),
    Moved(Moved),
    Told { node: Uuid, event: Box<Event> },
}

/// An event of another node's, at one of its places.
#[derive(Serialize, Deserialize)]
pub struct Packet {
    node: Uuid,
    pub position: Position,
    /// Where the event stands itself, if that is in another stream.
    pub home: Option<Position>,
    /// `None` if it is to be fetched.
    event: Option<Box<RawValue>>,
}

/// Somebody who has come into a room, or has left it, by whichever node.
#[derive(Serialize, Deserialize)]
pub struct Moved {
    pub chat_id: ChatId,
    pub user: Profile,
    pub participants: usize,
    pub joined: bool,
}

/// The way to the other nodes and from them.
pub struct Link {
    node: Uuid,
    publishing: mpsc::Sender<Vec<(Stream, Text)>>,
    missed: Arc<AtomicBool>,
    subscriptions: Arc<Subscriptions>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// Which streams are to be heard.
#[derive(Default)]
struct Subscriptions {
    lists: Mutex<Lists>,
    changed: Notify,
}

#[derive(Default)]
struct Lists {
    streams: HashSet<Stream>,
    /// Those that have come and gone since the listener last looked.
    changes: Vec<Stream>,
}

impl Packet {
    /// The event; `None` if it is to be fetched. Errors: another version's.
    pub fn event(&self) -> serde_json::Result<Option<Event>> {
        self.event.as_ref().map(|event| serde_json::from_str(event.get())).transpose()
    }
}

impl Link {
    /// Starts to publish and to listen, for as long as it is kept. What is heard must be taken.
    pub fn start(redis: &Redis, node: Uuid) -> (Link, mpsc::Receiver<Heard>) {
        let (publishing, published) = mpsc::channel(WAITING);
        let (hearing, heard) = mpsc::channel(WAITING);
        let (missed, subscriptions) = (Arc::<AtomicBool>::default(), Arc::default());
        let own = redis.key(&format!("ping:{node}"));
        let publisher = publish(redis.clone(), published, missed.clone(), own.clone());
        let listener = Listener {
            redis: redis.clone(),
            subscriptions: Arc::clone(&subscriptions),
            hearing,
            node,
            own,
        };
        let tasks = [tokio::spawn(publisher), tokio::spawn(listener.run())];
        let tasks = tasks.map(AbortOnDropHandle::new);
        (Link { node, publishing, missed, subscriptions, _tasks: tasks }, heard)
    }

    /// Tells the other nodes of an event, at each of its places.
    pub fn publish(&self, kept: &Kept) {
        let packet = |position: &Position, home, event| {
            let packet = Packet { node: self.node, position: position.clone(), home, event };
            (position.stream.clone(), Text::Packet(packet))
        };
        let small = kept.json.get().len() <= MAX_MIRRORED;
        let mut packets = vec![packet(&kept.position, None, Some(kept.json.clone()))];
        packets.extend(kept.mirrors.iter().map(|mirror| {
            packet(mirror, Some(kept.position.clone()), small.then(|| kept.json.clone()))
        }));
        self.hand_over(packets);
    }

    /// Tells all nodes, this one too, of somebody who has moved.
    pub fn publish_moved(&self, moved: Moved) {
        self.hand_over(vec![(Stream::Chat(moved.chat_id), Text::Moved(moved))]);
    }

    /// Tells the other nodes of what is not stored: they hear of it once or never.
    pub fn tell(&self, event: Event) {
        let node = self.node;
        let home = event.route().home;
        self.hand_over(vec![(home, Text::Told { node, event: Box::new(event) })]);
    }

    fn hand_over(&self, texts: Vec<(Stream, Text)>) {
        if let Err(TrySendError::Full(_)) = self.publishing.try_send(texts) {
            self.missed.store(true, Ordering::Release);
        }
    }

    /// Hears of a stream from soon on, when [`Heard::Subscribed`] names it.
    pub fn subscribe(&self, stream: &Stream) {
        let mut lists = self.subscriptions.lock();
        lists.changes.push(stream.clone());
        lists.streams.insert(stream.clone());
        self.subscriptions.changed.notify_one();
    }

    /// Hears no more of a stream.
    pub fn unsubscribe(&self, stream: &Stream) {
        let mut lists = self.subscriptions.lock();
        lists.streams.remove(stream);
        lists.changes.push(stream.clone());
        self.subscriptions.changed.notify_one();
    }
}

impl Subscriptions {
    fn lock(&self) -> MutexGuard<'_, Lists> {
        // Nothing panics while it is held.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes what there is, in order, until nobody can publish more.
async fn publish(
    mut redis: Redis,
    mut published: mpsc::Receiver<Vec<(Stream, Text)>>,
    missed: Arc<AtomicBool>,
    own: String,
) {
    let mut pings = tokio::time::interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut texts, mut failing) = (Vec::new(), false);
    loop {
        let mut pipeline = Pipeline::new();
        tokio::select! {
            count = published.recv_many(&mut texts, WAITING) => if count == 0 {
                return;
            },
            _ = pings.tick() => {
                pipeline.publish(&own, "").ignore();
            }
        }
        if missed.swap(false, Ordering::AcqRel) {
            pipeline.publish(redis.key(MISSED), "").ignore();
        }
        for (stream, text) in texts.drain(..).flatten() {
            // Texts, numbers and times: nothing in them can fail to serialize.
            let text = serde_json::to_string(&text).unwrap_or_default();
            pipeline.publish(redis.key(&stream.to_string()), text).ignore();
        }
        let done = pipeline.exec_async(&mut redis.manager).await;
        redis.note_result(&done);
        metrics::gauge!("chinwag_redis_up").set(f64::from(u8::from(done.is_ok())));
        match done {
            Ok(()) if mem::replace(&mut failing, false) => tracing::info!("Redis answers again"),
            Ok(()) => {}
            Err(error) => {
                missed.store(true, Ordering::Release);
                if !mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "Redis does not answer");
                }
            }
        }
    }
}

/// What is to be published for every node to show, the one that publishes it too.
pub(super) fn told_to_all(event: Event) -> String {
    let told = Text::Told { node: Uuid::nil(), event: Box::new(event) };
    // Texts, numbers and times: nothing in them can fail to serialize.
    serde_json::to_string(&told).unwrap_or_default()
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
