//! The data that the host passes and gets: plain structs with the fields that `docs/protocol.md`
//! describes.

use std::time::{Duration, SystemTime};

use super::read;
use crate::clock::Time;
use crate::config::Limits;
use crate::error::Error;
use crate::model::{
    self, Author, Body, ClientId, Description, ExternalId, Handle, Name, Photo, UserId,
};

/// A user to make or to fetch, by one of the two ids.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The id that your application knows the user by.
    pub external_id: Option<String>,
    /// Chinwag's own id, or one that you bring.
    pub id: Option<String>,
    pub handle: Option<String>,
    pub name: String,
    /// A URL; if there is none, the photo stays as it is.
    pub photo: Option<String>,
}

impl NewUser {
    pub(super) fn checked(self, limits: &Limits) -> Result<model::NewUser, Error> {
        if self.external_id.is_none() && self.id.is_none() {
            return Err(Error::invalid("user.external_id", "or user.id is required"));
        }
        Ok(model::NewUser {
            external_id: optional("user.external_id", self.external_id, ExternalId::parse, limits)?,
            id: optional("user.id", self.id, UserId::parse, limits)?,
            handle: optional("user.handle", self.handle, Handle::parse, limits)?,
            name: read("user.name", &self.name, Name::parse_known, limits)?,
            photo: optional("user.photo", self.photo, Photo::parse, limits)?,
        })
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    pub id: String,
    pub external_id: Option<String>,
    pub handle: Option<String>,
    pub name: String,
    pub photo: String,
}

impl From<model::User> for User {
    fn from(user: model::User) -> User {
        User {
            id: text(&user.id),
            external_id: user.external_id.as_ref().map(text),
            handle: user.handle.as_ref().map(text),
            name: text(&user.name),
            photo: text(&user.photo),
        }
    }
}

/// A chat to make.
#[derive(Clone, Debug, Default)]
pub struct NewChat {
    pub name: String,
    pub description: Option<String>,
    /// Whether anyone may see and join it.
    pub public: bool,
    /// The ids of its members beside its owner.
    pub users: Vec<String>,
    /// An id of yours: if the owner makes a chat with the same id again, the first one is returned.
    pub client_id: Option<String>,
}

impl NewChat {
    pub(super) fn checked(self, limits: &Limits) -> Result<(model::NewChat, Vec<UserId>), Error> {
        let new = model::NewChat {
            name: read("chat.name", &self.name, Name::parse, limits)?,
            description: optional(
                "chat.description",
                self.description,
                Description::parse,
                limits,
            )?,
            private: !self.public,
            team_id: None,
            client_id: optional("chat.client_id", self.client_id, ClientId::parse, limits)?,
        };
        let max = limits.max_chat_users;
        if self.users.len() > max {
            return Err(Error::TooLarge { field: "users".to_owned(), max, unit: "items" });
        }
        let users = self.users.iter().enumerate();
        let users = users.map(|(at, id)| read(&format!("users.{at}"), id, UserId::parse, limits));
        Ok((new, users.collect::<Result<_, _>>()?))
    }
}

/// A chat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chat {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub private: bool,
    /// Whether it is the one chat of its two users.
    pub direct: bool,
    pub creator_id: String,
    /// The ids of its members, those who joined first; at most 1,001 of them.
    pub users: Vec<String>,
    /// The `seq` of its latest message, 0 while there is none.
    pub last_seq: i64,
}

impl From<&model::Chat> for Chat {
    fn from(chat: &model::Chat) -> Chat {
        Chat {
            id: chat.id.to_string(),
            name: text(&chat.name),
            description: chat.description.as_ref().map(text),
            private: chat.private,
            direct: chat.direct,
            creator_id: text(&chat.creator_id),
            users: chat.users.iter().map(text).collect(),
            last_seq: chat.last_seq,
        }
    }
}

/// What the value of a message is or points to: a text, a picture or a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageType {
    #[default]
    Text,
    Img,
    File,
}

impl From<MessageType> for model::MessageType {
    fn from(kind: MessageType) -> model::MessageType {
        match kind {
            MessageType::Text => model::MessageType::Text,
            MessageType::Img => model::MessageType::Img,
            MessageType::File => model::MessageType::File,
        }
    }
}

impl From<model::MessageType> for MessageType {
    fn from(kind: model::MessageType) -> MessageType {
        match kind {
            model::MessageType::Text => MessageType::Text,
            model::MessageType::Img => MessageType::Img,
            model::MessageType::File => MessageType::File,
        }
    }
}

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct NewMessage {
    pub value: String,
    pub kind: MessageType,
    /// An id of yours: a message that is sent again with the same id is stored and pushed only
    /// once.
    pub client_id: Option<String>,
}

impl NewMessage {
    /// A message that is text.
    pub fn text(value: impl Into<String>) -> NewMessage {
        NewMessage { value: value.into(), ..NewMessage::default() }
    }

    pub(super) fn checked(
        self,
        limits: &Limits,
    ) -> Result<(model::MessageType, Body, Option<ClientId>), Error> {
        let body = read("message.value", &self.value, Body::parse, limits)?;
        let client_id = optional("message.client_id", self.client_id, ClientId::parse, limits)?;
        Ok((self.kind.into(), body, client_id))
    }
}

/// A message that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    pub id: String,
    pub chat_id: String,
    /// Its place in the chat: 1, 2, 3… without a gap.
    pub seq: i64,
    /// The number of its latest change in the chat: of two states of a message, the one with the
    /// higher number is the later. None if it never changed.
    pub change: Option<i64>,
    /// Who sent it.
    pub user_id: String,
    /// What its sender is called.
    pub user_name: String,
    pub kind: MessageType,
    /// What it says; empty if it is deleted.
    pub value: String,
    pub client_id: Option<String>,
    pub created_at: SystemTime,
    pub edited_at: Option<SystemTime>,
    pub deleted_at: Option<SystemTime>,
}

impl Message {
    pub(super) fn new(message: &model::Message, author: &Author) -> Message {
        Message {
            id: message.id.to_string(),
            chat_id: message.chat_id.to_string(),
            seq: message.seq,
            change: message.change,
            user_id: text(&message.user_id),
            user_name: text(&author.name),
            kind: message.kind.into(),
            value: message.plain_text().into_owned(),
            client_id: message.client_id.as_ref().map(text),
            created_at: system_time(message.created_at),
            edited_at: message.edited_at.map(system_time),
            deleted_at: message.deleted_at.map(system_time),
        }
    }
}

/// Messages in the order of their `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessagePage {
    pub messages: Vec<Message>,
    /// The `seq` after which the next page begins, if there is more.
    pub next: Option<i64>,
}

impl From<model::MessagePage> for MessagePage {
    fn from(page: model::MessagePage) -> MessagePage {
        let messages = page.messages.iter().map(|it| Message::new(&it.message, &it.author));
        MessagePage { messages: messages.collect(), next: page.next }
    }
}

fn optional<T>(
    field: &str,
    text: Option<String>,
    parse: impl FnOnce(&str, &Limits) -> Result<T, model::Problem>,
    limits: &Limits,
) -> Result<Option<T>, Error> {
    text.map(|text| read(field, &text, parse, limits)).transpose()
}

pub(super) fn text(text: &impl AsRef<str>) -> String {
    text.as_ref().to_owned()
}

fn system_time(time: Time) -> SystemTime {
    let micros = u64::try_from(time.as_micros()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}
