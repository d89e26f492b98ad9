//! Chats, and what their members see of them.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ChannelName, ChatId, ClientId, ConnectionId, Data, Description, Name, Person, Signed, TeamId,
    UserId,
};
use crate::clock::{self, Time};

/// A chat, room, channel or thread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chat {
    pub id: ChatId,
    pub name: Name,
    pub description: Option<Description>,
    pub private: bool,
    /// Whether it is the one chat of its two users, which stays as it is.
    pub direct: bool,
    /// Its name as a channel, if it is one.
    pub channel_name: Option<ChannelName>,
    /// Whether it is deleted when nobody is in it any more.
    pub ephemeral: bool,
    pub team_id: Option<TeamId>,
    pub creator_id: UserId,
    /// The members, longest first; at most [`Chat::MAX_USERS`] of them.
    pub users: Vec<UserId>,
    /// The `seq` of the latest message, 0 while there is none.
    pub last_seq: i64,
    /// The number of the latest change to a message, 0 while there is none.
    #[serde(default)]
    pub last_change: i64,
    /// What clients keep of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Whether moderators alone may send.
    #[serde(default, skip_serializing_if = "is_false")]
    pub frozen: bool,
    /// In how many seconds a member may send once; 0 for any number of times.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow_mode: i64,
    /// Whether members see only what was sent since they joined.
    #[serde(default, skip_serializing_if = "is_false")]
    pub since_joining: bool,
    /// For how many days messages are kept; 0 for as long as the server keeps them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retention_days: i64,
    /// How many users are in it now. The store does not know: 0 until the domain says so.
    pub participants: usize,
    pub created_at: Time,
    pub modified_at: Time,
}

impl Chat {
    /// How many members a chat names: 1,000 and its creator. A public one may have more.
    pub const MAX_USERS: i64 = 1001;

    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        const FIXED: usize = 300;
        let description = self.description.as_ref().map_or(0, |text| text.as_ref().len());
        let users: usize = self.users.iter().map(|id| id.as_ref().len() + 3).sum();
        let data = self.data.as_ref().map_or(0, |data| data.as_ref().len());
        FIXED + self.name.as_ref().len() + description + data + users
    }

    /// A new public chat of these members, who stand in the order of their ids.
    pub fn new(name: Name, creator_id: UserId, users: Vec<UserId>) -> Chat {
        let now = clock::stamp();
        Chat {
            id: ChatId::new(),
            name,
            description: None,
            private: false,
            direct: false,
            channel_name: None,
            ephemeral: false,
            team_id: None,
            creator_id,
            users,
            last_seq: 0,
            last_change: 0,
            data: None,
            frozen: false,
            slow_mode: 0,
            since_joining: false,
            retention_days: 0,
            participants: 0,
            created_at: now,
            modified_at: now,
        }
    }
}

/// What a client says of a chat that it wants made.
#[derive(Debug)]
pub struct NewChat {
    pub name: Name,
    pub description: Option<Description>,
    pub private: bool,
    pub team_id: Option<TeamId>,
    /// Sent again by the same user, it means the chat that is there.
    pub client_id: Option<ClientId>,
}

/// What a client wants changed of a chat; what is absent stays.
#[derive(Debug)]
pub struct ChatChange {
    pub name: Option<Name>,
    pub description: Option<Description>,
    pub private: Option<bool>,
    pub data: Option<Data>,
    pub frozen: Option<bool>,
    /// In seconds; 0 ends it.
    pub slow_mode: Option<i64>,
    pub since_joining: Option<bool>,
    /// 0 for as long as the server keeps messages.
    pub retention_days: Option<i64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// A chat as a user has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedChat {
    pub chat: Chat,
    /// `None` for the service, which need not be a member.
    pub membership: Option<Membership>,
}

/// A chat that a user has asked for.
pub struct MadeChat {
    pub listed: ListedChat,
    /// Whether it is new, and not one that was made before under the same `client_id`.
    pub fresh: bool,
}

/// What a member has of a chat for themself.
#[derive(Clone, Copy, Debug, sqlx_macros::FromRow, Serialize, Deserialize)]
pub struct Membership {
    pub role: Role,
    /// Messages of others that the member has not read.
    pub unread: i64,
    /// How many of them mention the member.
    pub mentions: i64,
    /// Whether it is left out of what is counted as unread.
    pub muted: bool,
    pub pinned: bool,
    /// Whether it is put away until the next message.
    pub archived: bool,
}

impl Membership {
    /// Of a chat in which nothing has been said yet.
    pub fn of_new(role: Role) -> Membership {
        let (unread, mentions, muted, pinned, archived) = (0, 0, false, false, false);
        Membership { role, unread, mentions, muted, pinned, archived }
    }
}

/// What a member wants changed of that; what is absent stays.
#[derive(Clone, Copy, Debug)]
pub struct MembershipChange {
    pub muted: Option<bool>,
    pub pinned: Option<bool>,
    pub archived: Option<bool>,
}

/// What is unread in all chats of a user.
#[derive(Clone, Copy, Debug, sqlx_macros::FromRow)]
pub struct Unread {
    /// In how many of them anything is.
    pub chats: i64,
    pub messages: i64,
    /// How many of these mention the user.
    pub mentions: i64,
}

/// Chats of a user, latest activity first.
#[derive(Debug)]
pub struct ChatPage {
    pub chats: Vec<ListedChat>,
    /// The latest message of each that has one.
    pub last_messages: HashMap<ChatId, Signed>,
    /// Where the next page begins, when there is one: the activity and the id of the last chat.
    pub next: Option<(Time, ChatId)>,
}

/// A public chat in the list of all.
#[derive(Debug)]
pub struct PublicChat {
    /// Its users are not read.
    pub chat: Chat,
    /// How many members it has.
    pub members: i64,
}

/// Public chats, latest activity first.
#[derive(Debug)]
pub struct PublicChatPage {
    pub chats: Vec<PublicChat>,
    /// Where the next page begins, when there is one: the activity and the id of the last chat.
    pub next: Option<(Time, ChatId)>,
}

/// How far a member has read a chat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReadState {
    pub chat_id: ChatId,
    /// The messages up to this `seq` have been read.
    pub read_seq: i64,
    /// Messages of others after it.
    pub unread: i64,
}

/// That a member has read a chat up to a `seq`, or all of it.
#[derive(Clone, Debug)]
pub struct Mark {
    pub chat_id: ChatId,
    pub user_id: UserId,
    pub seq: Option<i64>,
    /// What was counted because a mark was [`Uncounted`](Marked::Uncounted).
    pub passed: Option<Passed>,
    /// The connection that says so.
    pub by: ConnectionId,
    /// Whether it is nobody in particular: then not a protected user.
    pub anonymous: bool,
}

/// How many of a range of messages are a member's own.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Those after this `seq`,
    pub after: i64,
    /// up to this one.
    pub to: i64,
    pub own: i64,
}

/// What became of a [`Mark`].
#[derive(Clone, Copy, Debug)]
pub enum Marked {
    Read {
        read: ReadState,
        /// Whether the member has read on by it.
        moved: bool,
    },
    /// Nothing yet: it takes a count of the member's own messages after one `seq` up to another.
    Uncounted { after: i64, to: i64 },
}

/// What a member may do in a chat, the least first. A direct chat has members alone.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx_macros::Type,
    JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[repr(i16)]
pub enum Role {
    Member = 0,
    Moderator = 1,
    Owner = 2,
}

impl Role {
    pub fn parse(text: &str) -> Option<Role> {
        [Role::Member, Role::Moderator, Role::Owner].into_iter().find(|role| role.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Moderator => "moderator",
            Role::Owner => "owner",
        }
    }
}

/// That a user may not enter a chat.
#[derive(Debug)]
pub struct Ban {
    pub user: Person,
    /// `None` for good.
    pub until: Option<Time>,
    pub by: UserId,
    pub created_at: Time,
}

/// A member of a chat as its readers see them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedMember {
    pub user: Person,
    pub role: Role,
    pub joined_at: Time,
    /// The member has read the messages up to this `seq`, even if some count as unread again.
    pub read_seq: i64,
    /// Whether the member may send nothing,
    #[serde(default, skip_serializing_if = "is_false")]
    pub muted: bool,
    /// until then; `None` for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Time>,
}
