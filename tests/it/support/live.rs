//! A client of `/api/ws`.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{TestServer, assert_error, soon};

pub struct Live(pub WebSocketStream<TcpStream>);

impl Live {
    pub async fn connect(server: &TestServer, token: &str) -> Live {
        Live::open(server.address(), token).await.unwrap()
    }

    /// Errors: the answer of a server that refuses the upgrade.
    pub async fn open(address: SocketAddr, token: &str) -> Result<Live, Error> {
        let mut request = format!("ws://{address}/api/ws").into_client_request().unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        // A small buffer, so that a server soon notices a client that does not read.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        let stream = socket.connect(address).await.unwrap();
        Ok(Live(tokio_tungstenite::client_async(request, stream).await?.0))
    }

    pub async fn send(&mut self, frame: impl Into<Message>) {
        self.0.send(frame.into()).await.unwrap();
    }

    /// Sends a message.
    pub async fn say(&mut self, author: &str, recipient: &str, text: &str) {
        let packet = json!({ "author": author, "recipient": recipient, "message": text });
        self.send(packet.to_string()).await;
    }

    /// The next text frame, as it is.
    pub async fn frame(&mut self) -> String {
        loop {
            match soon("a frame comes", self.0.next()).await {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} in place of a text"),
            }
        }
    }

    pub async fn next(&mut self) -> Value {
        serde_json::from_str(&self.frame().await).unwrap()
    }

    /// Sends something that must be refused; returns the `error` of the answer.
    pub async fn refused(&mut self, packet: impl Into<Message>) -> Value {
        self.send(packet).await;
        let mut answer = self.next().await;
        assert_eq!(answer.as_object().map(|answer| answer.len()), Some(1), "{answer}");
        answer["error"].take()
    }

    /// Fails unless the connection is open, and nothing has come that the test has not taken.
    pub async fn is_open(&mut self) {
        assert_error(&self.refused("{}").await, "invalid", Some("author"));
    }

    /// The code with which the server closes the connection; 1006 if it closes without one.
    pub async fn closed(&mut self) -> u16 {
        self.until_closed().await.1
    }

    /// All frames until the server closes the connection, and the code.
    pub async fn until_closed(&mut self) -> (Vec<Value>, u16) {
        let mut frames = Vec::new();
        loop {
            match soon("the connection closes", self.0.next()).await {
                Some(Ok(Message::Close(frame))) => {
                    return (frames, frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(Message::Text(text))) => frames.push(serde_json::from_str(&text).unwrap()),
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return (frames, 1006),
            }
        }
    }
}
