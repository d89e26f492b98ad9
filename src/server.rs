//! A running server: how it starts, serves and shuts down, step by step.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::future::{BoxFuture, LocalBoxFuture};

use crate::config::{Access, Config};
use crate::domain::{App, Prepared};
use crate::doors::Doors;
use crate::doors::embed::{Events, Service};
use crate::doors::http::{self, Bound, Gates, ListenAddress, Listener};
use crate::error::StartError;

/// How long each step of a shutdown may take: with eight steps, less than ten seconds in all.
const STEP: Duration = Duration::from_millis(1200);

/// A running server. End it with [`shutdown`](Server::shutdown): if it is only dropped, it stops
/// accepting connections, but its open WebSockets stay until the runtime ends.
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
    /// An address cannot be bound; the database cannot be opened; other machines can reach the
    /// server and `config.access` is not set; with these settings nobody could ever connect; a
    /// secret, a file of keys, an origin or a host name cannot be used; or a limit is zero that
    /// must not be.
    pub async fn start(config: Config) -> Result<Server, StartError> {
        Server::start_with_routes(config, |_| Router::new()).await
    }

    /// Starts as [`start`](Server::start) does, with routes of the host's own: `routes` makes them,
    /// and gets the [service](Server::service) that they may use.
    ///
    /// A request goes to the host's routes only if it matches no route of the server: if both have
    /// the same path, the server's route wins. The same gates stand before both: the allowed
    /// origins and hosts, the largest body, the timeouts. The server checks no credentials for the
    /// host's routes: the host decides who may use them. Choose no paths below `/api/`, where every
    /// failure is answered in the form of the REST API.
    ///
    /// ```
    /// use chinwag::axum::{Router, extract::State, routing::get};
    /// use chinwag::embed::Service;
    /// use chinwag::{Config, Server};
    /// use serde_json::json;
    ///
    /// async fn count(State(service): State<Service>) -> String {
    ///     match service.request("list-public-chats", json!({})).await {
    ///         Ok(answer) => format!("{} chats", answer["chats"].as_array().map_or(0, Vec::len)),
    ///         Err(error) => error.to_string(),
    ///     }
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let file = directory.path().join("chat.db");
    /// # let config = Config {
    /// #     listen: vec!["127.0.0.1:0".into()],
    /// #     database_url: format!("sqlite:{}", file.display()).into(),
    /// #     ..Config::default()
    /// # };
    /// let server = Server::start_with_routes(config, |service| {
    ///     Router::new().route("/count", get(count)).with_state(service)
    /// })
    /// .await?;
    /// # server.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`start`](Server::start).
    pub async fn start_with_routes(
        config: Config,
        routes: impl FnOnce(Service) -> Router,
    ) -> Result<Server, StartError> {
        let opened = Opened::of(config).await?;
        let routes = routes(opened.service.clone());
        opened.serve(routes).await
    }

    /// Checks the settings as [`start`](Server::start) does, and opens no port and no database.
    ///
    /// # Errors
    /// Those of [`start`](Server::start) that do not come from the port or the database.
    pub async fn check(config: &Config) -> Result<(), StartError> {
        check(config).await.map(drop)
    }

    /// Returns the service, which acts for users without a socket, as a program with the API key
    /// does.
    ///
    /// ```
    /// # use chinwag::{Config, Server};
    /// use chinwag::embed::{NewChat, NewMessage, NewUser};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let file = directory.path().join("chat.db");
    /// # let server = Server::start(Config {
    /// #     listen: vec!["127.0.0.1:0".into()],
    /// #     database_url: format!("sqlite:{}", file.display()).into(),
    /// #     ..Config::default()
    /// # })
    /// # .await?;
    /// let service = server.service();
    /// let ann = NewUser { id: Some("ann".into()), name: "Ann".into(), ..NewUser::default() };
    /// let ann = service.create_user(ann).await?;
    /// let chat = NewChat { name: "News".into(), public: true, ..NewChat::default() };
    /// let chat = service.create_chat(&ann.id, chat).await?;
    /// let message = service.new_message(&ann.id, &chat.id, NewMessage::text("hello")).await?;
    /// assert_eq!(message.seq, 1);
    ///
    /// let page = service.list_messages(&chat.id, 0, 100).await?;
    /// assert_eq!(page.messages, [message]);
    ///
    /// let nobody = service.new_message("nobody", &chat.id, NewMessage::text("hello")).await;
    /// assert_eq!(nobody.map_err(|error| error.code()), Err("not_found"));
    /// # server.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn service(&self) -> &Service {
        self.doors.service()
    }

    /// Returns the events that are committed from now on, in the order of the commits. Each call
    /// makes a listener of its own.
    ///
    /// ```
    /// # use chinwag::{Config, Server};
    /// use chinwag::embed::{Event, NewUser, NewChat};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = tempfile::tempdir()?;
    /// # let file = directory.path().join("chat.db");
    /// # let server = Server::start(Config {
    /// #     listen: vec!["127.0.0.1:0".into()],
    /// #     database_url: format!("sqlite:{}", file.display()).into(),
    /// #     ..Config::default()
    /// # })
    /// # .await?;
    /// let mut events = server.events();
    /// # let ann = NewUser { id: Some("ann".into()), name: "Ann".into(), ..NewUser::default() };
    /// # server.service().create_user(ann).await?;
    /// # let chat = NewChat { name: "News".into(), ..NewChat::default() };
    /// # server.service().create_chat("ann", chat).await?;
    /// match events.next().await {
    ///     Some(Ok(Event::ChatCreated(chat))) => println!("{} was made", chat.name),
    ///     Some(Ok(_)) => {}
    ///     Some(Err(missed)) => println!("{missed}: ask for what comes after the last seq"),
    ///     None => println!("the server has shut down"),
    /// }
    /// # server.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        Events::of(self.app.listen())
    }

    /// The first of the addresses served, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.listener.addresses()[0]
    }

    /// All addresses served.
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

    /// Reads the public keys of `--jwt-jwks` from their file again. If the file cannot be used, the
    /// server keeps the keys that it has.
    pub async fn reload(&self) {
        self.app.reload().await;
    }

    /// Waits until the server cannot go on because its database file was deleted or replaced. From
    /// then on it stores nothing; [shut it down](Server::shutdown).
    pub async fn database_lost(&self) {
        self.app.database_lost().await;
    }

    /// Stops accepting connections, answers the requests already taken, closes the sockets, writes
    /// what is queued and closes the database, in less than ten seconds.
    pub async fn shutdown(self) {
        self.shut_down().await;
    }

    fn shut_down(self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.app.begin_end();
            self.listener.stop_accepting();
            self.doors.close_sockets(STEP).await;
            self.listener.stop();
            self.doors.close(STEP).await;
            self.listener.finish(STEP).await;
            self.app.close(STEP).await;
        })
    }
}

/// A server that has opened its ports and its database, but does not serve yet.
///
/// The functions that start and end a server return boxed futures, so that their code is compiled
/// once, with this crate. The body of an `async fn` is compiled again in each program that uses it.
struct Opened {
    config: Config,
    app: Arc<App>,
    service: Service,
    gates: Gates,
    chat: Bound,
    metrics: Option<Bound>,
}

impl Opened {
    fn of(config: Config) -> LocalBoxFuture<'static, Result<Opened, StartError>> {
        Box::pin(async move {
            let Checked { listen, gates, prepared } = check(&config).await?;
            // Bind the ports before touching the database. Until that is ready, connections are
            // refused.
            let chat = bind(&listen)?;
            let metrics = config.metrics_listen.map(|address| bind(&[address.into()]));
            let metrics = metrics.transpose()?;
            let app = App::start(&config, prepared).await?;
            let service = Service::of(&app);
            Ok(Opened { config, app, service, gates, chat, metrics })
        })
    }

    fn serve(self, routes: Router) -> BoxFuture<'static, Result<Server, StartError>> {
        let Opened { config, app, service, gates, chat, metrics } = self;
        let metrics_routes = http::metrics_routes(&gates);
        let (doors, router) = Doors::open(&app, &config, gates, service, routes);
        let started = serve(chat, router, &config).and_then(|listener| {
            let serve = |bound: Bound| serve(bound, metrics_routes, &config);
            Ok((listener, metrics.map(serve).transpose()?))
        });
        Box::pin(async move {
            match started {
                Ok((listener, metrics)) => Ok(Server { app, doors, listener, metrics }),
                Err(error) => {
                    app.close(STEP).await;
                    Err(error)
                }
            }
        })
    }
}

/// The settings after they have been checked.
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

/// Looks up the addresses to listen on. Errors: a name has no address, or there are no names.
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
