//! Teams.

use super::{Name, TeamId, UserId};
use crate::clock::Time;

/// Users who share chats: a member of the team may enter its chats.
#[derive(Debug)]
pub struct Team {
    pub id: TeamId,
    pub name: Name,
    /// The name as a part of an address: unique, in lowercase, with dashes.
    pub slug: String,
    pub creator_id: UserId,
    /// The members, longest first.
    pub users: Vec<UserId>,
    pub created_at: Time,
    pub modified_at: Time,
}

impl Team {
    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        const FIXED: usize = 250;
        let users: usize = self.users.iter().map(|id| id.as_ref().len() + 3).sum();
        FIXED + self.name.as_ref().len() + self.slug.len() + users
    }
}
