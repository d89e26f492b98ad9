//! Which streams of events this node follows, and how far it has shown them to its doors.
//!
//! A node follows the streams of what its clients may hear of: their chats, their users, and what
//! is for everyone. On a single node there is nothing to follow: what is committed is all there is.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::bus::Link;
use crate::error::Error;
use crate::model::{Position, Stream};

/// How many may wait until the streams that they attend are followed.
pub(super) const WAITING: usize = 1024;

/// How long a stream that nobody attends is known.
const MEMORY: Duration = Duration::from_secs(60);

/// What this node follows; nothing if it is the only one.
#[derive(Clone, Default)]
pub struct Streams(Option<Arc<Shared>>);

pub(super) struct Shared {
    map: Mutex<Map>,
    pub link: Link,
    askers: mpsc::Sender<oneshot::Sender<Result<(), Error>>>,
}

#[derive(Default)]
struct Map {
    streams: HashMap<Stream, Followed>,
    /// Those whose numbers are still to be read.
    fresh: Vec<Stream>,
}

struct Followed {
    /// How many attend it.
    attended: usize,
    /// The number of the event that is to be shown next; none until it is known.
    next: Option<i64>,
    /// When it was last shown to the doors.
    touched: Instant,
}

/// What is to be done with an event that has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is to be shown now.
    Next,
    /// It has been shown.
    Past,
    /// Those from this number on are missing before it.
    Ahead(i64),
}

/// Keeps a stream followed until it is dropped.
#[derive(Default)]
pub struct Attendance(Option<(Arc<Shared>, Stream)>);

impl Streams {
    pub(super) fn shared(
        link: Link,
    ) -> (Arc<Shared>, mpsc::Receiver<oneshot::Sender<Result<(), Error>>>) {
        let (askers, asked) = mpsc::channel(WAITING);
        (Arc::new(Shared { map: Mutex::default(), link, askers }), asked)
    }

    pub(super) fn of(shared: Arc<Shared>) -> Streams {
        Streams(Some(shared))
    }

    /// Whether this is the only node.
    pub(super) fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// Follows a stream. What is committed after the next [`settled`](Streams::settled) is shown
    /// to the doors, by whichever node it is committed.
    pub fn attend(&self, stream: Stream) -> Attendance {
        let Some(shared) = &self.0 else {
            return Attendance(None);
        };
        let mut map = shared.map();
        let Map { streams, fresh } = &mut *map;
        let followed = streams.entry(stream.clone()).or_insert_with(|| {
            fresh.push(stream.clone());
            Followed { attended: 0, next: None, touched: Instant::now() }
        });
        followed.attended += 1;
        if followed.attended == 1 {
            shared.link.tune(stream.to_string());
        }
        Attendance(Some((shared.clone(), stream)))
    }

    /// Says something to those who follow a stream, wherever they are.
    pub(super) fn say(&self, stream: &Stream, text: String) {
        if let Some(shared) = &self.0 {
            shared.link.say(vec![(stream.to_string(), text)]);
        }
    }

    /// Waits until this node follows what it attends. Errors: `unavailable`.
    pub async fn settled(&self) -> Result<(), Error> {
        let Some(shared) = &self.0 else {
            return Ok(());
        };
        let (asker, answer) = oneshot::channel();
        let gone = |_| Error::Unavailable(None);
        shared.askers.send(asker).await.map_err(|_| Error::Unavailable(None))?;
        answer.await.map_err(gone)?
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        let Some((shared, stream)) = &self.0 else {
            return;
        };
        let mut map = shared.map();
        let Some(followed) = map.streams.get_mut(stream) else {
            return;
        };
        followed.attended -= 1;
        if followed.attended == 0 {
            map.streams.remove(stream);
            shared.link.untune(&stream.to_string());
        }
    }
}

impl Shared {
    /// Whether an event is the next of its stream; then the one after it is next. Of a stream that
    /// nobody attends all are, but none twice; it is remembered for a while if `remember` says so.
    pub fn take(&self, position: &Position, remember: bool) -> Turn {
        let mut map = self.map();
        let Some(followed) = map.streams.get_mut(&position.stream) else {
            if remember {
                let next = Some(position.number + 1);
                let followed = Followed { attended: 0, next, touched: Instant::now() };
                map.streams.insert(position.stream.clone(), followed);
            }
            return Turn::Next;
        };
        match followed.next {
            Some(next) if position.number < next => return Turn::Past,
            Some(next) if position.number > next && followed.attended > 0 => {
                return Turn::Ahead(next);
            }
            _ => {}
        }
        followed.next = Some(position.number + 1);
        followed.touched = Instant::now();
        Turn::Next
    }

    /// Goes on at a number: what is before it cannot be had any more.
    pub fn skip_to(&self, position: &Position) {
        if let Some(followed) = self.map().streams.get_mut(&position.stream) {
            followed.next = Some(position.number);
        }
    }

    /// The streams whose numbers are still to be read.
    pub fn take_fresh(&self) -> Vec<Stream> {
        mem::take(&mut self.map().fresh)
    }

    /// They could not be read.
    pub fn give_back(&self, fresh: Vec<Stream>) {
        self.map().fresh.extend(fresh);
    }

    /// The latest event of a stream has this number; what comes after it is to be shown.
    pub fn begin_after(&self, stream: &Stream, last: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream) {
            followed.next.get_or_insert(last + 1);
        }
    }

    /// Where these streams, or all that are attended, are to be shown from.
    pub fn list_next(&self, streams: Option<&[Stream]>) -> Vec<(Stream, i64)> {
        let map = self.map();
        let next = |stream: &Stream| {
            let followed = map.streams.get(stream).filter(|followed| followed.attended > 0)?;
            Some((stream.clone(), followed.next?))
        };
        match streams {
            Some(streams) => streams.iter().filter_map(next).collect(),
            None => map.streams.keys().filter_map(next).collect(),
        }
    }

    /// Forgets the streams that nobody attends and that have not been shown lately.
    pub fn forget(&self) {
        self.map()
            .streams
            .retain(|_, followed| followed.attended > 0 || followed.touched.elapsed() < MEMORY);
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        // Nothing panics while it is held.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
