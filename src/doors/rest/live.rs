//! `/api/ws`: direct messages as they are sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::ws::{Utf8Bytes, WebSocket};
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::Hub;
use super::caller::connect;
use super::envelope::Refusal;
use crate::clock::Time;
use crate::domain::{Connection, Following};
use crate::doors::client::Client;
use crate::doors::credential::credential;
use crate::doors::failure;
use crate::doors::input::Input;
use crate::doors::limited::Limited;
use crate::doors::upgrade::Upgrade;
use crate::doors::websocket::{self, Closing, Frame, Outlet};
use crate::error::Error;
use crate::model::{Body, ConnectionId, MessageType, Place, Posted, UserId, Username};

/// Who is connected.
#[derive(Default)]
pub struct Live {
    roster: Mutex<Roster>,
}

#[derive(Default)]
struct Roster {
    outlets: HashMap<ConnectionId, Arc<Outlet>>,
    users: HashMap<UserId, Vec<Arc<Outlet>>>,
    /// Set once the server shuts down.
    closed: bool,
}

/// A message as its two users hear of it.
#[derive(Serialize)]
struct Packet<'a> {
    author: &'a Username,
    recipient: &'a Username,
    message: &'a Body,
    message_type: i16,
    created_at: Time,
}

/// Someone with a token, or the service, who wants to connect.
pub struct Opening {
    connection: Connection,
    _following: Option<Following>,
}

impl FromRequestParts<Arc<Hub>> for Opening {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Opening, Refusal> {
        let address = Client::of_request(parts)?.address;
        hub.app.admit_connect(address)?;
        let token = credential(&parts.headers, &parts.uri);
        let connection = connect(&hub.app, token.as_deref(), address).await?;
        let following = match connection.user_id() {
            Some(user_id) => Some(hub.app.follow_user(&connection, user_id).await?),
            None => None,
        };
        Ok(Opening { connection, _following: following })
    }
}

/// A WebSocket of JSON texts. Send `{author, recipient, message, message_type?}`; receive what is
/// sent to the token's user, and by them through other connections, as
/// `{author, recipient, message, message_type, created_at}`. What is refused is answered
/// `{error: {code, message, field?}}`.
#[utoipa::path(get, path = "/api/ws", tag = "direct messages", security(("token" = [])),
    params(("access_token" = Option<String>, Query, description = "for clients without headers")),
    responses(
        (status = 101, description = "the connection is a WebSocket now"),
        (status = 401, description = "`Authentication error`"),
        (status = 426, description = "no upgrade to a WebSocket is asked for"),
        (status = 429, description = "too many connections in a short time"),
    ))]
pub async fn open(State(hub): State<Arc<Hub>>, opening: Opening, upgrade: Upgrade) -> Response {
    let app = hub.app.clone();
    upgrade.serve(app.limits(), async move |socket| {
        hub.work.clone().track_future(run(&hub, opening, socket)).await;
    })
}

async fn run(hub: &Hub, opening: Opening, socket: WebSocket) {
    let Opening { connection, _following } = opening;
    let limits = hub.app.limits();
    let outlet = Outlet::new(connection.id(), limits);
    hub.live.add(&connection, &outlet);
    let limited = Limited::of(limits.max_pending);
    let handle = async |frame| {
        let error = receive(hub, &connection, frame).await.err();
        if limited.goes_on(error.as_ref()) {
            return outlet.close(Closing::LIMITED);
        }
        if let Some(error) = error {
            failure::log("direct message", &error);
            let answer = json!({ "error": failure::object(&error) });
            outlet.send(answer.to_string().into());
        }
    };
    tokio::select! {
        () = websocket::serve(socket, &outlet, limits, handle) => {}
        () = close_at_end(&connection, &outlet) => {}
    }
    hub.live.remove(&connection);
}

/// Closes the connection when its token ends. It never returns, as the connection is served until
/// it is closed.
async fn close_at_end(connection: &Connection, outlet: &Outlet) {
    connection.ended().await;
    outlet.close(Closing::UNAUTHENTICATED);
    std::future::pending().await
}

async fn receive(hub: &Hub, connection: &Connection, frame: Frame) -> Result<(), Error> {
    hub.app.admit_request(&connection.viewer()).await?;
    let unreadable = |why: String| Error::Invalid { field: None, why };
    let Frame::Text(text) = frame else {
        return Err(unreadable("the packet must be a text frame".into()));
    };
    let packet = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let packet = Input::new(packet, hub.app.limits())?;
    let author = packet.text("author", |text, _| Ok(text.trim().to_owned()))?;
    let recipient = packet.text("recipient", |text, _| Ok(text.trim().to_owned()))?;
    let body = packet.text("message", Body::parse)?;
    let kind = packet.optional_number("message_type", 0)?.unwrap_or(0);
    let kind = MessageType::from_number(kind)
        .ok_or_else(|| packet.invalid("message_type", "must be 0, 1 or 2"))?;
    let actor = hub.app.claim_username(connection, &author, "author").await?;
    hub.app.send_direct(&actor, &recipient, kind, body).await?;
    Ok(())
}

impl Live {
    fn add(&self, connection: &Connection, outlet: &Arc<Outlet>) {
        let mut roster = self.lock();
        if roster.closed {
            return outlet.close(Closing::SHUTDOWN);
        }
        roster.outlets.insert(outlet.id, outlet.clone());
        if let Some(user_id) = connection.user_id() {
            roster.users.entry(user_id.clone()).or_default().push(outlet.clone());
        }
    }

    fn remove(&self, connection: &Connection) {
        let mut roster = self.lock();
        roster.outlets.remove(&connection.id());
        let Some(user_id) = connection.user_id() else {
            return;
        };
        if let Some(outlets) = roster.users.get_mut(user_id) {
            outlets.retain(|outlet| outlet.id != connection.id());
            if outlets.is_empty() {
                roster.users.remove(user_id);
            }
        }
    }

    /// Shows a message to both its users, save the connection that sent it.
    pub fn push(&self, posted: &Posted) {
        let Place::Direct { to, to_name } = &posted.place else {
            return;
        };
        let roster = self.lock();
        let both = [to, &posted.message.user_id];
        let outlets = both.iter().filter_map(|user_id| roster.users.get(*user_id)).flatten();
        let mut outlets = outlets.filter(|outlet| outlet.id != posted.by).peekable();
        if outlets.peek().is_none() {
            return;
        }
        let packet = Packet {
            author: &posted.author,
            recipient: to_name,
            message: &posted.message.body,
            message_type: posted.message.kind as i16,
            created_at: posted.message.created_at,
        };
        let Ok(text) = serde_json::to_string(&packet) else {
            return tracing::error!("a direct message could not be encoded");
        };
        let frame = Utf8Bytes::from(text);
        outlets.for_each(|outlet| outlet.send(frame.clone()));
    }

    /// Closes every connection, for good, once what it asked is answered.
    pub fn close(&self) {
        let mut roster = self.lock();
        roster.closed = true;
        roster.outlets.values().for_each(|outlet| outlet.finish());
    }

    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
