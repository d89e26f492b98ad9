//! What the tests share; here, a server under test.

pub mod chatter;
mod client;
pub mod clock;
pub mod credentials;
pub mod crowd;
pub mod database;
pub mod forgeries;
pub mod held;
pub mod hooks;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod live;
pub mod nodes;
pub mod patience;
pub mod program;
pub mod proxy;
pub mod rpc;
pub mod services;
pub mod shim;
pub mod signing;
pub mod stage;
pub mod steps;
pub mod transports;

use std::net::SocketAddr;
use std::time::Duration;

use chinwag::axum::Router;
use chinwag::embed::Service;
use chinwag::{Config, Limits, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::database::Lease;
use self::patience::within;
use self::program::Running;

pub use client::Client;

/// What takes longer than this counts as never happening.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future`, and fails the test if it takes too long.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match within(PATIENCE, future).await {
        Some(value) => value,
        None => panic!("did not happen: {what}"),
    }
}

/// The answer to a GET with further header lines, each ended by `\r\n`.
pub async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let line = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    exchange(address, &format!("{line}{headers}\r\n")).await
}

/// Sends a text over a connection of its own; returns all that comes back until it closes.
pub async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that refuses a body may reset the connection after its answer.
    let _ = soon("the connection closes", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A running server and its directory.
pub struct TestServer {
    life: Life,
    lease: Lease,
    pub directory: TempDir,
}

enum Life {
    /// In the process of the tests.
    Here(Server),
    /// As a process of its own.
    Apart(Running),
}

impl TestServer {
    pub async fn start() -> TestServer {
        TestServer::with(|_| {}).await
    }

    /// With limits other than the default.
    pub async fn with_limits(change: impl FnOnce(&mut Limits)) -> TestServer {
        TestServer::with(|config| change(&mut config.limits)).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::on(TempDir::new().unwrap(), change).await
    }

    /// On the database of `directory`, if it has one.
    pub async fn on(directory: TempDir, change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::embedded(directory, change, |_| Router::new()).await
    }

    /// The same with routes of the host application.
    pub async fn embedded(
        directory: TempDir,
        change: impl FnOnce(&mut Config),
        routes: impl FnOnce(Service) -> Router,
    ) -> TestServer {
        let mut config = Config {
            listen: vec!["127.0.0.1:0".into()],
            database_url: database::url_in(directory.path()).into(),
            files_url: database::files_in(directory.path()).map(Into::into),
            ..Config::default()
        };
        change(&mut config);
        let server = Server::start_with_routes(config, routes).await.unwrap();
        TestServer { life: Life::Here(server), lease: Lease::of(directory.path()), directory }
    }

    /// A server as a process of its own, which works in this directory.
    pub fn apart(directory: TempDir, running: Running) -> TestServer {
        TestServer { life: Life::Apart(running), lease: Lease::of(directory.path()), directory }
    }

    pub fn address(&self) -> SocketAddr {
        match &self.life {
            Life::Here(server) => server.address(),
            Life::Apart(running) => running.address,
        }
    }

    /// The id of the server's own process.
    pub fn process(&self) -> u32 {
        match &self.life {
            Life::Here(_) => panic!("it is the process of the tests"),
            Life::Apart(running) => running.id(),
        }
    }

    /// The server as its host application has it.
    pub fn as_host(&self) -> &Server {
        match &self.life {
            Life::Here(server) => server,
            Life::Apart(_) => panic!("a process has no host"),
        }
    }

    pub fn metrics_address(&self) -> SocketAddr {
        match &self.life {
            Life::Here(server) => server.metrics_address().expect("an address of its own"),
            Life::Apart(_) => panic!("only its first line tells of a process"),
        }
    }

    /// Shuts the server down and keeps its directory and database.
    pub async fn shutdown(self) -> TempDir {
        match self.life {
            Life::Here(server) => server.shutdown().await,
            Life::Apart(running) => {
                let ended = tokio::task::spawn_blocking(move || running.end("TERM"));
                assert!(ended.await.unwrap().0.success());
            }
        }
        self.lease.keep();
        self.directory
    }

    /// Ends a server process as a crash does.
    pub fn kill(&mut self) {
        match &mut self.life {
            Life::Here(_) => panic!("it would be the end of the tests"),
            Life::Apart(running) => running.kill(),
        }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address()).await
    }

    /// A client that acts as the user of this name, who is made at first. It has left the system
    /// channel, so that it is shown only events of its own chats.
    pub async fn user(&self, name: &str) -> Client {
        let mut client = self.connect().await;
        let user = json!({ "external_id": name, "name": name, "photo": "" });
        let answer = client.ask("create-user", json!({ "user": user })).await;
        client.id = answer["user"]["id"].as_str().unwrap().to_owned();
        client.ask("unsubscribe", json!({ "channel": "system" })).await;
        client
    }

    /// Sends a text over a connection of its own; returns all that comes back until it closes.
    pub async fn exchange(&self, request: &str) -> String {
        exchange(self.address(), request).await
    }

    /// The answer to a GET with further header lines, each ended by `\r\n`.
    pub async fn get(&self, path: &str, headers: &str) -> String {
        get(self.address(), path, headers).await
    }
}

/// The push that other members get of a chat, from the answer that its creator gets.
pub fn as_pushed(mut answer: Value) -> Value {
    let chat = answer["chat"].as_object_mut().unwrap();
    for own in ["role", "unread"] {
        chat.remove(own);
    }
    answer
}

/// The body of a `new-message`.
pub fn message(chat: &str, text: &str) -> Value {
    json!({ "chat": { "id": chat }, "message": { "value": text, "type": "text" } })
}

/// Fails unless `error` has this code and names this field, if any.
#[track_caller]
pub fn assert_error(error: &Value, code: &str, field: Option<&str>) {
    assert_eq!(error["code"], code, "{error}");
    assert_eq!(error.get("field").and_then(Value::as_str), field, "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
}
