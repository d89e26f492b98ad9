//! The bodies of answers and pushes, as they go over the wire. What is said of them here, clients
//! read in the contract.

pub mod acts;
pub mod messages;
pub mod reports;
pub mod rooms;
pub mod teams;

use schemars::JsonSchema;
use serde::Serialize;

use messages::MessageView;

use super::fields::History;
use crate::clock::Time;
use crate::model::{
    ChannelName, Chat, ChatId, Data, Description, ExternalId, Handle, Invitation, InvitationId,
    InvitationStatus, ListedChat, Membership, Name, Photo, PublicChat, ReadState, Role, Signed,
    TeamId, User, UserId,
};

/// A user, as the user and the service see them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub struct UserView<'a> {
    /// Your own id of the user, if there is one.
    external_id: &'a Option<ExternalId>,
    /// The user's id.
    id: &'a UserId,
    /// A unique name, if the user has one.
    handle: &'a Option<Handle>,
    /// The name that others see.
    name: &'a Name,
    /// A picture, as a URL or a data URL; empty if there is none.
    photo: &'a Photo,
    /// When the user was made.
    created_at: Time,
    /// When the user was last changed.
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

/// A chat. What is one's own of it (`role`, `unread` and so on) is in answers to members and in
/// `update-membership` alone; elsewhere its absence says nothing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Chat")]
pub struct ChatView<'a> {
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
    /// The ids of its members, those who joined first; at most 1,001.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'a [UserId]>,
    /// How many members it has, in place of `users` in a list of public chats.
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<i64>,
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
    /// Its latest message, in the list of one's chats.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<MessageView<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    own: Option<OwnView>,
}

/// What is one's own of a chat.
#[derive(Serialize, JsonSchema)]
struct OwnView {
    /// One's own role; absent in a direct chat, which has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Role>")]
    role: Option<&'static str>,
    /// How many messages of others one has not read.
    unread: i64,
    /// How many of the unread messages mention one; absent if none.
    #[serde(skip_serializing_if = "is_zero")]
    mentions: i64,
    /// True if one has muted it; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    muted: bool,
    /// True if one has pinned it; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    pinned: bool,
    /// True if one has put it away; otherwise absent.
    #[serde(skip_serializing_if = "is_false")]
    archived: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(count: &i64) -> bool {
    *count == 0
}

impl<'a> From<&'a Chat> for ChatView<'a> {
    fn from(chat: &'a Chat) -> Self {
        ChatView {
            id: chat.id,
            name: &chat.name,
            description: &chat.description,
            private: chat.private,
            direct: chat.direct,
            channel_name: &chat.channel_name,
            team_id: chat.team_id,
            user: &chat.creator_id,
            users: Some(&chat.users),
            members: None,
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
            last_message: None,
            own: None,
        }
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

impl<'a> ChatView<'a> {
    /// With its latest message, if there is one.
    pub fn with_last(self, message: Option<&'a Signed>) -> Self {
        ChatView { last_message: message.map(MessageView::from), ..self }
    }
}

impl<'a> From<&'a PublicChat> for ChatView<'a> {
    fn from(listed: &'a PublicChat) -> Self {
        let members = Some(listed.members);
        ChatView { users: None, members, ..ChatView::from(&listed.chat) }
    }
}

/// How far one has read a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReadState")]
pub struct ReadView {
    /// The chat's id.
    id: ChatId,
    /// The `seq` of the last message that one has read.
    read_seq: i64,
    /// How many messages of others one has not read.
    unread: i64,
}

impl From<&ReadState> for ReadView {
    fn from(read: &ReadState) -> Self {
        ReadView { id: read.chat_id, read_seq: read.read_seq, unread: read.unread }
    }
}

/// A user who was made or found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfUser")]
pub struct OfUser<'a> {
    /// The user.
    pub user: UserView<'a>,
}

/// `{chat}`
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub struct OfChat<T> {
    /// The chat.
    pub chat: T,
}

/// A page of chats.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Chats")]
pub struct Chats<'a> {
    /// The chats, latest activity first.
    pub chats: Vec<ChatView<'a>>,
    /// Give it back as `before` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The name of a chat's channel.
pub fn channel_name(chat_id: ChatId) -> String {
    format!("room-{chat_id}")
}

/// The name of the system channel.
pub const SYSTEM: &str = "system";

/// `{id}`
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub struct OfId<T> {
    pub id: T,
}

/// An invitation to a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
pub struct InvitationView<'a> {
    /// The invitation's id.
    id: InvitationId,
    /// What has come of it.
    #[schemars(with = "InvitationStatus")]
    status: &'static str,
    /// The chat.
    chat: Named<'a, ChatId>,
    /// Who asks.
    inviter: Named<'a, &'a UserId>,
    /// Who is asked.
    invitee: Named<'a, &'a UserId>,
    /// When the user was asked.
    created_at: Time,
}

/// `{id, name}`
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Named<'a, T> {
    pub id: T,
    pub name: &'a Name,
}

impl<'a> From<&'a Invitation> for InvitationView<'a> {
    fn from(invitation: &'a Invitation) -> Self {
        InvitationView {
            id: invitation.id,
            status: invitation.status.as_str(),
            chat: Named { id: invitation.chat_id, name: &invitation.chat_name },
            inviter: Named { id: &invitation.inviter_id, name: &invitation.inviter_name },
            invitee: Named { id: &invitation.invitee_id, name: &invitation.invitee_name },
            created_at: invitation.created_at,
        }
    }
}

/// An invitation to a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OfInvitation")]
pub struct OfInvitation<'a> {
    /// The invitation.
    pub invitation: InvitationView<'a>,
}

/// A page of invitations.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Invitations")]
pub struct Invitations<'a> {
    /// The invitations, newest first.
    pub invitations: Vec<InvitationView<'a>>,
    /// Give it back as `before` for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
