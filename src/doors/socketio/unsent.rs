//! Counts what a socket has been sent and its transport has not taken, in bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use engineioxide::Str;

/// A packet's text, shared with the other sockets that get it, as one socket holds it.
struct Unsent {
    text: Str,
    bytes: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.text.len(), Ordering::AcqRel);
    }
}

/// The packet, counted in `bytes` until the transport lets go of it; none if it would be more
/// than `max`. A packet of less than `large` bytes is not counted.
pub(super) fn counted(
    packet: Str,
    bytes: &Arc<AtomicUsize>,
    large: usize,
    max: usize,
) -> Option<Str> {
    if packet.len() < large {
        return Some(packet);
    }
    let before = bytes.fetch_add(packet.len(), Ordering::AcqRel);
    let packet = Unsent { text: packet, bytes: bytes.clone() };
    if before.saturating_add(packet.text.len()) > max {
        return None;
    }
    // SAFETY: the bytes are those of a `Str`, which is valid UTF-8.
    Some(unsafe { Str::from_bytes_unchecked(Bytes::from_owner(packet)) })
}
