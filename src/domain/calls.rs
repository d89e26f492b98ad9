//! The calls of the webhook that are on their way, and how many more there may be. Those of events
//! that have failed before have one share, all others another, so that neither waits for the other.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Due;

/// A call that lasts for longer keeps no other from being made.
const SHORT_CALL: Duration = Duration::from_secs(1);

/// How many calls there may be in a share, for each that may be [short](SHORT_CALL).
const MAX_CALLS: usize = 8;

/// How many bytes of events may be on their way in a share, but for the last of them.
const MAX_BYTES: usize = 16 << 20;

/// One for each stream at most.
pub(super) struct Calls {
    /// How many short ones there may be in each share.
    max_short: usize,
    of_streams: HashMap<String, Call>,
}

struct Call {
    is_retry: bool,
    bytes: usize,
    begun: Instant,
}

/// What is left of the shares, that of retries last.
pub(super) struct Rooms([Room; 2]);

struct Room {
    calls: usize,
    bytes: usize,
}

impl Room {
    fn is_full(&self) -> bool {
        self.calls == 0 || self.bytes == 0
    }
}

impl Rooms {
    pub fn are_full(&self) -> bool {
        self.0.iter().all(Room::is_full)
    }
}

impl Calls {
    pub fn new(max_short: usize) -> Calls {
        Calls { max_short, of_streams: HashMap::new() }
    }

    pub fn len(&self) -> usize {
        self.of_streams.len()
    }

    pub fn rooms(&self) -> Rooms {
        Rooms([false, true].map(|is_retry| self.room(is_retry)))
    }

    fn room(&self, is_retry: bool) -> Room {
        let calls = self.of_streams.values().filter(|call| call.is_retry == is_retry);
        let short = calls.clone().filter(|call| call.begun.elapsed() < SHORT_CALL).count();
        let all = (MAX_CALLS * self.max_short).saturating_sub(calls.clone().count());
        let bytes = calls.map(|call| call.bytes).sum();
        Room {
            calls: self.max_short.saturating_sub(short).min(all),
            bytes: MAX_BYTES.saturating_sub(bytes),
        }
    }

    /// Notes that an event is being sent, unless one of its stream is already, or there is no room.
    pub fn begin(&mut self, rooms: &mut Rooms, due: &Due) -> bool {
        let room = &mut rooms.0[usize::from(due.is_retry)];
        let may_begin = !room.is_full() && !self.of_streams.contains_key(&due.stream);
        if may_begin {
            let bytes = due.bytes.and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
            room.calls -= 1;
            room.bytes = room.bytes.saturating_sub(bytes);
            let call = Call { is_retry: due.is_retry, bytes, begun: Instant::now() };
            self.of_streams.insert(due.stream.clone(), call);
        }
        may_begin
    }

    pub fn end(&mut self, stream: &str) {
        self.of_streams.remove(stream);
    }
}
