//! Rates: how much one address and one user may do in a minute.

use std::time::Duration;

use chinwag::Access;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::chatter::Chatter;
use crate::support::http::registration;
use crate::support::live::Live;
use crate::support::signing::with_credentials;
use crate::support::{Client, TestServer, assert_error, message};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// The status of a polling handshake with further header lines.
async fn handshake(server: &TestServer, headers: &str) -> String {
    let answer = server.get(POLLING, headers).await;
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// The same through proxies that have written these addresses.
async fn forwarded(server: &TestServer, addresses: &str) -> String {
    handshake(server, &format!("X-Forwarded-For: {addresses}\r\n")).await
}

/// A server behind so many proxies that lets an address connect once.
async fn once_behind(proxies: usize) -> TestServer {
    TestServer::with(|config| {
        config.access = Some(Access::Open);
        config.trusted_proxies = proxies;
        config.limits.connects_per_address = 1;
    })
    .await
}

/// Fails unless `error` says when to try again, at most `most` milliseconds from now.
#[track_caller]
fn assert_limited(error: &Value, most: u64) -> u64 {
    assert_error(error, "rate_limited", None);
    let wait = error["retry_after_ms"].as_u64().expect("whole milliseconds");
    assert!((1..=most).contains(&wait), "{error}");
    wait
}

#[tokio::test]
async fn handshakes_over_the_limit_of_an_address_are_429() {
    let server = TestServer::with_limits(|limits| limits.connects_per_address = 2).await;
    let mut ann = server.user("ann").await;
    let opened = server.get(POLLING, "").await;
    let sid = opened.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();

    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (path, headers) in [(POLLING, ""), ("/socket.io/?EIO=4&transport=websocket", upgrade)] {
        let answer = server.get(path, headers).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        let wait = assert_limited(&body["error"], 30_000);
        let seconds = format!("retry-after: {}\r\n", wait.div_ceil(1000));
        assert!(head.contains(&seconds), "{head}");
    }
    // A client that is connected stays so, and can go on polling.
    ann.ask("list-chats", json!({})).await;
    let next = server.get(&format!("{POLLING}&sid={sid}"), "").await;
    assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
    assert!(server.get("/healthz", "").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn without_proxies_an_address_cannot_be_claimed() {
    let server = once_behind(0).await;
    assert_eq!(forwarded(&server, "203.0.113.1").await, "200");
    assert_eq!(forwarded(&server, "203.0.113.2").await, "429");
}

#[tokio::test]
async fn behind_a_proxy_a_client_has_the_address_that_it_saw() {
    let server = once_behind(1).await;
    assert_eq!(forwarded(&server, "203.0.113.1").await, "200");
    assert_eq!(forwarded(&server, "203.0.113.1").await, "429");
    assert_eq!(forwarded(&server, "203.0.113.2:4711").await, "200");
    assert_eq!(forwarded(&server, "203.0.113.2").await, "429");
    for (first, same, other) in [
        ("203.0.113.3", "::ffff:203.0.113.3", "::ffff:203.0.113.4"),
        ("2001:db8::1", "2001:db8:0:0:ffff::1", "2001:db8:0:1::1"),
    ] {
        assert_eq!(forwarded(&server, first).await, "200", "{first}");
        assert_eq!(forwarded(&server, same).await, "429", "{same}");
        assert_eq!(forwarded(&server, other).await, "200", "{other}");
    }
}

#[tokio::test]
async fn forged_forwarded_addresses_are_ignored() {
    let server = once_behind(1).await;
    assert_eq!(forwarded(&server, "203.0.113.1").await, "200");
    assert_eq!(forwarded(&server, "198.51.100.1, 203.0.113.1").await, "429");
    assert_eq!(forwarded(&server, "nonsense,, 203.0.113.1").await, "429");
    let own_line = "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.1\r\n";
    assert_eq!(handshake(&server, own_line).await, "429");
}

#[tokio::test]
async fn the_number_of_proxies_decides_which_address_counts() {
    let server = once_behind(2).await;
    assert_eq!(forwarded(&server, "198.51.100.1, 203.0.113.1, 192.0.2.1").await, "200");
    assert_eq!(forwarded(&server, "198.51.100.2, 203.0.113.1, 192.0.2.2").await, "429");
    assert_eq!(forwarded(&server, "203.0.113.2, 192.0.2.1").await, "200");
}

#[tokio::test]
async fn a_client_that_bypasses_the_proxies_has_its_own_address() {
    let server = once_behind(2).await;
    assert_eq!(handshake(&server, "").await, "200");
    for addresses in ["203.0.113.1", "nonsense, 192.0.2.1", "", "127.0.0.1, 192.0.2.1"] {
        assert_eq!(forwarded(&server, addresses).await, "429", "{addresses}");
    }
}

/// Sends requests until one is refused; returns how many were allowed, and how many milliseconds
/// the server says to wait.
async fn exhaust(client: &mut Client, most: u64) -> (usize, u64) {
    for allowed in 0..1000 {
        let answer = client.ask("list-chats", json!({})).await;
        if let Some(error) = answer.get("error") {
            return (allowed, assert_limited(error, most));
        }
    }
    panic!("no request was refused");
}

#[tokio::test]
async fn the_requests_of_a_user_on_all_sockets_are_limited() {
    let server = TestServer::with_limits(|limits| limits.requests_per_user = 5).await;
    let mut ann = server.user("ann").await;
    let mut again = server.connect().await;
    again.ask("create-user", json!({ "user": { "id": ann.id, "name": "ann", "photo": "" } })).await;
    assert_eq!(exhaust(&mut ann, 12_000).await.0, 4);
    assert_limited(&again.refused("list-chats", json!({})).await, 12_000);
    again.tell("list-chats", json!({})).await;
    let exception = again.next("exception").await;
    assert_eq!(exception["event"], "list-chats");
    assert_limited(&exception["error"], 12_000);
    let mut bob = server.user("bob").await;
    assert_eq!(exhaust(&mut bob, 12_000).await.0, 4);
}

#[tokio::test]
async fn a_refused_request_does_nothing() {
    let server = TestServer::with_limits(|limits| limits.requests_per_user = 5).await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    exhaust(&mut ann, 12_000).await;
    let chat = json!({ "chat": { "name": "too many" }, "users": [bob.id] });
    assert_limited(&ann.refused("create-chat", chat).await, 12_000);
    assert_eq!(bob.ask("list-chats", json!({})).await["chats"], json!([]));
    bob.nothing_more().await;
}

#[tokio::test]
async fn a_client_that_waits_as_long_as_asked_can_go_on() {
    let server = TestServer::with_limits(|limits| limits.requests_per_user = 60).await;
    let mut ann = server.user("ann").await;
    let (allowed, wait) = exhaust(&mut ann, 1000).await;
    assert!(allowed >= 59, "{allowed}");
    tokio::time::sleep(Duration::from_millis(wait)).await;
    ann.chat("the next", true, &[]).await;
}

#[tokio::test]
async fn the_requests_of_an_address_are_limited_for_all_its_users() {
    let server = TestServer::with_limits(|limits| limits.requests_per_address = 10).await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    assert_eq!(exhaust(&mut ann, 6000).await.0, 6);
    assert_limited(&bob.refused("list-chats", json!({})).await, 6000);
    let mut nobody = server.connect().await;
    assert_limited(&nobody.refused("list-chats", json!({})).await, 6000);
}

#[tokio::test]
async fn sockets_behind_a_proxy_have_the_addresses_that_it_saw() {
    let server = TestServer::with(|config| {
        config.access = Some(Access::Open);
        config.trusted_proxies = 1;
        config.limits.requests_per_address = 3;
    })
    .await;
    for address in ["203.0.113.1", "203.0.113.2"] {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
        let mut client = Client::open_url(request).await.enter().await;
        for _ in 0..3 {
            assert_error(&client.refused("list-chats", json!({})).await, "unauthenticated", None);
        }
        assert_limited(&client.refused("list-chats", json!({})).await, 20_000);
    }
}

/// The `data` of a packet that refuses a client for connecting too often.
#[track_caller]
fn kept_out_for_now(packet: &str) -> Value {
    let mut refusal: Value =
        serde_json::from_str(packet.strip_prefix("44").expect(packet)).unwrap();
    assert_eq!(refusal["message"], "rate_limited");
    assert!(refusal["data"].get("reason").is_none(), "{packet}");
    refusal["data"].take()
}

#[tokio::test]
async fn a_client_that_enters_too_often_is_told_when_to_come_back() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.limits.requests_per_address = 30;
        config.limits.max_pending = 200;
    })
    .await;
    // One client leaves and enters again, and the other brings tokens that are refused.
    let mut leaver = server.connect().await;
    let mut stranger = Client::open(server.address()).await;
    stranger.frame().await;
    let mut packet = stranger.enter_with(json!("no token")).await;
    while packet.contains("unauthenticated") {
        packet = stranger.enter_with(json!("no token")).await;
    }
    assert_limited(&kept_out_for_now(&packet), 2000);
    leaver.send("41").await;
    leaver.send("40").await;
    let wait = assert_limited(&kept_out_for_now(&leaver.frame().await), 2000);
    // After that time it may enter, on the same connection.
    tokio::time::sleep(Duration::from_millis(wait)).await;
    leaver.send("40").await;
    assert!(leaver.frame().await.starts_with("40{\"sid\":"));
}

#[tokio::test]
async fn an_old_client_that_enters_too_often_is_told_so() {
    let server = TestServer::with_limits(|limits| limits.requests_per_address = 1).await;
    let url = format!("ws://{}/socket.io/?EIO=3&transport=websocket", server.address());
    let mut client = Client::open_url(url).await;
    assert!(client.frame().await.starts_with('0'));
    for answer in ["40", "40", r#"44"rate_limited""#] {
        assert_eq!(client.frame().await, answer);
        client.send("41").await;
        client.send("40").await;
    }
}

#[tokio::test]
async fn a_client_that_keeps_entering_over_the_limit_is_disconnected() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.limits.requests_per_address = 3;
        config.limits.max_pending = 10;
    })
    .await;
    let mut stranger = Client::open(server.address()).await;
    stranger.frame().await;
    let mut limited = 0;
    loop {
        stranger.send(r#"40{"token":"no token"}"#).await;
        match stranger.try_frame().await {
            Some(packet) => limited += usize::from(packet.contains("rate_limited")),
            None => break,
        }
    }
    assert_eq!(limited, 10);
}

/// How many of these frames are errors because of the rate.
fn limited(frames: &[Value]) -> usize {
    let is_limited = |frame: &&Value| {
        let error = frame.get("error").unwrap_or(frame);
        error["code"] == "rate_limited"
    };
    frames.iter().filter(is_limited).count()
}

#[tokio::test]
async fn a_plain_websocket_that_goes_on_over_the_limit_is_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.requests_per_user = 5;
        limits.max_pending = 10;
    })
    .await;
    let mut ann = server.chatter("ann").await;
    for _ in 0..16 {
        ann.tell(json!({ "type": 6 })).await;
    }
    let (frames, code) = ann.until_closed().await;
    assert_eq!((limited(&frames), code), (10, 1008));
    // The nick is free again soon, and others are not affected.
    let connects = async || Chatter::open(server.channels("ann")).await.next().await["type"] == 2;
    while !connects().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.chatter("eve").await;

    let bob = server.sign_up("bob").await;
    let mut bob = Live::connect(&server, bob.access()).await;
    for _ in 0..16 {
        bob.send("{}").await;
    }
    let (frames, code) = bob.until_closed().await;
    assert_eq!((limited(&frames), code), (10, 1008));
}

#[tokio::test]
async fn the_messages_of_a_user_are_limited() {
    let server = TestServer::with_limits(|limits| limits.messages_per_user = 3).await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("talk", true, &[&bob.id]).await;
    for text in ["one", "two", "three"] {
        ann.say(&chat, text).await;
    }
    assert_limited(&ann.refused("new-message", message(&chat, "four")).await, 20_000);
    let messages = ann.ask("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(messages["messages"].as_array().unwrap().len(), 3);
    let sent = bob.ask("new-message", message(&chat, "from bob")).await;
    assert_eq!(sent["seq"], 4, "{sent}");
}

#[tokio::test]
async fn zero_turns_a_limit_off() {
    let server = TestServer::with_limits(|limits| {
        limits.connects_per_address = 0;
        limits.requests_per_address = 0;
        limits.requests_per_user = 0;
        limits.messages_per_user = 0;
    })
    .await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("talk", true, &[]).await;
    for _ in 0..20 {
        ann.say(&chat, "one more").await;
        assert_eq!(handshake(&server, "").await, "200");
    }
}

#[tokio::test]
async fn the_limit_of_sign_ups_stops_probing_for_accounts() {
    let server = TestServer::with_limits(|limits| limits.sign_ups_per_address = 3).await;
    server.sign_up("bob").await;
    for status in [400, 400, 429] {
        let mut guess = registration("eve");
        guess["email"] = "bob@example.com".into();
        let refused = server.post("/api/register", guess).await;
        assert_eq!(refused.status, status, "{}", refused.text);
    }
}
