//! The calls of the webhook that are underway, and how many more may begin. Events that have failed
//! before have one share of the calls, and all other events another one, so that neither kind waits
//! for the other.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::store::Due;

/// A call that takes longer than this does not keep other calls from beginning.
const SHORT_CALL: Duration = Duration::from_secs(1);

/// The most calls in a share, as a multiple of the [short](SHORT_CALL) calls that it may have.
const MAX_CALLS: usize = 8;

/// How many bytes of events may be underway in a share. The last event may exceed this.
const MAX_BYTES: usize = 16 << 20;

/// The calls that are underway: at most one for each stream.
pub(super) struct Calls {
    /// How many short calls each share may have.
    max_short: usize,
    of_streams: HashMap<String, Call>,
}

struct Call {
    is_retry: bool,
    bytes: usize,
    begun: Instant,
}

/// What is left of the two shares; the share of retries is the second.
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

    /// How many events may be taken for each share: `limit`, or 0 if the share is full.
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

    /// Notes that an event is being sent. Returns false, and notes nothing, if an event of its
    /// stream is underway already or its share is full.
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
