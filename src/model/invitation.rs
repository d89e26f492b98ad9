//! Invitations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ChatId, InvitationId, Name, UserId};
use crate::clock::Time;

/// A user's invitation into a chat.
#[derive(Clone, Debug, sqlx_macros::FromRow, Serialize, Deserialize)]
pub struct Invitation {
    pub id: InvitationId,
    pub chat_id: ChatId,
    pub chat_name: Name,
    pub inviter_id: UserId,
    pub inviter_name: Name,
    pub invitee_id: UserId,
    pub invitee_name: Name,
    pub status: InvitationStatus,
    pub created_at: Time,
}

/// Invitations of a user, newest first.
#[derive(Debug)]
pub struct InvitationPage {
    pub invitations: Vec<Invitation>,
    /// Where the next page begins, when there is one: the time and the id of the last invitation.
    pub next: Option<(Time, InvitationId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, sqlx_macros::Type, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[repr(i16)]
pub enum InvitationStatus {
    Pending = 0,
    Accepted = 1,
    Declined = 2,
}

impl InvitationStatus {
    /// `pending`, `accepted` or `declined`.
    pub fn as_str(self) -> &'static str {
        match self {
            InvitationStatus::Pending => "pending",
            InvitationStatus::Accepted => "accepted",
            InvitationStatus::Declined => "declined",
        }
    }
}
