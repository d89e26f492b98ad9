//! A running server: started, served, shut down in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::config::{Access, Config};
use crate::domain::{App, Prepared};
use crate::doors::Doors;
use crate::doors::http::{self, Bound, Listener, Origins};
use crate::error::StartError;

/// How long each step of a shutdown may take: five of them stay under ten seconds.
const STEP: Duration = Duration::from_millis(1900);

/// A running server. Dropped without [`shutdown`](Server::shutdown) it goes on serving until its
/// runtime ends.
pub struct Server {
    app: Arc<App>,
    doors: Doors,
    listener: Listener,
    metrics: Option<Listener>,
}

impl Server {
    /// Opens the database, makes and migrates it if need be, and serves.
    ///
    /// # Errors
    /// The address cannot be bound, the database cannot be opened, or the address can be reached
    /// from other machines and `config.access` is not set, nobody could ever connect, a secret, a
    /// file of keys or an origin cannot be used, or a limit is zero that must not be.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        config.limits.check()?;
        if !config.listen.ip().is_loopback() && config.access.is_none() {
            return Err(StartError::Exposed(config.listen));
        }
        let origins = Origins::of(&config)?;
        let prepared = Prepared::of(&config)?;
        // Before the database is touched; who connects is refused until it is ready.
        let chat = bind(config.listen)?;
        let metrics = config.metrics_listen.map(bind).transpose()?;
        let app = App::start(&config, prepared).await?;
        let (doors, router) = Doors::open(&app, &config, origins);
        let started = serve(chat, router, &config).and_then(|listener| {
            let serve = |bound| serve(bound, http::metrics_routes(), &config);
            Ok((listener, metrics.map(serve).transpose()?))
        });
        match started {
            Ok((listener, metrics)) => Ok(Server { app, doors, listener, metrics }),
            Err(error) => {
                app.close(STEP).await;
                Err(error)
            }
        }
    }

    /// The address served, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The address of `/metrics`, if it has one of its own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(Listener::address)
    }

    /// Who may connect.
    pub fn access(&self) -> Access {
        self.app.access()
    }

    /// Stops accepting, closes the sockets, answers what was asked, writes what was queued and
    /// closes the database, in less than ten seconds.
    pub async fn shutdown(self) {
        self.listener.stop();
        self.doors.close(STEP).await;
        self.listener.finish(STEP).await;
        self.app.close(STEP).await;
    }
}

fn bind(address: SocketAddr) -> Result<Bound, StartError> {
    Bound::to(address).map_err(|source| StartError::Listen { address, source })
}

fn serve(bound: Bound, router: Router, config: &Config) -> Result<Listener, StartError> {
    let address = bound.address();
    bound.serve(router, config).map_err(|source| StartError::Listen { address, source })
}
