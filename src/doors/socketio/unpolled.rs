//! Counts what a polling client has yet to fetch.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use axum::body::Bytes;
use engineioxide::Str;

use crate::doors::unsent::{Share, Slow};
use crate::doors::wire::Kind;

/// How many answers a client has yet to fetch.
#[derive(Default)]
pub(super) struct Answers(AtomicUsize);

impl Answers {
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

/// A packet's text, shared with the other sockets that get it, as one session holds it.
struct Unpolled {
    text: Str,
    share: Arc<Share>,
    /// If it is an answer: where it is counted.
    answers: Option<Arc<Answers>>,
}

impl AsRef<[u8]> for Unpolled {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl Drop for Unpolled {
    fn drop(&mut self) {
        self.share.remove(self.text.len());
        if let Some(answers) = &self.answers {
            answers.0.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// The packet, counted until the engine drops it; and the sockets that must be [cut](Slow::cut), as
/// all together hold too much. `session` may be among them.
#[expect(unsafe_code, reason = "a `Str` with an owner cannot be made otherwise")]
pub(super) fn counted(
    packet: Str,
    kind: Kind,
    share: &Arc<Share>,
    answers: &Arc<Answers>,
    session: &Weak<dyn Slow>,
) -> (Str, Vec<Weak<dyn Slow>>) {
    let too_many = share.add(packet.len(), session);
    let answers = (kind == Kind::Answer).then(|| {
        answers.0.fetch_add(1, Ordering::AcqRel);
        answers.clone()
    });
    let packet = Bytes::from_owner(Unpolled { text: packet, share: share.clone(), answers });
    // SAFETY: the bytes are those of a `Str`, which is valid UTF-8.
    (unsafe { Str::from_bytes_unchecked(packet) }, too_many)
}
