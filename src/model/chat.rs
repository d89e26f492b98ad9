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
    /// Data that clients keep with the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Whether only moderators may send.
    #[serde(default, skip_serializing_if = "is_false")]
    pub frozen: bool,
    /// How many seconds a member must wait between two messages; 0 if there is no wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slow_mode: i64,
    /// Whether members see only what was sent since they joined.
    #[serde(default, skip_serializing_if = "is_false")]
    pub since_joining: bool,
    /// For how many days messages are kept; 0 for as long as the server keeps them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retention_days: i64,
    /// How many users are in the room now. The store does not know this and leaves 0; the domain
    /// fills it in.
    pub participants: usize,
    pub created_at: Time,
    pub modified_at: Time,
}

impl Chat {
    /// How many members `users` has at most: 1,000 and the creator. A public chat may have more
    /// members.
    pub const MAX_USERS: i64 = 1001;

    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        const FIXED: usize = 300;
        let description = self.description.as_ref().map_or(0, |text| text.as_ref().len());
        let users: usize = self.users.iter().map(|id| id.as_ref().len() + 3).sum();
        let data = self.data.as_ref().map_or(0, |data| data.as_ref().len());
        FIXED + self.name.as_ref().len() + description + data + users
    }

    /// A new public chat with these members, who must be sorted by id.
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

/// What a client sends to create a chat.
#[derive(Debug)]
pub struct NewChat {
    pub name: Name,
    pub description: Option<Description>,
    pub private: bool,
    pub team_id: Option<TeamId>,
    /// If the same user sends it again, no chat is made, and the earlier one is returned.
    pub client_id: Option<ClientId>,
}

/// What a client wants to change about a chat; absent fields stay as they are.
#[derive(Debug)]
pub struct ChatChange {
    pub name: Option<Name>,
    pub description: Option<Description>,
    pub private: Option<bool>,
    pub data: Option<Data>,
    pub frozen: Option<bool>,
    /// In seconds; 0 turns it off.
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

/// A chat, with the membership of the user who sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedChat {
    pub chat: Chat,
    /// `None` for the service, which need not be a member.
    pub membership: Option<Membership>,
}

/// The answer to a request for a new chat.
pub struct MadeChat {
    pub listed: ListedChat,
    /// Whether the chat is new. If not, it was made before under the same `client_id`.
    pub fresh: bool,
}

/// A member's own view of a chat: role, counts and settings.
#[derive(Clone, Copy, Debug, sqlx_macros::FromRow, Serialize, Deserialize)]
pub struct Membership {
    pub role: Role,
    /// Messages of others that the member has not read.
    pub unread: i64,
    /// How many of them mention the member.
    pub mentions: i64,
    /// Whether the chat is left out of the counts of what is unread.
    pub muted: bool,
    pub pinned: bool,
    /// Whether the member has put the chat away; the next message brings it back.
    pub archived: bool,
}

impl Membership {
    /// The membership in a chat that has no messages yet.
    pub fn of_new(role: Role) -> Membership {
        let (unread, mentions, muted, pinned, archived) = (0, 0, false, false, false);
        Membership { role, unread, mentions, muted, pinned, archived }
    }
}

/// What a member wants to change about their membership; absent fields stay as they are.
#[derive(Clone, Copy, Debug)]
pub struct MembershipChange {
    pub muted: Option<bool>,
    pub pinned: Option<bool>,
    pub archived: Option<bool>,
}

/// What is unread, summed over all chats of a user.
#[derive(Clone, Copy, Debug, sqlx_macros::FromRow)]
pub struct Unread {
    /// In how many chats there are unread messages.
    pub chats: i64,
    pub messages: i64,
    /// How many of the messages mention the user.
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

/// A public chat in the list of all public chats.
#[derive(Debug)]
pub struct PublicChat {
    /// The chat, without its users, which are not read.
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

/// That a member has read a chat up to `seq`, or all of it if that is `None`.
#[derive(Clone, Debug)]
pub struct Mark {
    pub chat_id: ChatId,
    pub user_id: UserId,
    pub seq: Option<i64>,
    /// The count that was made because this mark was [`Uncounted`](Marked::Uncounted) before.
    pub passed: Option<Passed>,
    /// The connection that sends the mark.
    pub by: ConnectionId,
    /// Whether the connection has proved nothing: then its user must not be a protected one.
    pub anonymous: bool,
}

/// How many messages of a range are the member's own.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// The range begins after this `seq`,
    pub after: i64,
    /// and ends with this one.
    pub to: i64,
    pub own: i64,
}

/// The result of a [`Mark`].
#[derive(Clone, Copy, Debug)]
pub enum Marked {
    Read {
        read: ReadState,
        /// Whether the mark was further than the member had read before.
        moved: bool,
    },
    /// Not marked yet: first count the member's own messages after `after`, up to `to`.
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

/// A ban: the user may not enter the chat.
#[derive(Debug)]
pub struct Ban {
    pub user: Person,
    /// When the ban ends; `None` if never.
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
    /// Whether the member may not send.
    #[serde(default, skip_serializing_if = "is_false")]
    pub muted: bool,
    /// When that ends; `None` if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Time>,
}
