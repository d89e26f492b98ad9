//! Counts, over all sockets of all doors, the bytes that clients have not read yet, and the bytes
//! of messages that clients have sent only in part. If all together are over the limit, the socket
//! that holds most is cut off, and not the one that happens to be sent something next.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// A socket that holds fewer bytes than this can take more, so its next request is answered.
pub const FEW: usize = 64 << 10;

/// A socket that can be cut off.
pub trait Slow: Send + Sync {
    /// Ends the connection at once, and drops what it has not taken.
    fn cut(&self);
}

/// The bytes that all sockets hold.
pub struct Unsent {
    max: usize,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    total: usize,
    last_id: u64,
    by_id: HashMap<u64, SocketBytes>,
}

/// A socket that holds something.
struct SocketBytes {
    bytes: usize,
    slow: Weak<dyn Slow>,
}

/// The bytes that one socket holds.
pub struct Share {
    all: Arc<Unsent>,
    id: u64,
    bytes: AtomicUsize,
    ended: AtomicBool,
    /// The task that waits until the socket holds fewer than [`FEW`] bytes.
    waiting: AtomicWaker,
}

impl Unsent {
    /// All sockets may hold `max` bytes together.
    pub fn new(max: usize) -> Arc<Unsent> {
        Arc::new(Unsent { max, sockets: Mutex::default() })
    }

    /// The share of a new socket, which holds nothing.
    pub fn share(self: &Arc<Self>) -> Arc<Share> {
        let mut sockets = self.lock();
        sockets.last_id += 1;
        Arc::new(Share {
            all: self.clone(),
            id: sockets.last_id,
            bytes: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            waiting: AtomicWaker::new(),
        })
    }

    fn add(&self, id: u64, bytes: usize, slow: &Weak<dyn Slow>) -> Vec<Weak<dyn Slow>> {
        metrics::gauge!("chinwag_unsent_bytes").increment(bytes as f64);
        let mut sockets = self.lock();
        let new = || SocketBytes { bytes: 0, slow: slow.clone() };
        sockets.by_id.entry(id).or_insert_with(new).bytes += bytes;
        sockets.total += bytes;
        let mut too_many = Vec::new();
        while sockets.total > self.max
            && let Some(largest) = sockets.take_largest()
        {
            metrics::gauge!("chinwag_unsent_bytes").decrement(largest.bytes as f64);
            metrics::counter!("chinwag_sockets_cut_total").increment(1);
            too_many.push(largest.slow);
        }
        too_many
    }

    fn remove(&self, id: u64, bytes: usize) {
        let mut sockets = self.lock();
        let Some(socket) = sockets.by_id.get_mut(&id) else {
            // It has been cut off.
            return;
        };
        let bytes = bytes.min(socket.bytes);
        socket.bytes -= bytes;
        if socket.bytes == 0 {
            sockets.by_id.remove(&id);
        }
        sockets.total -= bytes;
        metrics::gauge!("chinwag_unsent_bytes").decrement(bytes as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        // Nothing panics while it is held.
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sockets {
    fn take_largest(&mut self) -> Option<SocketBytes> {
        let (id, _) = self.by_id.iter().max_by_key(|(_, socket)| socket.bytes)?;
        let id = *id;
        let socket = self.by_id.remove(&id)?;
        self.total -= socket.bytes;
        Some(socket)
    }
}

impl Share {
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    /// Counts so many bytes more for the socket. If all sockets are then over the limit, returns
    /// those that must be [cut](Slow::cut); this one, which is `slow`, may be among them.
    #[must_use]
    pub fn add(&self, bytes: usize, slow: &Weak<dyn Slow>) -> Vec<Weak<dyn Slow>> {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.all.add(self.id, bytes, slow)
    }

    /// Counts so many bytes less of those that were [added](Share::add), as the client has taken
    /// them.
    pub fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.all.remove(self.id, bytes);
        self.waiting.wake();
    }

    /// Counts bytes of a message that has not come completely. They count for the limit of all
    /// sockets together, but do not keep this socket's requests from being answered. Returns the
    /// same as [`add`](Share::add).
    #[must_use]
    pub fn hold(&self, bytes: usize, slow: &Weak<dyn Slow>) -> Vec<Weak<dyn Slow>> {
        self.all.add(self.id, bytes, slow)
    }

    /// Counts so many bytes less of those that were [held](Share::hold).
    pub fn release(&self, bytes: usize) {
        self.all.remove(self.id, bytes);
    }

    /// Says that the socket takes nothing more, and wakes the task that waits for it.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.waiting.wake();
    }

    /// Waits until the socket holds fewer than [`FEW`] bytes; false if it has ended before. Only
    /// one task may wait.
    pub async fn taken(&self) -> bool {
        let state = || (self.bytes() < FEW, self.ended.load(Ordering::Acquire));
        poll_fn(|cx| {
            let (mut taken, mut ended) = state();
            if !taken && !ended {
                self.waiting.register(cx.waker());
                (taken, ended) = state();
            }
            if !taken && !ended {
                return Poll::Pending;
            }
            // A waker keeps its task's memory allocated, and the task may end long before the
            // connection.
            self.waiting.take();
            Poll::Ready(taken)
        })
        .await
    }
}
