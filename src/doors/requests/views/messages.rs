//! Messages, as they go over the wire.

use serde::Serialize;

use super::channel_name;
use crate::clock::Time;
use crate::model::{
    Author, Change, ChangePage, Changed, ChatId, ClientId, Data, File, Handle, List, Message,
    MessageId, MessagePage, Name, Reaction, SearchPage, Signed, UserId,
};

#[derive(Serialize)]
pub struct MessageView<'a> {
    id: MessageId,
    msg: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    user_id: &'a UserId,
    user: AuthorView<'a>,
    chat_id: ChatId,
    room: String,
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a ClientId>,
    created_at: Time,
    modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replies: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mentions: &'a Option<List<UserId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: &'a Option<Data>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: &'a Option<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reactions: &'a Option<List<Reaction>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<i64>,
}

/// Who sent it.
#[derive(Serialize)]
struct AuthorView<'a> {
    id: &'a UserId,
    handle: &'a Option<Handle>,
    name: &'a Name,
}

/// Another message of the chat.
#[derive(Serialize)]
struct Place {
    id: MessageId,
    seq: i64,
}

/// A message as those hear it who are in the room.
#[derive(Serialize)]
pub struct ChannelMessage<'a> {
    #[serde(flatten)]
    message: &'a MessageView<'a>,
    channel: &'a str,
}

/// A message that has been changed.
#[derive(Serialize)]
pub struct ChangedView<'a> {
    #[serde(flatten)]
    message: MessageView<'a>,
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

impl<'a> From<&'a Changed> for ChangedView<'a> {
    fn from(it: &'a Changed) -> Self {
        ChangedView { message: MessageView::new(&it.message, &it.user), changed: it.changed }
    }
}

/// A page of messages, and the query of the page that follows or comes before.
#[derive(Serialize)]
pub struct Messages<'a> {
    messages: Vec<MessageView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<After>,
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

#[derive(Serialize)]
struct After {
    after_seq: i64,
}

#[derive(Serialize)]
struct Before {
    before_seq: i64,
}

/// A page of messages that were found; `next` is given back as `before`.
#[derive(Serialize)]
pub struct FoundMessages<'a> {
    messages: Vec<MessageView<'a>>,
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

/// A page of messages that were changed; `next` is given back as `after`.
#[derive(Serialize)]
pub struct Changes<'a> {
    messages: Vec<MessageView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    last_change: i64,
}

impl<'a> From<&'a ChangePage> for Changes<'a> {
    fn from(page: &'a ChangePage) -> Self {
        Changes {
            messages: page.messages.iter().map(MessageView::from).collect(),
            next: page.next,
            last_change: page.last_change,
        }
    }
}

/// A change of a message that its reader does not see.
#[derive(Serialize)]
pub struct TouchedView {
    id: MessageId,
    seq: i64,
    change: i64,
}

impl TouchedView {
    pub fn new(id: MessageId, seq: i64, change: i64) -> Self {
        TouchedView { id, seq, change }
    }
}
