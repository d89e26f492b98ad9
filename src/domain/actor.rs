//! The actor of a request, and the viewer of a page.

use std::net::IpAddr;

use crate::error::Error;
use crate::model::{ConnectionId, UserId};

/// The user who asks, on a connection that [may act](super::App::claim) as this user.
#[derive(Clone, Debug)]
pub struct Actor {
    pub(super) user_id: UserId,
    pub(super) connection: ConnectionId,
    /// Whether the service acts as the user: then everything may be seen and done.
    pub(super) service: bool,
    /// Whether the connection has proved nothing: then it may not act as the user any more once the
    /// user becomes protected.
    pub(super) anonymous: bool,
    /// The address of the client.
    pub(super) address: IpAddr,
}

impl Actor {
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The actor and another user in the order of their ids, as a new chat lists its members.
    /// Errors: `conflict` if both are the same.
    pub(super) fn pair_with(
        &self,
        other: &UserId,
        field: &'static str,
    ) -> Result<[UserId; 2], Error> {
        let mut users = [self.user_id.clone(), other.clone()];
        users.sort_unstable();
        match users[0] == users[1] {
            true => Err(Error::conflict(field, "is yourself")),
            false => Ok(users),
        }
    }
}

/// A user who reads something, or nobody in particular.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub(super) user_id: Option<UserId>,
    /// `None` for a request that has no connection of its own.
    pub(super) connection: Option<ConnectionId>,
    pub(super) service: bool,
    /// The address of the client.
    pub(super) address: IpAddr,
}

impl Viewer {
    /// Nobody in particular, from this address.
    pub fn nobody(address: IpAddr) -> Viewer {
        Viewer { user_id: None, connection: None, service: false, address }
    }

    pub fn user_id(&self) -> Option<&UserId> {
        self.user_id.as_ref()
    }
}

impl From<&Actor> for Viewer {
    fn from(actor: &Actor) -> Viewer {
        let Actor { user_id, connection, service, address, .. } = actor;
        let (connection, service, address) = (Some(*connection), *service, *address);
        Viewer { user_id: Some(user_id.clone()), connection, service, address }
    }
}
