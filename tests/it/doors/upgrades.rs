//! How a request becomes a WebSocket: the answer to one that asks for no upgrade, and the
//! subprotocols that browsers offer.

use chinwag::Access;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::chatter::{Chatter, of_nick};
use crate::support::credentials::token;
use crate::support::signing::SECRET;
use crate::support::{TestServer, soon};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SOCKET_IO: &str = "/socket.io/?EIO=4&transport=websocket";

/// The head of the answer to an upgrade with these subprotocols, in lower case.
async fn upgraded(server: &TestServer, path: &str, protocols: &str) -> String {
    let offer = format!("Sec-WebSocket-Protocol: {protocols}\r\n");
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{UPGRADE}{offer}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon("an answer comes", stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

#[tokio::test]
async fn a_request_without_an_upgrade_is_told_to_ask_for_one() {
    let server = TestServer::start().await;
    let bob = server.sign_up("bob").await;
    let live = format!("/api/ws?access_token={}", bob.access());
    for path in ["/chat/login/ann", "/chat/login/", live.as_str(), SOCKET_IO] {
        for headers in ["", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n"] {
            // If an upgrade is asked for, the engine of Socket.IO checks the other headers.
            if path == SOCKET_IO && headers.starts_with("Upgrade") {
                continue;
            }
            let answer = server.get(path, headers).await;
            assert!(answer.starts_with("HTTP/1.1 426 "), "{path}: {answer}");
            assert!(answer.contains("upgrade: websocket\r\n"), "{path}: {answer}");
            assert!(answer.contains("open it with a WebSocket client"), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn the_server_agrees_on_the_first_subprotocol_that_is_no_token() {
    let server = TestServer::start().await;
    let bob = server.sign_up("bob").await;
    let live = format!("/api/ws?access_token={}", bob.access());
    for path in ["/chat/login/ann", live.as_str(), SOCKET_IO] {
        for (offered, agreed) in
            [("chat", "chat"), ("v1, v2", "v1"), ("v1,bearer,x", "v1"), (" Bearer , x", "bearer")]
        {
            // Here a wrong token refuses the upgrade; the channels report it on the open WebSocket.
            if path == live && offered.contains("earer") {
                continue;
            }
            let head = upgraded(&server, path, offered).await;
            assert!(head.starts_with("http/1.1 101 "), "{path}: {head}");
            let line = format!("sec-websocket-protocol: {agreed}\r\n");
            assert_eq!(head.matches("sec-websocket-protocol").count(), 1, "{path}: {head}");
            assert!(head.contains(&line), "{path}, {offered}: {head}");
        }
        let none = upgraded(&server, path, "").await;
        assert!(!none.contains("sec-websocket-protocol"), "{path}: {none}");
    }
}

#[tokio::test]
async fn a_token_may_come_as_a_subprotocol() {
    let server = TestServer::with(|config| {
        config.access = Some(Access::Token);
        config.jwt_secret = Some(SECRET.into());
    })
    .await;
    let bob = server.sign_up("bob").await;
    let bearer = |token: &str| format!("bearer, {token}");
    let head = upgraded(&server, "/api/ws", &bearer(bob.access())).await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-protocol: bearer\r\n"), "{head}");
    assert!(upgraded(&server, "/api/ws", "bearer, x").await.starts_with("http/1.1 401 "));
    assert!(upgraded(&server, "/api/ws", "bearer").await.starts_with("http/1.1 401 "));

    let url = server.channels("ann");
    let mut request =
        tokio_tungstenite::tungstenite::ClientRequestBuilder::new(url.parse().unwrap());
    for protocol in ["bearer".to_owned(), token("ann", 3600)] {
        request = request.with_sub_protocol(protocol);
    }
    // Like a browser, this client rejects a connection that names none of its subprotocols.
    let mut ann = Chatter::open(request).await;
    assert_eq!(ann.next().await, of_nick(2, "ann"));
    ann.tell(json!({ "type": 6 })).await;
    assert_eq!(ann.next().await, json!({ "type": 6, "users": ["ann"] }));
}
