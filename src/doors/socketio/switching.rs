//! How a request becomes a Socket.IO WebSocket: the engine gets a stream with a
//! [wire](crate::doors::wire) in it, through which the session then sends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{Request, State};
use axum::http::header::SEC_WEBSOCKET_KEY;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use engineioxide::TransportType;
use engineioxide::service::EngineIoService;
use engineioxide::sid::Sid;
use engineioxide::socket::DisconnectReason;
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower::Service;

use super::engine::{Engine, EngineSocket};
use super::pulse::Pulsing;
use super::{Hub, parameter};
use crate::doors::upgrade;
use crate::doors::wire::Io;

/// The engine, and what the door knows of its sessions.
#[derive(Clone)]
pub(super) struct Switch {
    pub engine: EngineIoService<Engine>,
    pub hub: Arc<Hub>,
}

/// Makes a WebSocket of a request that asks for one; the engine answers all others.
pub(super) async fn switch(
    State(switch): State<Switch>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(key) = key(&request) else {
        return next.run(request).await;
    };
    let polling = parameter(&request, "sid").and_then(|sid| switch.hub.open.get(sid));
    let upgraded = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    tokio::spawn(switch.serve(upgraded, head, polling));
    upgrade::switching(&key)
}

/// The key of a request for a WebSocket that the engine would not refuse.
fn key(request: &Request) -> Option<HeaderValue> {
    let known = matches!(parameter(request, "EIO"), Some("3" | "4"));
    let websocket = parameter(request, "transport") == Some("websocket");
    let sid = parameter(request, "sid").is_none_or(|sid| sid.parse::<Sid>().is_ok());
    let asked = known && websocket && sid && request.method() == Method::GET;
    request.headers().get(SEC_WEBSOCKET_KEY).filter(|_| asked).cloned()
}

impl Switch {
    /// Gives the engine the connection, once it has become a WebSocket.
    async fn serve(self, upgraded: OnUpgrade, mut head: Parts, polling: Option<Arc<EngineSocket>>) {
        let Switch { mut engine, hub } = self;
        let session = polling.as_ref().and_then(|socket| socket.data.session());
        let share = session.map_or_else(|| hub.unsent.share(), |session| session.share().clone());
        let limits = hub.app.limits();
        let Some((wire, io)) = upgrade::wired(upgraded, share, limits, true).await else {
            return;
        };
        if let Some(session) = session {
            // A session that already goes on as another WebSocket, or is about to, refuses this
            // one.
            if !session.offer(wire.clone()) {
                return wire.disown();
            }
        } else {
            head.extensions.insert(wire);
        }
        let old =
            head.uri.query().is_some_and(|query| query.split('&').any(|item| item == "EIO=3"));
        let pulsing = old.then(|| {
            let heard = head.extensions.get().cloned().unwrap_or_default();
            Box::new(Pulsing::new(heard, session.is_some(), limits.ping_interval))
        });
        let stream = Stream { io, pulsing, _upgrading: polling.map(Upgrading) };
        // An error says what the request's query lacks: then the connection ends.
        let _ = engine.call((stream, axum::http::Request::from_parts(head, ()))).await;
    }
}

/// A polling session that wants to go on as this WebSocket. From then on the engine keeps nothing
/// for its polls, even if the WebSocket ends before the session has moved to it. In that case the
/// session is closed, so that its client reconnects.
struct Upgrading(Arc<EngineSocket>);

impl Drop for Upgrading {
    fn drop(&mut self) {
        if self.0.transport_type() == TransportType::Polling {
            self.0.close(DisconnectReason::TransportError);
        }
    }
}

/// A client's WebSocket as the engine sees it.
struct Stream {
    io: Io,
    /// Adds pings for an old client.
    pulsing: Option<Box<Pulsing>>,
    _upgrading: Option<Upgrading>,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.pulsing {
            Some(pulsing) => pulsing.poll_read(&mut this.io, cx, buffer),
            None => Pin::new(&mut this.io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
