//! The calls of the webhook that are on their way, and how many more there may be. Those of events
//! that have failed before have one share, all others another, so that neither kind waits for the
//! other.

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
pub(super) struct Shares([Share; 2]);

struct Share {
    calls: usize,
    bytes: usize,
}

impl Share {
    fn is_full(&self) -> bool {
        self.calls == 0 || self.bytes == 0
    }
}

impl Shares {
    pub fn are_full(&self) -> bool {
        self.0.iter().all(Share::is_full)
    }

    /// How many of each may be taken: `limit`, but 0 of one that is full.
    pub fn limits(&self, limit: i64) -> [i64; 2] {
        [0, 1].map(|at| if self.0[at].is_full() { 0 } else { limit })
    }
}

impl Calls {
    pub fn new(max_short: usize) -> Calls {
        Calls { max_short, of_streams: HashMap::new() }
    }

    pub fn len(&self) -> usize {
        self.of_streams.len()
    }

    pub fn shares(&self) -> Shares {
        Shares([false, true].map(|is_retry| self.share(is_retry)))
    }

    fn share(&self, is_retry: bool) -> Share {
        let calls = self.of_streams.values().filter(|call| call.is_retry == is_retry);
        let short = calls.clone().filter(|call| call.begun.elapsed() < SHORT_CALL).count();
        let all = (MAX_CALLS * self.max_short).saturating_sub(calls.clone().count());
        let bytes = calls.map(|call| call.bytes).sum();
        Share {
            calls: self.max_short.saturating_sub(short).min(all),
            bytes: MAX_BYTES.saturating_sub(bytes),
        }
    }

    /// Notes that an event is being sent, unless one of its stream is already, or its share is
    /// full.
    pub fn begin(&mut self, shares: &mut Shares, due: &Due) -> bool {
        let share = &mut shares.0[usize::from(due.is_retry)];
        let may_begin = !share.is_full() && !self.of_streams.contains_key(&due.stream);
        if may_begin {
            let bytes = due.bytes.and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
            share.calls -= 1;
            share.bytes = share.bytes.saturating_sub(bytes);
            let call = Call { is_retry: due.is_retry, bytes, begun: Instant::now() };
            self.of_streams.insert(due.stream.clone(), call);
        }
        may_begin
    }

    pub fn end(&mut self, stream: &str) {
        self.of_streams.remove(stream);
    }
}
