//! Messages, on their way and stored.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Author, Body, ChannelName, ChatId, ClientId, ConnectionId, Data, File, FileId, List, MessageId,
    Reaction, UserId, Username,
};
use crate::clock::Time;

/// What kind of thing a message's body is or points to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, sqlx_macros::Type, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
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
#[derive(Clone, Debug, sqlx_macros::FromRow, Serialize, Deserialize)]
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
    /// The number of its latest change in the chat: 1, 2, 3…; `None` if it has not been changed.
    /// All optional fields that follow are `None` where there is nothing to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Time>,
    /// When it was deleted: since then its text and all its extras are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_at: Option<Time>,
    /// The message of the chat that it answers, and the `seq` of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_id: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_seq: Option<i64>,
    /// How many messages answer it, without deleted ones; `None` for 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mentions: Option<List<UserId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactions: Option<List<Reaction>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
}

/// The result of sending a message.
#[derive(Clone, Debug)]
pub struct Sent {
    pub message: Arc<Message>,
    pub author: Arc<Author>,
    /// Whether it is new. If not, it was sent before under the same `client_id`.
    pub fresh: bool,
}

impl Message {
    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        const FIXED: usize = 350;
        const FIXED_OF_REACTION: usize = 40;
        const OF_USER: usize = 40;
        let mentions = self.mentions.iter().map(|List(users)| users.len() * OF_USER);
        let reactions = self.reactions.iter().flat_map(|List(all)| all).map(|reaction| {
            FIXED_OF_REACTION + reaction.reaction.as_ref().len() + reaction.users.len() * OF_USER
        });
        const FIXED_OF_FILE: usize = 350;
        let data = self.data.as_ref().map_or(0, |data| data.as_ref().len());
        let file = |file: &File| FIXED_OF_FILE + file.name.as_ref().len() + file.url.len();
        let file = self.file.as_ref().map_or(0, file);
        let beside = mentions.chain(reactions).sum::<usize>() + data + file;
        FIXED + self.body.as_ref().len() + beside
    }

    /// What it says to clients that know files: the caption, or the file's URL if there is no
    /// caption.
    pub fn text(&self) -> &str {
        match &self.file {
            Some(file) if self.body.is_none() => &file.url,
            _ => self.body.as_ref(),
        }
    }

    /// What it says to clients that do not know files: the file's URL, then the caption on a new
    /// line.
    pub fn plain_text(&self) -> Cow<'_, str> {
        match &self.file {
            None => Cow::Borrowed(self.body.as_ref()),
            Some(file) if self.body.is_none() => Cow::Borrowed(&file.url),
            Some(file) => Cow::Owned(format!("{}\n{}", file.url, self.body.as_ref())),
        }
    }

    /// Removes everything that must not stay of a deleted message.
    pub fn delete(&mut self, at: Time) {
        self.body = Body::none();
        self.deleted_at = Some(at);
        (self.mentions, self.data, self.reactions, self.pinned_at) = (None, None, None, None);
        self.file = None;
    }

    /// Replaces what the message says by what `now` says; the rest stays as it was.
    pub fn say_as(&mut self, now: &Message) {
        self.body = now.body.clone();
        self.mentions = now.mentions.clone();
        self.data = now.data.clone();
        self.file = now.file.clone();
        if now.deleted_at.is_some() {
            self.reactions = None;
        }
    }
}

/// What a client sends with a message besides its text.
#[derive(Debug, Default)]
pub struct Extras {
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    pub mentions: Vec<UserId>,
    pub data: Option<Data>,
    /// A file that the sender has uploaded.
    pub file: Option<FileId>,
}

impl Extras {
    /// How many users one message may mention.
    pub const MAX_MENTIONS: usize = 50;

    pub fn is_empty(&self) -> bool {
        let nothing_named = self.reply_to.is_none() && self.file.is_none();
        nothing_named && self.mentions.is_empty() && self.data.is_none()
    }

    /// About how many bytes they take on the wire.
    pub fn size(&self) -> usize {
        let mentions = self.mentions.iter().map(|id| id.as_ref().len()).sum::<usize>();
        mentions + self.data.as_ref().map_or(0, |data| data.as_ref().len())
    }
}

/// A message that has been sent, and what its receivers are shown with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Posted {
    pub message: Arc<Message>,
    /// The sender's unique name.
    pub author: Username,
    /// Who sent it.
    pub user: Arc<Author>,
    /// What kind of chat it was sent in.
    #[serde(rename = "place")]
    pub chat_kind: ChatKind,
    /// The connection that sent it.
    #[serde(skip)]
    pub by: ConnectionId,
}

/// A message and its sender.
#[derive(Debug, sqlx_macros::FromRow)]
pub struct Signed {
    #[sqlx(flatten)]
    pub message: Message,
    #[sqlx(flatten)]
    pub author: Author,
}

impl Signed {
    /// The sender's unique name.
    pub fn username(&self) -> Username {
        self.author.username(&self.message.user_id)
    }
}

/// A message that has been changed, as it is now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    pub message: Arc<Message>,
    /// Who sent it.
    pub user: Arc<Author>,
    pub changed: Change,
    /// The users who see the message, if members who joined later do not; `None` if all members do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<Vec<UserId>>,
}

/// What has been changed of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Change {
    Edited,
    Deleted,
    Reactions,
    Pinned,
    Replies,
}

/// What a client wants to change about a message; absent fields stay as they are.
#[derive(Debug)]
pub struct Edit {
    pub body: Option<Body>,
    pub mentions: Option<Vec<UserId>>,
    pub data: Option<Data>,
}

impl Edit {
    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.body.is_none() && self.mentions.is_none() && self.data.is_none()
    }
}

/// The kind of a chat, and what clients are shown of the chat with a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    Chat,
    Channel(ChannelName),
    /// The chat of two users; `to` is the receiver.
    Direct {
        to: UserId,
        to_name: Username,
    },
}

/// A message that is to be appended. If its user has used its `client_id` in the chat before, the
/// earlier message is returned instead.
#[derive(Debug)]
pub struct NewMessage {
    pub chat_id: ChatId,
    pub user_id: UserId,
    pub kind: MessageType,
    pub body: Body,
    pub client_id: Option<ClientId>,
    /// A message with any of these four is written by a job of the ledger, not in a batch.
    pub reply: Option<(MessageId, i64)>,
    pub mentions: Option<List<UserId>>,
    pub data: Option<Data>,
    pub file: Option<Box<File>>,
    /// The connection that sends it.
    pub by: ConnectionId,
    /// Whether its user must be a member of the chat; the service may send as anyone.
    pub of_member: bool,
    /// Whether the sender has proved nothing: then `user_id` must not be a protected user.
    pub anonymous: bool,
}
