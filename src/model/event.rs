//! What the doors of every node hear of.
//!
//! Events have places in streams: those of a chat, those of a user, those of everyone. In each they
//! have the numbers 1, 2, 3…, so that a node that follows a stream knows what it has missed. As
//! JSON, as here, they go to the other nodes and into the event log; `docs/events.md` describes
//! them.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    ChannelName, Chat, ChatId, ConnectionId, Handle, Invitation, Place, Posted, Profile, ReadState,
    UserId, read_id,
};

/// An event that this node has committed.
#[derive(Debug)]
pub struct Committed {
    /// Its number among what this node has committed: 1, 2, 3…
    pub number: u64,
    /// What the store keeps of it, if there is anyone to keep it for.
    pub kept: Option<Kept>,
    pub event: Event,
}

/// An event on its way to the doors.
#[derive(Debug)]
pub struct Published {
    /// For what this node has committed, its number among that.
    pub number: Option<u64>,
    /// None if the doors have been shown it already, as one of another node's.
    pub event: Option<Event>,
}

/// An event as it is kept.
#[derive(Debug)]
pub struct Kept {
    /// Its place in its own stream.
    pub position: Position,
    /// Its places in the others that tell of it.
    pub mirrors: Vec<Position>,
    /// The event as JSON.
    pub json: Box<RawValue>,
    /// The connection that has caused it, which the JSON does not tell.
    pub by: Option<ConnectionId>,
}

/// A sequence of events, followed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    Chat(ChatId),
    User(UserId),
    Everyone,
}

/// The place of an event in a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub stream: Stream,
    pub number: i64,
}

/// Something for every door of every node to show to its clients.
///
/// What was committed comes in the order of the commits, so the messages of one chat come in the
/// order of `seq`. Who is in a room is not stored; those events come in the order of the changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
pub enum Event {
    /// A chat was made; `users` in it are its first members.
    ChatCreated(Chat),
    /// A chat's name, description or privacy was changed.
    ChatUpdated(Chat),
    /// A user has become a member, by joining or by accepting an invitation.
    MemberJoined {
        chat_id: ChatId,
        user_id: UserId,
    },
    /// A member has left, or someone is no member of the chat's team any more; who may still see
    /// the chat or not.
    MemberLeft {
        chat_id: ChatId,
        user_id: UserId,
        sees: bool,
    },
    /// The owner has ended a membership; the chat is as it was after.
    MemberRemoved {
        chat: Chat,
        user_id: UserId,
    },
    MessageSent(Posted),
    /// A member has read on; `by` is the connection that said so and has its answer already.
    ChatRead {
        user_id: UserId,
        read: ReadState,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A user has been asked into a chat.
    Invited(Invitation),
    /// A chat was deleted, with all its messages.
    ChatDeleted {
        chat_id: ChatId,
    },
    /// A user has become protected: from now on only who has proved to be them acts as them, as
    /// the connection `by` has.
    UserProtected {
        user_id: UserId,
        #[serde(skip)]
        by: Option<ConnectionId>,
    },
    /// A token was revoked; its connections end.
    TokenEnded {
        user_id: UserId,
        access_key_id: String,
    },
    /// A nick has connected to the channels, by the connection `by`, which has proved nothing if
    /// it is anonymous.
    NickConnected {
        nick: Handle,
        user_id: UserId,
        #[serde(skip)]
        by: ConnectionId,
        anonymous: bool,
    },
    /// A nick has gone from the channels, and so from each that it was in; it was lost if its node
    /// was taken for dead.
    NickGone {
        nick: Handle,
        lost: bool,
    },
    /// A nick has come into a channel; its user is a member.
    ChannelJoined {
        chat_id: ChatId,
        channel: ChannelName,
        nick: Handle,
    },
    /// A nick has left a channel.
    ChannelLeft {
        chat_id: ChatId,
        channel: ChannelName,
        nick: Handle,
    },
    /// A user is in a room, with the first of the user's connections.
    ParticipantJoined {
        chat_id: ChatId,
        user: Profile,
        participants: usize,
    },
    /// A user is in a room no more, with the last of the user's connections.
    ParticipantLeft {
        chat_id: ChatId,
        user: Profile,
        participants: usize,
    },
}

impl Event {
    /// The stream that it belongs to.
    pub fn home(&self) -> Stream {
        match self {
            Event::ChatCreated(chat)
            | Event::ChatUpdated(chat)
            | Event::MemberRemoved { chat, .. } => Stream::Chat(chat.id),
            Event::MemberJoined { chat_id, .. }
            | Event::MemberLeft { chat_id, .. }
            | Event::ChatDeleted { chat_id }
            | Event::ChannelJoined { chat_id, .. }
            | Event::ChannelLeft { chat_id, .. }
            | Event::ParticipantJoined { chat_id, .. }
            | Event::ParticipantLeft { chat_id, .. } => Stream::Chat(*chat_id),
            Event::MessageSent(posted) => Stream::Chat(posted.message.chat_id),
            Event::Invited(invitation) => Stream::Chat(invitation.chat_id),
            Event::ChatRead { user_id, .. }
            | Event::UserProtected { user_id, .. }
            | Event::TokenEnded { user_id, .. } => Stream::User(user_id.clone()),
            Event::NickConnected { .. } | Event::NickGone { .. } => Stream::Everyone,
        }
    }

    /// The connection that has caused it, where that matters.
    pub fn by(&self) -> Option<ConnectionId> {
        match self {
            Event::MessageSent(posted) => Some(posted.by),
            Event::ChatRead { by, .. } | Event::NickConnected { by, .. } => Some(*by),
            Event::UserProtected { by, .. } => *by,
            _ => None,
        }
    }

    /// The event as this connection has caused it.
    pub fn caused_by(mut self, connection: Option<ConnectionId>) -> Event {
        match (&mut self, connection) {
            (Event::MessageSent(posted), Some(connection)) => posted.by = connection,
            (Event::ChatRead { by, .. } | Event::NickConnected { by, .. }, Some(connection)) => {
                *by = connection;
            }
            (Event::UserProtected { by, .. }, connection) => *by = connection,
            _ => {}
        }
        self
    }

    /// The other streams that tell of it: for those who do not follow its own, or not yet.
    pub fn mirrors(&self) -> Vec<Stream> {
        match self {
            Event::ChatCreated(chat) if !chat.private && chat.team_id.is_none() => {
                vec![Stream::Everyone]
            }
            Event::ChatCreated(chat) => chat.users.iter().cloned().map(Stream::User).collect(),
            Event::MemberJoined { user_id, .. }
            | Event::MemberLeft { user_id, .. }
            | Event::MemberRemoved { user_id, .. } => vec![Stream::User(user_id.clone())],
            Event::MessageSent(posted) => match &posted.place {
                Place::Direct { to, .. } => {
                    vec![Stream::User(posted.message.user_id.clone()), Stream::User(to.clone())]
                }
                Place::Chat | Place::Channel(_) => Vec::new(),
            },
            Event::Invited(invitation) => vec![Stream::User(invitation.invitee_id.clone())],
            Event::ChatUpdated(_)
            | Event::ChatRead { .. }
            | Event::ChatDeleted { .. }
            | Event::UserProtected { .. }
            | Event::TokenEnded { .. }
            | Event::NickConnected { .. }
            | Event::NickGone { .. }
            | Event::ChannelJoined { .. }
            | Event::ChannelLeft { .. }
            | Event::ParticipantJoined { .. }
            | Event::ParticipantLeft { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stream::Chat(id) => write!(f, "chat/{id}"),
            Stream::User(id) => write!(f, "user/{}", id.as_ref()),
            Stream::Everyone => f.write_str("everyone"),
        }
    }
}

impl Stream {
    /// Reads what a node has written.
    pub fn parse(text: &str) -> Option<Stream> {
        match text.split_once('/') {
            Some(("chat", id)) => read_id(id).map(Stream::Chat),
            Some(("user", id)) => Some(Stream::User(UserId::stored(id))),
            Some(_) => None,
            None => (text == "everyone").then_some(Stream::Everyone),
        }
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stream, D::Error> {
        let text = String::deserialize(deserializer)?;
        Stream::parse(&text).ok_or_else(|| D::Error::custom("no stream"))
    }
}
