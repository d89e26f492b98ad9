//! Seats of the rooms API.

use super::{ChatId, ConnectionId, UserId};
use crate::clock::Time;

/// A user who is logged in to the rooms API: in a room, or waiting.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Seat {
    pub user_id: UserId,
    /// What the user is in rooms by.
    pub connection: ConnectionId,
    /// The chat whose room the user is in; none in the waiting room.
    pub chat_id: Option<ChatId>,
    /// The `seq` of the latest message that the user has picked up, or came after.
    pub cursor: i64,
    /// Whether the user became a member by entering, and is one no more after leaving.
    pub joined: bool,
    /// When the user last called.
    pub last_use: Time,
}
