//! Reactions: what users say to a message in a word or a picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::UserId;
use super::bounds::{Problem, bounded_text, no_control};
use crate::config::Limits;

bounded_text!(
    /// What a user says to a message: 1 to [`MAX_BYTES`] bytes of text.
    ReactionText,
    |text, _| {
        if text.len() > MAX_BYTES {
            return Err(Problem::TooLarge { max: MAX_BYTES, unit: "bytes" });
        }
        if text.trim().is_empty() {
            return Err(Problem::BLANK);
        }
        no_control(text)
    }
);

const MAX_BYTES: usize = 64;

/// All who say the same to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// What they say.
    pub reaction: ReactionText,
    /// How many they are.
    pub count: i64,
    /// The ids of some of them, at most 20.
    pub users: Vec<UserId>,
}

impl Reaction {
    /// How many different reactions a message may have.
    pub const MAX_DIFFERENT: usize = 20;
    pub const MAX_USERS: usize = 20;
}
