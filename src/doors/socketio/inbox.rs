//! The requests of one socket that wait for their turn.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engineioxide::Str;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;

/// What is done in the order in which it came.
pub(super) enum Task {
    /// Lets the socket into the namespace `/` by its credential.
    Enter { credential: Option<String>, welcome: Str },
    /// Answers a packet.
    Request { data: Str, ack: Option<i64> },
}

impl Task {
    fn size(&self) -> usize {
        match self {
            Task::Enter { credential, .. } => credential.as_ref().map_or(0, String::len),
            Task::Request { data, .. } => data.len(),
        }
    }
}

/// A queue that a task empties while there is something in it, so that an idle socket costs none.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    running: bool,
}

/// The socket, or all of them together, have too much waiting.
pub(super) struct Full;

impl Inbox {
    /// Queues a task. It never waits, and it is called in the order of the packets: that keeps the
    /// order. `in_all` counts the bytes that wait over all sockets. True if the task that empties
    /// the queue is to be started.
    pub fn push(&self, task: Task, limits: &Limits, in_all: &AtomicUsize) -> Result<bool, Full> {
        let mut state = self.lock();
        let waiting = in_all.load(Ordering::Relaxed).saturating_add(task.size());
        if state.waiting.len() >= limits.max_pending || waiting > limits.max_pending_bytes {
            return Err(Full);
        }
        in_all.fetch_add(task.size(), Ordering::Relaxed);
        state.waiting.push_back(task);
        Ok(!std::mem::replace(&mut state.running, true))
    }

    /// The next task; none if there is none, or if all are given up: then whoever asks stops.
    pub fn next(&self, given_up: &CancellationToken, in_all: &AtomicUsize) -> Option<Task> {
        let mut state = self.lock();
        let next = match given_up.is_cancelled() {
            true => None,
            false => state.waiting.pop_front(),
        };
        match &next {
            Some(task) => {
                in_all.fetch_sub(task.size(), Ordering::Relaxed);
            }
            None => state.running = false,
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
