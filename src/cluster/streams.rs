//! Which streams of events this node follows, and how far it has shown them to its doors.
//!
//! A node follows the streams of what its clients may hear of: their chats, their users, and what
//! is for everyone. On a single node there is nothing to follow: what is committed is all there is.
//!
//! It keeps numbers and shows nothing. Tasks that want a stream followed use [`Streams`]. The one
//! task that shows the events, the domain's follower, uses [`Shared`]: it asks for each event
//! whether the event's number is next, so that none is shown twice and none left out.

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Heard, Link, Moved, Redis};
use crate::error::Error;
use crate::model::{Event, Position, Stream, UserId};

/// How many tasks may wait until the streams that they follow have their positions.
const WAITING: usize = 1024;

/// How long a task waits for the positions: it takes so long only if the store does not answer.
const POSITION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unfollowed stream is kept.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// How long the doors may take to follow a stream after they were shown an event of it.
const ABOUT_TO_BE_FOLLOWED: Duration = Duration::from_secs(5);

/// What this node follows; nothing if it is the only one.
#[derive(Clone, Default)]
pub struct Streams(Option<Arc<Shared>>);

/// A task that waits until the streams that it follows have their positions.
pub struct Waiter {
    /// If set, what this user's own stream still has is shown first, because it may tell of earlier
    /// events of the chats that are followed.
    pub user_id: Option<UserId>,
    pub answer: oneshot::Sender<Result<(), Error>>,
}

/// What the users of [`Streams`] share with the follower, which shows the events.
pub struct Shared {
    map: Mutex<Map>,
    pub link: Link,
    waiters: mpsc::Sender<Waiter>,
}

#[derive(Default)]
struct Map {
    streams: HashMap<Stream, Followed>,
    /// The streams without a position, or to which this node is not subscribed yet.
    new: Vec<Stream>,
}

struct Followed {
    /// How many [`Following`] keep it followed.
    guards: usize,
    /// The position: the number of the event to show next; `None` until it is known.
    next: Option<i64>,
    /// The numbers that were passed over when the stream got its position, as nobody here followed
    /// it when they were committed. All before them have been shown.
    passed: Range<i64>,
    /// The numbers of `passed` that have been shown since, because another stream told of them.
    shown: BTreeSet<i64>,
    /// Whether the streams of users may still tell of some of `passed`.
    owes_passed: bool,
    /// When an event of it was last shown to the doors.
    touched: Instant,
    /// When the doors were last shown an event that may make a client follow the stream.
    expected: Option<Instant>,
    /// Whether this node is subscribed to it in Redis.
    subscribed: bool,
}

impl Followed {
    fn from(next: Option<i64>) -> Followed {
        Followed {
            guards: 0,
            next,
            passed: 0..0,
            shown: BTreeSet::new(),
            owes_passed: next.is_none(),
            touched: Instant::now(),
            expected: None,
            subscribed: false,
        }
    }

    /// Whether all its events must be shown: it is followed, or the doors are about to follow it.
    fn is_owed(&self) -> bool {
        let expected = self.expected.is_some_and(|shown| shown.elapsed() < ABOUT_TO_BE_FOLLOWED);
        self.guards > 0 || expected
    }

    /// Returns whether to show the event with this number, and records it as shown. It is not shown
    /// if it was shown or passed over before.
    fn take_turn(&mut self, number: i64) -> bool {
        // While nobody follows a stream, its events may be missing, or come late.
        if !self.is_owed()
            && let Some(next) = self.next.take_if(|next| number > *next)
        {
            self.passed.start = next;
            self.shown.clear();
        }
        // What was shown before its position was lost is not shown again.
        if number < self.next.unwrap_or(self.passed.start) {
            return false;
        }
        if self.next.is_none() {
            self.passed.end = number;
            self.owes_passed = true;
        }
        self.next = Some(number + 1);
        self.touched = Instant::now();
        true
    }
}

/// Keeps a stream followed until the guard is dropped.
#[derive(Default)]
pub struct Following(Option<(Arc<Shared>, Stream)>);

impl Streams {
    /// Starts the streams of one of several nodes. Also returns what its follower needs: the shared
    /// numbers, what other nodes tell, and the tasks that wait for positions.
    pub fn start(
        redis: &Redis,
        node: Uuid,
    ) -> (Streams, Arc<Shared>, mpsc::Receiver<Heard>, mpsc::Receiver<Waiter>) {
        let (link, heard) = Link::start(redis, node);
        let (waiters, waiting) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared { map: Mutex::default(), link, waiters });
        (Streams(Some(shared.clone())), shared, heard, waiting)
    }

    /// Follows a stream. Once [`positioned`](Streams::positioned) has returned, all that any node
    /// commits to the stream is shown to the doors.
    pub fn follow(&self, stream: Stream) -> Following {
        self.begin(stream, |followed| {
            // A client that comes now need not be shown earlier events.
            if !followed.is_owed()
                && let Some(next) = followed.next.take()
            {
                followed.passed.start = next;
            }
        })
    }

    /// Follows a stream because the doors have just been shown an event of it. All events after
    /// that one are shown.
    pub fn follow_on(&self, stream: Stream) -> Following {
        self.begin(stream, |_| {})
    }

    fn begin(&self, stream: Stream, prepare: impl FnOnce(&mut Followed)) -> Following {
        let Some(shared) = &self.0 else {
            return Following(None);
        };
        let mut map = shared.map();
        let Map { streams, new } = &mut *map;
        let followed = streams.entry(stream.clone()).or_insert_with(|| Followed::from(None));
        prepare(followed);
        if followed.next.is_none() || !followed.subscribed {
            new.push(stream.clone());
        }
        followed.guards += 1;
        if followed.guards == 1 {
            shared.link.subscribe(&stream);
        }
        Following(Some((shared.clone(), stream)))
    }

    /// Whether this is the only node.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Tells all nodes that somebody has come into a room or left it.
    pub fn publish_moved(&self, moved: Moved) {
        if let Some(shared) = &self.0 {
            shared.link.publish_moved(moved);
        }
    }

    /// Tells the other nodes of an event that is not stored.
    pub fn tell(&self, event: Event) {
        if let Some(shared) = &self.0 {
            shared.link.tell(event);
        }
    }

    /// Waits until all streams that are followed have their positions. Nothing that is committed
    /// after this returns is missed. Errors: `unavailable`.
    pub async fn positioned(&self) -> Result<(), Error> {
        self.wait(None).await
    }

    /// Waits like [`positioned`](Streams::positioned), for a user's chats. What the user's own
    /// stream still has to tell of those chats is shown first.
    pub async fn positioned_for(&self, user_id: &UserId) -> Result<(), Error> {
        self.wait(Some(user_id.clone())).await
    }

    async fn wait(&self, user_id: Option<UserId>) -> Result<(), Error> {
        let Some(shared) = &self.0 else {
            return Ok(());
        };
        let (answer, answered) = oneshot::channel();
        let positioned = async {
            let waiter = Waiter { user_id, answer };
            shared.waiters.send(waiter).await.map_err(|_| Error::Unavailable(None))?;
            answered.await.map_err(|_| Error::Unavailable(None))?
        };
        let in_time = tokio::time::timeout(POSITION_TIMEOUT, positioned).await;
        in_time.unwrap_or(Err(Error::Unavailable(None)))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let Some((shared, stream)) = &self.0 else {
            return;
        };
        let mut map = shared.map();
        let Some(followed) = map.streams.get_mut(stream) else {
            return;
        };
        followed.guards -= 1;
        if followed.guards == 0 {
            // It is kept for a while: another stream may tell of events that have been shown.
            followed.subscribed = false;
            shared.link.unsubscribe(stream);
        }
    }
}

impl Shared {
    /// Returns whether to show the event at this position, and records it as shown. It is not shown
    /// if it was shown or passed over before. All events of an unknown stream are shown.
    pub fn take(&self, position: &Position) -> bool {
        let mut map = self.map();
        match map.streams.get_mut(&position.stream) {
            Some(followed) => followed.take_turn(position.number),
            None => true,
        }
    }

    /// Returns whether to show an event that came by a mirror, or that this node has committed, and
    /// records it as shown in its home stream. Such an event is shown even if it was committed
    /// before its home stream was followed, but never twice while the home stream is kept.
    pub fn take_at_home(&self, home: &Position) -> bool {
        let mut map = self.map();
        let Some(followed) = map.streams.get_mut(&home.stream) else {
            let mut followed = Followed::from(Some(home.number + 1));
            (followed.passed, followed.expected) = (0..home.number, Some(Instant::now()));
            map.streams.insert(home.stream.clone(), followed);
            return true;
        };
        let passed = followed.passed.contains(&home.number);
        let due = followed.take_turn(home.number) || (passed && followed.shown.insert(home.number));
        followed.expected = Some(Instant::now());
        due
    }

    /// Whether the streams of users may still tell of events that this stream has passed over. It
    /// says so once: the caller catches up with them.
    pub fn take_owes_passed(&self, stream: &Stream) -> bool {
        let mut map = self.map();
        map.streams.get_mut(stream).is_some_and(|followed| mem::take(&mut followed.owes_passed))
    }

    /// Whether an event is known to have been shown.
    pub fn has_shown(&self, position: &Position) -> bool {
        let map = self.map();
        map.streams.get(&position.stream).is_some_and(|followed| {
            let past = followed.next.is_some_and(|next| position.number < next);
            let passed = followed.passed.contains(&position.number);
            past && (!passed || followed.shown.contains(&position.number))
        })
    }

    /// Goes on with this number, as the events before it cannot be read any more.
    pub fn skip_to(&self, stream: &Stream, number: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream) {
            followed.next = Some(number);
        }
    }

    /// Takes the streams without a position, and those to which this node is not subscribed yet.
    pub fn take_new(&self) -> Vec<Stream> {
        mem::take(&mut self.map().new)
    }

    /// Records that this node is subscribed to these streams.
    pub fn note_subscribed(&self, streams: &[Stream]) {
        let mut map = self.map();
        for stream in streams {
            if let Some(followed) = map.streams.get_mut(stream) {
                followed.subscribed = followed.guards > 0;
            }
        }
    }

    /// Whether this node is subscribed to all of these streams that are still followed.
    pub fn are_subscribed(&self, streams: &[Stream]) -> bool {
        let map = self.map();
        let is_done = |followed: &Followed| followed.guards == 0 || followed.subscribed;
        streams.iter().all(|stream| map.streams.get(stream).is_none_or(is_done))
    }

    /// Puts back what [`take_new`](Shared::take_new) gave, as its positions could not be found.
    pub fn put_back_new(&self, new: Vec<Stream>) {
        self.map().new.extend(new);
    }

    /// Sets a stream's position to the number after `last`. It does nothing if the position is
    /// known.
    pub fn start_after(&self, stream: &Stream, last: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream)
            && followed.next.is_none()
        {
            followed.next = Some(last + 1);
            followed.passed.end = last + 1;
            followed.owes_passed = true;
        }
    }

    /// The position of a stream, if it is known, and the stream is followed or about to be.
    pub fn next_of(&self, stream: &Stream) -> Option<i64> {
        self.map().streams.get(stream).filter(|followed| followed.is_owed())?.next
    }

    /// The known positions of those of these streams that are followed; of all streams for `None`.
    pub fn list_next(&self, streams: Option<&[Stream]>) -> Vec<(Stream, i64)> {
        let map = self.map();
        let next = |stream: &Stream| {
            let followed = map.streams.get(stream).filter(|followed| followed.guards > 0)?;
            Some((stream.clone(), followed.next?))
        };
        match streams {
            Some(streams) => streams.iter().filter_map(next).collect(),
            None => map.streams.keys().filter_map(next).collect(),
        }
    }

    /// Forgets the unfollowed streams of which no event was shown lately.
    pub fn forget(&self) {
        self.map()
            .streams
            .retain(|_, followed| followed.guards > 0 || followed.touched.elapsed() < KEPT_FOR);
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        // Nothing panics while the lock is held.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
