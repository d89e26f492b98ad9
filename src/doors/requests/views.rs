//! The bodies of answers and pushes, as they go over the wire. Clients read the docstrings of these
//! types in the contract.

pub mod acts;
pub mod chats;
pub mod messages;
pub mod people;
pub mod reports;
pub mod rooms;
pub mod teams;

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Time;
use crate::model::{
    ChatId, ExternalId, Handle, Invitation, InvitationId, InvitationStatus, Name, Photo, ReadState,
    User, UserId,
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

/// How far you have read a chat.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReadState")]
pub struct ReadView {
    /// The chat's id.
    id: ChatId,
    /// The `seq` of the last message that you have read.
    read_seq: i64,
    /// How many messages of others you have not read.
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
