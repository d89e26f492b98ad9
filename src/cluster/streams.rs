//! Which streams of events this node follows, and how far it has shown them to its doors.
//!
//! A node follows the streams of what its clients may hear of: their chats, their users, and what
//! is for everyone. On a single node there is nothing to follow: what is committed is all there is.
//!
//! It keeps numbers and shows nothing. [`Streams`] is for tasks that want a stream followed;
//! [`Shared`] is the same for the one task that shows the events, the domain's follower. The
//! follower asks for each event whether its number is next, so that none is shown twice and none
//! left out.

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

/// So many tasks may wait until what they follow has its position.
const WAITING: usize = 1024;

/// How long a task waits for that; it takes longer if the store does not answer.
const POSITION_TIMEOUT: Duration = Duration::from_secs(5);

/// For how long a stream is remembered that nobody follows.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// How long the doors may take to follow a stream that they have been shown an event of.
const ABOUT_TO_BE_FOLLOWED: Duration = Duration::from_secs(5);

/// What this node follows; nothing if it is the only one.
#[derive(Clone, Default)]
pub struct Streams(Option<Arc<Shared>>);

/// A task that waits until a stream has its position.
pub struct Asker {
    /// The user whose chats may be among what it follows: their stream may still have to tell of
    /// what was said there before.
    pub user_id: Option<UserId>,
    pub answer: oneshot::Sender<Result<(), Error>>,
}

/// What the users of [`Streams`] share with the follower, which shows the events.
pub struct Shared {
    map: Mutex<Map>,
    pub link: Link,
    askers: mpsc::Sender<Asker>,
}

#[derive(Default)]
struct Map {
    streams: HashMap<Stream, Followed>,
    /// The streams whose position must still be found.
    new: Vec<Stream>,
}

struct Followed {
    followers: usize,
    /// The position: the number of the event that is to be shown next; none until it is known.
    next: Option<i64>,
    /// The numbers that were passed over when it got its position, as nobody here followed it when
    /// they were committed. All before them have been shown.
    passed: Range<i64>,
    /// Those of `passed` that have been shown since, because another stream told of them.
    shown: BTreeSet<i64>,
    /// When it was last shown to the doors.
    touched: Instant,
    /// When an event was last shown that may make a client follow it.
    expected: Option<Instant>,
    /// Whether this node has subscribed to it.
    heard: bool,
}

impl Followed {
    fn from(next: Option<i64>) -> Followed {
        let (passed, shown, touched) = (0..0, BTreeSet::new(), Instant::now());
        Followed { followers: 0, next, passed, shown, touched, expected: None, heard: false }
    }

    /// Whether nothing of it may be missed: it is followed, or the doors are about to follow it.
    fn is_owed(&self) -> bool {
        let expected = self.expected.is_some_and(|shown| shown.elapsed() < ABOUT_TO_BE_FOLLOWED);
        self.followers > 0 || expected
    }

    /// Notes that an event is shown; false if its number has been shown or passed over before.
    fn take_turn(&mut self, number: i64) -> bool {
        // Events of a stream that nobody follows may not have come, or may come later.
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
        }
        self.next = Some(number + 1);
        self.touched = Instant::now();
        true
    }
}

/// Keeps a stream followed until it is dropped.
#[derive(Default)]
pub struct Following(Option<(Arc<Shared>, Stream)>);

impl Streams {
    /// The streams of one of several nodes, and what its follower takes: what other nodes tell, and
    /// the tasks that wait for a position.
    pub fn start(
        redis: &Redis,
        node: Uuid,
    ) -> (Streams, Arc<Shared>, mpsc::Receiver<Heard>, mpsc::Receiver<Asker>) {
        let (link, heard) = Link::start(redis, node);
        let (askers, asked) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared { map: Mutex::default(), link, askers });
        (Streams(Some(shared.clone())), shared, heard, asked)
    }

    /// Follows a stream. What is committed after it is next [`positioned`](Streams::positioned) is
    /// shown to the doors, by whichever node it is committed.
    pub fn follow(&self, stream: Stream) -> Following {
        self.begin(stream, |followed| {
            // A client that comes now need not be shown what was before.
            if !followed.is_owed()
                && let Some(next) = followed.next.take()
            {
                followed.passed.start = next;
            }
        })
    }

    /// Follows a stream because of an event of it that the doors have just been shown: what comes
    /// after that is shown.
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
        if followed.next.is_none() || !followed.heard {
            new.push(stream.clone());
        }
        followed.followers += 1;
        if followed.followers == 1 {
            shared.link.subscribe(&stream);
        }
        Following(Some((shared.clone(), stream)))
    }

    /// Whether this is the only node.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Tells all nodes of somebody who has moved.
    pub fn publish_moved(&self, moved: Moved) {
        if let Some(shared) = &self.0 {
            shared.link.publish_moved(moved);
        }
    }

    /// Tells the other nodes of what is not stored.
    pub fn tell(&self, event: Event) {
        if let Some(shared) = &self.0 {
            shared.link.tell(event);
        }
    }

    /// Waits until all that is followed has its position: nothing that is committed from then on is
    /// missed. Errors: `unavailable`.
    pub async fn positioned(&self) -> Result<(), Error> {
        self.ask(None).await
    }

    /// The same for the chats of a user: what the user's own stream tells of them, and was committed
    /// before that, is shown first.
    pub async fn positioned_for(&self, user_id: &UserId) -> Result<(), Error> {
        self.ask(Some(user_id.clone())).await
    }

    async fn ask(&self, user_id: Option<UserId>) -> Result<(), Error> {
        let Some(shared) = &self.0 else {
            return Ok(());
        };
        let (asker, answer) = oneshot::channel();
        let positioned = async {
            let asker = Asker { user_id, answer: asker };
            shared.askers.send(asker).await.map_err(|_| Error::Unavailable(None))?;
            answer.await.map_err(|_| Error::Unavailable(None))?
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
        followed.followers -= 1;
        if followed.followers == 0 {
            // It is remembered for a while: another stream may tell of what has been shown.
            followed.heard = false;
            shared.link.unsubscribe(stream);
        }
    }
}

impl Shared {
    /// Notes that an event is shown; false if its number has been shown or passed over before. Of a
    /// stream that is not known all are shown.
    pub fn take(&self, position: &Position) -> bool {
        let mut map = self.map();
        match map.streams.get_mut(&position.stream) {
            Some(followed) => followed.take_turn(position.number),
            None => true,
        }
    }

    /// The same for an event that was found by a mirror, and that may have been committed before
    /// its home stream was followed. None is shown twice, as far as that is remembered.
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

    /// Whether an event is known to have been shown.
    pub fn has_shown(&self, position: &Position) -> bool {
        let map = self.map();
        map.streams.get(&position.stream).is_some_and(|followed| {
            let past = followed.next.is_some_and(|next| position.number < next);
            let passed = followed.passed.contains(&position.number);
            past && (!passed || followed.shown.contains(&position.number))
        })
    }

    /// What is before this number cannot be had any more.
    pub fn skip_to(&self, stream: &Stream, number: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream) {
            followed.next = Some(number);
        }
    }

    /// Takes the streams whose position must still be found.
    pub fn take_new(&self) -> Vec<Stream> {
        mem::take(&mut self.map().new)
    }

    /// These streams are heard.
    pub fn note_heard(&self, streams: &[Stream]) {
        let mut map = self.map();
        for stream in streams {
            if let Some(followed) = map.streams.get_mut(stream) {
                followed.heard = followed.followers > 0;
            }
        }
    }

    /// Whether these streams are heard, as far as they are followed still.
    pub fn are_heard(&self, streams: &[Stream]) -> bool {
        let map = self.map();
        let is_heard = |followed: &Followed| followed.followers == 0 || followed.heard;
        streams.iter().all(|stream| map.streams.get(stream).is_none_or(is_heard))
    }

    /// The positions of these could not be found.
    pub fn put_back_new(&self, new: Vec<Stream>) {
        self.map().new.extend(new);
    }

    /// The latest event of a stream has this number; what comes after it is to be shown.
    pub fn start_after(&self, stream: &Stream, last: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream)
            && followed.next.is_none()
        {
            followed.next = Some(last + 1);
            followed.passed.end = last + 1;
        }
    }

    /// Where a stream is to be shown from, if it is followed, or is about to be, and that is known.
    pub fn next_of(&self, stream: &Stream) -> Option<i64> {
        self.map().streams.get(stream).filter(|followed| followed.is_owed())?.next
    }

    /// The same of several streams, or of all.
    pub fn list_next(&self, streams: Option<&[Stream]>) -> Vec<(Stream, i64)> {
        let map = self.map();
        let next = |stream: &Stream| {
            let followed = map.streams.get(stream).filter(|followed| followed.followers > 0)?;
            Some((stream.clone(), followed.next?))
        };
        match streams {
            Some(streams) => streams.iter().filter_map(next).collect(),
            None => map.streams.keys().filter_map(next).collect(),
        }
    }

    /// Forgets the streams that nobody follows and that have not been shown lately.
    pub fn forget(&self) {
        self.map().streams.retain(|_, followed| {
            followed.followers > 0 || followed.touched.elapsed() < REMEMBERED_FOR
        });
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        // Nothing panics while it is held.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
