//! Redis: what the nodes of a cluster share beside the database. It owns the connections to Redis,
//! what the nodes tell each other, and what they count and know together: the participants of
//! rooms, which nodes are alive, how often each user has asked. Nothing in Redis is durable, and
//! nobody waits long for it.
//!
//! - [`pubsub`]: what this node tells the others
//! - [`listener`]: what it hears from them
//! - [`presence`]: the participants of rooms
//! - [`online`]: who is online
//! - [`heartbeat`]: which nodes are alive
//! - [`streams`]: which streams of events this node follows
//! - [`positions`]: how far it has shown them
//! - [`buckets`]: rate limits that hold for all nodes together

mod buckets;
mod heartbeat;
mod listener;
mod online;
mod positions;
mod presence;
mod pubsub;
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, ErrorKind, RedisError, RedisResult};
use uuid::Uuid;

pub use heartbeat::{BEAT, Beat};
pub use listener::{Heard, Hearing};
pub use positions::Shared;
pub use presence::{Entered, Entry, Holder, Left};
pub use pubsub::{Link, Moved, Packet};
pub use streams::{Following, Streams, Waiter};

/// How long Redis may take to answer: less than PostgreSQL lets a transaction be idle meanwhile.
const REDIS_TIMEOUT: Duration = Duration::from_millis(1500);

/// A connection to Redis that comes back by itself. The names of everything begin with the same
/// prefix, so that several clusters can share a Redis.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    manager: ConnectionManager,
    prefix: Arc<str>,
    /// Whether it answered when it was last talked to, which is every second.
    answers: Arc<AtomicBool>,
    /// Whether it refused this node for its password when it was last talked to.
    refuses: Arc<AtomicBool>,
    /// Whether it has not answered since that was last asked: it may have lost what it held.
    interrupted: Arc<AtomicBool>,
    /// Whether it did not hear of somebody who entered or left a room.
    presence_missed: Arc<AtomicBool>,
}

impl Redis {
    /// Errors: a URL that is none.
    pub fn open(url: &str, cluster: Uuid) -> RedisResult<Redis> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(REDIS_TIMEOUT))
            .set_response_timeout(Some(REDIS_TIMEOUT));
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Redis {
            client,
            manager,
            prefix: format!("chinwag:{cluster}:").into(),
            answers: Arc::default(),
            refuses: Arc::default(),
            interrupted: Arc::default(),
            presence_missed: Arc::default(),
        })
    }

    /// Whether it is there and refuses this node for its password: that does not pass by itself.
    pub fn is_refused(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// Whether it has failed to answer since [`take_interrupted`](Redis::take_interrupted).
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    /// Whether it has failed to answer since this was last called.
    pub fn take_interrupted(&self) -> bool {
        self.interrupted.swap(false, Ordering::AcqRel)
    }

    /// Notes what it answered to the request of every second.
    fn note_result(&self, result: &RedisResult<()>) {
        self.note_answer(result.is_ok());
        self.refuses.store(result.as_ref().is_err_and(is_refusal), Ordering::Release);
    }

    fn note_answer(&self, answers: bool) {
        self.answers.store(answers, Ordering::Release);
        if !answers {
            self.interrupted.store(true, Ordering::Release);
        }
    }

    /// The name of something of this cluster's.
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// What Redis answers; `None` if it does not. From then on none is returned at once, until it
    /// answers again.
    async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>,
    ) -> Option<T> {
        if !self.answers.load(Ordering::Acquire) {
            return None;
        }
        match ask(self.manager.clone()).await {
            Ok(answer) => Some(answer),
            // Whether it answers at all is told where it is talked to every second.
            Err(error) if error.is_io_error() || error.is_timeout() => {
                self.note_answer(false);
                None
            }
            Err(error) => {
                tracing::warn!(%error, "Redis refuses what it is asked");
                None
            }
        }
    }
}

/// Whether the password is wrong or missing, or its user may not do this.
fn is_refusal(error: &RedisError) -> bool {
    const CODES: [&str; 3] = ["NOAUTH", "WRONGPASS", "NOPERM"];
    let mut answers = error.clone().into_server_errors().into_iter().flat_map(|it| it.to_vec());
    error.kind() == ErrorKind::AuthenticationFailed
        || answers.any(|(_, answer)| CODES.contains(&answer.code()))
}
