//! Who makes a request.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;

use super::Hub;
use super::envelope::Refusal;
use crate::domain::{Actor, App, Connection, Viewer};
use crate::doors::client::Client;
use crate::doors::credential::{credential, parameter};
use crate::error::Error;
use crate::model::ConnectionId;

/// Anyone; the request is counted for the address that it comes from.
pub struct Guest(pub Client);

/// A user by their token, or the user that the service names by `?user=`.
pub struct Caller {
    pub actor: Actor,
}

impl FromRequestParts<Arc<Hub>> for Guest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Guest, Refusal> {
        let client = Client::of_request(parts)?;
        hub.app.admit_request(&Viewer::nobody(client.address)).await?;
        Ok(Guest(client))
    }
}

impl FromRequestParts<Arc<Hub>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Caller, Refusal> {
        let client = Client::of_request(parts)?;
        let token = credential(&parts.headers, &parts.uri);
        let connection = connect(&hub.app, token.as_deref(), client.address).await;
        // A request with a refused credential counts for its address, so that further tries are
        // limited, too.
        let viewer = match &connection {
            Ok(connection) => connection.viewer(),
            Err(_) => Viewer::nobody(client.address),
        };
        hub.app.admit_request(&viewer).await?;
        let connection = connection?;
        let actor = act(&hub.app, &connection, &parts.uri).await?;
        Ok(Caller { actor })
    }
}

/// The connection of this token, which is required in either access mode. Errors:
/// `unauthenticated`, also without a token.
pub async fn connect(app: &App, token: Option<&str>, address: IpAddr) -> Result<Connection, Error> {
    let token = token.ok_or(Error::unauthenticated("a token is needed"))?;
    app.connect(ConnectionId::new(), Some(token), address).await
}

async fn act(app: &App, connection: &Connection, uri: &Uri) -> Result<Actor, Error> {
    match (parameter(uri, "user"), connection.user_id()) {
        (Some(username), _) => app.claim_username(connection, username.trim(), "user").await,
        (None, Some(user_id)) => app.claim(connection, user_id).await,
        (None, None) => Err(Error::invalid("user", "is required with the service's key")),
    }
}
