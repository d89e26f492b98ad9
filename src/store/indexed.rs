//! How the [index](super::indexing) stores the words of a message: their form, and their rowid.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::model::UserId;

/// How many bits of a rowid are the `seq`; the others are the chat's number. That is enough for
/// four billion messages in a chat, and for two billion chats.
pub(super) const SEQ_BITS: i32 = 32;

/// The greatest `seq` that can be in a rowid.
pub(super) const MAX_SEQ: i64 = (1 << SEQ_BITS) - 1;

/// The word for the sender of a message. No text has such a word, as it begins with `@`.
pub(super) fn word_of_sender(user_id: &UserId) -> String {
    format!("@{}", HEXLOWER.encode(&Sha256::digest(user_id.as_ref())[..8]))
}

/// A word in the form that the index stores.
pub(super) fn word_in(number: i64, word: &str) -> String {
    format!("{number:08x}{word}")
}

/// The row of the index that has the words of a message.
pub(super) fn rowid(number: i64, seq: i64) -> i64 {
    (number << SEQ_BITS) | seq.clamp(0, MAX_SEQ)
}
