//! `/api/ws`: direct messages as they are sent.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Hub;
use super::caller::connect;
use super::envelope::Refusal;
use crate::clock::Time;
use crate::domain::{Connection, Following, Recipient, Shown, Way};
use crate::doors::client::Client;
use crate::doors::credential::credential;
use crate::doors::failure::{self, Failure};
use crate::doors::input::Input;
use crate::doors::limited::Limited;
use crate::doors::requests::fields::{Request, Trimmed, request};
use crate::doors::shape::{Frame, Frames};
use crate::doors::upgrade::Upgrade;
use crate::doors::websocket::{self, Closing, Outlet, Received, Socket};
use crate::error::Error;
use crate::model::{Body, ChatKind, ConnectionId, Event, MessageType, UserId, Username};

/// The frames that go over the WebSocket.
pub const FRAMES: Frames = Frames {
    address: "/api/ws",
    sent: &[Frame {
        name: "send",
        says: "Send a direct message",
        kind: None,
        body: |schemas| schemas.subschema_for::<ToSend>(),
    }],
    got: &[
        Frame {
            name: "sent",
            says: "A direct message to the token's user, or by them through another connection",
            kind: None,
            body: |schemas| schemas.subschema_for::<Packet<'_>>(),
        },
        Frame {
            name: "not-sent",
            says: "A message was refused; the connection stays open",
            kind: None,
            body: |schemas| schemas.subschema_for::<NotSent>(),
        },
    ],
};

request! {
    /// A direct message to send.
    ToSend {
        /// The username of the token's user.
        author: Trimmed,
        /// The other one's username.
        recipient: Trimmed,
        /// What it says.
        message: Body,
        /// 0 for text, 1 for img, 2 for file; 0 if it is absent.
        message_type: Option<i64>,
    }
}

/// A direct message, as its two users get it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DirectMessage")]
struct Packet<'a> {
    /// The username of the one who has sent it.
    author: &'a Username,
    /// The other one's username.
    recipient: &'a Username,
    /// What it says.
    message: Cow<'a, str>,
    /// 0 for text, 1 for img, 2 for file.
    message_type: i16,
    /// When it was sent.
    created_at: Time,
}

/// Why a direct message was refused.
#[derive(Serialize, JsonSchema)]
struct NotSent {
    error: Failure,
}

/// A client that wants to connect, with a token or the service's key.
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

async fn run(hub: &Hub, opening: Opening, socket: Socket) {
    let Opening { connection, _following } = opening;
    let limits = hub.app.limits();
    let outlet = Outlet::new(connection.id(), &socket);
    if !hub.app.open(Arc::new(Live { outlet: outlet.clone() })) {
        outlet.close(Closing::SHUTDOWN);
    }
    hub.app.hear_direct(&connection);
    let limited = Limited::of(limits.max_pending);
    let handle = async |frame| {
        let error = receive(hub, &connection, frame).await.err();
        if limited.goes_on(error.as_ref()) {
            return outlet.close(Closing::LIMITED);
        }
        if let Some(error) = error {
            failure::log("direct message", &error);
            let answer = json!(NotSent { error: failure::object(&error) });
            outlet.send(answer.to_string().into());
        }
    };
    tokio::select! {
        () = websocket::serve(socket, &outlet, limits, handle) => {}
        () = close_at_end(&connection, &outlet) => {}
    }
    hub.app.close_connection(connection.id()).await;
}

/// Closes the connection when its token ends. It never returns, as the connection is served until
/// it is closed.
async fn close_at_end(connection: &Connection, outlet: &Outlet) {
    connection.ended().await;
    outlet.close(Closing::UNAUTHENTICATED);
    std::future::pending().await
}

async fn receive(hub: &Hub, connection: &Connection, frame: Received) -> Result<(), Error> {
    hub.app.admit_request(&connection.viewer()).await?;
    let unreadable = |why: String| Error::Invalid { field: None, why };
    let Received::Text(text) = frame else {
        return Err(unreadable("the packet must be a text frame".into()));
    };
    let packet = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let packet = Input::new(packet, hub.app.limits())?;
    let ToSend { author: Trimmed(author), recipient: Trimmed(recipient), message, message_type } =
        ToSend::read(&packet)?;
    let kind = MessageType::from_number(message_type.unwrap_or(0))
        .ok_or_else(|| packet.invalid("message_type", "must be 0, 1 or 2"))?;
    let actor = hub.app.claim_username(connection, &author, "author").await?;
    hub.app.send_direct(&actor, &recipient, kind, message).await?;
    Ok(())
}

/// A connection as the audience knows it.
struct Live {
    outlet: Arc<Outlet>,
}

/// A frame of this door.
#[derive(Clone)]
struct Push(Utf8Bytes);

impl Recipient for Live {
    fn id(&self) -> ConnectionId {
        self.outlet.id
    }

    fn show(&self, shown: &Shown<'_>) -> bool {
        // The connection that has sent a message is not shown it.
        if matches!(shown.event, Event::MessageSent(posted) if posted.by == self.outlet.id) {
            return false;
        }
        shown.frame(show).is_some_and(|Push(frame)| self.outlet.push(frame))
    }

    fn flush(&self) {
        self.outlet.flush();
    }

    /// The user that it has proved to be is deleted.
    fn lose_user(&self, _: &UserId) {
        self.outlet.close(Closing::UNAUTHENTICATED);
    }

    fn restart(&self) {}

    fn finish(&self) {
        self.outlet.finish();
    }
}

/// The frame of a direct message, for its two users; `None` for any other event.
fn show(event: &Event, way: Way) -> Option<Push> {
    let (Event::MessageSent(posted), Way::User) = (event, way) else {
        return None;
    };
    let ChatKind::Direct { to_name, .. } = &posted.chat_kind else {
        return None;
    };
    let packet = Packet {
        author: &posted.author,
        recipient: to_name,
        message: posted.message.plain_text(),
        message_type: posted.message.kind as i16,
        created_at: posted.message.created_at,
    };
    let text = serde_json::to_string(&packet);
    let text = text.inspect_err(|_| tracing::error!("a direct message could not be encoded"));
    Some(Push(text.ok()?.into()))
}
