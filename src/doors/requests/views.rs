//! The bodies of answers and pushes, as they go over the wire.

pub mod messages;
pub mod reports;

use serde::Serialize;
use serde_json::value::RawValue;

use messages::MessageView;

use crate::clock::Time;
use crate::domain::Room;
use crate::error::Error;
use crate::model::{ChannelName, Chat, ChatId, Data, Description, ExternalId, Handle, Invitation};
use crate::model::{
    InvitationId, ListedChat, Membership, Name, Photo, Profile, PublicChat, ReadState, Signed,
};
use crate::model::{Team, TeamId, User, UserId};

#[derive(Serialize)]
pub struct UserView<'a> {
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
pub struct ChatView<'a> {
    id: ChatId,
    name: &'a Name,
    description: &'a Option<Description>,
    private: bool,
    direct: bool,
    channel_name: &'a Option<ChannelName>,
    team_id: Option<TeamId>,
    user: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'a [UserId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<i64>,
    participants: usize,
    last_seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_change: Option<i64>,
    created_at: Time,
    modified_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Data>,
    #[serde(skip_serializing_if = "is_false")]
    frozen: bool,
    #[serde(skip_serializing_if = "is_zero")]
    slow_mode: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<&'static str>,
    #[serde(skip_serializing_if = "is_zero")]
    retention_days: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<MessageView<'a>>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    own: Option<OwnView>,
}

/// What is one's own of a chat.
#[derive(Serialize)]
struct OwnView {
    /// A direct chat has no roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    unread: i64,
    #[serde(skip_serializing_if = "is_zero")]
    mentions: i64,
    #[serde(skip_serializing_if = "is_false")]
    muted: bool,
    #[serde(skip_serializing_if = "is_false")]
    pinned: bool,
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

#[derive(Serialize)]
pub struct ReadView {
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
pub struct OfUser<'a> {
    pub user: UserView<'a>,
}

/// `{chat}`
#[derive(Serialize)]
pub struct OfChat<T> {
    pub chat: T,
}

/// A page of chats; `next` is given back as `before`.
#[derive(Serialize)]
pub struct Chats<'a> {
    pub chats: Vec<ChatView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The name of a chat's channel.
pub fn channel_name(chat_id: ChatId) -> String {
    format!("room-{chat_id}")
}

/// A new public chat, as the system channel tells of it.
#[derive(Serialize)]
pub struct Announcement<'a> {
    channel: &'static str,
    request_type: &'static str,
    room: ChatView<'a>,
    /// How many before it have not been told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
}

impl<'a> Announcement<'a> {
    pub fn new(chat: &'a Chat, missed: u64) -> Self {
        let room = ChatView { users: None, ..ChatView::from(chat) };
        let missed = (missed > 0).then_some(missed);
        Announcement { channel: SYSTEM, request_type: "chatroom", room, missed }
    }
}

/// The name of the system channel.
pub const SYSTEM: &str = "system";

/// A channel, and for a room its participants.
#[derive(Serialize)]
pub struct ChannelView {
    pub channel: String,
    #[serde(flatten)]
    pub room: Option<RoomView>,
}

#[derive(Serialize)]
pub struct RoomView {
    participants: usize,
    users: Vec<Profile>,
}

impl From<Room> for RoomView {
    fn from(room: Room) -> Self {
        RoomView { participants: room.participants, users: room.users }
    }
}

/// A user who has come into a room or left it.
#[derive(Serialize)]
pub struct ParticipantView<'a> {
    channel: String,
    room: String,
    user: &'a Profile,
    participants: usize,
}

impl<'a> ParticipantView<'a> {
    pub fn new(chat_id: ChatId, user: &'a Profile, participants: usize) -> Self {
        ParticipantView {
            channel: channel_name(chat_id),
            room: channel_name(chat_id),
            user,
            participants,
        }
    }
}

/// Users who have come into a large room and left it.
#[derive(Serialize)]
pub struct ParticipantsView<'a> {
    channel: String,
    room: String,
    participants: usize,
    joined: &'a [Profile],
    left: Vec<OfId<&'a UserId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<bool>,
}

/// `{id}`
#[derive(Serialize)]
pub struct OfId<T> {
    pub id: T,
}

impl<'a> ParticipantsView<'a> {
    pub fn new(
        chat_id: ChatId,
        participants: usize,
        joined: &'a [Profile],
        left: &'a [UserId],
        more: bool,
    ) -> Self {
        let (channel, room) = (channel_name(chat_id), channel_name(chat_id));
        let left = left.iter().map(|id| OfId { id }).collect();
        let more = more.then_some(true);
        ParticipantsView { channel, room, participants, joined, left, more }
    }
}

/// How far another member has read.
#[derive(Serialize)]
pub struct ReceiptView<'a> {
    chat: OfId<ChatId>,
    user: OfId<&'a UserId>,
    read_seq: i64,
}

impl<'a> ReceiptView<'a> {
    pub fn new(chat_id: ChatId, user_id: &'a UserId, read_seq: i64) -> Self {
        ReceiptView { chat: OfId { id: chat_id }, user: OfId { id: user_id }, read_seq }
    }
}

/// A member who is writing something, or has stopped.
#[derive(Serialize)]
pub struct TypingView<'a> {
    chat: OfId<ChatId>,
    user: Named<'a, &'a UserId>,
    on: bool,
}

impl<'a> TypingView<'a> {
    pub fn new(chat_id: ChatId, user_id: &'a UserId, name: &'a Name, on: bool) -> Self {
        TypingView { chat: OfId { id: chat_id }, user: Named { id: user_id, name }, on }
    }
}

/// What a member sends that is not kept.
#[derive(Serialize)]
pub struct SignalView<'a> {
    chat: OfId<ChatId>,
    user: OfId<&'a UserId>,
    data: &'a RawValue,
}

impl<'a> SignalView<'a> {
    /// Errors: data that is not JSON.
    pub fn new(chat_id: ChatId, user_id: &'a UserId, data: &'a str) -> Result<Self, Error> {
        let data = serde_json::from_str(data).map_err(|_| Error::Internal(None))?;
        Ok(SignalView { chat: OfId { id: chat_id }, user: OfId { id: user_id }, data })
    }
}

#[derive(Serialize)]
pub struct InvitationView<'a> {
    id: InvitationId,
    status: &'static str,
    chat: Named<'a, ChatId>,
    inviter: Named<'a, &'a UserId>,
    invitee: Named<'a, &'a UserId>,
    created_at: Time,
}

/// `{id, name}`
#[derive(Serialize)]
struct Named<'a, T> {
    id: T,
    name: &'a Name,
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

/// `{invitation}`
#[derive(Serialize)]
pub struct OfInvitation<'a> {
    pub invitation: InvitationView<'a>,
}

/// `{invitations, next?}`
#[derive(Serialize)]
pub struct Invitations<'a> {
    pub invitations: Vec<InvitationView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Serialize)]
pub struct TeamView<'a> {
    id: TeamId,
    name: &'a Name,
    slug: &'a str,
    user: &'a UserId,
    users: &'a [UserId],
    created_at: Time,
    modified_at: Time,
}

impl<'a> From<&'a Team> for TeamView<'a> {
    fn from(team: &'a Team) -> Self {
        TeamView {
            id: team.id,
            name: &team.name,
            slug: &team.slug,
            user: &team.creator_id,
            users: &team.users,
            created_at: team.created_at,
            modified_at: team.modified_at,
        }
    }
}

/// `{team}`
#[derive(Serialize)]
pub struct OfTeam<'a> {
    pub team: TeamView<'a>,
}

/// `{teams}`
#[derive(Serialize)]
pub struct Teams<'a> {
    pub teams: Vec<TeamView<'a>>,
}
