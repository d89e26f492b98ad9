//! A WebSocket client that exchanges JSON texts with a server that may go away at any time.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::load::ANSWER;
use crate::support::patience::within;

pub struct Plain(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// The result of waiting for a frame.
pub enum Next {
    Frame(Value),
    /// No frame came in time.
    Nothing,
    Closed,
}

impl Plain {
    pub async fn open(address: SocketAddr, path: &str, token: Option<&str>) -> Option<Plain> {
        let mut request = format!("ws://{address}{path}").into_client_request().ok()?;
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().ok()?;
            request.headers_mut().insert("authorization", bearer);
        }
        Some(Plain(within(ANSWER, connect_async(request)).await?.ok()?.0))
    }

    /// Returns false if the connection is closed.
    pub async fn send(&mut self, frame: &Value) -> bool {
        self.0.send(Message::text(frame.to_string())).await.is_ok()
    }

    /// The next frame, if it comes within this time.
    pub async fn next(&mut self, within: Duration) -> Next {
        let until = Instant::now() + within;
        loop {
            match timeout_at(until, self.0.next()).await {
                Err(_) => return Next::Nothing,
                Ok(Some(Ok(Message::Text(text)))) => {
                    return serde_json::from_str(&text).map_or(Next::Closed, Next::Frame);
                }
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(_) => return Next::Closed,
            }
        }
    }
}
