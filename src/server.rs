//! A running server: started, served, shut down in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::config::{Access, Config};
use crate::domain::App;
use crate::doors::Doors;
use crate::doors::http::{self, Listener};
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
    /// from other machines and `config.access` is not set, nobody could ever connect, a secret or a
    /// file of keys cannot be used, or a limit is zero that must not be.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        config.limits.check()?;
        if !config.listen.ip().is_loopback() && config.access.is_none() {
            return Err(StartError::Exposed(config.listen));
        }
        let app = App::start(&config).await?;
        let (doors, router) = Doors::open(&app, &config);
        match listen(&config, router).await {
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

/// Serves the chat, and the metrics if they have an address of their own.
async fn listen(
    config: &Config,
    router: Router,
) -> Result<(Listener, Option<Listener>), StartError> {
    let listen = async |address, router| {
        let started = Listener::start(address, router, config).await;
        started.map_err(|source| StartError::Listen { address, source })
    };
    let listener = listen(config.listen, router).await?;
    match config.metrics_listen {
        Some(address) => Ok((listener, Some(listen(address, http::metrics_routes()).await?))),
        None => Ok((listener, None)),
    }
}
