//! Makes busy old clients (protocol 3) count as alive, whether they ping or not. The engine only
//! looks for pings; so once in a while it is given one after something else that such a client has
//! sent.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, ReadBuf};

use super::frames::Frames;

/// A ping of protocol 3 as a client's WebSocket frame: a text, masked with zeros, of one byte.
const PING: &[u8] = b"\x81\x81\0\0\0\x002";

/// The engine is given at most this many pings for a busy client in the time between two pings.
const PARTS: u32 = 25;

/// Whether a client has sent anything since it was told of its session. A ping counts, too, and the
/// engine does not report pings. The request that opens a session carries this in its extensions.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub fn hear(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn anything(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// When the engine last got a ping of a client.
pub(super) struct Pulse {
    last: Mutex<Instant>,
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse { last: Mutex::new(Instant::now()) }
    }
}

impl Pulse {
    /// Notes that the client has sent something; `ping` says whether it was a ping. Returns whether
    /// a ping must be added.
    pub fn beats(&self, ping: bool, ping_interval: Duration) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.elapsed() >= ping_interval / PARTS;
        if due || ping {
            *last = Instant::now();
        }
        due && !ping
    }
}

/// Reads an old client's WebSocket for the engine, and adds pings between the frames.
pub(super) struct Pulsing {
    heard: Heard,
    frames: Frames,
    /// After how many of the next messages no ping is added.
    passed_over: u8,
    /// Bytes of a ping that the engine has not read yet.
    ping_left: usize,
    pulse: Pulse,
    ping_interval: Duration,
}

impl Pulsing {
    /// A client that comes `from_polling` first sends two packets of the upgrade, after which no
    /// ping is added.
    pub fn new(heard: Heard, from_polling: bool, ping_interval: Duration) -> Pulsing {
        Pulsing {
            heard,
            frames: Frames::default(),
            passed_over: if from_polling { 2 } else { 0 },
            ping_left: 0,
            pulse: Pulse::default(),
            ping_interval,
        }
    }

    pub fn poll_read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ping_left > 0 {
            let ping = &PING[PING.len() - self.ping_left..];
            let length = ping.len().min(buffer.remaining());
            buffer.put_slice(&ping[..length]);
            self.ping_left -= length;
            return Poll::Ready(Ok(()));
        }
        let mut bytes = [0; 1024];
        let wanted = self.frames.wanted().min(buffer.remaining()).min(bytes.len());
        let mut read = ReadBuf::new(&mut bytes[..wanted]);
        ready!(Pin::new(stream).poll_read(cx, &mut read))?;
        let read = read.filled();
        buffer.put_slice(read);
        if read.is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.heard.hear();
        if let Some(ping) = self.frames.take(read) {
            match self.passed_over {
                0 if self.pulse.beats(ping, self.ping_interval) => self.ping_left = PING.len(),
                passed_over => self.passed_over = passed_over.saturating_sub(1),
            }
        }
        Poll::Ready(Ok(()))
    }
}
