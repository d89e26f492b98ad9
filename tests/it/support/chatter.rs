//! A client of the channels, which sees every frame.

use std::fmt::Display;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{TestServer, soon};

pub const PASSWORD: &str = "correct horse battery";

pub struct Chatter {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl TestServer {
    /// The URL for connecting under a nick; the nick may be followed by a query.
    pub fn channels(&self, nick: impl Display) -> String {
        format!("ws://{}/chat/login/{nick}", self.address())
    }

    /// Connects under a nick, and takes the frame that confirms it.
    pub async fn chatter(&self, nick: &str) -> Chatter {
        let mut chatter = Chatter::open(self.channels(nick)).await;
        assert_eq!(chatter.next().await, json!({ "type": 2, "user": nick }));
        chatter
    }

    /// Connects under a nick that is refused; returns the error frame and the close code.
    pub async fn turned_away(&self, nick: impl Display) -> (Value, u16) {
        let mut chatter = Chatter::open(self.channels(nick)).await;
        let error = chatter.next().await;
        (error, chatter.closed().await)
    }
}

impl Chatter {
    pub async fn open(request: impl IntoClientRequest + Unpin) -> Chatter {
        let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Chatter { stream }
    }

    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    pub async fn tell(&mut self, packet: Value) {
        self.send(Message::text(packet.to_string())).await;
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        match soon("a frame comes", self.stream.next()).await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            Some(Ok(Message::Ping(_))) => Box::pin(self.next()).await,
            other => panic!("no frame came: {other:?}"),
        }
    }

    /// Sends a request and returns the next frame.
    pub async fn ask(&mut self, packet: Value) -> Value {
        self.tell(packet).await;
        self.next().await
    }

    /// Sends a request that must be refused, and checks the error's code, its field if any, and the
    /// `type` of the request.
    pub async fn refused(&mut self, packet: Value, code: &str, field: Option<&str>) {
        let request = packet.get("type").filter(|kind| kind.is_i64()).cloned();
        let error = self.ask(packet).await;
        assert_refused(&error, code, field, request.unwrap_or(Value::Null));
    }

    /// Joins a channel and takes the frame of it.
    pub async fn join(&mut self, channel: &str, nick: &str) {
        let joined = self.ask(json!({ "type": 4, "channel": channel })).await;
        assert_eq!(joined, of_channel(4, channel, nick));
    }

    /// Sends a message and takes the echo.
    pub async fn say(&mut self, channel: &str, text: &str, nick: &str) {
        let said = self.ask(said_by(channel, text)).await;
        assert_eq!(said, message(channel, text, nick));
    }

    /// All nicks that are connected. Fails if another frame comes first.
    pub async fn nicks(&mut self) -> Value {
        let mut list = self.ask(json!({ "type": 6 })).await;
        assert_eq!(list["type"], 6, "{list}");
        list["users"].take()
    }

    /// Fails if there is a frame that the test has not taken.
    pub async fn nothing_more(&mut self) {
        self.nicks().await;
    }

    /// The code that the server closes with. Fails if another frame comes first.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match soon("the connection is closed", self.stream.next()).await {
                Some(Ok(Message::Close(Some(why)))) => return why.code.into(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    /// The close code; drops all frames before it.
    pub async fn closed_at_last(&mut self) -> u16 {
        loop {
            match soon("the connection is closed", self.stream.next()).await {
                Some(Ok(Message::Close(Some(why)))) => return why.code.into(),
                Some(Ok(_)) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    /// All frames until the server closes the connection, and the code that it closes with.
    pub async fn until_closed(&mut self) -> (Vec<Value>, u16) {
        let mut frames = Vec::new();
        loop {
            match soon("the connection is closed", self.stream.next()).await {
                Some(Ok(Message::Close(Some(why)))) => return (frames, why.code.into()),
                Some(Ok(Message::Text(text))) => frames.push(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("not closed: {other:?}"),
            }
        }
    }

    /// The stream below the WebSocket, for sending what no client should send.
    pub fn raw(&mut self) -> &mut TcpStream {
        match self.stream.get_mut() {
            MaybeTlsStream::Plain(stream) => stream,
            _ => panic!("no plain stream"),
        }
    }
}

pub fn said_by(channel: &str, text: &str) -> Value {
    json!({ "type": 0, "dest": channel, "message": text })
}

/// What everybody in a channel is shown of a message.
pub fn message(channel: &str, text: &str, nick: &str) -> Value {
    json!({ "type": 0, "dest": channel.trim_start_matches('#'), "message": text, "user": nick })
}

/// What everybody in a channel is shown when a nick joins (4) or leaves (5).
pub fn of_channel(kind: i64, channel: &str, nick: &str) -> Value {
    json!({ "type": kind, "channel": channel.trim_start_matches('#'), "user": nick })
}

pub fn of_nick(kind: i64, nick: &str) -> Value {
    json!({ "type": kind, "user": nick })
}

pub fn with_password(kind: i64, nick: &str, password: &str) -> Value {
    json!({ "type": kind, "user": nick, "password": password })
}

#[track_caller]
pub fn assert_refused(error: &Value, code: &str, field: Option<&str>, request: Value) {
    assert_eq!(error["type"], -1, "{error}");
    assert_eq!(error["request"], request, "{error}");
    assert!(error.get("request").is_some(), "{error}");
    crate::support::assert_error(error, code, field);
}
