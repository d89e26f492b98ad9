//! Chats, as they go over the wire. Which fields a chat has depends on who gets it, and in which
//! answer or push.

use schemars::JsonSchema;
use serde::Serialize;

use super::messages::MessageView;
use crate::clock::Time;
use crate::doors::requests::fields::History;
use crate::doors::shape::Always;
use crate::model::{
    ChannelName, Chat, ChatId, Data, Description, ListedChat, Membership, Name, PublicChat, Role,
    Signed, TeamId, UserId,
};

/// A new public chat: what everybody is told of a chat, without its members.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AnnouncedChat")]
pub struct AnnouncedChat<'a> {
    /// The chat's id.
    id: ChatId,
    /// What it is called; of a direct chat both users' names.
    name: &'a Name,
    /// What it is about, if that has been said.
    description: &'a Option<Description>,
    /// Whether only its members see it.
    private: bool,
    /// Whether it is the one chat of two users.
    direct: bool,
    /// The name of its channel, without the `#`, if it is one.
    channel_name: &'a Option<ChannelName>,
    /// The team that it belongs to, if it does.
    team_id: Option<TeamId>,
    /// The id of the user who has made it.
    user: &'a UserId,
    /// How many users are in its room now.
    participants: usize,
    /// The `seq` of its latest message; 0 before the first.
    last_seq: i64,
    /// The number of the latest change to a message; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_change: Option<i64>,
    /// When it was made.
    created_at: Time,
    /// When what is said of it was last changed.
    modified_at: Time,
    /// A JSON object of its moderators; absent if it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Data>,
    /// True if moderators alone may send; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    frozen: bool,
    /// How many seconds a member must wait between two messages; absent if none.
    #[serde(skip_serializing_if = "is_zero")]
    slow_mode: i64,
    /// `since-joining` if members see only what was sent since they joined; otherwise absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<History>")]
    history: Option<&'static str>,
    /// After how many days messages are deleted; absent if they are kept.
    #[serde(skip_serializing_if = "is_zero")]
    retention_days: i64,
}

/// A chat. What is your own of it (`role`, `unread` and so on) is in answers to members; elsewhere
/// its absence says nothing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Chat")]
pub struct ChatView<'a> {
    #[serde(flatten)]
    chat: AnnouncedChat<'a>,
    /// The ids of its members, those who joined first; at most 1,001.
    users: &'a [UserId],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    own: Option<OwnView>,
}

/// A chat of yours, with what is your own of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OwnChat", transform = Always("unread"))]
pub struct OwnChat<'a> {
    #[serde(flatten)]
    chat: ChatView<'a>,
    /// Its latest message, in the list of your chats; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<MessageView<'a>>,
}

/// A chat in the list of public ones.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PublicChat")]
pub struct PublicChatView<'a> {
    #[serde(flatten)]
    chat: AnnouncedChat<'a>,
    /// How many members it has.
    members: i64,
}

/// What is your own of a chat.
#[derive(Serialize, JsonSchema)]
struct OwnView {
    /// Your role; absent in a direct chat, which has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Role>")]
    role: Option<&'static str>,
    /// How many messages of others you have not read.
    unread: i64,
    /// How many of the unread messages mention you; absent if none.
    #[serde(skip_serializing_if = "is_zero")]
    mentions: i64,
    /// True if you have muted it; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    muted: bool,
    /// True if you have pinned it; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    pinned: bool,
    /// True if you have put it away; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    archived: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

impl<'a> From<&'a Chat> for AnnouncedChat<'a> {
    fn from(chat: &'a Chat) -> Self {
        AnnouncedChat {
            id: chat.id,
            name: &chat.name,
            description: &chat.description,
            private: chat.private,
            direct: chat.direct,
            channel_name: &chat.channel_name,
            team_id: chat.team_id,
            user: &chat.creator_id,
            participants: chat.participants,
            last_seq: chat.last_seq,
            last_change: Some(chat.last_change).filter(|change| *change > 0),
            created_at: chat.created_at,
            modified_at: chat.modified_at,
            data: chat.data.as_ref(),
            frozen: chat.frozen,
            slow_mode: chat.slow_mode,
            history: chat.since_joining.then_some("since-joining"),
            retention_days: chat.retention_days,
        }
    }
}

impl<'a> From<&'a Chat> for ChatView<'a> {
    fn from(chat: &'a Chat) -> Self {
        ChatView { chat: chat.into(), users: &chat.users, own: None }
    }
}

impl<'a> From<&'a ListedChat> for ChatView<'a> {
    fn from(listed: &'a ListedChat) -> Self {
        let own = listed.membership.map(|own| {
            let Membership { role, unread, mentions, muted, pinned, archived } = own;
            let role = (!listed.chat.direct).then(|| role.as_str());
            OwnView { role, unread, mentions, muted, pinned, archived }
        });
        ChatView { own, ..ChatView::from(&listed.chat) }
    }
}

impl<'a> OwnChat<'a> {
    /// A chat of the actor's, with its latest message in the list of chats.
    pub fn new(chat: &'a ListedChat, last_message: Option<&'a Signed>) -> Self {
        OwnChat { chat: chat.into(), last_message: last_message.map(MessageView::from) }
    }
}

impl<'a> From<&'a PublicChat> for PublicChatView<'a> {
    fn from(listed: &'a PublicChat) -> Self {
        PublicChatView { chat: AnnouncedChat::from(&listed.chat), members: listed.members }
    }
}

/// A page of your chats.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Chats")]
pub struct Chats<'a> {
    /// The chats, latest activity first.
    pub chats: Vec<OwnChat<'a>>,
    /// Give it back as `before` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of the public chats.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PublicChats")]
pub struct PublicChats<'a> {
    /// The chats, latest activity first.
    pub chats: Vec<PublicChatView<'a>>,
    /// Give it back as `before` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
