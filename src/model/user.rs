//! Users.

use super::{Data, ExternalId, Handle, Name, Photo, UserId, Username};
use crate::clock::{self, Time};

/// A person or a program that chats.
#[derive(Clone, Debug, PartialEq, sqlx_macros::FromRow)]
pub struct User {
    pub id: UserId,
    pub external_id: Option<ExternalId>,
    pub handle: Option<Handle>,
    pub name: Name,
    pub photo: Photo,
    /// Data that clients keep with the user.
    pub data: Option<Data>,
    /// Whether acting as this user takes a token: the user has a password, or has come with a token
    /// before.
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
            data: None,
            protected: false,
            created_at: now,
            modified_at: now,
        }
    }
}

/// What a client sends to create or find a user: at least one of the two ids.
#[derive(Debug)]
pub struct NewUser {
    pub external_id: Option<ExternalId>,
    pub id: Option<UserId>,
    pub handle: Option<Handle>,
    pub name: Name,
    pub photo: Option<Photo>,
}

/// What others see of a user.
#[derive(
    Clone,
    Debug,
    PartialEq,
    sqlx_macros::FromRow,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Profile {
    /// The user's id.
    pub id: UserId,
    /// The name that others see.
    pub name: Name,
    /// A picture, as a URL or a data URL; empty if there is none.
    pub photo: Photo,
}

/// What a user wants to change about themself; absent fields stay as they are.
#[derive(Debug, Default)]
pub struct UserChange {
    pub name: Option<Name>,
    pub photo: Option<Photo>,
    pub handle: Option<Handle>,
    pub data: Option<Data>,
}

impl UserChange {
    /// How many bytes it has.
    pub fn size(&self) -> usize {
        let name = self.name.as_ref().map_or(0, |name| name.as_ref().len());
        let photo = self.photo.as_ref().map_or(0, |photo| photo.as_ref().len());
        name + photo + self.data.as_ref().map_or(0, |data| data.as_ref().len())
    }
}

/// A user as others see them.
#[derive(Clone, Debug, PartialEq, sqlx_macros::FromRow, serde::Serialize, serde::Deserialize)]
pub struct Person {
    pub id: UserId,
    pub handle: Option<Handle>,
    pub name: Name,
    pub photo: Photo,
    pub data: Option<Data>,
    /// Whether a connection acts as the user, on any node.
    #[sqlx(default)]
    pub online: bool,
    /// When a connection last acted as the user; `None` if that is not known.
    #[sqlx(rename = "last_seen_at")]
    pub last_seen: Option<Time>,
}

impl Person {
    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        const FIXED: usize = 100;
        let handle = self.handle.as_ref().map_or(0, |handle| handle.as_ref().len());
        let data = self.data.as_ref().map_or(0, |data| data.as_ref().len());
        let ids = self.id.as_ref().len() + handle + self.name.as_ref().len();
        FIXED + ids + self.photo.as_ref().len() + data
    }
}

/// How a client names a user in full.
#[derive(Debug)]
pub enum Naming {
    Id(UserId),
    ExternalId(ExternalId),
    Handle(Handle),
}

/// What is shown of a message's sender.
#[derive(Clone, Debug, PartialEq, sqlx_macros::FromRow, serde::Serialize, serde::Deserialize)]
pub struct Author {
    pub handle: Option<Handle>,
    pub name: Name,
}

impl Author {
    /// The unique name of the user with this id.
    pub fn username(&self, id: &UserId) -> Username {
        self.handle.as_ref().map_or_else(|| Username::from(id), Username::from)
    }
}
