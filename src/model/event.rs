//! Events: what was done, as all doors of all nodes hear it.
//!
//! Events have positions in [streams](super::Stream). The JSON of these types goes to the other
//! nodes and into the event log; `docs/events.md` describes it.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Changed, ChannelName, Chat, ChatId, ConnectionId, Handle, Invitation, ListedChat, ListedMember,
    Message, MessageId, Name, Person, Position, Posted, Profile, ReadState, Report, UserId,
};
use crate::clock::Time;

/// An event that this node has committed.
#[derive(Debug)]
pub struct Committed {
    /// Its number among the events that this node has committed: 1, 2, 3…
    pub number: u64,
    /// What is stored of it; `None` if there are no other nodes, no event log and no webhook.
    pub kept: Option<Kept>,
    /// When it was committed.
    pub at: Instant,
    pub event: Event,
}

/// An event as it is stored.
#[derive(Debug)]
pub struct Kept {
    /// Its position in its home stream.
    pub position: Position,
    /// Its positions in the streams that mirror it.
    pub mirrors: Vec<Position>,
    /// The event as JSON.
    pub json: Box<RawValue>,
    /// The connection that caused it, which is not in the JSON.
    pub by: Option<ConnectionId>,
}

/// Something that every door of every node shows to its clients.
///
/// Committed events come in the order of the commits, so the messages of one chat come in the order
/// of `seq`. Who is in a room is not stored; events about that come in the order of the changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "kebab-case")]
pub enum Event {
    /// A chat was made; its `users` are its first members.
    ChatCreated(Chat),
    /// A chat's name, description or settings were changed.
    ChatUpdated(Chat),
    /// A user has become a member, by joining or by accepting an invitation.
    MemberJoined {
        chat_id: ChatId,
        user_id: UserId,
    },
    /// A member has left, or a user is no longer a member of the chat's team; `sees` says whether
    /// they may still see the chat.
    MemberLeft {
        chat_id: ChatId,
        user_id: UserId,
        sees: bool,
    },
    /// The owner has removed a member, or a moderator has banned a user; `chat` is the chat after
    /// that.
    MemberRemoved {
        chat: Chat,
        user_id: UserId,
    },
    /// A member's role was changed, or a moderator has muted or unmuted the member.
    MemberChanged {
        chat_id: ChatId,
        member: ListedMember,
    },
    MessageSent(Posted),
    /// A message was edited, deleted, pinned, answered or reacted to.
    MessageChanged(Changed),
    /// A message was changed. This is for those who do not see the message, as they joined after it
    /// was sent and are not in `seen_by`.
    MessageTouched {
        chat_id: ChatId,
        message_id: MessageId,
        seq: i64,
        change: i64,
        seen_by: Vec<UserId>,
    },
    /// A user has reported a message.
    MessageReported(Box<Report>),
    /// A member has read on; `by` is the connection that marked it, and that has this in its answer
    /// already.
    ChatRead {
        user_id: UserId,
        read: ReadState,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A member has muted, pinned or archived a chat, or has undone that; `by` is the connection
    /// that did it, and that has this in its answer already.
    MembershipUpdated {
        user_id: UserId,
        #[serde(flatten)]
        listed: ListedChat,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A user was invited to a chat.
    Invited(Invitation),
    /// A chat was deleted, with all its messages.
    ChatDeleted {
        chat_id: ChatId,
    },
    /// A user has become protected: from now on a connection must prove to be this user to act as
    /// them. `by` has proved it.
    UserProtected {
        user_id: UserId,
        #[serde(skip)]
        by: Option<ConnectionId>,
    },
    /// What others see of a user was changed: the name, for example. The users in `direct_with`,
    /// who have a direct chat with this user, are told, too.
    UserUpdated {
        user: Person,
        direct_with: Vec<UserId>,
        #[serde(skip)]
        by: Option<ConnectionId>,
    },
    /// A user was deleted: nobody can act as this user any more.
    UserDeleted {
        user_id: UserId,
    },
    /// A token was revoked; its connections end.
    TokenEnded {
        user_id: UserId,
        access_key_id: String,
    },
    /// A nick has connected to the channels, by the connection `by`. If that is anonymous, it has
    /// not proved to be this user.
    NickConnected {
        nick: Handle,
        user_id: UserId,
        #[serde(skip)]
        by: ConnectionId,
        anonymous: bool,
    },
    /// A nick has gone from the channels, and so has left each that it was in. `lost` says that its
    /// node was taken for dead.
    NickGone {
        nick: Handle,
        lost: bool,
    },
    /// A nick, that of the connection `by`, has come into a channel; its user is a member.
    ChannelJoined {
        chat_id: ChatId,
        channel: ChannelName,
        nick: Handle,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A nick, that of the connection `by`, has left a channel.
    ChannelLeft {
        chat_id: ChatId,
        channel: ChannelName,
        nick: Handle,
        #[serde(skip)]
        by: ConnectionId,
    },
    /// A user has come into a room: the first of the user's connections is there.
    ParticipantJoined {
        chat_id: ChatId,
        user: Profile,
        participants: usize,
    },
    /// A user has left a room: the last of the user's connections is gone.
    ParticipantLeft {
        chat_id: ChatId,
        user: Profile,
        participants: usize,
    },
    /// Users have come into a large room and left it; `more` says that not all are named here.
    ParticipantsMoved {
        chat_id: ChatId,
        participants: usize,
        joined: Vec<Profile>,
        left: Vec<UserId>,
        more: bool,
    },
    /// A public chat was made. `chat` is without its users; `missed` public chats before it were
    /// not announced.
    ChatAnnounced {
        chat: Chat,
        missed: u64,
    },
    /// The first connection that acts as a user has opened, or the last one has closed. Connections
    /// to all nodes count.
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
    /// A member sends something that is not stored: `data` is any JSON. `to` names the users of the
    /// chat who get it; without it, all get it.
    Signalled {
        chat_id: ChatId,
        user_id: UserId,
        data: String,
        to: Option<Vec<UserId>>,
        #[serde(skip)]
        by: ConnectionId,
    },
}

impl Event {
    /// The event, with what its message says replaced by what `now` says.
    pub fn say_as(mut self, now: &Message) -> Event {
        if let Some(message) = self.message() {
            message.say_as(now);
        }
        self
    }

    /// The event, with its message as if that were deleted.
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

    /// The event, with the connection that has caused it.
    pub fn caused_by(mut self, connection: Option<ConnectionId>) -> Event {
        match (&mut self, connection) {
            (Event::MessageSent(posted), Some(connection)) => posted.by = connection,
            (
                Event::ChatRead { by, .. }
                | Event::MembershipUpdated { by, .. }
                | Event::NickConnected { by, .. }
                | Event::ChannelJoined { by, .. }
                | Event::ChannelLeft { by, .. },
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
