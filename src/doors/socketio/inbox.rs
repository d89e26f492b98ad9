//! The requests of one socket that wait for their turn.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engineioxide::Str;

/// Something that a socket asks for. Tasks are done in the order in which they came.
pub(super) enum Task {
    /// Lets the socket into the namespace `/` by its credential.
    Enter { credential: Option<String>, welcome: Str },
    /// Answers a packet.
    Request { data: Str, ack: Option<i64> },
    /// Takes the socket out of the namespace again.
    Leave,
    /// Closes the connection.
    Close,
}

impl Task {
    pub fn size(&self) -> usize {
        match self {
            Task::Enter { credential, .. } => credential.as_ref().map_or(0, String::len),
            Task::Request { data, .. } => data.len(),
            Task::Leave | Task::Close => 0,
        }
    }
}

/// A queue. A runtime task empties it only while there is something in it, so that an idle socket
/// needs no runtime task.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    running: bool,
    given_up: bool,
}

/// The socket has too many tasks waiting, or has had to give them up.
pub(super) struct Full;

impl Inbox {
    /// Queues a task; at most `max` may be queued. It never waits. It must be called in the order
    /// of the packets, which the queue keeps. Returns true if the caller must start the runtime
    /// task that empties the queue.
    pub fn push(&self, task: Task, max: usize) -> Result<bool, Full> {
        let mut state = self.lock();
        if state.waiting.len() >= max || state.given_up {
            return Err(Full);
        }
        state.waiting.push_back(task);
        Ok(!std::mem::replace(&mut state.running, true))
    }

    /// The next task. If there is none, the caller must stop: the next push asks for a new runtime
    /// task.
    pub fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        state.running = next.is_some();
        next
    }

    /// Drops the queued tasks, and takes no more.
    pub fn give_up(&self) {
        let mut state = self.lock();
        state.given_up = true;
        state.waiting = VecDeque::new();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
