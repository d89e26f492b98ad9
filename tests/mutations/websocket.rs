//! A WebSocket client that sends bytes as they are, without checks: even a text that is not UTF-8.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::http::{connect, read_head};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
const CLOSE: u8 = 8;

pub struct WebSocket {
    stream: BufReader<TcpStream>,
}

/// A frame from the server; `kind` is one of the constants above.
pub struct Received {
    pub kind: u8,
    pub payload: Vec<u8>,
}

impl WebSocket {
    /// Errors: the upgrade is refused.
    pub async fn open(address: SocketAddr, path: &str) -> Result<WebSocket, String> {
        let mut stream = BufReader::new(connect(address).await?);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let written = stream.write_all(request.as_bytes()).await;
        written.map_err(|error| error.to_string())?;
        match read_head(&mut stream).await {
            Ok((101, _)) => Ok(WebSocket { stream }),
            Ok((status, _)) => Err(format!("{path} is answered {status}")),
            Err(error) => Err(format!("{path} is not answered: {error}")),
        }
    }

    /// Sends a frame. False if the server has closed the connection.
    pub async fn send(&mut self, kind: u8, payload: &[u8]) -> bool {
        self.send_raw(&frame(kind, payload)).await
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.get_mut().write_all(bytes).await.is_ok()
    }

    /// The next frame; none once the server has closed the connection.
    pub async fn receive(&mut self) -> Option<Received> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = match head[1] {
            126 => u64::from(self.stream.read_u16().await.ok()?),
            127 => self.stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.stream.read_exact(&mut payload).await.ok()?;
        let kind = head[0] & 0xf;
        (kind != CLOSE).then_some(Received { kind, payload })
    }

    /// Sends nothing more, and waits until the server has closed the connection, too.
    pub async fn end(mut self) {
        let _ = self.stream.get_mut().shutdown().await;
        while self.receive().await.is_some() {}
    }
}

/// A frame masked with zeros, so that the payload stays as it is.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
