//! A server to test, and a Socket.IO client that sees every packet.

pub mod chatter;
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
pub mod signing;
pub mod stage;
pub mod steps;
pub mod transports;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use chinwag::axum::Router;
use chinwag::embed::Service;
use chinwag::{Config, Limits, Server};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use self::database::Lease;
use self::patience::within;
use self::program::Running;

/// Nothing takes this long unless it never happens.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test if `what` does not happen.
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

    /// On the database that `directory` holds, if it does.
    pub async fn on(directory: TempDir, change: impl FnOnce(&mut Config)) -> TestServer {
        TestServer::embedded(directory, change, |_| Router::new()).await
    }

    /// The same with routes of the host's.
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

    /// As a process of its own, which works in this directory.
    pub fn apart(directory: TempDir, running: Running) -> TestServer {
        TestServer { life: Life::Apart(running), lease: Lease::of(directory.path()), directory }
    }

    pub fn address(&self) -> SocketAddr {
        match &self.life {
            Life::Here(server) => server.address(),
            Life::Apart(running) => running.address,
        }
    }

    /// As its host has it.
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

    /// Shuts the server down and leaves its directory.
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

    /// Ends a process as a crash does.
    pub fn kill(&mut self) {
        match &mut self.life {
            Life::Here(_) => panic!("it would be the end of the tests"),
            Life::Apart(running) => running.kill(),
        }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address()).await
    }

    /// A connected client that acts as the user of this name, new at first. It has left the
    /// system channel, so that it hears of nothing but its own chats.
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

/// A Socket.IO connection over WebSocket.
pub struct Client {
    /// The id of the user it was made for, if it was.
    pub id: String,
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<(String, Value)>,
    acks: HashMap<u64, Value>,
    last_ack: u64,
}

impl Client {
    /// Connects and enters the namespace `/`.
    pub async fn connect(address: SocketAddr) -> Client {
        Client::open(address).await.enter().await
    }

    /// The same where nobody may answer, or not to the end: then there is no client.
    pub async fn try_connect(address: SocketAddr) -> Option<Client> {
        Client::try_enter(address, "40").await
    }

    /// The same with this packet, which may bring a token.
    pub async fn try_enter(address: SocketAddr, packet: &str) -> Option<Client> {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (stream, _) = tokio_tungstenite::connect_async(url).await.ok()?;
        let mut client = Client::new(stream);
        client.try_frame().await?;
        client.stream.send(Message::text(packet)).await.ok()?;
        client.try_frame().await?.starts_with("40").then_some(client)
    }

    /// Enters the namespace `/`.
    pub async fn enter(mut self) -> Client {
        assert!(self.frame().await.starts_with('0'));
        self.send("40").await;
        assert!(self.frame().await.starts_with("40{\"sid\":"));
        self
    }

    /// Opens the transport only.
    pub async fn open(address: SocketAddr) -> Client {
        Client::open_url(&format!("ws://{address}/socket.io/?EIO=4&transport=websocket")).await
    }

    /// Opens the transport at a URL, or by a request with headers of its own.
    pub async fn open_url(request: impl IntoClientRequest + Unpin) -> Client {
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Client::new(stream)
    }

    fn new(stream: WebSocketStream<MaybeTlsStream<TcpStream>>) -> Client {
        Client {
            id: String::new(),
            stream,
            events: VecDeque::new(),
            acks: HashMap::new(),
            last_ack: 0,
        }
    }

    /// Sends a text frame as it is.
    pub async fn send(&mut self, frame: impl Into<String>) {
        self.stream.send(Message::text(frame.into())).await.unwrap();
    }

    /// Sends text frames in as few writes as possible.
    pub async fn send_many(&mut self, frames: impl Iterator<Item = String>) {
        for frame in frames {
            // The server may have closed the connection before the last of them.
            if self.stream.feed(Message::text(frame)).await.is_err() {
                return;
            }
        }
        let _ = self.stream.flush().await;
    }

    pub async fn send_binary(&mut self, frame: Vec<u8>) {
        self.stream.send(Message::binary(frame)).await.unwrap();
    }

    /// The next text frame, as it is.
    pub async fn frame(&mut self) -> String {
        self.try_frame().await.expect("the server closed the connection")
    }

    /// The next text frame, pings aside; none once the server has closed the connection.
    pub async fn try_frame(&mut self) -> Option<String> {
        loop {
            let frame = self.any_frame().await?;
            match frame.as_str() {
                "2" => self.stream.send(Message::text("3")).await.ok()?,
                "1" => return None,
                _ => return Some(frame),
            }
        }
    }

    /// The same with pings.
    async fn any_frame(&mut self) -> Option<String> {
        loop {
            match soon("a frame comes", self.stream.next()).await? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Waits until the server closes the connection.
    pub async fn closed(&mut self) {
        while self.try_frame().await.is_some() {}
    }

    /// Waits until the server closes the connection; returns what acks have brought that nobody
    /// has taken, by their numbers.
    pub async fn until_closed(&mut self) -> HashMap<u64, Value> {
        while let Some(frame) = self.try_frame().await {
            self.take(&frame);
        }
        std::mem::take(&mut self.acks)
    }

    /// Sends a request and returns what its ack brings.
    pub async fn ask(&mut self, event: &str, body: Value) -> Value {
        self.try_ask(event, body).await.expect("the server closed the connection")
    }

    /// The same on a connection that may close: then there is no answer.
    pub async fn try_ask(&mut self, event: &str, body: Value) -> Option<Value> {
        self.last_ack += 1;
        let ack = self.last_ack;
        let request = Message::text(format!("42{ack}{}", json!([event, body])));
        self.stream.send(request).await.ok()?;
        loop {
            if let Some(answer) = self.acks.remove(&ack) {
                return Some(answer);
            }
            let frame = self.try_frame().await?;
            self.take(&frame);
        }
    }

    /// Sends a request that must be refused; returns its `error`.
    pub async fn refused(&mut self, event: &str, body: Value) -> Value {
        let mut answer = self.ask(event, body).await;
        match answer.get_mut("error") {
            Some(error) => error.take(),
            None => panic!("{event} was not refused: {answer}"),
        }
    }

    /// Sends a request with an ack and does not wait; returns the ack's number.
    pub async fn request(&mut self, event: &str, body: Value) -> u64 {
        self.last_ack += 1;
        let ack = self.last_ack;
        self.send(format!("42{ack}{}", json!([event, body]))).await;
        ack
    }

    /// What the ack of this number brings.
    pub async fn answer(&mut self, ack: u64) -> Value {
        loop {
            if let Some(answer) = self.acks.remove(&ack) {
                return answer;
            }
            self.receive().await;
        }
    }

    /// Sends a request without an ack.
    pub async fn tell(&mut self, event: &str, body: Value) {
        self.send(format!("42{}", json!([event, body]))).await;
    }

    /// The body of the next event, which must have this name.
    pub async fn next(&mut self, event: &str) -> Value {
        let (name, body) = self.next_event().await;
        assert_eq!(name, event, "{body}");
        body
    }

    /// The name and the body of the next event.
    pub async fn next_event(&mut self) -> (String, Value) {
        self.try_next_event().await.expect("the server closed the connection")
    }

    /// The same on a connection that may close: then there is none.
    pub async fn try_next_event(&mut self) -> Option<(String, Value)> {
        while self.events.is_empty() {
            let frame = self.try_frame().await?;
            self.take(&frame);
        }
        self.events.pop_front()
    }

    /// Fails if there is an event that nobody has taken. Events come in the order of their
    /// commits, so a chat made now comes after all that is still on its way.
    pub async fn nothing_more(&mut self) {
        let chat = json!({ "chat": { "name": "the last event" }, "users": [] });
        self.tell("create-chat", chat).await;
        assert_eq!(self.next("create-chat").await["chat"]["name"], "the last event");
    }

    /// The body of the next event of this name; those before it are passed over.
    pub async fn next_of(&mut self, event: &str) -> Value {
        loop {
            match self.events.pop_front() {
                Some((name, body)) if name == event => return body,
                Some(_) => {}
                None => self.receive().await,
            }
        }
    }

    /// The body of an event of this name that has come already.
    pub fn take_event(&mut self, event: &str) -> Option<Value> {
        let index = self.events.iter().position(|(name, _)| name == event)?;
        Some(self.events.remove(index)?.1)
    }

    /// The names and bodies of the events that have come and that nobody has taken.
    pub fn heard(&mut self) -> VecDeque<(String, Value)> {
        std::mem::take(&mut self.events)
    }

    /// Makes a chat of this and other users and takes the event of it; returns its id.
    pub async fn chat(&mut self, name: &str, private: bool, users: &[&str]) -> String {
        let chat = json!({ "name": name, "private": private });
        let answer = self.ask("create-chat", json!({ "chat": chat, "users": users })).await;
        self.next("create-chat").await;
        answer["chat"]["id"].as_str().unwrap().to_owned()
    }

    /// Says something in a chat and takes the push of it; returns the message.
    pub async fn say(&mut self, chat: &str, text: &str) -> Value {
        let answer = self.ask("new-message", message(chat, text)).await;
        assert!(answer.get("error").is_none(), "{answer}");
        assert_eq!(self.next("new-message").await, answer);
        answer
    }

    async fn receive(&mut self) {
        let frame = self.frame().await;
        self.take(&frame);
    }

    fn take(&mut self, frame: &str) {
        let (kind, rest) = frame.split_at(2);
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (ack, data) = rest.split_at(digits);
        let mut data: Vec<Value> = serde_json::from_str(data).unwrap();
        match kind {
            "42" => {
                let body = data.pop().unwrap();
                self.events.push_back((data.pop().unwrap().as_str().unwrap().to_owned(), body));
            }
            "43" => {
                self.acks.insert(ack.parse().unwrap(), data.pop().unwrap());
            }
            _ => panic!("an unexpected packet: {frame}"),
        }
    }
}

/// The body of a `new-message` of the socket's latest user.
/// The push that others get of a chat, by the answer that one gets oneself.
pub fn as_pushed(mut answer: Value) -> Value {
    let chat = answer["chat"].as_object_mut().unwrap();
    for own in ["role", "unread"] {
        chat.remove(own);
    }
    answer
}

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
