//! What members do that is not stored, as it is pushed to others.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Named, OfId};
use crate::error::Error;
use crate::model::{ChatId, Name, UserId};

/// How far another member has read.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Receipt")]
pub struct ReceiptView<'a> {
    /// The chat.
    chat: OfId<ChatId>,
    /// The member.
    user: OfId<&'a UserId>,
    /// The `seq` of the last message that the member has read.
    read_seq: i64,
}

impl<'a> ReceiptView<'a> {
    pub fn new(chat_id: ChatId, user_id: &'a UserId, read_seq: i64) -> Self {
        ReceiptView { chat: OfId { id: chat_id }, user: OfId { id: user_id }, read_seq }
    }
}

/// A member who is writing something, or has stopped.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TypingNow")]
pub struct TypingView<'a> {
    /// The chat.
    chat: OfId<ChatId>,
    /// The member.
    user: Named<'a, &'a UserId>,
    /// False if the member has stopped.
    on: bool,
}

impl<'a> TypingView<'a> {
    pub fn new(chat_id: ChatId, user_id: &'a UserId, name: &'a Name, on: bool) -> Self {
        TypingView { chat: OfId { id: chat_id }, user: Named { id: user_id, name }, on }
    }
}

/// What a member sends that is not stored.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Signalled")]
pub struct SignalView<'a> {
    /// The chat.
    chat: OfId<ChatId>,
    /// Who sends it.
    user: OfId<&'a UserId>,
    /// Any JSON.
    #[schemars(with = "Value")]
    data: &'a RawValue,
}

impl<'a> SignalView<'a> {
    /// Errors: data that is not JSON.
    pub fn new(chat_id: ChatId, user_id: &'a UserId, data: &'a str) -> Result<Self, Error> {
        let data = serde_json::from_str(data).map_err(|_| Error::Internal(None))?;
        Ok(SignalView { chat: OfId { id: chat_id }, user: OfId { id: user_id }, data })
    }
}
