//! Engine.IO: how a session begins, is kept alive, carries packets, moves to a WebSocket, and ends.

use std::time::Duration;

use futures_util::future::join;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Both, Polling, Rule, WebSocket, hold, is_like};
use crate::support::TestServer;
use crate::support::transports::{Opening, Transport};

/// A request for a new session: its name, its method or `WS` for a WebSocket, its query, the
/// expected status, and the expected body or first packet of the WebSocket.
type Handshake = (&'static str, &'static str, &'static str, u16, &'static str);

const HANDSHAKES: [Handshake; 20] = [
    (
        "a polling session is told all that it needs",
        "GET",
        "EIO=4&transport=polling",
        200,
        r#"0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1048576}"#,
    ),
    (
        "a WebSocket has nothing to move to",
        "WS",
        "EIO=4&transport=websocket",
        101,
        r#"0{"sid":"…","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1048576}"#,
    ),
    (
        "an old client is told how long the packet is",
        "GET",
        "EIO=3&transport=polling",
        200,
        r#"…:0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,…}"#,
    ),
    (
        "an old client's WebSocket",
        "WS",
        "EIO=3&transport=websocket",
        101,
        r#"0{"sid":"…","upgrades":[],"pingInterval":25000,"pingTimeout":20000,…}"#,
    ),
    ("the order says nothing", "GET", "t=x&transport=polling&b=1&EIO=4", 200, "0{…}"),
    ("EIO is needed", "GET", "transport=polling", 400, "…"),
    ("EIO is a number", "GET", "EIO=abc&transport=polling", 400, "…"),
    ("EIO is a version that is spoken", "GET", "EIO=5&transport=polling", 400, "…"),
    ("a WebSocket needs EIO", "WS", "transport=websocket", 400, ""),
    ("of a WebSocket EIO is a number", "WS", "EIO=abc&transport=websocket", 400, ""),
    ("a transport is needed", "GET", "EIO=4", 400, "…"),
    ("it is one of two", "GET", "EIO=4&transport=abc", 400, "…"),
    ("a WebSocket needs a transport", "WS", "EIO=4", 400, ""),
    ("it is not any", "WS", "EIO=4&transport=abc", 400, ""),
    ("a session is not made by a POST", "POST", "EIO=4&transport=polling", 400, "…"),
    ("nor by a PUT", "PUT", "EIO=4&transport=polling", 400, "…"),
    ("a session that there is not", "GET", "EIO=4&transport=polling&sid=x", 400, "…"),
    ("one that there might be", "GET", "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", 400, "…"),
    ("to which nothing is sent", "POST", "EIO=3&transport=polling&sid=AAAAAAAAAAAAAAAA", 400, "…"),
    ("of which no WebSocket is", "WS", "EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAA", 101, ""),
];

#[tokio::test]
async fn a_session_begins() {
    let server = TestServer::start().await;
    let mut broken = Vec::new();
    for (name, method, query, status, expected) in HANDSHAKES {
        let path = format!("/socket.io/?{query}");
        let (got, body) = match method {
            "WS" => open(&format!("ws://{}{path}", server.address())).await,
            _ => {
                let answer = server.request(method, &path).send().await;
                (answer.status, answer.text)
            }
        };
        if got != status || is_like(expected, Some(body.clone())).is_err() {
            broken.push(format!("{name}: {got} {body}"));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The status of a request for a WebSocket, and the first packet; an empty one if there is none.
async fn open(url: &str) -> (u16, String) {
    match connect_async(url).await {
        Ok((mut stream, _)) => match stream.next().await {
            Some(Ok(Message::Text(packet))) => (101, packet.to_string()),
            _ => (101, String::new()),
        },
        Err(Error::Http(answer)) => (answer.status().as_u16(), String::new()),
        Err(error) => panic!("{url}: {error}"),
    }
}

const MESSAGES: [Rule; 10] = [
    ("a message is taken", Both, "> 40 | < 40{…} | works"),
    ("a close ends the session", Both, "> 1 | closed"),
    ("so does a packet of no kind", Both, "> abc | closed"),
    ("and one whose kind there is not", Both, "> 9 | closed"),
    ("and an `open`", Both, "> 0{} | closed"),
    ("and an upgrade of what has not asked for one", Both, "> 5 | closed"),
    ("and an empty packet", WebSocket, "> | closed"),
    ("and bytes that are no base64", Polling, "> b!! | closed"),
    ("a poll is ended by the close", Polling, "> 1 | closed"),
    (
        "packets of one body are taken in their order",
        Polling,
        r#"post 40␞421["x"]␞422["x"] | < 40{…} | < 431[…] | < 432[…] | works"#,
    ),
];

const OLD_MESSAGES: [Rule; 10] = [
    ("a message is taken", Both, "< 40 | works"),
    ("a close ends the session", Both, "< 40 | > 1 | closed"),
    ("so does a packet of no kind", Both, "< 40 | > abc | closed"),
    ("and an `open`", Both, "< 40 | > 0{} | closed"),
    ("a ping is answered", Both, "< 40 | > 2 | < 3 | > 2 | < 3 | works"),
    ("a body has the length before it", Polling, "poll 2:40 | post 1:2 | poll 1:3"),
    (
        "packets of one body are taken in their order",
        Polling,
        r#"poll 2:40 | post 8:421["x"]8:422["x"] | < 431[…] | < 432[…] | works"#,
    ),
    (
        "what is counted is UTF-16 code units",
        Polling,
        r#"poll 2:40 | post 11:421["é😀€"]8:422["x"] | < 431[…] | < 432[…] | works"#,
    ),
    (
        "by the server, too",
        Polling,
        r#"< 40 | > 421["create-user",{"user":{"id":"u","name":"é😀€"}}]
           | < 431[…"name":"é😀€"…] | works"#,
    ),
    ("a length that is none ends the session", Polling, "poll 2:40 | post x:2 | closed"),
];

#[tokio::test]
async fn packets_are_carried() {
    let server = TestServer::start().await;
    hold(&server, 4, "", &MESSAGES).await;
    hold(&server, 3, "", &OLD_MESSAGES).await;
}

const UPGRADES: [Rule; 7] = [
    (
        "a session moves to a WebSocket",
        Polling,
        "> 40 | < 40{…} | ws: open | ws: > 2probe | ws: < 3probe | < 6 | ws: > 5 | ws: works \
         | closed",
    ),
    (
        "what waits for it moves along",
        Polling,
        r#"> 40 | < 40{…} | ws: open | ws: > 2probe | ws: < 3probe | > 421["x"] | < 6 | ws: > 5
           | ws: < 431[…] | ws: works"#,
    ),
    (
        "it may be opened once",
        Polling,
        "> 40 | < 40{…} | ws: open | ws: > 2probe | ws: < 3probe | ws: > 5 | ws: works \
         | ws2: open | ws2: closed | ws: works",
    ),
    (
        "then nothing is taken by polling",
        Polling,
        "> 40 | < 40{…} | ws: open | ws: > 2probe | ws: < 3probe | ws: > 5 | ws: works \
         | > 40 | closed | ws: works",
    ),
    ("it begins with a probe", Polling, "ws: open | ws: > 2 | ws: closed | closed"),
    (
        "it ends with an upgrade",
        Polling,
        "ws: open | ws: > 2probe | ws: < 3probe | ws: > 40 | ws: closed | closed",
    ),
    ("no message comes before it", Polling, "ws: open | ws: > 40 | ws: closed | closed"),
];

const OLD_UPGRADES: [Rule; 2] = [
    (
        "a session moves to a WebSocket",
        Polling,
        "< 40 | ws: open | ws: > 2probe | ws: < 3probe | < 6 | ws: > 5 | ws: works | closed",
    ),
    ("it begins with a probe", Polling, "< 40 | ws: open | ws: > 2 | ws: closed | closed"),
];

#[tokio::test]
async fn a_session_moves_to_a_websocket() {
    let server = TestServer::start().await;
    hold(&server, 4, "", &UPGRADES).await;
    hold(&server, 3, "", &OLD_UPGRADES).await;
}

const HEARTBEATS: [Rule; 2] = [
    ("the server pings, the client answers", Both, "< 2 | > 3 | < 2 | > 3 | < 2 | > 3 | < 2"),
    ("also in the namespace", Both, "> 40 | < 40{…} | < 2 | > 3 | works | < 2 | > 3 | works"),
];

const DEATHS: [Rule; 1] = [("who answers no ping is gone", Both, "closed")];
const OLD_DEATHS: [Rule; 1] = [("who sends no ping is gone", Both, "< 40 | closed")];

#[tokio::test]
async fn a_session_is_kept_alive_or_ends() {
    let with = async |interval, timeout| {
        let change = |limits: &mut chinwag::Limits| {
            limits.ping_interval = Duration::from_millis(interval);
            limits.ping_timeout = Duration::from_millis(timeout);
        };
        TestServer::with_limits(change).await
    };
    let (patient, quick) = (with(300, 10_000).await, with(300, 2000).await);
    hold(&patient, 4, "", &HEARTBEATS).await;
    hold(&quick, 4, "", &DEATHS).await;
    hold(&quick, 3, "", &OLD_DEATHS).await;
}

#[tokio::test]
async fn a_session_has_one_poll_at_a_time() {
    let server = TestServer::start().await;
    for (protocol, first) in [(3, "40"), (4, "2")] {
        let opening = Opening { protocol, polling: true, query: "", authorization: "" };
        let mut session = Transport::open(&server, opening).await;
        // Then nothing is there that a poll could be answered with.
        assert_eq!(session.next().await.as_deref(), Some(first));
        // The server refuses the second of the two polls, and the session ends for both.
        let (first, second) = join(session.poll(), session.poll()).await;
        assert_eq!(u8::from(first.is_none()) + u8::from(second.is_none()), 1);
        assert_eq!(session.poll().await, None);
    }
}

#[tokio::test]
async fn a_websocket_that_is_closed_ends_its_session() {
    let server = TestServer::start().await;
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
    let (mut stream, _) = connect_async(url).await.unwrap();
    stream.send(Message::Close(None)).await.unwrap();
    while let Some(Ok(frame)) = stream.next().await {
        assert!(matches!(frame, Message::Text(_) | Message::Close(_)), "{frame}");
    }
}
