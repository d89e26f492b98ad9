//! Socket.IO by either transport and in either protocol, packet by packet.

use std::collections::VecDeque;

use serde_json::Value;
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
            // It may be more than ASCII.
            let value = authorization.as_bytes().try_into().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        let mut client = Client::open_url(request).await;
        assert!(client.frame().await.starts_with('0'));
        Transport::WebSocket(Box::new(client))
    }

    pub async fn send(&mut self, packet: &str) {
        match self {
            Transport::WebSocket(client) => client.send(packet).await,
            Transport::Polling(polling) => polling.send(packet).await,
        }
    }

    /// The next packet, pings aside.
    pub async fn packet(&mut self) -> String {
        match self {
            Transport::WebSocket(client) => client.frame().await,
            Transport::Polling(polling) => polling.packet().await,
        }
    }

    /// The packets before the one that begins so, and what that goes on with.
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
    /// Whether the session is still there; takes what waits for it.
    pub async fn is_open(&self) -> bool {
        self.server.get(&self.path, "").await.starts_with("HTTP/1.1 200 ")
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
        // What was said once holds for the connection.
        let path = format!("/socket.io/?EIO={protocol}&transport=polling&sid={sid}");
        let mut polling = Polling { server, protocol, path, packets: VecDeque::new() };
        polling.take(&answer);
        assert!(polling.packet().await.starts_with('0'));
        polling
    }

    async fn send(&mut self, packet: &str) {
        let body = match self.protocol {
            3 => format!("{}:{packet}", packet.chars().count()),
            _ => packet.to_owned(),
        };
        let (path, length) = (&self.path, body.len());
        let answer = self
            .server
            .exchange(&format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    async fn packet(&mut self) -> String {
        loop {
            match self.packets.pop_front() {
                Some(packet) if packet == "2" => self.send("3").await,
                Some(packet) => return packet,
                None => {
                    let answer = self.server.get(&self.path, "").await;
                    self.take(&answer);
                }
            }
        }
    }

    /// Keeps the packets of an answer.
    fn take(&mut self, answer: &str) {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let mut body = answer.split_once("\r\n\r\n").unwrap().1;
        if self.protocol == 4 {
            return self.packets.extend(body.split('\u{1e}').map(str::to_owned));
        }
        while let Some((length, rest)) = body.split_once(':') {
            // An old client counts characters.
            let end = rest.char_indices().nth(length.parse().unwrap());
            let (packet, rest) = rest.split_at(end.map_or(rest.len(), |(end, _)| end));
            self.packets.push_back(packet.to_owned());
            body = rest;
        }
    }
}
