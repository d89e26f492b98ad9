//! How a request becomes a WebSocket.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE as UPGRADE_TO,
};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::credential::parameter;
use super::pieces::Pieces;
use super::slots::Permit;
use super::unsent::{Share, Unsent};
use super::websocket::{self, Socket};
use super::wire::{self, Io, Wire};
use crate::config::Limits;

/// The answer to a request that asks for no WebSocket at an address that serves nothing else.
const NO_UPGRADE: &str = "this is the address of a WebSocket: open it with a WebSocket client of \
                          version 13; a proxy on the way must pass on the headers Connection and \
                          Upgrade\n";

/// A request that asks to become a WebSocket, with its slot among the connections.
pub struct Upgrade {
    key: HeaderValue,
    upgraded: OnUpgrade,
    unsent: Arc<Unsent>,
    permit: Permit,
}

impl Upgrade {
    /// Answers the request, and serves the WebSocket that it becomes.
    pub fn serve<F: Future<Output = ()> + Send + 'static>(
        self,
        limits: &Limits,
        serve: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response {
        let Upgrade { key, upgraded, unsent, permit } = self;
        let limits = limits.clone();
        tokio::spawn(async move {
            if let Some((wire, io)) = wired(upgraded, unsent.share(), &limits, false).await {
                serve(websocket::open(wire, io, &limits).await).await;
            }
            drop(permit);
        });
        switching(&key)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    /// 426
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Upgrade, Response> {
        let headers = &parts.headers;
        let says = |name: HeaderName, wanted: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.to_ascii_lowercase().contains(wanted))
        };
        let asked = parts.method == Method::GET
            && says(CONNECTION, "upgrade")
            && says(UPGRADE_TO, "websocket")
            && says(SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| asked).cloned();
        let extensions = &mut parts.extensions;
        let unsent = extensions.get::<Arc<Unsent>>().cloned();
        // A request that asks for no upgrade has neither of these two.
        let permit = extensions.get::<Permit>().cloned();
        let upgraded = extensions.remove::<OnUpgrade>();
        let (Some(key), Some(unsent), Some(permit), Some(upgraded)) =
            (key, unsent, permit, upgraded)
        else {
            return Err(no_upgrade());
        };
        Ok(Upgrade { key, upgraded, unsent, permit })
    }
}

/// The answer to a request with this key that becomes a WebSocket.
pub fn switching(key: &HeaderValue) -> Response {
    let headers = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE_TO, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes())),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Waits until the request is answered, and makes the connection's wire; `None` if the connection
/// breaks before. If it is `held`, frames pushed to it wait for the [marker](Wire::marker).
pub async fn wired(
    upgraded: OnUpgrade,
    share: Arc<Share>,
    limits: &Limits,
    held: bool,
) -> Option<(Arc<Wire>, Io)> {
    // The accept loop serves no other kind of stream.
    let parts = upgraded.await.ok()?.downcast::<TokioIo<Pieces>>().ok()?;
    let stream = parts.io.into_inner().into_inner();
    let (max_frames, max_bytes) = (limits.max_unsent, limits.max_unsent_bytes);
    Some(wire::wire(stream, parts.read_buf, share, max_frames, max_bytes, held))
}

/// Refuses a request for Socket.IO over WebSocket that asks for no upgrade: the engine's own answer
/// would not say why.
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
