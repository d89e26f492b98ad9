//! How far this node has shown each stream that it follows.
//!
//! It keeps numbers and shows nothing. The one task that shows the events, the domain's follower,
//! asks for each event whether it is to be shown, so that none is shown twice and none left out.
//!
//! A stream gets its position when a client comes that hears it; what was committed before is
//! passed over. A mirror may still tell of some of that: it is owed to clients that were there
//! before, and do not hear the stream itself, or not yet. Once all streams have been read to their
//! ends after that, nothing of it is owed any more.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Link;
use crate::model::{Position, Stream};

/// How long an unfollowed stream is kept, and what was passed over.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// What the users of [`Streams`](super::Streams) share with the follower, which shows the events.
pub struct Shared {
    map: Mutex<Map>,
    pub link: Link,
}

#[derive(Default)]
struct Map {
    streams: HashMap<Stream, Followed>,
    /// The streams without a position, or to which this node is not subscribed yet.
    new: HashSet<Stream>,
}

struct Followed {
    /// How many [`Following`](super::Following) keep it followed.
    guards: usize,
    /// The number of the event to show next. All before it have been shown or passed over.
    next: i64,
    /// Whether `next` is its position; if not, more is about to be passed over.
    positioned: bool,
    /// The last event that a mirror has left to it. It is read up to there, followed or not.
    promised: i64,
    /// What has been passed over and when; of that, what was shown because a mirror told of it.
    passed: Vec<(Range<i64>, Instant)>,
    shown: BTreeSet<i64>,
    /// The mirrors that have told of all that they had of `passed`.
    settled: HashSet<Stream>,
    /// When an event of it was last shown to the doors.
    touched: Instant,
    /// Whether this node is subscribed to it in Redis.
    subscribed: bool,
}

impl Followed {
    fn new() -> Followed {
        Followed {
            guards: 0,
            next: 1,
            positioned: false,
            promised: 0,
            passed: Vec::new(),
            shown: BTreeSet::new(),
            settled: HashSet::new(),
            touched: Instant::now(),
            subscribed: false,
        }
    }

    /// The position, if it is to be read and has one.
    fn position(&self) -> Option<i64> {
        (self.positioned && (self.guards > 0 || self.has_promised())).then_some(self.next)
    }

    /// Whether it has yet to show an event that a mirror has left to it.
    fn has_promised(&self) -> bool {
        self.next <= self.promised
    }

    /// Goes on with this number; what is before it and was not shown is passed over.
    fn go_on_with(&mut self, number: i64) {
        self.positioned = true;
        if number <= self.next {
            return;
        }
        self.passed.push((self.next..number, Instant::now()));
        self.settled.clear();
        self.next = number;
    }

    /// Whether an event was passed over and has not been shown since.
    fn has_passed(&self, number: i64) -> bool {
        self.passed.iter().any(|(passed, _)| passed.contains(&number))
            && !self.shown.contains(&number)
    }

    /// Forgets what was passed over long before this time.
    fn forget_passed(&mut self, since: Instant) {
        let old = self.passed.partition_point(|(_, at)| *at + KEPT_FOR < since);
        if old > 0 {
            self.passed.drain(..old);
            let first = self.passed.first().map_or(self.next, |(passed, _)| passed.start);
            self.shown = self.shown.split_off(&first);
            self.settled.clear();
        }
    }

    /// Whether an event of which a mirror tells is to be shown because of that: one that the stream
    /// has neither shown nor will show by itself.
    fn lacks(&self, number: i64) -> bool {
        match number.cmp(&self.next) {
            Ordering::Less => self.has_passed(number),
            Ordering::Equal => true,
            Ordering::Greater => self.position().is_none(),
        }
    }

    /// Records an event as shown.
    fn note_shown(&mut self, number: i64) {
        match number < self.next {
            true => _ = self.shown.insert(number),
            false => {
                self.go_on_with(number);
                self.next = number + 1;
            }
        }
        self.touched = Instant::now();
    }
}

impl Shared {
    pub(super) fn new(link: Link) -> Shared {
        Shared { map: Mutex::default(), link }
    }

    /// Follows a stream once more; `anew` for a client that need not be shown earlier events.
    pub(super) fn begin(&self, stream: &Stream, anew: bool) {
        let mut map = self.map();
        let Map { streams, new } = &mut *map;
        let followed = streams.entry(stream.clone()).or_insert_with(Followed::new);
        if anew && followed.guards == 0 && !followed.has_promised() {
            followed.positioned = false;
        }
        if !followed.positioned || !followed.subscribed {
            new.insert(stream.clone());
        }
        followed.guards += 1;
        if followed.guards == 1 {
            self.link.subscribe(stream);
        }
    }

    /// Follows a stream once less. It is kept for a while: a mirror may tell of what has been
    /// shown.
    pub(super) fn end(&self, stream: &Stream) {
        let mut map = self.map();
        let Some(followed) = map.streams.get_mut(stream) else {
            return;
        };
        followed.guards -= 1;
        if followed.guards == 0 {
            followed.subscribed = false;
            self.link.unsubscribe(stream);
        }
    }

    /// Returns whether to show the event at this position, and records it as shown. It is not shown
    /// if it was shown or passed over before. All events of an unknown stream are shown.
    pub fn take(&self, position: &Position) -> bool {
        let mut map = self.map();
        let Some(followed) = map.streams.get_mut(&position.stream) else {
            return true;
        };
        let due = position.number >= followed.next;
        if due {
            followed.note_shown(position.number);
        }
        due
    }

    /// Returns whether to show an event of which a mirror tells, or which this node has committed,
    /// and records it as shown in its home stream. It is also shown if the home stream has passed
    /// it over. If it is ahead of what was shown there, that stream is left to show it in its turn.
    pub fn take_at_home(&self, home: &Position) -> bool {
        let mut map = self.map();
        let followed = map.streams.entry(home.stream.clone()).or_insert_with(Followed::new);
        let due = followed.lacks(home.number);
        match due {
            true => followed.note_shown(home.number),
            false => followed.promised = followed.promised.max(home.number),
        }
        due
    }

    /// Returns whether a mirror need not tell of an event: its home stream has shown it, or will.
    pub fn leave_to_home(&self, home: &Position) -> bool {
        let mut map = self.map();
        let followed = map.streams.get_mut(&home.stream);
        followed.filter(|followed| !followed.lacks(home.number)).is_some_and(|followed| {
            followed.promised = followed.promised.max(home.number);
            true
        })
    }

    /// Those of these mirrors that may still tell of what the stream has passed over, each with the
    /// number from which on it has not been shown. They are named once: the caller reads them.
    pub fn take_unsettled(&self, stream: &Stream, mirrors: Vec<Stream>) -> HashMap<Stream, i64> {
        let mut map = self.map();
        let Some(followed) = map.streams.get(stream).filter(|it| !it.passed.is_empty()) else {
            return HashMap::new();
        };
        let new = mirrors.into_iter().filter(|mirror| !followed.settled.contains(mirror));
        let position = |stream: &Stream| map.streams.get(stream)?.position();
        let unsettled = new.filter_map(|mirror| position(&mirror).map(|next| (mirror, next)));
        let unsettled = HashMap::from_iter(unsettled);
        if let Some(followed) = map.streams.get_mut(stream) {
            followed.settled.extend(unsettled.keys().cloned());
        }
        unsettled
    }

    /// Goes on with this number, as the events before it cannot be read any more.
    pub fn skip_to(&self, stream: &Stream, number: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream) {
            followed.go_on_with(number);
        }
    }

    /// Takes the streams without a position, and those to which this node is not subscribed yet.
    pub fn take_new(&self) -> Vec<Stream> {
        let mut map = self.map();
        let mut new = Vec::from_iter(mem::take(&mut map.new));
        new.retain(|stream| map.streams.get(stream).is_some_and(|followed| followed.guards > 0));
        new
    }

    /// Puts back what [`take_new`](Shared::take_new) gave, as its positions could not be found.
    pub fn put_back_new(&self, new: Vec<Stream>) {
        self.map().new.extend(new);
    }

    /// Sets a stream's position to the number after `last`. It does nothing if the position is
    /// known.
    pub fn start_after(&self, stream: &Stream, last: i64) {
        if let Some(followed) = self.map().streams.get_mut(stream)
            && !followed.positioned
        {
            followed.go_on_with(last + 1);
        }
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

    /// The position of a stream, if it is to be read and has one.
    pub fn position_of(&self, stream: &Stream) -> Option<i64> {
        self.map().streams.get(stream)?.position()
    }

    /// The streams that are to be read and have a position.
    pub fn list_followed(&self) -> Vec<Stream> {
        let map = self.map();
        let followed = map.streams.iter().filter(|(_, followed)| followed.position().is_some());
        followed.map(|(stream, _)| stream.clone()).collect()
    }

    /// Forgets what was passed over long before `since`, when all streams were about to be read to
    /// their ends. They have been.
    pub fn forget_passed(&self, since: Instant) {
        self.map().streams.values_mut().for_each(|followed| followed.forget_passed(since));
    }

    /// Forgets the unfollowed streams of which no event was shown lately.
    pub fn forget(&self) {
        let is_kept = |it: &Followed| it.guards > 0 || it.has_promised();
        let mut map = self.map();
        map.streams.retain(|_, it| is_kept(it) || it.touched.elapsed() < KEPT_FOR);
    }

    fn map(&self) -> MutexGuard<'_, Map> {
        // Nothing panics while the lock is held.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
