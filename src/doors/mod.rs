//! How clients come in. A door decodes a request, calls one function of the domain and encodes
//! what it returns; it also renders events for its clients. Doors do not know each other or the
//! store.

mod arriving;
mod channels;
mod client;
pub mod contract;
mod credential;
pub mod embed;
mod events;
mod failure;
mod files;
pub mod http;
mod input;
mod json;
mod limited;
mod measured;
mod pieces;
mod refusal;
mod requests;
mod rest;
mod retry;
mod rpc;
mod shape;
mod slots;
mod socketio;
mod subprotocols;
mod tasks;
mod unsent;
mod upgrade;
mod warnings;
mod websocket;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router, middleware};

use crate::config::Config;
use crate::domain::App;
use http::Gates;
use unsent::Unsent;

/// All doors of one server.
pub struct Doors {
    app: Arc<App>,
    socketio: socketio::Door,
    channels: channels::Door,
    rest: rest::Door,
    rpc: rpc::Door,
    events: events::Door,
    files: files::Door,
    service: embed::Service,
}

impl Doors {
    /// Opens the doors onto `app`, behind `gates`. The router leads to all of them; a request that
    /// matches none goes to `routes`, the host's own, which use the `service`.
    pub fn open(
        app: &Arc<App>,
        config: &Config,
        gates: Gates,
        service: embed::Service,
        routes: Router,
    ) -> (Doors, Router) {
        let unsent = Unsent::new(app.limits().max_unsent_total);
        let (socketio, socketio_routes) = socketio::Door::open(app, &unsent, gates.loopback());
        let (channels, channels_routes) = channels::Door::open(app);
        let (rest, rest_routes) = rest::Door::open(app);
        let (rpc, rpc_routes) = rpc::Door::open(app);
        let (events, events_routes) = events::Door::open(app, gates.loopback());
        let (files, files_routes) = files::Door::open(app);
        let router = http::routes(app, config)
            .merge(socketio_routes)
            .merge(channels_routes)
            .merge(rest_routes)
            .merge(rpc_routes)
            .merge(events_routes)
            .fallback_service(routes);
        let router =
            router.layer(middleware::from_fn(subprotocols::agree)).layer(Extension(unsent));
        let router = http::guarded(router, files_routes, config, gates);
        let router = socketio.watch(router).layer(middleware::from_fn(rest::enveloped));
        let router = router.layer(middleware::from_fn(refusal::explained));
        (Doors { app: app.clone(), socketio, channels, rest, rpc, events, files, service }, router)
    }

    /// Returns the service, which acts for users without a socket.
    pub fn service(&self) -> &embed::Service {
        &self.service
    }

    /// Takes no more requests from sockets, answers the requests already taken, and closes the
    /// sockets; waits at most for `deadline`.
    pub async fn close_sockets(&self, deadline: Duration) {
        self.app.finish_connections();
        tokio::join!(self.socketio.close(deadline), self.channels.close(deadline));
    }

    /// Waits until all requests already taken are answered, at most for `deadline`.
    pub async fn close(&self, deadline: Duration) {
        tokio::join!(
            self.rest.close(deadline),
            self.rpc.close(deadline),
            self.events.close(deadline),
            self.files.close(deadline),
            self.service.close(deadline)
        );
    }
}
