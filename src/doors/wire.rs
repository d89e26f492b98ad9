//! Writes the frames of one WebSocket, below the library that speaks the protocol.
//!
//! The task that sends a frame also writes it, with one system call for all queued frames; no other
//! task is woken for that. A frame's body is shared with the other sockets that get it. Bytes that
//! the kernel does not take stay queued, and the wire is woken when the kernel has room again. It
//! promises:
//!
//! - No frame is torn. The library's output is queued as well, each frame once it is complete; its
//!   frames keep their order, and none overtakes a frame that was pushed before.
//! - No queued frame is forgotten: when the kernel has room again it wakes the wire, and the wire
//!   wakes the library when the library's frames are written. A push that is [left
//!   unflushed](Wire::leave_unflushed) waits for the next push.
//! - Nothing follows a close frame.
//! - On a wire that is held, frames wait until the library has written the [marker](Wire::marker),
//!   and go out after all that the library wrote before it. The marker itself does not go out.
//! - If a client leaves too much unread, further pushes to it fail.
//!
//! The library must not compress, and must not break messages into several frames.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use axum::body::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Handle;

use super::arriving::Arriving;
use super::unsent::{FEW, Share, Slow};

/// The first byte of a text, which is always one frame.
const TEXT: u8 = 0x81;
const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 8;

/// How many bytes of the library may be queued. If more are, the library waits before it writes on.
const MAX_OF_LIBRARY: usize = 64 << 10;

/// How many pieces of frames one system call writes.
const PIECES: usize = 64;

/// The longest head of a frame that goes out, and the one byte that Engine.IO puts before a text.
const MAX_HEAD: usize = 11;

/// The text that is sent through the library as the marker: no other text of a client or a server
/// begins with NUL.
const MARKER: &str = "\0marker";

/// The sending side of one WebSocket.
pub struct Wire {
    state: Mutex<State>,
    share: Arc<Share>,
    max_frames: usize,
    max_bytes: usize,
    this: Weak<Wire>,
}

#[derive(Default)]
struct State {
    /// None once the connection has ended.
    out: Option<OwnedWriteHalf>,
    queue: VecDeque<Frame>,
    /// Bytes of the first frame that are written.
    begun: usize,
    /// The frames that wait for the marker; `None` if the wire is not held, or no longer.
    held: Option<VecDeque<Frame>>,
    /// Bytes of all frames here that are not written.
    bytes: usize,
    /// How many bytes the share counts for these frames.
    counted: usize,
    /// Bytes of the queued frames that come from the library.
    of_library: usize,
    /// How many of the frames are answers.
    answers: usize,
    /// What the library has written of its next frame, which is not complete yet.
    partial: Vec<u8>,
    /// Wakes the library, if it waits for its frames to be written.
    library: Option<Waker>,
    /// The kernel takes no more for now; it will wake the wire.
    blocked: bool,
    /// Something was pushed since the last flush.
    unflushed: bool,
    /// The session goes on without this wire.
    disowned: bool,
    /// A close frame is queued or out.
    closing: bool,
    /// It has ended, and much that was queued was dropped then.
    lost: bool,
}

/// A WebSocket frame as one socket holds it.
struct Frame {
    head: [u8; MAX_HEAD],
    head_length: u8,
    kind: Kind,
    body: Bytes,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Something that the socket has asked for.
    Answer,
    Push,
    Library,
}

/// The client does not read what it is sent.
#[derive(Debug)]
pub struct Behind;

/// The connection as the WebSocket library sees it.
pub struct Io {
    wire: Arc<Wire>,
    stream: OwnedReadHalf,
    /// Bytes that were read before the request became a WebSocket, and that the library reads
    /// first.
    read: Bytes,
    arriving: Arriving,
    /// Bytes that the share counts for a message that has not come completely.
    held: usize,
}

/// Makes the wire of a connection that has just become a WebSocket; `read` are the bytes that have
/// been read from it already. If it is `held`, frames pushed to it wait for the marker.
pub fn wire(
    stream: TcpStream,
    read: Bytes,
    share: Arc<Share>,
    max_frames: usize,
    max_bytes: usize,
    held: bool,
) -> (Arc<Wire>, Io) {
    // A copy, because these bytes would keep the whole buffer that they were read into.
    let read = Bytes::copy_from_slice(&read);
    let (stream, out) = stream.into_split();
    let held = held.then(VecDeque::new);
    let state = Mutex::new(State { out: Some(out), held, ..State::default() });
    let new = |this: &Weak<Wire>| Wire { state, share, max_frames, max_bytes, this: this.clone() };
    let wire = Arc::new_cyclic(new);
    (wire.clone(), Io { wire, stream, read, arriving: Arriving::default(), held: 0 })
}

impl Wire {
    /// The text to send through the library at the point from which on pushed frames may go out.
    /// The library may put a byte before it, as before each text.
    pub fn marker() -> &'static str {
        MARKER
    }

    /// Queues a text, and never waits. `first` is the byte that the library would put before each
    /// text, if it does. The text goes out with the next [`flush`](Wire::flush), or earlier; if the
    /// connection has ended, it is dropped. Returns whether it is the first since the last flush.
    /// Errors: too much is queued already.
    pub fn push(&self, first: Option<u8>, body: Bytes, kind: Kind) -> Result<bool, Behind> {
        let frame = Frame::text(first, body, kind);
        let mut state = self.lock();
        if state.out.is_none() || state.closing {
            return Ok(false);
        }
        if !self.has_room(&state, &frame) {
            self.write(&mut state);
            if !self.has_room(&state, &frame) {
                return Err(Behind);
            }
        }
        state.bytes += frame.length();
        state.answers += usize::from(kind == Kind::Answer);
        match &mut state.held {
            Some(held) => held.push_back(frame),
            None => state.queue.push_back(frame),
        }
        Ok(!mem::replace(&mut state.unflushed, true))
    }

    /// Says that the caller of the latest push will not flush it. The next push counts as the first
    /// again, and its caller flushes both. The caller of this function must make sure that there is
    /// a next push.
    pub fn leave_unflushed(&self) {
        self.lock().unflushed = false;
    }

    /// Writes the queued frames as far as the kernel takes them; the rest follows by itself.
    pub fn flush(&self) {
        let mut state = self.lock();
        state.unflushed = false;
        self.write(&mut state);
        self.unlock(state);
    }

    /// The count of the bytes that this socket holds.
    pub fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Says that the session goes on without this wire and keeps the share, which then does not end
    /// with the wire.
    pub fn disown(&self) {
        self.lock().disowned = true;
    }

    /// Whether an answer is not completely written yet.
    pub fn has_answers(&self) -> bool {
        self.lock().answers > 0
    }

    /// Whether anything is not written yet.
    pub fn has_unsent(&self) -> bool {
        self.lock().bytes > 0
    }

    /// Whether the connection has ended, so that nothing goes out any more.
    pub fn has_ended(&self) -> bool {
        self.lock().out.is_none()
    }

    /// Whether it has ended while much was still queued.
    pub fn has_lost(&self) -> bool {
        self.lock().lost
    }

    fn has_room(&self, state: &State, frame: &Frame) -> bool {
        let frames = state.queue.len() + state.held.as_ref().map_or(0, VecDeque::len);
        let bytes = state.bytes.saturating_add(frame.length());
        frames < self.max_frames && bytes <= self.max_bytes
    }

    /// Writes as much as the kernel takes, and makes sure that the wire is woken for the rest.
    fn write(&self, state: &mut State) {
        while !state.blocked {
            match state.write() {
                Ok(true) => return,
                Ok(false) => {}
                // The library learns of the error when it reads.
                Err(_) => return state.end(),
            }
            let (Some(out), Some(this)) = (&state.out, self.this.upgrade()) else {
                return;
            };
            // `wake` takes no lock, so that it may be called while this one is held.
            match out.as_ref().poll_write_ready(&mut Context::from_waker(&Waker::from(this))) {
                Poll::Pending => state.blocked = true,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return state.end(),
            }
        }
    }

    /// Unlocks the state. Brings the share's count up to date, and wakes the library if its frames
    /// are written.
    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let (before, after) = (state.counted, state.bytes);
        state.counted = after;
        let mut too_many = Vec::new();
        if after > before {
            let this: Weak<dyn Slow> = self.this.clone();
            too_many = self.share.add(after - before, &this);
        } else if before > after {
            self.share.remove(before - after);
        }
        if state.out.is_none() && !state.disowned {
            self.share.end();
        }
        let written = state.of_library == 0 || state.out.is_none();
        let library = written.then(|| state.library.take()).flatten();
        drop(state);
        if let Some(library) = library {
            library.wake();
        }
        for slow in too_many.iter().filter_map(Weak::upgrade) {
            slow.cut();
        }
    }

    /// Writes on, because the kernel has room again.
    fn resume(&self) {
        let mut state = self.lock();
        state.blocked = false;
        self.write(&mut state);
        self.unlock(state);
    }

    fn end(&self) {
        let mut state = self.lock();
        state.end();
        self.unlock(state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        // In a task, because the thread that learns which sockets have room must not do the writing
        // itself. If no task can be spawned, the server has ended.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { self.resume() });
        }
    }
}

impl Slow for Wire {
    fn cut(&self) {
        let mut state = self.lock();
        if let Some(out) = &state.out {
            // The task that reads learns of it; an error means that the client is gone already.
            let _ = SockRef::from(out.as_ref()).shutdown(Shutdown::Both);
        }
        state.end();
        self.unlock(state);
    }
}

impl State {
    /// Writes as much as the kernel takes; true if nothing is left.
    fn write(&mut self) -> io::Result<bool> {
        while let Some(out) = &self.out
            && !self.queue.is_empty()
        {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let mut count = 0;
            let mut begun = self.begun;
            for frame in self.queue.iter().take(PIECES / 2) {
                for piece in [frame.head(), &frame.body] {
                    let rest = piece.get(begun..).unwrap_or_default();
                    begun = begun.saturating_sub(piece.len());
                    if !rest.is_empty() {
                        pieces[count] = IoSlice::new(rest);
                        count += 1;
                    }
                }
            }
            match out.try_write_vectored(&pieces[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Removes so many bytes, which are written, from the front of the queue.
    fn advance(&mut self, written: usize) {
        self.bytes -= written;
        self.begun += written;
        while let Some(first) = self.queue.front()
            && self.begun >= first.length()
        {
            self.begun -= first.length();
            match first.kind {
                Kind::Answer => self.answers -= 1,
                Kind::Library => self.of_library -= first.length(),
                Kind::Push => {}
            }
            self.queue.pop_front();
        }
        // An idle connection does not keep the memory of a queue that was once long.
        if self.queue.is_empty() && self.queue.capacity() > PIECES {
            self.queue = VecDeque::new();
        }
    }

    /// Queues what the library has written, as far as its frames are complete.
    fn take(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        while let Some(length) = frame_length(&self.partial)
            && self.partial.len() >= length
        {
            let rest = self.partial.split_off(length);
            let frame = mem::replace(&mut self.partial, rest);
            if is_marker(&frame) {
                self.queue.extend(self.held.take().into_iter().flatten());
                continue;
            }
            self.closing |= frame[0] & OPCODE == CLOSE;
            self.bytes += length;
            self.of_library += length;
            self.queue.push_back(Frame::of_library(frame));
        }
    }

    /// Ends the connection, and drops what is queued.
    fn end(&mut self) {
        *self = State {
            library: self.library.take(),
            counted: self.counted,
            lost: self.lost || self.bytes >= FEW,
            ..State::default()
        };
    }
}

impl Frame {
    fn text(first: Option<u8>, body: Bytes, kind: Kind) -> Frame {
        let length = body.len() + usize::from(first.is_some());
        let mut head = [0; MAX_HEAD];
        head[0] = TEXT;
        let mut head_length = match u16::try_from(length) {
            Ok(short @ ..126) => {
                head[1] = short as u8;
                2
            }
            Ok(longer) => {
                head[1] = 126;
                head[2..4].copy_from_slice(&longer.to_be_bytes());
                4
            }
            Err(_) => {
                head[1] = 127;
                head[2..10].copy_from_slice(&(length as u64).to_be_bytes());
                10
            }
        };
        if let Some(first) = first {
            head[head_length] = first;
            head_length += 1;
        }
        Frame { head, head_length: head_length as u8, kind, body }
    }

    fn of_library(frame: Vec<u8>) -> Frame {
        Frame { head: [0; MAX_HEAD], head_length: 0, kind: Kind::Library, body: frame.into() }
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_length)]
    }

    fn length(&self) -> usize {
        usize::from(self.head_length) + self.body.len()
    }
}

/// The length of the frame that begins here, which is not masked; `None` if too little of it is
/// there to tell.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    match bytes.get(1)? & 0x7f {
        126 => Some(4 + number(bytes.get(2..4)?)),
        127 => Some(10 + number(bytes.get(2..10)?)),
        short => Some(2 + usize::from(short)),
    }
}

/// Whether a frame is the marker, with or without the byte that the library may put before each
/// text.
fn is_marker(frame: &[u8]) -> bool {
    frame.len() <= 3 + MARKER.len() && frame[0] == TEXT && frame.ends_with(MARKER.as_bytes())
}

impl Io {
    /// Counts the bytes that the library keeps of a message that has not come completely, if they
    /// are at least [`FEW`].
    fn count(&mut self, read: &[u8]) {
        let message = self.arriving.take(read);
        let held = if message < FEW { 0 } else { message };
        let before = mem::replace(&mut self.held, held);
        if held > before {
            let wire: Weak<dyn Slow> = self.wire.this.clone();
            let too_many = self.wire.share.hold(held - before, &wire);
            for slow in too_many.iter().filter_map(Weak::upgrade) {
                slow.cut();
            }
        } else if held < before {
            self.wire.share.release(before - held);
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.read.is_empty() {
            let length = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read.split_to(length));
        } else if Pin::new(&mut self.stream).poll_read(cx, buffer)?.is_pending() {
            return Poll::Pending;
        }
        self.count(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.wire.lock();
        if state.out.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.of_library > MAX_OF_LIBRARY {
            state.library = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.take(bytes);
        self.wire.write(&mut state);
        self.wire.unlock(state);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Waits until all frames of the library are written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.wire.lock();
        if state.out.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if state.of_library > 0 {
            state.library = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.as_mut().poll_flush(cx);
        if flushed.is_ready() {
            self.wire.end();
        }
        flushed
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.wire.share.release(self.held);
        self.wire.end();
    }
}
