//! Socket.IO over either transport and in either protocol, packet by packet.

use std::collections::VecDeque;

use data_encoding::BASE64;
use futures_util::SinkExt;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Client, TestServer};

/// How a connection begins.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// `EIO`: 4, or 3 for old clients.
    pub protocol: u8,
    pub polling: bool,
    /// More of the query, such as `&a=b`.
    pub query: &'a str,
    /// `Authorization`, if not empty.
    pub authorization: &'a str,
}

pub enum Transport<'a> {
    WebSocket(Box<Client>),
    Polling(Polling<'a>),
}

pub struct Polling<'a> {
    server: &'a TestServer,
    protocol: u8,
    path: String,
    packets: VecDeque<String>,
}

impl<'a> Transport<'a> {
    /// Opens the transport and takes its first packet.
    pub async fn open(server: &'a TestServer, opening: Opening<'_>) -> Transport<'a> {
        let Opening { protocol, polling, query, authorization } = opening;
        let path = |transport| format!("/socket.io/?EIO={protocol}&transport={transport}{query}");
        if polling {
            let polling = Polling::open(server, protocol, path("polling"), authorization);
            return Transport::Polling(polling.await);
        }
        let url = format!("ws://{}{}", server.address(), path("websocket"));
        let mut request = url.into_client_request().unwrap();
        if !authorization.is_empty() {
            // Not all values are ASCII.
            let value = authorization.as_bytes().try_into().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let mut client = Client::open_url(request).await;
        assert!(client.frame().await.starts_with('0'));
        Transport::WebSocket(Box::new(client))
    }

    pub async fn send(&mut self, packet: &str) {
        assert!(self.try_send(packet).await, "{packet} was refused");
    }

    /// The same where the packet may be refused: then it returns false.
    pub async fn try_send(&mut self, packet: &str) -> bool {
        match self {
            Transport::WebSocket(client) => client.stream.send(Message::text(packet)).await.is_ok(),
            Transport::Polling(polling) => polling.try_send(packet).await,
        }
    }

    /// The same with bytes, as the transport carries them.
    pub async fn send_bytes(&mut self, protocol: u8, bytes: &[u8]) -> bool {
        match self {
            Transport::WebSocket(client) => {
                let kind: &[u8] = if protocol == 3 { &[4] } else { &[] };
                client.stream.send(Message::binary([kind, bytes].concat())).await.is_ok()
            }
            Transport::Polling(polling) => {
                let kind = if protocol == 3 { "b4" } else { "b" };
                polling.try_send(&format!("{kind}{}", BASE64.encode(bytes))).await
            }
        }
    }

    /// Sends a body as it is; returns whether it was accepted.
    pub async fn post(&self, body: &str) -> bool {
        self.polling().post(body).await
    }

    /// The body of a poll, as it is; none if the session has ended.
    pub async fn poll(&self) -> Option<String> {
        self.polling().poll().await
    }

    /// Opens a WebSocket to which the polling session is to be upgraded.
    pub async fn websocket(&self) -> Transport<'a> {
        let Polling { server, path, .. } = self.polling();
        let path = path.replace("=polling", "=websocket");
        let client = Client::open_url(&format!("ws://{}{path}", server.address())).await;
        Transport::WebSocket(Box::new(client))
    }

    fn polling(&self) -> &Polling<'a> {
        match self {
            Transport::Polling(polling) => polling,
            Transport::WebSocket(_) => panic!("it does not poll"),
        }
    }

    /// The next packet, pings included; none once the session has ended.
    pub async fn next(&mut self) -> Option<String> {
        match self {
            Transport::WebSocket(client) => client.any_frame().await,
            Transport::Polling(polling) => polling.next().await,
        }
    }

    /// The next packet, pings aside.
    pub async fn packet(&mut self) -> String {
        match self {
            Transport::WebSocket(client) => client.frame().await,
            Transport::Polling(polling) => polling.packet().await,
        }
    }

    /// The packets before the first that begins with `start`, and what follows `start` in it.
    pub async fn until(&mut self, start: &str) -> (Vec<String>, Value) {
        let mut before = Vec::new();
        loop {
            let packet = self.packet().await;
            match packet.strip_prefix(start) {
                Some(rest) => return (before, serde_json::from_str(rest).unwrap()),
                None => before.push(packet),
            }
        }
    }
}

impl<'a> Polling<'a> {
    /// Whether the session still exists; takes the packets that wait for it.
    pub async fn is_open(&self) -> bool {
        self.poll().await.is_some()
    }

    async fn open(
        server: &'a TestServer,
        protocol: u8,
        path: String,
        authorization: &str,
    ) -> Polling<'a> {
        let headers = match authorization {
            "" => String::new(),
            value => format!("Authorization: {value}\r\n"),
        };
        let answer = server.get(&path, &headers).await;
        let sid = answer.split("\"sid\":\"").nth(1).expect(&answer).split('"').next().unwrap();
        // The query and the header of the first request hold for the whole session.
        let path = format!("/socket.io/?EIO={protocol}&transport=polling&sid={sid}");
        let mut polling = Polling { server, protocol, path, packets: VecDeque::new() };
        polling.take(answer.split_once("\r\n\r\n").unwrap().1);
        assert!(polling.packet().await.starts_with('0'));
        polling
    }

    async fn try_send(&self, packet: &str) -> bool {
        match self.protocol {
            // An old client counts UTF-16 code units, as JavaScript does.
            3 => self.post(&format!("{}:{packet}", packet.encode_utf16().count())).await,
            _ => self.post(packet).await,
        }
    }

    async fn post(&self, body: &str) -> bool {
        let (path, length) = (&self.path, body.len());
        let answer = self
            .server
            .exchange(&format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ))
            .await;
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nok")
    }

    async fn poll(&self) -> Option<String> {
        let answer = self.server.get(&self.path, "").await;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200 ").then(|| body.to_owned())
    }

    async fn packet(&mut self) -> String {
        loop {
            match self.next().await.expect("the session ended").as_str() {
                "2" => assert!(self.try_send("3").await),
                packet => return packet.to_owned(),
            }
        }
    }

    async fn next(&mut self) -> Option<String> {
        while self.packets.is_empty() {
            let body = self.poll().await?;
            self.take(&body);
        }
        self.packets.pop_front()
    }

    /// Stores the packets of a body.
    fn take(&mut self, mut body: &str) {
        if self.protocol == 4 {
            return self.packets.extend(body.split('\u{1e}').map(str::to_owned));
        }
        while let Some((length, rest)) = body.split_once(':') {
            let mut units = length.parse().unwrap();
            let end = rest.find(|c: char| match units {
                0 => true,
                left => {
                    units = left - c.len_utf16();
                    false
                }
            });
            let (packet, rest) = rest.split_at(end.unwrap_or(rest.len()));
            self.packets.push_back(packet.to_owned());
            body = rest;
        }
    }
}
