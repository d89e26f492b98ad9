//! Redis, as the nodes of a cluster talk through it: texts on topics.
//!
//! What it promises: what one node says on a topic comes in order to every node that is tuned to
//! it, at most once. Nobody waits for Redis: what cannot be said at once is dropped, and then, as
//! soon as something can be said again, every node hears [`Heard::Missed`]. A node that could not
//! listen hears [`Heard::Tuned`] again when it can, and [`Heard::Missed`] now and then until it
//! does. Whoever hears these looks in the store for what there was.

use std::collections::HashSet;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSubSink};
use redis::{Client, Pipeline, RedisError, RedisResult};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// How long Redis may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a node talks to itself, and how long it may hear nothing before it listens anew.
const BEAT: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(4);
/// The pause between tries to listen.
const RETRY: Duration = Duration::from_millis(300);
/// How often who cannot listen looks for what it has missed.
const LOOK: Duration = Duration::from_secs(2);
/// How much may wait, either way.
const WAITING: usize = 8192;
/// How many topics one command names.
const TOPICS: usize = 1000;
/// What every node is tuned to always.
const MISSED: &str = "missed";

/// A connection to Redis that comes back by itself. The names of everything begin with the same
/// prefix, so that several clusters can share a Redis.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    manager: ConnectionManager,
    prefix: Arc<str>,
    /// Whether it answered when it was last talked to, which is every second.
    answers: Arc<AtomicBool>,
}

/// What comes from the other nodes.
pub enum Heard {
    /// What a node, this one perhaps, has said on a topic that this one is tuned to.
    Said(String),
    /// These topics are heard from now on; what was said before may have been missed.
    Tuned(Vec<String>),
    /// Something may have been missed on any topic.
    Missed,
}

/// The way to the other nodes and from them.
pub struct Link {
    saying: mpsc::Sender<Vec<(String, String)>>,
    missed: Arc<AtomicBool>,
    dial: Arc<Dial>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// Which topics are wanted.
#[derive(Default)]
struct Dial {
    wanted: Mutex<Wanted>,
    changed: Notify,
}

#[derive(Default)]
struct Wanted {
    topics: HashSet<String>,
    /// Those that have come and gone since the listener last looked.
    changes: Vec<String>,
}

impl Redis {
    /// Errors: a URL that is none.
    pub fn open(url: &str, cluster: Uuid) -> RedisResult<Redis> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        let prefix = format!("chinwag:{cluster}:").into();
        Ok(Redis { client, manager, prefix, answers: Arc::default() })
    }

    /// What Redis answers; none if it does not, and then at once until it does again.
    pub(super) async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>,
    ) -> Option<T> {
        if !self.answers.load(Ordering::Acquire) {
            return None;
        }
        match ask(self.manager.clone()).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::debug!(%error, "Redis was asked in vain");
                if error.is_io_error() || error.is_timeout() {
                    self.answers.store(false, Ordering::Release);
                }
                None
            }
        }
    }

    /// The name of something of this cluster's.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl Link {
    /// Starts to talk and to listen, for as long as it is kept. What is heard must be taken.
    pub fn start(redis: &Redis) -> (Link, mpsc::Receiver<Heard>) {
        let (saying, said) = mpsc::channel(WAITING);
        let (hearing, heard) = mpsc::channel(WAITING);
        let (missed, dial) = (Arc::<AtomicBool>::default(), Arc::<Dial>::default());
        let own = redis.key(&format!("beat:{}", Uuid::now_v7()));
        let talker = talk(redis.clone(), said, missed.clone(), own.clone());
        let listener = Listener { redis: redis.clone(), dial: dial.clone(), hearing, own };
        let tasks = [tokio::spawn(talker), tokio::spawn(listener.run())];
        let link = Link { saying, missed, dial, _tasks: tasks.map(AbortOnDropHandle::new) };
        (link, heard)
    }

    /// Says texts on topics, to those who are tuned to them.
    pub fn say(&self, texts: Vec<(String, String)>) {
        if let Err(TrySendError::Full(_)) = self.saying.try_send(texts) {
            self.missed.store(true, Ordering::Release);
        }
    }

    /// Hears of a topic from soon on, when [`Heard::Tuned`] names it.
    pub fn tune(&self, topic: String) {
        let mut wanted = self.dial.lock();
        wanted.changes.push(topic.clone());
        wanted.topics.insert(topic);
        self.dial.changed.notify_one();
    }

    /// Hears no more of a topic.
    pub fn untune(&self, topic: &str) {
        let mut wanted = self.dial.lock();
        wanted.topics.remove(topic);
        wanted.changes.push(topic.to_owned());
        self.dial.changed.notify_one();
    }
}

impl Dial {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // Nothing panics while it is held.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what there is to say, in order, until nobody can say more.
async fn talk(
    mut redis: Redis,
    mut said: mpsc::Receiver<Vec<(String, String)>>,
    missed: Arc<AtomicBool>,
    own: String,
) {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut texts = Vec::new();
    loop {
        let mut pipeline = Pipeline::new();
        tokio::select! {
            count = said.recv_many(&mut texts, WAITING) => if count == 0 {
                return;
            },
            _ = beats.tick() => {
                pipeline.publish(&own, "").ignore();
            }
        }
        if missed.swap(false, Ordering::AcqRel) {
            pipeline.publish(redis.key(MISSED), "").ignore();
        }
        for (topic, text) in texts.drain(..).flatten() {
            pipeline.publish(redis.key(&topic), text).ignore();
        }
        let said = pipeline.exec_async(&mut redis.manager).await.is_ok();
        redis.answers.store(said, Ordering::Release);
        metrics::gauge!("chinwag_redis_up").set(f64::from(u8::from(said)));
        if !said {
            missed.store(true, Ordering::Release);
        }
    }
}

struct Listener {
    redis: Redis,
    dial: Arc<Dial>,
    hearing: mpsc::Sender<Heard>,
    /// Where this node talks to itself.
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
    async fn listen(&self, silent: &mut bool) -> Result<std::convert::Infallible, RedisError> {
        let connected = timeout(PATIENCE, self.redis.client.get_async_pubsub()).await;
        let (mut sink, mut stream) = connected.map_err(late)??.split();
        let topics = {
            let mut wanted = self.dial.lock();
            wanted.changes.clear();
            Vec::from_iter(wanted.topics.iter().cloned())
        };
        let fixed = [self.own.clone(), self.redis.key(MISSED)];
        timeout(PATIENCE, sink.subscribe(&fixed[..])).await.map_err(late)??;
        self.tune(&mut sink, topics).await?;
        if mem::replace(silent, false) {
            tracing::info!("the other nodes are heard again");
        }
        loop {
            tokio::select! {
                () = self.dial.changed.notified() => self.retune(&mut sink).await?,
                message = timeout(SILENCE, stream.next()) => {
                    let message = message.map_err(late)?.ok_or_else(closed)?;
                    let topic = message.get_channel_name();
                    if topic == self.own {
                        continue;
                    }
                    let heard = match topic == fixed[1] {
                        true => Heard::Missed,
                        false => Heard::Said(message.get_payload()?),
                    };
                    // Who is too far behind begins anew.
                    self.hearing.try_send(heard).map_err(|_| closed())?;
                }
            }
        }
    }

    /// Follows the changes of what is wanted.
    async fn retune(&self, sink: &mut PubSubSink) -> RedisResult<()> {
        let (come, gone): (Vec<_>, Vec<_>) = {
            let mut wanted = self.dial.lock();
            let changes: HashSet<_> = mem::take(&mut wanted.changes).into_iter().collect();
            changes.into_iter().partition(|topic| wanted.topics.contains(topic))
        };
        for gone in gone.chunks(TOPICS) {
            let keys: Vec<_> = gone.iter().map(|topic| self.redis.key(topic)).collect();
            timeout(PATIENCE, sink.unsubscribe(&keys)).await.map_err(late)??;
        }
        self.tune(sink, come).await
    }

    async fn tune(&self, sink: &mut PubSubSink, topics: Vec<String>) -> RedisResult<()> {
        for topics in topics.chunks(TOPICS) {
            let keys: Vec<_> = topics.iter().map(|topic| self.redis.key(topic)).collect();
            timeout(PATIENCE, sink.subscribe(&keys)).await.map_err(late)??;
            let _ = self.hearing.send(Heard::Tuned(topics.to_vec())).await;
        }
        Ok(())
    }
}

fn late(_: tokio::time::error::Elapsed) -> RedisError {
    RedisError::from((redis::ErrorKind::Io, "Redis did not answer in time"))
}

fn closed() -> RedisError {
    RedisError::from((redis::ErrorKind::Io, "the connection was given up"))
}
