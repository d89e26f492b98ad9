//! Socket.IO over WebSocket and by polling, in protocol 4 and, for old clients, 3.

use std::time::Duration;

use std::net::SocketAddr;
use tokio::time::timeout;

use serde_json::{Value, json};

use crate::http::Http;
use crate::websocket::{TEXT, WebSocket};

/// Requests with numbers from here on are probes.
const FIRST_PROBE: u64 = 7_000_000_000;

/// A WebSocket connection that has entered the namespace.
pub struct Socket {
    pub transport: WebSocket,
    last_probe: u64,
}

impl Socket {
    pub async fn enter(address: SocketAddr, protocol: u8) -> Result<Socket, String> {
        let path = format!("/socket.io/?EIO={protocol}&transport=websocket");
        let mut transport = WebSocket::open(address, &path).await?;
        if protocol == 4 {
            transport.send(TEXT, b"40").await;
        }
        Ok(Socket { transport, last_probe: FIRST_PROBE })
    }

    /// Sends a valid request, and returns its answer.
    pub async fn ask(&mut self, event: &str, body: Value) -> Result<Value, String> {
        let answer = self.request(&json!([event, body]).to_string()).await?;
        let answer = answer.ok_or_else(|| format!("{event} was not answered"))?;
        let [answer]: [Value; 1] = serde_json::from_str(&answer).map_err(|e| e.to_string())?;
        Ok(answer)
    }

    /// Sends a request of an unknown event: its answer comes after all that was sent before. False
    /// if the server has closed the connection. Errors: it has answered `internal`.
    pub async fn probe(&mut self) -> Result<bool, String> {
        match timeout(LEFT, self.request(r#"["probe"]"#)).await {
            Ok(answer) => Ok(answer?.is_some()),
            // A client that has left the namespace is not answered until it enters it again.
            Err(_) => {
                self.transport.send(TEXT, b"40").await;
                Ok(self.request(r#"["probe"]"#).await?.is_some())
            }
        }
    }

    async fn request(&mut self, data: &str) -> Result<Option<String>, String> {
        self.last_probe += 1;
        let request = format!("42{}{data}", self.last_probe);
        if !self.transport.send(TEXT, request.as_bytes()).await {
            return Ok(None);
        }
        let answer = format!("43{}", self.last_probe);
        while let Some(frame) = self.transport.receive().await {
            let text = String::from_utf8_lossy(&frame.payload).into_owned();
            crate::exchange::check(&text)?;
            match text.strip_prefix(&answer) {
                Some(data) => return Ok(Some(data.to_owned())),
                None if text == "2" => drop(self.transport.send(TEXT, b"3").await),
                None => {}
            }
        }
        Ok(None)
    }
}

/// After this long without an answer, the client may have left the namespace.
const LEFT: Duration = Duration::from_millis(500);

/// A polling session.
pub struct Session {
    http: Http,
    protocol: u8,
    path: String,
    last_probe: u64,
}

impl Session {
    pub async fn enter(address: SocketAddr, protocol: u8) -> Result<Session, String> {
        let (mut http, last_probe) = (Http::new(address), FIRST_PROBE);
        let path = format!("/socket.io/?EIO={protocol}&transport=polling");
        let opened = http.get(&path).await?.text();
        let sid = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = sid.ok_or_else(|| format!("no session: {opened}"))?;
        let path = format!("{path}&sid={sid}");
        let mut session = Session { http, protocol, path, last_probe };
        if protocol == 4 {
            session.post(b"40").await?;
        }
        Ok(session)
    }

    /// Frames packets as this protocol does for polling.
    pub fn frame(&self, packets: &[Vec<u8>]) -> Vec<u8> {
        if self.protocol == 4 {
            return packets.join(&0x1e);
        }
        let frame = |packet: &Vec<u8>| {
            let units = String::from_utf8_lossy(packet).encode_utf16().count();
            [format!("{units}:").as_bytes(), packet].concat()
        };
        packets.iter().flat_map(frame).collect()
    }

    /// Frames a packet as bytes, for protocol 3.
    pub fn frame_bytes(packet: &[u8], binary: bool) -> Vec<u8> {
        let digits = packet.len().to_string();
        let digits = digits.bytes().map(|digit| digit - b'0');
        let head = [u8::from(binary)].into_iter().chain(digits).chain([0xff]);
        head.chain(packet.iter().copied()).collect()
    }

    /// Sends a body; returns the status of the answer.
    pub async fn post(&mut self, body: &[u8]) -> Result<u16, String> {
        self.post_as("text/plain;charset=UTF-8", body).await
    }

    pub async fn post_as(&mut self, kind: &str, body: &[u8]) -> Result<u16, String> {
        let headers = format!("Content-Type: {kind}\r\n");
        Ok(self.http.send("POST", &self.path, &headers, body).await?.status)
    }

    /// Sends part of a body and closes the connection.
    pub async fn cut(&mut self, body: &[u8]) -> Result<(), String> {
        self.http.cut("POST", &self.path, "Content-Type: text/plain\r\n", body).await
    }

    /// The same as [`Socket::probe`].
    pub async fn probe(&mut self) -> Result<bool, String> {
        // A client that has left the namespace gets no answer; then this session is given up.
        timeout(LEFT, self.answered()).await.unwrap_or(Ok(false))
    }

    async fn answered(&mut self) -> Result<bool, String> {
        self.last_probe += 1;
        let request = format!("42{}[\"probe\"]", self.last_probe).into_bytes();
        let request = self.frame(&[request]);
        if self.post(&request).await? != 200 {
            return Ok(false);
        }
        let answer = format!("43{}[", self.last_probe);
        loop {
            let polled = self.http.get(&self.path).await?;
            let text = polled.text();
            crate::exchange::check(&text)?;
            if polled.status != 200 {
                return Ok(false);
            }
            if text.contains(&answer) {
                return Ok(true);
            }
            if self.protocol == 4 && text.split('\u{1e}').any(|packet| packet == "2") {
                self.post(b"3").await?;
            }
        }
    }

    /// Ends the session.
    pub async fn end(mut self) {
        let packet = self.frame(&[b"1".to_vec()]);
        let _ = self.post(&packet).await;
    }
}
