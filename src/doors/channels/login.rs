//! `/chat/login/{nick}`: a connection's life.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::session::Session;
use super::{Hub, requests};
use crate::doors::client::Client;
use crate::doors::credential::credential;
use crate::doors::upgrade::Upgrade;
use crate::doors::websocket::{self, Closing, Outlet, Socket};
use crate::doors::{failure, retry};
use crate::error::Error;
use crate::model::{ConnectionId, Handle};

const INVALID: Closing = Closing { code: 4400, reason: "invalid" };
const CONFLICT: Closing = Closing { code: 4409, reason: "conflict" };

/// A client that wants to connect, with its nick and its credential.
pub struct Opening {
    client: Client,
    nick: Option<Handle>,
    credential: Option<String>,
}

impl FromRequestParts<Arc<Hub>> for Opening {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, hub: &Arc<Hub>) -> Result<Opening, Response> {
        let client = Client::of_request(parts);
        let client = client.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
        hub.app.admit_connect(client.address).map_err(|error| too_many(&error))?;
        let nick: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, hub).await;
        let parse = |Path(text): Path<String>| Handle::parse(&text, hub.app.limits()).ok();
        let nick = nick.ok().and_then(parse);
        Ok(Opening { client, nick, credential: credential(&parts.headers, &parts.uri) })
    }
}

fn too_many(error: &Error) -> Response {
    let retry_after = [retry::header(error.retry_after().unwrap_or_default())];
    let body = Json(json!({ "error": failure::object(error) }));
    (StatusCode::TOO_MANY_REQUESTS, retry_after, body).into_response()
}

/// Opens a WebSocket of JSON texts. If the client may not connect under the nick, it is told so on
/// the WebSocket.
pub async fn open(State(hub): State<Arc<Hub>>, opening: Opening, upgrade: Upgrade) -> Response {
    let app = hub.app.clone();
    upgrade.serve(app.limits(), async move |socket| {
        hub.work.clone().track_future(run(&hub, opening, socket)).await;
    })
}

async fn run(hub: &Arc<Hub>, opening: Opening, socket: Socket) {
    let limits = hub.app.limits();
    let outlet = Outlet::new(ConnectionId::new(), &socket);
    let session = Arc::new(Session::new(hub.clone(), outlet, opening.client.address));
    if !hub.app.open(session.clone()) {
        session.end(Closing::SHUTDOWN);
    }
    if let Err(error) = enter(&session, &opening).await {
        failure::log("connect", &error);
        session.refuse(&error, None);
        let given = opening.credential.is_some();
        // If there is no reason to close, a password may still prove who the client is.
        if let Some(why) = why_closed(&error, given) {
            session.end(why);
        }
    }
    tokio::select! {
        () = websocket::serve(socket, &session.outlet, limits, |frame| requests::handle(&session, frame)) => {}
        () = close_unproven(&session) => {}
    }
    hub.app.close_nick(session.outlet.id).await;
}

async fn enter(session: &Arc<Session>, opening: &Opening) -> Result<(), Error> {
    let form = "must be 1 to 32 letters, digits and underscores";
    let nick = opening.nick.as_ref().ok_or_else(|| Error::invalid("user", form))?;
    let given = opening.credential.as_deref();
    let connection = session.hub.app.connect(session.outlet.id, given, session.address).await?;
    let entered = session.take_nick(Arc::new(connection), nick).await;
    entered.map_err(|error| match error {
        Error::Forbidden(why) => Error::unauthenticated(why),
        error => error,
    })
}

/// Why to close the connection after this error; `None` for a client that came without a credential
/// and needs one, as it may still log in.
fn why_closed(error: &Error, credential_given: bool) -> Option<Closing> {
    match error {
        Error::Invalid { .. } => Some(INVALID),
        Error::Conflict { .. } => Some(CONFLICT),
        Error::Unauthenticated(_) => credential_given.then_some(Closing::UNAUTHENTICATED),
        Error::Forbidden(_)
        | Error::NotFound { .. }
        | Error::TooLarge { .. }
        | Error::RateLimited { .. }
        | Error::Unavailable(_)
        | Error::Unstorable(_)
        | Error::Internal(_) => Some(Closing::UNAVAILABLE),
    }
}

/// Closes the connection if nobody logs in on it in time. It never returns, as the connection is
/// served until it is closed.
async fn close_unproven(session: &Session) {
    if session.is_waiting() {
        tokio::time::sleep(session.hub.app.limits().handshake_timeout).await;
        if session.is_waiting() {
            session.outlet.close(Closing::UNAUTHENTICATED);
        }
    }
    std::future::pending().await
}
