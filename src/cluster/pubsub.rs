//! What a node tells the others: events, on a topic for each stream.
//!
//! What it promises: what one node publishes on a topic comes in order to every node that has
//! subscribed to it, at most once. Nobody waits for Redis: what cannot be published at once is
//! dropped, and then, as soon as something can be again, every node hears
//! [`Heard::Missed`](super::Heard).

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::redis::Pipeline;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::Redis;
use crate::model::{ChatId, Event, Kept, Position, Profile, Stream};

/// How often a node talks to itself.
const PING: Duration = Duration::from_secs(1);
/// How much may wait to be published.
const WAITING: usize = 8192;
/// The topic that every node subscribes to, beside its own.
pub(super) const MISSED: &str = "missed";
/// Larger events are not sent to nodes that follow another stream: they fetch them.
const MAX_MIRRORED: usize = 16 << 10;

/// What goes over a topic.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Text {
    Packet(Packet),
    Moved(Moved),
    Told { node: Uuid, event: Box<Event> },
}

/// An event of another node's, at one of its places.
#[derive(Serialize, Deserialize)]
pub struct Packet {
    pub(super) node: Uuid,
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

/// The way to the other nodes, and which streams are heard from them.
pub struct Link {
    node: Uuid,
    publishing: mpsc::Sender<Vec<(Stream, Text)>>,
    missed: Arc<AtomicBool>,
    subscriptions: Arc<Subscriptions>,
    _task: AbortOnDropHandle<()>,
}

/// Which streams are to be heard.
#[derive(Default)]
pub(super) struct Subscriptions {
    lists: Mutex<Lists>,
    pub changed: Notify,
}

#[derive(Default)]
pub(super) struct Lists {
    pub streams: HashSet<Stream>,
    /// Those that have come or gone since the listener last looked; `None` while it does not
    /// listen.
    pub changes: Option<Vec<Stream>>,
}

impl Packet {
    /// The event; `None` if it is to be fetched. Errors: another version's.
    pub fn event(&self) -> serde_json::Result<Option<Event>> {
        self.event.as_ref().map(|event| serde_json::from_str(event.get())).transpose()
    }
}

impl Link {
    /// Starts to publish, for as long as it is kept. Also returns the streams that are to be heard.
    pub(super) fn start(redis: &Redis, node: Uuid) -> (Link, Arc<Subscriptions>) {
        let (publishing, published) = mpsc::channel(WAITING);
        let (missed, subscriptions) = (Arc::<AtomicBool>::default(), Arc::default());
        let publisher = publish(redis.clone(), published, missed.clone(), own_topic(redis, node));
        let task = AbortOnDropHandle::new(tokio::spawn(publisher));
        let to_hear = Arc::clone(&subscriptions);
        (Link { node, publishing, missed, subscriptions, _task: task }, to_hear)
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

    /// Hears of a stream from soon on, when [`Heard::Subscribed`](super::Heard) names it.
    pub fn subscribe(&self, stream: &Stream) {
        self.subscriptions.change(stream, |streams| streams.insert(stream.clone()));
    }

    /// Hears no more of a stream.
    pub fn unsubscribe(&self, stream: &Stream) {
        self.subscriptions.change(stream, |streams| streams.remove(stream));
    }
}

impl Subscriptions {
    fn change(&self, stream: &Stream, change: impl FnOnce(&mut HashSet<Stream>) -> bool) {
        let mut lists = self.lock();
        change(&mut lists.streams);
        if let Some(changes) = &mut lists.changes {
            changes.push(stream.clone());
        }
        self.changed.notify_one();
    }

    pub fn lock(&self) -> MutexGuard<'_, Lists> {
        // Nothing panics while it is held.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The topic on which a node talks to itself.
pub(super) fn own_topic(redis: &Redis, node: Uuid) -> String {
    redis.key(&format!("ping:{node}"))
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
