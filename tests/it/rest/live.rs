//! `/api/ws`: which messages a connection is shown, and when it ends.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::http::PASSWORD;
use crate::support::live::Live;
use crate::support::{TestServer, assert_error, soon};

const API_KEY: &str = "the service's key";

fn packet(author: &str, recipient: &str, message: &str) -> Value {
    json!({ "author": author, "recipient": recipient, "message": message })
}

/// A server with the users bob and alice, and a connection of each.
async fn bob_and_alice(change: impl FnOnce(&mut chinwag::Config)) -> (TestServer, Live, Live) {
    let server = TestServer::with(change).await;
    let (bob, alice) = (server.sign_up("bob").await, server.sign_up("alice").await);
    let of_bob = Live::connect(&server, bob.access()).await;
    let of_alice = Live::connect(&server, alice.access()).await;
    (server, of_bob, of_alice)
}

/// Another connection of a user, with a token of its own.
async fn again(server: &TestServer, username: &str) -> Live {
    let data = server.log_in(username, PASSWORD).await.data();
    Live::connect(server, data[0]["access_token"].as_str().unwrap()).await
}

#[tokio::test]
async fn every_connection_but_the_sending_one_gets_a_message_once() {
    let (server, mut bob, mut alice) = bob_and_alice(|_| {}).await;
    let mut others =
        [again(&server, "bob").await, again(&server, "alice").await, again(&server, "alice").await];
    let mut eve = {
        let eve = server.sign_up("eve").await;
        Live::connect(&server, eve.access()).await
    };
    for text in ["one", "two"] {
        bob.say("bob", "alice", text).await;
        let seen = alice.next().await;
        assert_eq!((&seen["author"], &seen["message"]), (&json!("bob"), &json!(text)));
        for other in &mut others {
            assert_eq!(other.next().await, seen);
        }
    }
    for live in [&mut bob, &mut alice, &mut eve].into_iter().chain(&mut others) {
        live.is_open().await;
    }
}

#[tokio::test]
async fn a_refused_packet_is_answered_and_not_stored() {
    let (server, mut bob, mut alice) = bob_and_alice(|_| {}).await;
    let with_type = |kind: Value| {
        let mut packet = packet("bob", "alice", "x");
        packet["message_type"] = kind;
        packet
    };
    let long = "x".repeat((512 << 10) + 1);
    for (packet, code, field) in [
        (packet("alice", "bob", "x"), "forbidden", None),
        (packet("nobody", "alice", "x"), "forbidden", None),
        (json!({ "recipient": "alice", "message": "x" }), "invalid", Some("author")),
        (json!({ "author": "bob", "message": "x" }), "invalid", Some("recipient")),
        (json!({ "author": "bob", "recipient": "alice" }), "invalid", Some("message")),
        (json!({ "author": 1, "recipient": "alice", "message": "x" }), "invalid", Some("author")),
        (packet("bob", "nobody", "x"), "not_found", Some("recipient")),
        (packet("bob", "", "x"), "not_found", Some("recipient")),
        (packet("bob", "bob", "x"), "conflict", Some("recipient")),
        (packet("bob", "alice", ""), "invalid", Some("message")),
        (packet("bob", "alice", "\0"), "invalid", Some("message")),
        (packet("bob", "alice", &long), "too_large", Some("message")),
        (with_type(3.into()), "invalid", Some("message_type")),
        (with_type((-1).into()), "invalid", Some("message_type")),
        (with_type("0".into()), "invalid", Some("message_type")),
        (with_type(0.5.into()), "invalid", Some("message_type")),
        (json!([]), "invalid", None),
        (json!(7), "invalid", None),
    ] {
        assert_error(&bob.refused(packet.to_string()).await, code, field);
    }
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    for text in ["", "nonsense", "{", "{}}", &deep] {
        assert_error(&bob.refused(text).await, "invalid", None);
    }
    let binary = Message::binary(packet("bob", "alice", "x").to_string());
    assert_error(&bob.refused(binary).await, "invalid", None);
    let token = server.log_in("bob", PASSWORD).await.data()[0]["access_token"].clone();
    let inbox = server.fetch("/api/inbox", token.as_str().unwrap()).await;
    assert_eq!(inbox, json!([]));
    alice.is_open().await;
}

#[tokio::test]
async fn every_type_is_sent_names_are_trimmed_and_fragments_joined() {
    let (_server, mut bob, mut alice) = bob_and_alice(|_| {}).await;
    for kind in [json!(null), json!(0), json!(1), json!(2)] {
        let mut packet = packet(" bob ", "alice\n", " as it is ");
        packet["message_type"] = kind.clone();
        bob.send(packet.to_string()).await;
        let seen = alice.next().await;
        assert_eq!(seen["message_type"], if kind.is_null() { json!(0) } else { kind });
        assert_eq!(seen["message"], " as it is ");
    }
    // One message in three frames, with a ping between them.
    let text = packet("bob", "alice", "ä in pieces").to_string();
    let (one, rest) = text.as_bytes().split_at(text.find('ä').unwrap() + 1);
    let (two, three) = rest.split_at(3);
    let frame = |data: &[u8], kind: Data, last: bool| {
        Message::Frame(Frame::message(data.to_vec(), OpCode::Data(kind), last))
    };
    bob.send(frame(one, Data::Text, false)).await;
    bob.send(frame(two, Data::Continue, false)).await;
    bob.send(Message::Ping("x".into())).await;
    bob.send(frame(three, Data::Continue, true)).await;
    assert_eq!(alice.next().await["message"], "ä in pieces");
    bob.is_open().await;
}

#[tokio::test]
async fn the_service_writes_as_anyone() {
    let (server, mut bob, mut alice) =
        bob_and_alice(|config| config.api_key = Some(API_KEY.into())).await;
    let mut service = Live::connect(&server, API_KEY).await;
    service.say("bob", "alice", "from the service").await;
    let seen = alice.next().await;
    assert_eq!((&seen["author"], &seen["message"]), (&json!("bob"), &json!("from the service")));
    assert_eq!(bob.next().await, seen);
    let unknown = packet("nobody", "alice", "x").to_string();
    assert_error(&service.refused(unknown).await, "not_found", Some("author"));
    // The service's connection is no user's, so that it is shown no messages.
    bob.say("bob", "alice", "hello").await;
    assert_eq!(alice.next().await["message"], "hello");
    service.is_open().await;
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_connection() {
    let (_server, mut bob, mut alice) = bob_and_alice(|_| {}).await;
    bob.send("x".repeat((1 << 20) + 1)).await;
    assert_eq!(bob.closed().await, 1009);
    alice.is_open().await;
    let half = "x".repeat(600 << 10).into_bytes();
    let frame = |kind, last| Message::Frame(Frame::message(half.clone(), OpCode::Data(kind), last));
    alice.send(frame(Data::Text, false)).await;
    alice.send(frame(Data::Continue, true)).await;
    assert_eq!(alice.closed().await, 1009);
}

#[tokio::test]
async fn an_upgrade_needs_a_valid_token() {
    let server = TestServer::with_limits(|limits| limits.connects_per_address = 2).await;
    let bob = server.sign_up("bob").await;
    let status = async |token: &str| match Live::open(server.address(), token).await {
        Ok(_) => 101,
        Err(Error::Http(answer)) => answer.status().as_u16(),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(status("x").await, 401);
    assert_eq!(status(bob.access()).await, 101);
    assert_eq!(status(bob.access()).await, 429);
}

#[tokio::test]
async fn a_shutdown_closes_connections_with_1001() {
    let (server, mut bob, mut alice) = bob_and_alice(|_| {}).await;
    bob.say("bob", "alice", "the last").await;
    alice.next().await;
    let closed = join(bob.closed(), alice.closed());
    let (_, codes) = join(server.shutdown(), closed).await;
    assert_eq!(codes, (1001, 1001));
}

#[tokio::test]
async fn a_slow_reader_is_closed_and_others_go_on() {
    let change = |config: &mut chinwag::Config| config.limits.max_unsent_bytes = 1 << 20;
    let (server, mut bob, mut slow) = bob_and_alice(change).await;
    let mut alice = again(&server, "alice").await;
    let text = "x".repeat(500_000);
    const COUNT: usize = 30;
    for _ in 0..COUNT {
        bob.say("bob", "alice", &text).await;
        assert_eq!(alice.next().await["message"], text);
    }
    // The messages that it still gets have no gap, and then the connection ends.
    let mut got = 0;
    while let Some(Ok(Message::Text(frame))) = soon("the slow one reads", slow.0.next()).await {
        assert!(frame.contains(&text));
        got += 1;
    }
    assert!(got < COUNT, "{got}");
    alice.is_open().await;
    again(&server, "alice").await.is_open().await;
}

#[tokio::test]
async fn requests_and_messages_over_the_limit_are_refused() {
    let (_server, mut bob, mut alice) =
        bob_and_alice(|config| config.limits.messages_per_user = 2).await;
    for text in ["one", "two"] {
        bob.say("bob", "alice", text).await;
        assert_eq!(alice.next().await["message"], text);
    }
    let error = bob.refused(packet("bob", "alice", "three").to_string()).await;
    assert_error(&error, "rate_limited", None);
    assert!((1..=30_000).contains(&error["retry_after_ms"].as_u64().unwrap()));
    alice.is_open().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed() {
    let (server, _bob, mut alice) = bob_and_alice(|config| {
        config.limits.ping_interval = Duration::from_millis(300);
        config.limits.ping_timeout = Duration::from_secs(2);
    })
    .await;
    let silent = async {
        let eve = server.sign_up("eve").await;
        let upgrade = format!(
            "GET /api/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
            eve.access()
        );
        server.exchange(&upgrade).await
    };
    tokio::select! {
        told = silent => assert!(told.contains("no answer to a ping"), "{told}"),
        _ = alice.next() => panic!("nothing was sent to her"),
    }
    alice.is_open().await;
}

#[tokio::test]
async fn messages_sent_before_the_close_arrive_before_it() {
    let (server, mut bob, _) = bob_and_alice(|_| {}).await;
    let mut sees = again(&server, "bob").await;
    let token = server.log_in("alice", PASSWORD).await.data()[0]["access_token"].clone();
    let mut alice = Live::connect(&server, token.as_str().unwrap()).await;
    // More than the kernel accepts from the server while the client does not read.
    let text = "x".repeat(400 << 10);
    const COUNT: usize = 20;
    for _ in 0..COUNT {
        bob.say("bob", "alice", &text).await;
        sees.next().await;
    }
    let ended = server.request("DELETE", "/api/auth_token").bearer(token.as_str().unwrap());
    ended.send().await.data();
    for _ in 0..COUNT {
        assert_eq!(alice.next().await["message"], text);
    }
    assert_eq!(alice.closed().await, 4401);
}
