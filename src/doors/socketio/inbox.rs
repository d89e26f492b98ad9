//! The requests of one socket that wait for their turn.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engineioxide::Str;

/// What is done in the order in which it came.
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

/// A queue that a task empties while there is something in it, so that an idle socket costs none.
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

/// The socket has too much waiting, or has had to give up.
pub(super) struct Full;

impl Inbox {
    /// Queues a task, of which there may be `max`. It never waits, and it is called in the order of
    /// the packets: that keeps the order. True if the task that empties the queue is to be started.
    pub fn push(&self, task: Task, max: usize) -> Result<bool, Full> {
        let mut state = self.lock();
        if state.waiting.len() >= max || state.given_up {
            return Err(Full);
        }
        state.waiting.push_back(task);
        Ok(!std::mem::replace(&mut state.running, true))
    }

    /// The next task. If there is none, the caller must stop: the next push asks for a new task.
    pub fn next(&self) -> Option<Task> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        state.running = next.is_some();
        next
    }

    /// Drops what waits, and takes nothing more.
    pub fn give_up(&self) {
        let mut state = self.lock();
        state.given_up = true;
        state.waiting = VecDeque::new();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
