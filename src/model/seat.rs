//! Seats: the users of the rooms API that are logged in.

use super::{ChatId, ConnectionId, UserId};
use crate::clock::Time;

/// The seat of a user that is logged in to the rooms API: in a room, or in the waiting room.
#[derive(Clone, Debug, sqlx_macros::FromRow)]
pub struct Seat {
    pub user_id: UserId,
    /// The connection by which presence counts the user, who has no real one.
    pub connection: ConnectionId,
    /// The chat whose room the user is in; none in the waiting room.
    pub chat_id: Option<ChatId>,
    /// The `seq` of the latest message that the user has picked up, or that was sent before the
    /// user entered.
    pub cursor: i64,
    /// Whether the user became a member by entering; then leaving ends the membership.
    pub joined: bool,
    /// When the user last called.
    pub last_use: Time,
}
