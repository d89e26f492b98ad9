//! Events: what was done, as all doors of all nodes hear it.
//!
//! Events have positions in streams: of a chat, of a user, or of everyone. In each stream they have
//! the numbers 1, 2, 3…, so that a node that follows a stream knows what it has missed. As JSON, as
//! here, they go to the other nodes and into the event log; `docs/events.md` describes them.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{
    Changed, ChannelName, Chat, ChatId, ChatKind, ConnectionId, Handle, Invitation, ListedChat,
    ListedMember, Message, MessageId, Name, Person, Posted, Profile, ReadState, Report, UserId,
    read_id,
};
use crate::clock::Time;

/// An event that this node has committed.
#[derive(Debug)]
pub struct Committed {
    /// Its number among what this node has committed: 1, 2, 3…
    pub number: u64,
    /// What the store keeps of it; none without other nodes and event log.
    pub kept: Option<Kept>,
    /// When that was.
    pub at: Instant,
    pub event: Event,
}

/// An event as it is kept.
#[derive(Debug)]
pub struct Kept {
    /// Its position in its home stream.
    pub position: Position,
    /// Its positions in the streams that mirror it.
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

/// The position of an event: its stream and its number there.
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
    /// What is said of a chat, or what holds in it, was changed.
    ChatUpdated(Chat),
    /// A user has become a member, by joining or by accepting an invitation.
    MemberJoined {
        chat_id: ChatId,
        user_id: UserId,
    },
    /// A member has left, or someone is no member of the chat's team any more; `sees` says whether
    /// they may still see the chat.
    MemberLeft {
        chat_id: ChatId,
        user_id: UserId,
        sees: bool,
    },
    /// The owner has removed a member, or a moderator has banned a user; the chat is as it was
    /// after.
    MemberRemoved {
        chat: Chat,
        user_id: UserId,
    },
    /// A member's role was changed, or whether the member may send.
    MemberChanged {
        chat_id: ChatId,
        member: ListedMember,
    },
    MessageSent(Posted),
    /// A message was edited, deleted, pinned, answered or reacted to.
    MessageChanged(Changed),
    /// A message was changed; this is for those who do not see the message itself, as they have
    /// joined since and are not among those who see it.
    MessageTouched {
        chat_id: ChatId,
        message_id: MessageId,
        seq: i64,
        change: i64,
        seen_by: Vec<UserId>,
    },
    /// A user has told of a message that it should not be there.
    MessageReported(Box<Report>),
    /// A member has read on; `by` is the connection that said so and has its answer already.
    ChatRead {
        user_id: UserId,
        read: ReadState,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A member has muted, pinned or archived a chat, or has taken that back; `by` is the
    /// connection that said so and has its answer already.
    MembershipUpdated {
        user_id: UserId,
        #[serde(flatten)]
        listed: ListedChat,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A user has been asked into a chat.
    Invited(Invitation),
    /// A chat was deleted, with all its messages.
    ChatDeleted {
        chat_id: ChatId,
    },
    /// A user has become protected: from now on only connections that have proved to be this user
    /// act as them; `by` has.
    UserProtected {
        user_id: UserId,
        #[serde(skip)]
        by: Option<ConnectionId>,
    },
    /// A user is seen otherwise from now on: by another name, say. Those who have a direct chat
    /// with the user are told, too.
    UserUpdated {
        user: Person,
        direct_with: Vec<UserId>,
        #[serde(skip)]
        by: Option<ConnectionId>,
    },
    /// A user was deleted: nobody acts as this user any more, nor ever will.
    UserDeleted {
        user_id: UserId,
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
    /// Users have come into a large room and left it; there are `more` than are named here.
    ParticipantsMoved {
        chat_id: ChatId,
        participants: usize,
        joined: Vec<Profile>,
        left: Vec<UserId>,
        more: bool,
    },
    /// A public chat was made, here without its users. `missed` chats before it were not announced.
    ChatAnnounced {
        chat: Chat,
        missed: u64,
    },
    /// The first connection that acts as a user has opened, or the last one has closed, on
    /// whichever node.
    PresenceChanged {
        user_id: UserId,
        online: bool,
        last_seen: Time,
    },
    /// A member is writing something, or has stopped.
    Typing {
        chat_id: ChatId,
        user_id: UserId,
        name: Name,
        on: bool,
    },
    /// A member has read a chat up to here, further than ever before.
    MemberRead {
        chat_id: ChatId,
        user_id: UserId,
        read_seq: i64,
    },
    /// A member sends something that is not kept: `data` is any JSON. `to` names the users of the
    /// chat that it is for; without it, it is for all.
    Signalled {
        chat_id: ChatId,
        user_id: UserId,
        data: String,
        to: Option<Vec<UserId>>,
        #[serde(skip)]
        by: ConnectionId,
    },
}

/// Where an event belongs, who hears it, and which connection has caused it.
pub struct Route {
    /// The stream that it belongs to.
    pub home: Stream,
    /// The other streams that tell of it, for nodes that do not follow its home, or not yet.
    pub mirrors: Vec<Stream>,
    /// The connection that has caused it, where that matters.
    pub by: Option<ConnectionId>,
    /// The users that are shown it, among all that hear the chat.
    pub hearers: Hearers,
}

/// The users that are shown an event, among all that hear its chat.
pub enum Hearers {
    All,
    Only(Vec<UserId>),
    AllBut(Vec<UserId>),
    /// The members that see a message of a chat where those who have joined since do not, and those
    /// in the room that see it without being members.
    Seeing {
        users: Vec<UserId>,
        seq: i64,
    },
    /// All others.
    NotSeeing {
        users: Vec<UserId>,
        seq: i64,
    },
    /// Nobody but connections with the API key, wherever they are.
    Service,
    /// The chat's members but this one, and nobody else in its room.
    OtherMembers(UserId),
}

impl Route {
    fn of(home: Stream) -> Route {
        Route { home, mirrors: Vec::new(), by: None, hearers: Hearers::All }
    }

    fn told_to<'a>(self, users: impl IntoIterator<Item = &'a UserId>) -> Route {
        let mirrors = users.into_iter().cloned().map(Stream::User).collect();
        Route { mirrors, ..self }
    }

    fn caused_by(self, by: impl Into<Option<ConnectionId>>) -> Route {
        Route { by: by.into(), ..self }
    }
}

impl Event {
    /// Who hears it. What they are shown is for the doors to say.
    pub fn route(&self) -> Route {
        let of_chat = |chat_id: &ChatId| Route::of(Stream::Chat(*chat_id));
        let of_user = |user_id: &UserId| Route::of(Stream::User(user_id.clone()));
        match self {
            Event::ChatCreated(chat) if !chat.private && chat.team_id.is_none() => {
                Route { mirrors: vec![Stream::Everyone], ..of_chat(&chat.id) }
            }
            Event::ChatCreated(chat) => of_chat(&chat.id).told_to(&chat.users),
            Event::ChatUpdated(chat) => of_chat(&chat.id),
            Event::MemberRemoved { chat, user_id } => of_chat(&chat.id).told_to([user_id]),
            Event::MemberJoined { chat_id, user_id }
            | Event::MemberLeft { chat_id, user_id, .. } => of_chat(chat_id).told_to([user_id]),
            Event::MessageSent(Posted { message, chat_kind, by, .. }) => {
                let of_chat = of_chat(&message.chat_id).caused_by(*by);
                match chat_kind {
                    ChatKind::Direct { to, .. } => of_chat.told_to([&message.user_id, to]),
                    ChatKind::Chat | ChatKind::Channel(_) => of_chat,
                }
            }
            Event::MessageChanged(Changed { message, seen_by, .. }) => {
                let seeing = |users| Hearers::Seeing { users, seq: message.seq };
                let hearers = seen_by.clone().map_or(Hearers::All, seeing);
                Route { hearers, ..of_chat(&message.chat_id) }
            }
            Event::MessageTouched { chat_id, seen_by, seq, .. } => {
                let hearers = Hearers::NotSeeing { users: seen_by.clone(), seq: *seq };
                Route { hearers, ..of_chat(chat_id) }
            }
            Event::Invited(it) => of_chat(&it.chat_id).told_to([&it.invitee_id]),
            Event::MessageReported(_) => {
                Route { hearers: Hearers::Service, ..Route::of(Stream::Everyone) }
            }
            Event::ChatDeleted { chat_id }
            | Event::MemberChanged { chat_id, .. }
            | Event::ChannelJoined { chat_id, .. }
            | Event::ChannelLeft { chat_id, .. }
            | Event::ParticipantJoined { chat_id, .. }
            | Event::ParticipantLeft { chat_id, .. }
            | Event::ParticipantsMoved { chat_id, .. } => of_chat(chat_id),
            Event::Typing { chat_id, user_id, .. } => {
                Route { hearers: Hearers::AllBut(vec![user_id.clone()]), ..of_chat(chat_id) }
            }
            Event::MemberRead { chat_id, user_id, .. } => {
                Route { hearers: Hearers::OtherMembers(user_id.clone()), ..of_chat(chat_id) }
            }
            Event::Signalled { chat_id, user_id, to, by, .. } => {
                let hearers = match to {
                    // One's own other sockets get it, too.
                    Some(to) => Hearers::Only(to.iter().chain([user_id]).cloned().collect()),
                    None => Hearers::All,
                };
                Route { hearers, ..of_chat(chat_id).caused_by(*by) }
            }
            Event::ChatRead { user_id, by, .. } | Event::MembershipUpdated { user_id, by, .. } => {
                of_user(user_id).caused_by(*by)
            }
            Event::UserProtected { user_id, by } => of_user(user_id).caused_by(*by),
            Event::UserUpdated { user, direct_with, by } => {
                of_user(&user.id).told_to(direct_with).caused_by(*by)
            }
            Event::TokenEnded { user_id, .. }
            | Event::UserDeleted { user_id }
            | Event::PresenceChanged { user_id, .. } => of_user(user_id),
            Event::NickConnected { by, .. } => Route::of(Stream::Everyone).caused_by(*by),
            Event::NickGone { .. } | Event::ChatAnnounced { .. } => Route::of(Stream::Everyone),
        }
    }

    /// The event as if the message that it tells of had always said what it says `now`.
    pub fn say_as(mut self, now: &Message) -> Event {
        if let Some(message) = self.message() {
            message.say_as(now);
        }
        self
    }

    /// The event as if the message that it tells of had said nothing.
    pub fn say_nothing(mut self) -> Event {
        if let Some(message) = self.message() {
            message.delete(message.modified_at);
        }
        self
    }

    fn message(&mut self) -> Option<&mut Message> {
        match self {
            Event::MessageReported(report) => Some(Arc::make_mut(&mut report.message)),
            Event::MessageSent(Posted { message, .. })
            | Event::MessageChanged(Changed { message, .. }) => Some(Arc::make_mut(message)),
            _ => None,
        }
    }

    /// The event as this connection has caused it.
    pub fn caused_by(mut self, connection: Option<ConnectionId>) -> Event {
        match (&mut self, connection) {
            (Event::MessageSent(posted), Some(connection)) => posted.by = connection,
            (
                Event::ChatRead { by, .. }
                | Event::MembershipUpdated { by, .. }
                | Event::NickConnected { by, .. },
                Some(connection),
            ) => *by = connection,
            (Event::UserProtected { by, .. } | Event::UserUpdated { by, .. }, connection) => {
                *by = connection;
            }
            _ => {}
        }
        self
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
