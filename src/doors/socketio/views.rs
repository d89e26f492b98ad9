//! What goes over the wire: the bodies of answers and pushes, and the packets around them.

use engineioxide::Str;
use engineioxide::sid::Sid;
use serde::Serialize;
use serde_json::json;
use socketioxide_core::Value;
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::Parse;
use socketioxide_parser_common::CommonParser;

use crate::clock::Time;
use crate::error::Error;
use crate::model::{Chat, ChatId, ClientId, Description, ExternalId, Handle, ListedChat, Message};
use crate::model::{MessageId, Name, Photo, ReadState, User, UserId};

/// What a request is answered with.
pub(super) struct Answer {
    pub json: String,
    /// Whether the asker's socket also gets it as a push: then it needs no event of its own.
    pub pushed: bool,
}

impl Answer {
    pub fn new(body: &impl Serialize) -> Result<Answer, Error> {
        let json = to_json(body)?;
        Ok(Answer { json, pushed: false })
    }

    pub fn pushed(self, pushed: bool) -> Answer {
        Answer { pushed, ..self }
    }
}

pub(super) fn to_json(body: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|_| Error::Internal(None))
}

/// A packet with the event `name`, to be cloned for each of its sockets.
pub(super) fn event(name: &str, body: &str) -> Str {
    let data = format!("[{},{body}]", json!(name));
    encode(Packet::event("/", Value::Str(data.into(), None)))
}

/// A packet that answers the request `ack`.
pub(super) fn ack(ack: i64, body: &str) -> Str {
    let data = format!("[{body}]");
    encode(Packet::ack("/", Value::Str(data.into(), None), ack))
}

/// The packet that lets a client into the namespace `/`; old clients expect no id in it.
pub(super) fn connect(sid: Option<Sid>) -> Str {
    let payload = sid.map(|sid| Value::Str(json!({ "sid": sid }).to_string().into(), None));
    encode(Packet::connect("/", payload))
}

/// The packet that keeps a client out of a namespace.
pub(super) fn connect_error(namespace: Str, message: &str) -> Str {
    encode(Packet::connect_error(namespace, message))
}

fn encode(packet: Packet) -> Str {
    match CommonParser.encode(packet) {
        Value::Str(text, _) => text,
        // This parser makes texts only.
        Value::Bytes(_) => Str::from(""),
    }
}

fn error_object(error: &Error) -> serde_json::Value {
    let mut object = json!({ "code": error.code(), "message": error.to_string() });
    if let Some(field) = error.field() {
        object["field"] = field.into();
    }
    object
}

/// The body of an ack that refuses.
pub(super) fn error(error: &Error) -> String {
    json!({ "error": error_object(error) }).to_string()
}

/// The body of an `exception` event.
pub(super) fn exception(event: &str, error: &Error) -> String {
    json!({ "event": event, "error": error_object(error) }).to_string()
}

#[derive(Serialize)]
pub(super) struct UserView<'a> {
    external_id: &'a Option<ExternalId>,
    id: &'a UserId,
    handle: &'a Option<Handle>,
    name: &'a Name,
    photo: &'a Photo,
    created_at: Time,
    modified_at: Time,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        UserView {
            external_id: &user.external_id,
            id: &user.id,
            handle: &user.handle,
            name: &user.name,
            photo: &user.photo,
            created_at: user.created_at,
            modified_at: user.modified_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ChatView<'a> {
    id: ChatId,
    name: &'a Name,
    description: &'a Option<Description>,
    private: bool,
    /// Null until there are teams.
    team_id: Option<()>,
    user: &'a UserId,
    users: &'a [UserId],
    last_seq: i64,
    created_at: Time,
    modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<i64>,
}

impl<'a> From<&'a Chat> for ChatView<'a> {
    fn from(chat: &'a Chat) -> Self {
        ChatView {
            id: chat.id,
            name: &chat.name,
            description: &chat.description,
            private: chat.private,
            team_id: None,
            user: &chat.creator_id,
            users: &chat.users,
            last_seq: chat.last_seq,
            created_at: chat.created_at,
            modified_at: chat.modified_at,
            unread: None,
        }
    }
}

impl<'a> From<&'a ListedChat> for ChatView<'a> {
    fn from(listed: &'a ListedChat) -> Self {
        let unread = Some(listed.unread);
        ChatView { unread, ..ChatView::from(&listed.chat) }
    }
}

#[derive(Serialize)]
pub(super) struct MessageView<'a> {
    id: MessageId,
    msg: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    user_id: &'a UserId,
    chat_id: ChatId,
    room: String,
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a ClientId>,
    created_at: Time,
    modified_at: Time,
}

impl<'a> From<&'a Message> for MessageView<'a> {
    fn from(message: &'a Message) -> Self {
        MessageView {
            id: message.id,
            msg: message.body.as_ref(),
            kind: message.kind.as_str(),
            user_id: &message.user_id,
            chat_id: message.chat_id,
            room: format!("room-{}", message.chat_id),
            seq: message.seq,
            client_id: message.client_id.as_ref(),
            created_at: message.created_at,
            modified_at: message.modified_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ReadView {
    id: ChatId,
    read_seq: i64,
    unread: i64,
}

impl From<&ReadState> for ReadView {
    fn from(read: &ReadState) -> Self {
        ReadView { id: read.chat_id, read_seq: read.read_seq, unread: read.unread }
    }
}

/// `{user}`
#[derive(Serialize)]
pub(super) struct OfUser<'a> {
    pub user: UserView<'a>,
}

/// `{chat}`
#[derive(Serialize)]
pub(super) struct OfChat<T> {
    pub chat: T,
}

/// A page of chats; `next` is given back as `before`.
#[derive(Serialize)]
pub(super) struct Chats<'a> {
    pub chats: Vec<ChatView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of messages, and the query of the page that follows or comes before.
#[derive(Serialize)]
pub(super) struct Messages<'a> {
    pub messages: Vec<MessageView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<After>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Before>,
}

#[derive(Serialize)]
pub(super) struct After {
    pub after_seq: i64,
}

#[derive(Serialize)]
pub(super) struct Before {
    pub before_seq: i64,
}
