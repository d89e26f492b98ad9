//! Door 1: Socket.IO, protocol 5 and, for old clients, 3 and 4.
//!
//! engineioxide provides the transports and hands over a connection's packets in order;
//! socketioxide's parser decodes and encodes them. This module has the namespace `/`, the queue
//! that keeps a socket's requests in order, the rooms, and the forms of the wire. It does not use
//! socketioxide's own namespaces and rooms: a broadcast does not say which socket overflowed, the
//! connection of that socket cannot be closed, and a packet that comes before a CONNECT is done
//! closes the socket. `docs/ARCHITECTURE.md` says more.
//!
//! - [`engine`]: a connection's life, from the first packet to the last
//! - [`session`]: one socket, the users it acts as and what it is sent; [`inbox`] is its queue of
//!   requests, and [`pending`] counts the bytes in the queues of all sockets
//! - [`show`]: what sockets are shown of each event: the table of pushes
//! - [`open`]: the engine's sessions by their ids
//! - [`polled`]: what polling clients send, checked before the engine decodes it
//! - [`switching`]: how a request becomes a WebSocket
//! - [`pulse`]: keeps busy old clients alive; [`frames`] finds the ends of the frames on their
//!   WebSockets
//! - [`unpolled`]: counts what a polling client has yet to fetch
//! - [`packets`]: what goes over the wire

mod engine;
mod frames;
mod inbox;
mod open;
mod packets;
mod pending;
mod polled;
mod pulse;
mod session;
mod show;
mod switching;
mod unpolled;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::any_service;
use engineioxide::config::EngineIoConfig;
use engineioxide::service::EngineIoService;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::App;
use crate::doors::client::Client;
use crate::doors::retry;
use crate::doors::slots::Slots;
use crate::doors::tasks;
use crate::doors::unsent::Unsent;
use crate::doors::upgrade;
use crate::error::Error;
use open::Open;
use pending::Pending;
use switching::Switch;

pub use show::PUSHES;

const PATH: &str = "/socket.io";

/// Small, because every connection has one; a larger frame takes several reads.
const READ_BUFFER: usize = 512;

/// How often to look whether clients have taken their last answers.
const LOOK: Duration = Duration::from_millis(5);

/// The door's running parts.
pub struct Door {
    hub: Arc<Hub>,
}

/// What all sockets of the door share.
struct Hub {
    app: Arc<App>,
    /// Whether answers warn of unknown fields.
    warns: bool,
    open: Open,
    unsent: Arc<Unsent>,
    /// Polling sockets keep no connection: they have slots of their own.
    slots: Arc<Slots>,
    /// The requests being handled, and the sockets that are leaving rooms.
    work: TaskTracker,
    pending: Pending,
    /// Once set, no more requests are taken.
    stopping: CancellationToken,
    /// Once set, requests that still wait are given up.
    stopped: CancellationToken,
}

impl Door {
    /// Opens the door onto `app`; the router serves `/socket.io/`. The bytes that its sockets hold
    /// are counted in `unsent`. If it `warns`, answers warn of unknown fields.
    pub fn open(app: &Arc<App>, unsent: &Arc<Unsent>, warns: bool) -> (Door, Router) {
        let hub = Arc::new(Hub {
            app: app.clone(),
            warns,
            open: Open::default(),
            unsent: unsent.clone(),
            slots: Slots::of(app.limits()),
            work: TaskTracker::new(),
            pending: Pending::new(app.limits().max_pending_bytes),
            stopping: CancellationToken::new(),
            stopped: CancellationToken::new(),
        });
        let limits = app.limits();
        let config = EngineIoConfig::builder()
            .req_path(PATH)
            .ping_interval(limits.ping_interval)
            .ping_timeout(limits.ping_timeout)
            .max_buffer_size(limits.max_unsent)
            // Each of these limits one transport.
            .max_payload(limits.max_frame as u64)
            .ws_max_message_size(limits.max_frame)
            .ws_max_frame_size(limits.max_frame)
            .ws_read_buffer_size(READ_BUFFER)
            .build();
        let engine = engine::Engine::new(hub.clone());
        let service = EngineIoService::with_config(Arc::new(engine), config);
        let switch = Switch { engine: service.clone(), hub: hub.clone() };
        let router = Router::new()
            .route(PATH, any_service(service.clone()))
            .route("/socket.io/", any_service(service))
            .layer(middleware::from_fn_with_state(switch, switching::switch))
            .layer(middleware::map_request(own_head))
            .layer(middleware::from_fn_with_state(hub.clone(), polled::check))
            .layer(DefaultBodyLimit::max(limits.max_frame))
            .layer(middleware::from_fn_with_state(app.clone(), admit))
            .layer(middleware::from_fn(upgrade::required));
        (Door { hub }, router)
    }

    /// Wraps `router`, which leads to this door too, in the layer that must see all answers.
    pub fn watch(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.hub.clone(), polled::close_refused))
    }

    /// Waits until the requests already taken are answered, and closes every socket, at most for
    /// `deadline`. Requests that wait too long are not begun, so that every message that is stored
    /// is answered.
    pub async fn close(&self, deadline: Duration) {
        let hub = &self.hub;
        let until = Instant::now() + deadline;
        hub.stopping.cancel();
        hub.work.close();
        let _ = timeout(deadline / 2, hub.work.wait()).await;
        hub.stopped.cancel();
        let rest = until.saturating_duration_since(Instant::now());
        tasks::finish(&hub.work, rest, "requests of Socket.IO").await;
        let taken = async {
            while hub.open.sessions().iter().any(|session| session.has_answers()) {
                sleep(LOOK).await;
            }
        };
        let _ = timeout_at(until, taken).await;
        hub.open.sessions().iter().for_each(|session| session.close());
    }
}

/// Counts a handshake, which is a request without a `sid`, and refuses one too many.
async fn admit(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let handshake = parameter(&request, "sid").is_none();
    match handshake.then(|| app.admit_connect(client.address)) {
        Some(Err(error)) => refusal(&error),
        Some(Ok(())) | None => next.run(request).await,
    }
}

fn refusal(error: &Error) -> Response {
    let retry_after = [retry::header(error.retry_after().unwrap_or_default())];
    let json = [(CONTENT_TYPE, "application/json")];
    (StatusCode::TOO_MANY_REQUESTS, retry_after, json, packets::error(error)).into_response()
}

/// The value of `name` in the query, as the engine reads it: that of the first parameter of this
/// name, up to a second `=`.
fn parameter<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let mut query = request.uri().query()?.split('&');
    query.find_map(|item| item.strip_prefix(name)?.strip_prefix('='))?.split('=').next()
}

/// Copies a request's head. The engine keeps the first head of a connection as long as the
/// connection is open, and a head that comes from hyper keeps the 16 KiB buffer that it was read
/// into.
async fn own_head(request: Request) -> Request {
    let (mut head, body) = request.into_parts();
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    };
    head.headers = head.headers.iter().filter_map(own).collect();
    head.uri = head.uri.to_string().parse().unwrap_or_default();
    Request::from_parts(head, body)
}
