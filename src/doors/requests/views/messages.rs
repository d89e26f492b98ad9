//! Messages, as they go over the wire.

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Time;
use crate::doors::requests::fields::channel_name;
use crate::doors::shape::Always;
use crate::model::{
    Author, Change, ChangePage, Changed, ChatId, ClientId, Data, File, Handle, List, Message,
    MessageId, MessagePage, MessageType, Name, Reaction, SearchPage, Signed, UserId,
};

/// A message of a chat. Empty fields are left out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Message")]
pub struct MessageView<'a> {
    /// The message's id.
    id: MessageId,
    /// The text; of a file without a caption its URL; empty for a deleted message.
    msg: &'a str,
    /// What kind of thing the message is.
    #[serde(rename = "type")]
    #[schemars(with = "MessageType")]
    kind: &'static str,
    /// The id of the user who has sent it.
    user_id: &'a UserId,
    /// Who has sent it.
    user: AuthorView<'a>,
    /// The chat's id.
    chat_id: ChatId,
    /// `room-` and the chat's id.
    room: String,
    /// Its number in the chat: 1, 2, 3… without a gap.
    seq: i64,
    /// The sender's own id of it, if it was sent with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a ClientId>,
    /// When it was sent.
    created_at: Time,
    /// When it was last changed.
    modified_at: Time,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Place>,
    /// How many messages answer it.
    #[serde(skip_serializing_if = "Option::is_none")]
    replies: Option<i64>,
    /// The ids of the members it mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    mentions: &'a Option<List<UserId>>,
    /// A JSON object of its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: &'a Option<Data>,
    /// The file that it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: &'a Option<File>,
    /// What users have reacted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: &'a Option<List<Reaction>>,
    /// When it was pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_at: Option<Time>,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Time>,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Time>,
    /// The number of its latest change in the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
}

/// Who has sent a message.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Author")]
struct AuthorView<'a> {
    /// The user's id.
    id: &'a UserId,
    /// A unique name, if the user has one.
    handle: &'a Option<Handle>,
    /// The name that others see.
    name: &'a Name,
}

/// Another message of the chat.
#[derive(Serialize, JsonSchema)]
struct Place {
    /// The message's id.
    id: MessageId,
    /// Its number in the chat.
    seq: i64,
}

/// A message, as sockets get it that are subscribed to the chat's room.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelMessage")]
pub struct ChannelMessage<'a> {
    #[serde(flatten)]
    message: &'a MessageView<'a>,
    /// `room-` and the chat's id.
    channel: &'a str,
}

/// A message that has been changed, as it is now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChangedMessage", transform = Always("change"))]
pub struct ChangedView<'a> {
    #[serde(flatten)]
    message: MessageView<'a>,
    /// What has been changed.
    changed: Change,
}

impl<'a> MessageView<'a> {
    pub fn new(message: &'a Message, author: &'a Author) -> Self {
        let place = |(id, seq)| Place { id, seq };
        MessageView {
            id: message.id,
            msg: message.text(),
            kind: message.kind.as_str(),
            user_id: &message.user_id,
            user: AuthorView { id: &message.user_id, handle: &author.handle, name: &author.name },
            chat_id: message.chat_id,
            room: channel_name(message.chat_id),
            seq: message.seq,
            client_id: message.client_id.as_ref(),
            created_at: message.created_at,
            modified_at: message.modified_at,
            reply_to: message.reply_id.zip(message.reply_seq).map(place),
            replies: message.replies,
            mentions: &message.mentions,
            data: &message.data,
            file: &message.file,
            reactions: &message.reactions,
            pinned_at: message.pinned_at,
            edited_at: message.edited_at,
            deleted_at: message.deleted_at,
            change: message.change,
        }
    }

    pub fn on_channel(&self) -> ChannelMessage<'_> {
        ChannelMessage { message: self, channel: &self.room }
    }
}

impl<'a> From<&'a Signed> for MessageView<'a> {
    fn from(signed: &'a Signed) -> Self {
        MessageView::new(&signed.message, &signed.author)
    }
}

impl<'a> From<&'a Changed> for MessageView<'a> {
    fn from(it: &'a Changed) -> Self {
        MessageView::new(&it.message, &it.user)
    }
}

impl<'a> From<&'a Changed> for ChangedView<'a> {
    fn from(it: &'a Changed) -> Self {
        ChangedView { message: MessageView::from(it), changed: it.changed }
    }
}

/// A page of messages.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Messages")]
pub struct Messages<'a> {
    /// The messages, by their `seq`.
    messages: Vec<MessageView<'a>>,
    /// What to put into the query for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<After>,
    /// What to put into the query for the page before; absent on the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Before>,
}

impl<'a> From<&'a MessagePage> for Messages<'a> {
    fn from(page: &'a MessagePage) -> Self {
        Messages {
            messages: page.messages.iter().map(MessageView::from).collect(),
            next: page.next.map(|after_seq| After { after_seq }),
            previous: page.previous.map(|before_seq| Before { before_seq }),
        }
    }
}

/// What comes after a message.
#[derive(Serialize, JsonSchema)]
struct After {
    /// The message's `seq`.
    after_seq: i64,
}

/// What comes before a message.
#[derive(Serialize, JsonSchema)]
struct Before {
    /// The message's `seq`.
    before_seq: i64,
}

/// A page of messages that were found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FoundMessages")]
pub struct FoundMessages<'a> {
    /// The messages, the latest first.
    messages: Vec<MessageView<'a>>,
    /// Give it back as `before` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<'a> From<&'a SearchPage> for FoundMessages<'a> {
    fn from(page: &'a SearchPage) -> Self {
        FoundMessages {
            messages: page.messages.iter().map(MessageView::from).collect(),
            next: page.next.map(|place| place.to_string()),
        }
    }
}

/// A message that was changed, as it is now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ListedChange", transform = Always("change"))]
struct ListedChange<'a> {
    #[serde(flatten)]
    message: MessageView<'a>,
}

/// A page of messages that were changed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Changes")]
pub struct Changes<'a> {
    /// The messages as they are now, by their `change`.
    messages: Vec<ListedChange<'a>>,
    /// Give it back as `after` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    /// The number to remember.
    last_change: i64,
}

impl<'a> From<&'a ChangePage> for Changes<'a> {
    fn from(page: &'a ChangePage) -> Self {
        Changes {
            messages: page.messages.iter().map(|it| ListedChange { message: it.into() }).collect(),
            next: page.next,
            last_change: page.last_change,
        }
    }
}

/// A change of a message that you do not see, as it was sent before you joined.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "UnseenChange")]
pub struct TouchedView {
    /// The message's id.
    id: MessageId,
    /// Its number in the chat.
    seq: i64,
    /// The number of the change.
    change: i64,
}

impl TouchedView {
    pub fn new(id: MessageId, seq: i64, change: i64) -> Self {
        TouchedView { id, seq, change }
    }
}
