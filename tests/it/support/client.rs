//! A Socket.IO client that sees every packet.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{message, soon};

/// A Socket.IO connection over WebSocket.
pub struct Client {
    /// The id of the user whom [`TestServer::user`](super::TestServer::user) made for it, if any.
    pub id: String,
    pub(super) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<(String, Value)>,
    acks: HashMap<u64, Value>,
    last_ack: u64,
}

impl Client {
    /// Connects and enters the namespace `/`.
    pub async fn connect(address: SocketAddr) -> Client {
        Client::open(address).await.enter().await
    }

    /// The same where the server may not answer, or close early: then there is no client.
    pub async fn try_connect(address: SocketAddr) -> Option<Client> {
        Client::try_enter(address, "40").await
    }

    /// The same, but with this packet for entering, which may carry a token.
    pub async fn try_enter(address: SocketAddr, packet: &str) -> Option<Client> {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (stream, _) = tokio_tungstenite::connect_async(url).await.ok()?;
        let mut client = Client::new(stream);
        client.try_frame().await?;
        client.stream.send(Message::text(packet)).await.ok()?;
        client.try_frame().await?.starts_with("40").then_some(client)
    }

    /// The same as [`connect`](Client::connect), from another loopback address.
    pub async fn connect_from(from: &str, address: SocketAddr) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let stream = MaybeTlsStream::Plain(stream);
        let (stream, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        Client::new(stream).enter().await
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

    /// Sends text frames in as few writes as possible; a closed connection is no error.
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

    /// The next text frame but pings; none once the server has closed the connection.
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

    /// The next text frame, pings included; none once the server has closed the connection.
    pub(super) async fn any_frame(&mut self) -> Option<String> {
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

    /// Waits until the server closes the connection; returns the answers that the test has not
    /// taken, by their ack numbers.
    pub async fn until_closed(&mut self) -> HashMap<u64, Value> {
        while let Some(frame) = self.try_frame().await {
            self.take(&frame);
        }
        std::mem::take(&mut self.acks)
    }

    /// Sends a request and returns its answer.
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

    /// Sends a request with an ack without waiting; returns the ack's number.
    pub async fn request(&mut self, event: &str, body: Value) -> u64 {
        self.last_ack += 1;
        let ack = self.last_ack;
        self.send(format!("42{ack}{}", json!([event, body]))).await;
        ack
    }

    /// Waits for the answer with this ack number.
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

    /// The same on a connection that may close: then there is no event.
    pub async fn try_next_event(&mut self) -> Option<(String, Value)> {
        while self.events.is_empty() {
            let frame = self.try_frame().await?;
            self.take(&frame);
        }
        self.events.pop_front()
    }

    /// Fails if there is an event that the test has not taken. Events come in the order of their
    /// commits, so that the event of a chat made now comes after all others.
    pub async fn nothing_more(&mut self) {
        let chat = json!({ "chat": { "name": "the last event" }, "users": [] });
        self.tell("create-chat", chat).await;
        assert_eq!(self.next("create-chat").await["chat"]["name"], "the last event");
    }

    /// The body of the next event of this name; drops the events before it.
    pub async fn next_of(&mut self, event: &str) -> Value {
        loop {
            match self.events.pop_front() {
                Some((name, body)) if name == event => return body,
                Some(_) => {}
                None => self.receive().await,
            }
        }
    }

    /// The body of an event of this name, if it has come already.
    pub fn take_event(&mut self, event: &str) -> Option<Value> {
        let index = self.events.iter().position(|(name, _)| name == event)?;
        Some(self.events.remove(index)?.1)
    }

    /// Takes the names and bodies of all events that have come.
    pub fn heard(&mut self) -> VecDeque<(String, Value)> {
        std::mem::take(&mut self.events)
    }

    /// Makes a chat of this and other users, and takes its event; returns its id.
    pub async fn chat(&mut self, name: &str, private: bool, users: &[&str]) -> String {
        let chat = json!({ "name": name, "private": private });
        let answer = self.ask("create-chat", json!({ "chat": chat, "users": users })).await;
        self.next("create-chat").await;
        answer["chat"]["id"].as_str().unwrap().to_owned()
    }

    /// Sends a message to a chat, and takes the push of it; returns the message.
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
        // Old clients that are busy are answered pings that they have not sent.
        if frame == "3" {
            return;
        }
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
