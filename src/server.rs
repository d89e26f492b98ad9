//! A running server: started, served, shut down in order.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;

use crate::config::{Access, Config};
use crate::domain::{App, Prepared};
use crate::doors::Doors;
use crate::doors::http::{self, Bound, Gates, ListenAddress, Listener};
use crate::error::StartError;

/// How long each step of a shutdown may take: eight of them stay under ten seconds.
const STEP: Duration = Duration::from_millis(1200);

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
    /// The address cannot be bound, the database cannot be opened, or the server can be reached
    /// from other machines and `config.access` is not set, nobody could ever connect, a secret, a
    /// file of keys, an origin or a name cannot be used, or a limit is zero that must not be.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        let Checked { listen, gates, prepared } = check(&config).await?;
        // Before the database is touched; connections are refused until it is ready.
        let chat = bind(&listen)?;
        let metrics = config.metrics_listen.map(|address| bind(&[address.into()])).transpose()?;
        let app = App::start(&config, prepared).await?;
        let metrics_routes = http::metrics_routes(&gates);
        let (doors, router) = Doors::open(&app, &config, gates);
        let started = serve(chat, router, &config).and_then(|listener| {
            let serve = |bound: Bound| serve(bound, metrics_routes, &config);
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

    /// Looks at the settings as [`start`](Server::start) does before it opens a port or the database.
    ///
    /// # Errors
    /// Those of [`start`](Server::start) that do not come from the port or the database.
    pub async fn check(config: &Config) -> Result<(), StartError> {
        check(config).await.map(drop)
    }

    /// The first of the addresses served, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.addresses()[0]
    }

    /// All of them.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.listener.addresses()
    }

    /// The address of `/metrics`, if it has one of its own.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|listener| listener.addresses()[0])
    }

    /// Who may connect.
    pub fn access(&self) -> Access {
        self.app.access()
    }

    /// Reads again what is read from files: the public keys of `--jwt-jwks`. What cannot be used
    /// leaves them as they are.
    pub async fn reload(&self) {
        self.app.reload().await;
    }

    /// Until the server cannot go on, as its database file was deleted or replaced: it stores
    /// nothing any more, and is to be [shut down](Server::shutdown).
    pub async fn database_lost(&self) {
        self.app.database_lost().await;
    }

    /// Stops accepting, answers what was asked, closes the sockets, writes what was queued and
    /// closes the database, in less than ten seconds.
    pub async fn shutdown(self) {
        self.app.begin_end();
        self.listener.stop_accepting();
        self.doors.close_sockets(STEP).await;
        self.listener.stop();
        self.doors.close(STEP).await;
        self.listener.finish(STEP).await;
        self.app.close(STEP).await;
    }
}

/// What the settings say, once they are known to be good.
struct Checked {
    listen: Vec<ListenAddress>,
    gates: Gates,
    prepared: Prepared,
}

async fn check(config: &Config) -> Result<Checked, StartError> {
    config.limits.check().map_err(StartError::Limit)?;
    if config.database_url.is_nameless() {
        return Err(StartError::NamelessDatabase(config.database_url.clone()));
    }
    let listen = look_up(&config.listen).await?;
    let exposed = listen.iter().find(|address| !address.is_loopback());
    if config.access.is_none() {
        if let Some(address) = exposed {
            return Err(StartError::Exposed(address.to_string()));
        }
        if config.trusted_proxies > 0 {
            return Err(StartError::ExposedByProxy);
        }
    }
    let gates = Gates::of(config, exposed.is_none())?;
    let prepared = Prepared::of(config)?;
    Ok(Checked { listen, gates, prepared })
}

/// Errors: a name that leads nowhere, or no name at all.
async fn look_up(names: &[String]) -> Result<Vec<ListenAddress>, StartError> {
    let mut listen = Vec::new();
    for name in names {
        let found = ListenAddress::look_up(name).await;
        let cannot = |source| StartError::Listen { address: name.clone(), source };
        listen.push(found.map_err(cannot)?);
    }
    match listen.is_empty() {
        true => Err(StartError::ListensNowhere),
        false => Ok(listen),
    }
}

fn bind(listen: &[ListenAddress]) -> Result<Bound, StartError> {
    Bound::to(listen).map_err(cannot_listen)
}

fn serve(bound: Bound, router: Router, config: &Config) -> Result<Listener, StartError> {
    Listener::start(bound, router, config).map_err(cannot_listen)
}

fn cannot_listen((address, source): (SocketAddr, io::Error)) -> StartError {
    StartError::Listen { address: address.to_string(), source }
}
