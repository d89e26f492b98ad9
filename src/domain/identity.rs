//! Who a connection acts as: nobody in particular, a user with a token or a password, or the
//! service with its key. This module owns what a credential proves and which users a connection may
//! act as; [`Keys`](super::keys) owns the form of credentials.

use std::future;
use std::net::{IpAddr, Ipv4Addr};

use tokio_util::sync::CancellationToken;

use super::faults::Fault;
use super::keys::{Credential, fault_of_unkept};
use super::leases::Lease;
use super::{Actor, App, Viewer};
use crate::clock::{self, Time};
use crate::cluster::Following;
use crate::config::Access;
use crate::error::Error;
use crate::model::{ConnectionId, Stream, UserId};

/// What a connection has proved to be, and so may act as.
enum Identity {
    /// It may act as any user who is not protected.
    Anonymous,
    /// It may act as this user, by a token, until this time.
    User { user_id: UserId, expires_at: Time },
    /// It may act as this user, by the password.
    Proven(UserId),
    /// It may act as anyone.
    Service,
}

/// A client's connection, with what it has proved to be.
pub struct Connection {
    id: ConnectionId,
    identity: Identity,
    /// Its entry among the connections of a revocable token.
    lease: Option<Lease>,
    /// The address of the client.
    address: IpAddr,
}

impl Connection {
    /// The connection of the program around the server, which may do what the service may.
    pub fn of_host() -> Connection {
        let address = IpAddr::from(Ipv4Addr::LOCALHOST);
        let (id, identity) = (ConnectionId::new(), Identity::Service);
        Connection { id, identity, lease: None, address }
    }

    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The user of the token or password that it came with.
    pub fn user_id(&self) -> Option<&UserId> {
        match &self.identity {
            Identity::User { user_id, .. } | Identity::Proven(user_id) => Some(user_id),
            Identity::Anonymous | Identity::Service => None,
        }
    }

    /// Whether it came without a credential, and so may act only as users who are not protected.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.identity, Identity::Anonymous)
    }

    /// Whether it came with the service's key.
    pub fn is_service(&self) -> bool {
        matches!(self.identity, Identity::Service)
    }

    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether it has proved a password, and has no token.
    pub(super) fn is_proven(&self) -> bool {
        matches!(self.identity, Identity::Proven(_))
    }

    /// As whom it reads until it acts as a user.
    pub fn viewer(&self) -> Viewer {
        Viewer {
            user_id: self.user_id().cloned(),
            connection: Some(self.id),
            service: self.is_service(),
            address: self.address,
        }
    }

    /// Returns when its token expires or is revoked; then the door closes it. Without a token this
    /// never returns.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let end = match &self.identity {
            Identity::User { expires_at, .. } => Some(*expires_at),
            Identity::Proven(_) | Identity::Anonymous | Identity::Service => None,
        };
        // Without a lease: a new one, which nobody ever cancels.
        let revoked =
            self.lease.as_ref().map_or_else(CancellationToken::new, |lease| lease.ended.clone());
        let expired = async move {
            match end {
                Some(end) => clock::reaches(end).await,
                None => future::pending().await,
            }
        };
        async move {
            tokio::select! {
                () = expired => {}
                () = revoked.cancelled_owned() => {}
            }
        }
    }

    /// Whether its token has expired or was revoked.
    pub fn has_ended(&self) -> bool {
        let revoked = self.lease.as_ref().is_some_and(|lease| lease.ended.is_cancelled());
        let expired = match &self.identity {
            Identity::User { expires_at, .. } => *expires_at <= clock::now(),
            Identity::Proven(_) | Identity::Anonymous | Identity::Service => false,
        };
        revoked || expired
    }

    /// The token it came with, if that can be revoked.
    pub(super) fn access_key_id(&self) -> Option<&str> {
        self.lease.as_ref().map(|lease| lease.access_key_id.as_str())
    }
}

impl App {
    /// Lets a client at `address` connect with a credential, which is a token or the service's key,
    /// or as nobody in particular. Errors: `unauthenticated`, also without a credential if a token
    /// is needed; `unavailable`.
    pub async fn connect(
        &self,
        id: ConnectionId,
        credential: Option<&str>,
        address: IpAddr,
    ) -> Result<Connection, Error> {
        let anonymous = Connection { id, identity: Identity::Anonymous, lease: None, address };
        let Some(credential) = credential else {
            return match self.access {
                Access::Open => Ok(anonymous),
                Access::Token => Err(Error::unauthenticated("a token is needed")),
            };
        };
        match self.keys.read(credential).await.map_err(Fault::refuse)? {
            Credential::ApiKey => Ok(Connection { identity: Identity::Service, ..anonymous }),
            Credential::Host(claims) => {
                let expires_at = claims.expires_at;
                let user_id = self.user_of_host(claims).await?;
                Ok(Connection { identity: Identity::User { user_id, expires_at }, ..anonymous })
            }
            Credential::Signed(key_id) => self.connect_by_key(anonymous, key_id, credential).await,
        }
    }

    /// Makes this node follow a user as whom a connection acts, or is about to. Once this returns,
    /// all events of the user are heard here. Errors: `unauthenticated` if the token was revoked on
    /// another node meanwhile; those of [`claim`](App::claim); `unavailable`.
    pub async fn follow_user(
        &self,
        connection: &Connection,
        user_id: &UserId,
    ) -> Result<Following, Error> {
        let following = self.streams.follow(Stream::User(user_id.clone()));
        if self.streams.is_alone() {
            return Ok(following);
        }
        self.streams.positioned().await?;
        if let Some(lease) = &connection.lease
            && self.store.find_token_key(&lease.access_key_id).await?.is_none()
        {
            lease.ended.cancel();
            return Err(Fault::Revoked.refuse());
        }
        self.claim(connection, user_id).await?;
        Ok(following)
    }

    /// The actor for a connection that acts as this user. Errors: `unauthenticated` if an anonymous
    /// connection would act as a protected user, `forbidden` for another user's token, `not_found`.
    pub async fn claim(&self, connection: &Connection, user_id: &UserId) -> Result<Actor, Error> {
        // The connection's own user may have been deleted.
        let protected = self.store.find_protected(user_id).await?;
        connection.may_act_as(user_id, protected.unwrap_or(false))?;
        protected.ok_or_else(Error::no_user)?;
        Ok(connection.actor(user_id.clone()))
    }

    /// The actor for a connection that acts as the user with this name, which the request has in
    /// `field`. Errors: those of [`claim`](App::claim).
    pub async fn claim_username(
        &self,
        connection: &Connection,
        username: &str,
        field: &'static str,
    ) -> Result<Actor, Error> {
        match self.store.find_user_id(username).await? {
            // The user was just found, so it need not be looked up again.
            Some(user_id) if connection.user_id() == Some(&user_id) => {
                Ok(connection.actor(user_id))
            }
            Some(user_id) => self.claim(connection, &user_id).await,
            None if connection.user_id().is_some() => Err(NOT_YOURS),
            None => Err(Error::NotFound { field, why: "no such user".into() }),
        }
    }

    /// Finds a token's key and checks its signature. If the key is not known, the token may be the
    /// host application's, with this `kid`.
    async fn connect_by_key(
        &self,
        anonymous: Connection,
        access_key_id: String,
        credential: &str,
    ) -> Result<Connection, Error> {
        // Enter before the store is asked, so that this connection ends, too, if the token is
        // revoked meanwhile.
        let lease = self.carrier.leases.enter(anonymous.id, access_key_id);
        let key = self.store.find_token_key(&lease.access_key_id).await?;
        let (user_id, expires_at, lease) = match key {
            Some(key) => {
                let verified = self.keys.verify_own(credential, &key);
                (key.user_id, verified.map_err(Fault::refuse)?, Some(lease))
            }
            None => {
                let claims = self.keys.verify_host(credential).map_err(|fault| {
                    fault_of_unkept(credential, &lease.access_key_id, fault).refuse()
                })?;
                let expires_at = claims.expires_at;
                (self.user_of_host(claims).await?, expires_at, None)
            }
        };
        Ok(Connection { identity: Identity::User { user_id, expires_at }, lease, ..anonymous })
    }
}

pub(super) const NOT_YOURS: Error = Error::Forbidden("you have proved to be another user");

impl Connection {
    /// A connection that has just proved to be this user, which holds as long as it is open.
    pub(super) fn proven(id: ConnectionId, user_id: UserId, address: IpAddr) -> Connection {
        Connection { id, identity: Identity::Proven(user_id), lease: None, address }
    }

    /// Whether the connection may act as a user, who is protected or not. Errors:
    /// `unauthenticated`, `forbidden`.
    pub(super) fn may_act_as(&self, user_id: &UserId, protected: bool) -> Result<(), Error> {
        match &self.identity {
            Identity::User { user_id: own, .. } | Identity::Proven(own) if own == user_id => Ok(()),
            Identity::User { .. } | Identity::Proven(_) => Err(NOT_YOURS),
            Identity::Anonymous if protected => {
                Err(Error::unauthenticated("acting as this user takes a token"))
            }
            Identity::Anonymous | Identity::Service => Ok(()),
        }
    }

    /// Whether the connection may create users. Errors: `forbidden` for a connection of a user.
    pub(super) fn may_make_users(&self) -> Result<(), Error> {
        match &self.identity {
            Identity::User { .. } | Identity::Proven(_) => {
                Err(Error::Forbidden("a user may not make other users"))
            }
            Identity::Anonymous | Identity::Service => Ok(()),
        }
    }

    pub(super) fn actor(&self, user_id: UserId) -> Actor {
        Actor {
            user_id,
            connection: self.id,
            service: self.is_service(),
            anonymous: self.is_anonymous(),
            address: self.address,
        }
    }
}
