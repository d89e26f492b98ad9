//! How a request becomes a WebSocket, and the subprotocols that it offers.

use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE as UPGRADE_TO,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::credential::parameter;
use super::places::Permit;
use super::websocket;
use crate::config::Limits;

/// The subprotocol after which a token is offered as another one.
const BEARER: &str = "bearer";

/// What a request is told that asks for no WebSocket where there is nothing else.
const NO_UPGRADE: &str = "this is the address of a WebSocket: open it with a WebSocket client of \
                          version 13; a proxy on the way must pass on the headers Connection and \
                          Upgrade\n";

/// A request that asks to become a WebSocket, with its share of the connections.
pub struct Upgrade {
    upgrade: WebSocketUpgrade,
    permit: Permit,
}

impl Upgrade {
    /// Answers the request, and serves the WebSocket that it becomes.
    pub fn serve<F: Future<Output = ()> + Send + 'static>(
        self,
        limits: &Limits,
        serve: impl FnOnce(WebSocket) -> F + Send + 'static,
    ) -> Response {
        let Upgrade { upgrade, permit } = self;
        websocket::bounded(upgrade, limits).on_upgrade(async move |socket| {
            serve(socket).await;
            drop(permit);
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    /// 426
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Upgrade, Response> {
        // What asks for no upgrade has none.
        let permit = parts.extensions.get::<Permit>().cloned();
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let (Ok(upgrade), Some(permit)) = (upgrade, permit) else {
            return Err(no_upgrade());
        };
        Ok(Upgrade { upgrade, permit })
    }
}

/// Refuses a request for Socket.IO over WebSocket that asks for no upgrade: the engine answers it
/// without a word.
pub async fn required(request: Request, next: Next) -> Response {
    let transport = parameter(request.uri(), "transport");
    if transport.as_deref() == Some("websocket") && !request.headers().contains_key(UPGRADE_TO) {
        return no_upgrade();
    }
    next.run(request).await
}

fn no_upgrade() -> Response {
    let wanted =
        [(CONNECTION, "upgrade"), (UPGRADE_TO, "websocket"), (SEC_WEBSOCKET_VERSION, "13")];
    (StatusCode::UPGRADE_REQUIRED, wanted, NO_UPGRADE).into_response()
}

/// Names to a client that offers subprotocols the first of them, as a browser closes the
/// connection otherwise; a token among them is not repeated.
pub async fn agree(request: Request, next: Next) -> Response {
    let agreed = offered(request.headers()).map(|(protocol, _)| protocol).next();
    let agreed = agreed.and_then(|protocol| HeaderValue::from_str(protocol).ok());
    let mut response = next.run(request).await;
    if let Some(agreed) = agreed
        && response.status() == StatusCode::SWITCHING_PROTOCOLS
    {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, agreed);
    }
    response
}

/// The token of a client that offers `bearer` and then its token as subprotocols: a browser can
/// set no other header.
pub fn offered_token(headers: &HeaderMap) -> Option<&str> {
    offered(headers).find_map(|(_, token)| token)
}

/// The subprotocols that are offered; `bearer` with its token.
fn offered(headers: &HeaderMap) -> impl Iterator<Item = (&str, Option<&str>)> {
    let lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let names = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut names = names.map(str::trim).filter(|name| !name.is_empty());
    std::iter::from_fn(move || {
        let name = names.next()?;
        let token = if name.eq_ignore_ascii_case(BEARER) { names.next() } else { None };
        Some((name, token))
    })
}
