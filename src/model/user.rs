//! Users.

use super::{ExternalId, Handle, Name, Photo, UserId};
use crate::clock::{self, Time};

/// Someone who chats.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct User {
    pub id: UserId,
    pub external_id: Option<ExternalId>,
    pub handle: Option<Handle>,
    pub name: Name,
    pub photo: Photo,
    /// Whether acting as this user takes a token: they have a password, or once came with one.
    pub protected: bool,
    pub created_at: Time,
    pub modified_at: Time,
}

impl User {
    /// A new user with nothing but a name.
    pub fn new(name: Name) -> User {
        let now = clock::now();
        User {
            id: UserId::new(),
            external_id: None,
            handle: None,
            name,
            photo: Photo::none(),
            protected: false,
            created_at: now,
            modified_at: now,
        }
    }
}

/// What a client says of a user that it wants made or fetched. It brings at least one of the two
/// ids.
#[derive(Debug)]
pub struct NewUser {
    pub external_id: Option<ExternalId>,
    pub id: Option<UserId>,
    pub handle: Option<Handle>,
    pub name: Name,
    pub photo: Option<Photo>,
}

/// What others see of a user.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    pub id: UserId,
    pub name: Name,
    pub photo: Photo,
}
