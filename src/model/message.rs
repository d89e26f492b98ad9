//! Messages, on their way and stored.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Body, ChannelName, ChatId, ClientId, ConnectionId, MessageId, UserId, Username};
use crate::clock::Time;

/// What kind of thing a message's body is or points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(i16)]
pub enum MessageType {
    Text = 0,
    Img = 1,
    File = 2,
}

impl MessageType {
    /// `text`, `img` or `file`.
    pub fn as_str(self) -> &'static str {
        match self {
            MessageType::Text => "text",
            MessageType::Img => "img",
            MessageType::File => "file",
        }
    }

    /// The type of this number: 0, 1 or 2.
    pub fn from_number(number: i64) -> Option<MessageType> {
        let all = [MessageType::Text, MessageType::Img, MessageType::File];
        all.into_iter().find(|kind| *kind as i64 == number)
    }

    pub fn parse(text: &str) -> Option<MessageType> {
        let all = [MessageType::Text, MessageType::Img, MessageType::File];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A message that has been committed.
#[derive(Clone, Debug, sqlx::FromRow, Serialize, Deserialize)]
pub struct Message {
    pub id: MessageId,
    pub chat_id: ChatId,
    /// Its place in the chat: 1, 2, 3… without gaps.
    pub seq: i64,
    pub user_id: UserId,
    #[serde(rename = "type")]
    pub kind: MessageType,
    pub body: Body,
    pub client_id: Option<ClientId>,
    pub created_at: Time,
    pub modified_at: Time,
}

/// What became of a message that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub message: Arc<Message>,
    /// Whether it is new, and not one that was sent before under the same `client_id`.
    pub fresh: bool,
}

impl Message {
    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        const FIXED: usize = 350;
        FIXED + self.body.as_ref().len()
    }
}

/// A message that has been sent, with what its receivers are shown beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Posted {
    pub message: Arc<Message>,
    /// The sender's name.
    pub author: Username,
    /// What kind of chat it was sent in.
    #[serde(rename = "place")]
    pub chat_kind: ChatKind,
    /// The connection that sent it.
    #[serde(skip)]
    pub by: ConnectionId,
}

/// A message with its sender's name.
#[derive(Debug)]
pub struct Signed {
    pub message: Message,
    pub author: Username,
}

/// The kind of a chat, with what clients are shown of it beside a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    Chat,
    Channel(ChannelName),
    /// The chat of two; `to` is the receiver.
    Direct {
        to: UserId,
        to_name: Username,
    },
}

/// A message on its way into a chat. A `client_id` that its user has used there before means the
/// earlier message.
#[derive(Debug)]
pub struct NewMessage {
    pub chat_id: ChatId,
    pub user_id: UserId,
    pub kind: MessageType,
    pub body: Body,
    pub client_id: Option<ClientId>,
    /// The connection that sends it.
    pub by: ConnectionId,
    /// Whether its user must be a member of the chat; the service may send as anyone.
    pub of_member: bool,
    /// Whether the sender has proved nothing: then it must not be sent as a protected user.
    pub anonymous: bool,
}

/// Which messages of a chat are wanted; the bounds hold together.
#[derive(Debug)]
pub struct MessageQuery {
    /// Created at this time or later.
    pub from: Option<Time>,
    /// Created at this time or earlier.
    pub to: Option<Time>,
    pub after_seq: Option<i64>,
    pub before_seq: Option<i64>,
    /// How many at most.
    pub limit: usize,
}

impl MessageQuery {
    /// Whether the earliest matching messages are meant, and not the latest.
    pub fn is_forward(&self) -> bool {
        self.from.is_some() || self.after_seq.is_some()
    }
}

/// Messages in ascending order of `seq`.
#[derive(Debug)]
pub struct MessagePage {
    pub messages: Vec<Message>,
    /// The last `seq` of the page, if the query's times leave more after it.
    pub next: Option<i64>,
    /// The first `seq` of the page, if the query's times leave more before it.
    pub previous: Option<i64>,
}
