//! A Socket.IO connection over WebSocket, with just what the load needs.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub struct Client {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    last_ack: u64,
}

/// A frame that came over a connection.
pub enum Frame {
    /// An answer, to the request of this number.
    Answer(u64, Utf8Bytes),
    Event(Utf8Bytes),
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Client {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut client = Client { stream, last_ack: 0 };
        client.text().await;
        client.stream.send(Message::text("40")).await.unwrap();
        client.text().await;
        client
    }

    /// Connects as the user with this external id; returns the user's id, too.
    pub async fn connect_as(address: SocketAddr, name: &str) -> (Client, String) {
        let mut client = Client::connect(address).await;
        let user = json!({ "external_id": name, "name": name, "photo": "" });
        let answer = client.ask("create-user", &json!({ "user": user })).await;
        let id = answer["user"]["id"].as_str().expect("a user").to_owned();
        (client, id)
    }

    /// Sends a request; returns its number.
    pub async fn request(&mut self, event: &str, body: &str) -> u64 {
        self.last_ack += 1;
        let frame = format!("42{}[\"{event}\",{body}]", self.last_ack);
        self.stream.send(Message::text(frame)).await.unwrap();
        self.last_ack
    }

    /// Sends a request and returns its answer; drops the events that come before it.
    pub async fn ask(&mut self, event: &str, body: &Value) -> Value {
        let number = self.request(event, &body.to_string()).await;
        loop {
            if let Frame::Answer(ack, text) = self.frame().await
                && ack == number
            {
                let [answer] = serde_json::from_str::<[Value; 1]>(&text).unwrap();
                assert!(answer.get("error").is_none(), "{event}: {answer}");
                return answer;
            }
        }
    }

    /// The next answer or event. Cancelling this future loses nothing.
    pub async fn frame(&mut self) -> Frame {
        loop {
            let text = self.text().await;
            if text.starts_with("42") {
                return Frame::Event(text);
            } else if let Some(rest) = text.strip_prefix("43") {
                let start = rest.find('[').unwrap();
                let number = rest[..start].parse().unwrap();
                return Frame::Answer(number, rest[start..].into());
            }
        }
    }

    /// The next packet except pings, which are answered.
    async fn text(&mut self) -> Utf8Bytes {
        loop {
            match self.stream.next().await.expect("the server keeps the connection").unwrap() {
                Message::Text(text) if text == "2" => {
                    self.stream.send(Message::text("3")).await.unwrap();
                }
                Message::Text(text) => return text,
                Message::Close(_) => panic!("the server closed the connection"),
                _ => {}
            }
        }
    }

    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }
}
