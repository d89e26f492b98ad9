//! Which streams of events this node follows.
//!
//! A node follows the streams of what its clients may hear of: their chats, their users, and what
//! is for everyone. On a single node there is nothing to follow: what is committed is all there is.
//! How far each stream has been shown is in its [position](super::positions).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::positions::Shared;
use super::{Hearing, Link, Moved, Redis};
use crate::error::Error;
use crate::model::{Event, Stream};

/// How many tasks may wait until the streams that they follow have their positions.
const WAITING: usize = 1024;

/// How long a task waits for the positions: it takes so long only if the store does not answer.
const POSITION_TIMEOUT: Duration = Duration::from_secs(5);

/// What this node follows; nothing if it is the only one.
#[derive(Clone, Default)]
pub struct Streams(Option<(Arc<Shared>, mpsc::Sender<Waiter>)>);

/// A task that waits until the streams that it follows have their positions.
pub type Waiter = oneshot::Sender<Result<(), Error>>;

/// Keeps a stream followed until the guard is dropped.
#[derive(Default)]
pub struct Following(Option<(Arc<Shared>, Stream)>);

impl Streams {
    /// Starts the streams of one of several nodes. Also returns what its follower needs: the shared
    /// positions, what other nodes tell, and the tasks that wait for positions.
    pub fn start(
        redis: &Redis,
        node: Uuid,
    ) -> (Streams, Arc<Shared>, Hearing, mpsc::Receiver<Waiter>) {
        let (link, subscriptions) = Link::start(redis, node);
        let hearing = Hearing::start(redis, node, subscriptions);
        let (waiters, waiting) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared::new(link));
        (Streams(Some((shared.clone(), waiters))), shared, hearing, waiting)
    }

    /// Follows a stream. Once [`positioned`](Streams::positioned) has returned, all that any node
    /// commits to the stream is shown to the doors. A client that comes now need not be shown
    /// earlier events.
    pub fn follow(&self, stream: Stream) -> Following {
        self.begin(stream, true)
    }

    /// Follows a stream because the doors have just been shown an event of it. All events after
    /// that one are shown.
    pub fn follow_on(&self, stream: Stream) -> Following {
        self.begin(stream, false)
    }

    fn begin(&self, stream: Stream, anew: bool) -> Following {
        let Some((shared, _)) = &self.0 else {
            return Following(None);
        };
        shared.begin(&stream, anew);
        Following(Some((shared.clone(), stream)))
    }

    /// Whether this is the only node.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Tells all nodes that somebody has come into a room or left it.
    pub fn publish_moved(&self, moved: Moved) {
        if let Some((shared, _)) = &self.0 {
            shared.link.publish_moved(moved);
        }
    }

    /// Tells the other nodes of an event that is not stored.
    pub fn tell(&self, event: Event) {
        if let Some((shared, _)) = &self.0 {
            shared.link.tell(event);
        }
    }

    /// Waits until all streams that are followed have their positions. Nothing that is committed
    /// after this returns is missed. Errors: `unavailable`.
    pub async fn positioned(&self) -> Result<(), Error> {
        let Some((_, waiters)) = &self.0 else {
            return Ok(());
        };
        let (waiter, answered) = oneshot::channel();
        let positioned = async {
            waiters.send(waiter).await.map_err(|_| Error::Unavailable(None))?;
            answered.await.map_err(|_| Error::Unavailable(None))?
        };
        let in_time = tokio::time::timeout(POSITION_TIMEOUT, positioned).await;
        in_time.unwrap_or(Err(Error::Unavailable(None)))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some((shared, stream)) = &self.0 {
            shared.end(stream);
        }
    }
}
