//! Nicks: which nick a client may connect under, and for how long.

use std::time::Duration;

use chinwag::Access;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::chatter::{Chatter, PASSWORD, assert_refused, of_nick, said_by, with_password};
use crate::support::credentials::{by_token, protect, token, waiting};
use crate::support::signing::API_KEY;
use crate::support::{TestServer, assert_error};

#[tokio::test]
async fn a_malformed_nick_is_refused_and_closed() {
    let server = TestServer::start().await;
    let long = "n".repeat(33);
    let wrong = ["a-b", "a%20b", "a/b", "a%2Fb", "%FF", "%00", "", "caf%C3%A9!", long.as_str()];
    for nick in wrong {
        let (error, code) = server.turned_away(nick).await;
        assert_refused(&error, "invalid", Some("user"), Value::Null);
        assert_eq!(code, 4400, "{nick}");
    }
    let mut chatter = Chatter::open(server.channels("caf%C3%A9_7")).await;
    assert_eq!(chatter.next().await, of_nick(2, "café_7"));
    server.chatter(&"n".repeat(32)).await;
}

#[tokio::test]
async fn a_nick_that_is_connected_is_taken() {
    for access in [Access::Open, Access::Token] {
        let server = TestServer::with_credentials(access).await;
        let ann = by_token("ann", "7");
        let mut first = Chatter::open(server.channels(&ann)).await;
        assert_eq!(first.next().await, of_nick(2, "ann"));
        let (error, code) = server.turned_away(&ann).await;
        assert_refused(&error, "conflict", Some("user"), Value::Null);
        assert_eq!(code, 4409);
        first.nothing_more().await;
    }
    let server = TestServer::start().await;
    let _ann = server.chatter("ann").await;
    assert_eq!(server.turned_away("ann").await.1, 4409);
}

#[tokio::test]
async fn a_false_token_is_refused_at_once() {
    for access in [Access::Open, Access::Token] {
        let server = TestServer::with_credentials(access).await;
        Chatter::open(server.channels(by_token("ann", "7"))).await.next().await;
        for nick in [
            "eve?access_token=nonsense".to_owned(),
            "eve?access_token=".to_owned(),
            by_token("ann", "8"),
            by_token("another", "7"),
        ] {
            let (error, code) = server.turned_away(&nick).await;
            assert_refused(&error, "unauthenticated", None, Value::Null);
            assert_eq!(code, 4401, "{nick}");
        }
    }
}

#[tokio::test]
async fn a_token_can_come_in_the_header_and_the_key_as_any_nick() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut request = server.channels("ann").into_client_request().unwrap();
    let bearer = format!("Bearer {}", token("7", 3600)).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let mut ann = Chatter::open(request).await;
    assert_eq!(ann.next().await, of_nick(2, "ann"));
    drop(ann);
    let key = API_KEY.replace(' ', "%20");
    for nick in ["new", "ann"] {
        let mut service =
            Chatter::open(server.channels(format!("{nick}?access_token={key}"))).await;
        while service.next().await != of_nick(2, nick) {}
    }
}

#[tokio::test]
async fn a_protected_nick_takes_its_password() {
    let server = TestServer::start().await;
    protect(&server, "ann").await;
    let mut ann = waiting(&server, "ann").await;
    for request in [
        json!({ "type": 6 }),
        json!({ "type": 4, "channel": "here" }),
        json!({ "type": 3 }),
        json!({ "type": 99 }),
        json!({ "type": 2, "user": "ann" }),
        json!({ "type": 2, "user": "free" }),
        with_password(2, "ann", "a wrong password"),
        with_password(2, "nobody", PASSWORD),
    ] {
        ann.refused(request, "unauthenticated", None).await;
    }
    ann.refused(with_password(1, "ann", PASSWORD), "conflict", Some("user")).await;
    ann.refused(json!({ "type": 2, "password": PASSWORD }), "invalid", Some("user")).await;
    let mut bob = server.chatter("bob").await;
    assert_eq!(bob.nicks().await, json!(["bob"]));
    assert_eq!(ann.ask(with_password(2, "ann", PASSWORD)).await, of_nick(2, "ann"));
    assert_eq!(bob.next().await, of_nick(2, "ann"));
    ann.join("here", "ann").await;
    ann.say("here", "it is me", "ann").await;
}

#[tokio::test]
async fn in_token_access_every_nick_has_to_prove_itself() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut ann = waiting(&server, "ann").await;
    ann.refused(json!({ "type": 6 }), "unauthenticated", None).await;
    assert_eq!(ann.ask(with_password(1, "ann", PASSWORD)).await, of_nick(1, "ann"));
    assert_eq!(ann.next().await, of_nick(2, "ann"));
    ann.join("here", "ann").await;
    let mut again = waiting(&server, "ann").await;
    again.refused(with_password(2, "ann", PASSWORD), "conflict", Some("user")).await;
    drop(ann);
    assert_eq!(waiting(&server, "ann").await.ask(with_password(2, "ann", PASSWORD)).await, {
        of_nick(2, "ann")
    });
}

#[tokio::test]
async fn a_client_that_does_not_log_in_in_time_is_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.handshake_timeout = Duration::from_secs(2);
    })
    .await;
    protect(&server, "ann").await;
    assert_eq!(waiting(&server, "ann").await.closed().await, 4401);
    let mut bob = server.chatter("bob").await;
    let mut ann = waiting(&server, "ann").await;
    assert_eq!(ann.ask(json!({ "type": 6 })).await["code"], "unauthenticated");
    assert_eq!(ann.closed().await, 4401);
    bob.nothing_more().await;
}

#[tokio::test]
async fn wrong_passwords_are_limited() {
    let server = TestServer::with_limits(|limits| limits.failed_logins_per_account = 2).await;
    protect(&server, "ann").await;
    let mut ann = waiting(&server, "ann").await;
    for _ in 0..2 {
        ann.refused(with_password(2, "ann", "a wrong password"), "unauthenticated", None).await;
    }
    let error = ann.ask(with_password(2, "ann", PASSWORD)).await;
    assert_refused(&error, "rate_limited", None, json!(2));
    assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{error}");
}

#[tokio::test]
async fn a_connection_is_closed_when_its_user_becomes_protected() {
    let server = TestServer::with_credentials(Access::Open).await;
    // The user of a Socket.IO client, with a handle and not yet protected by a token.
    let mut socket = server.connect().await;
    let user = json!({ "external_id": "7", "handle": "ann", "name": "Ann", "photo": "" });
    socket.done("create-user", json!({ "user": user })).await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    ann.next().await;
    let mut proven = Chatter::open(server.channels(by_token("ann", "7"))).await;
    proven.next().await;
    assert_refused(&ann.next().await, "unauthenticated", None, Value::Null);
    assert_eq!(ann.closed().await, 4401);
    assert_eq!(bob.next().await, of_nick(3, "ann"));
    let mut proven = Chatter::open(server.channels(by_token("ann", "7"))).await;
    assert_eq!(proven.next().await, of_nick(2, "ann"));
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let server = TestServer::with_credentials(Access::Token).await;
    let form = "first_name=Ann&last_name=Lee&username=ann&password=correct+horse&\
                email=ann%40example.com&phone=%2B123";
    let registered = server
        .exchange(&format!(
            "POST /api/register HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ))
        .await;
    let body: Value = serde_json::from_str(registered.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let token = body["data"][0]["token"]["access_token"].as_str().unwrap().to_owned();
    let mut ann = Chatter::open(server.channels(format!("ann?access_token={token}"))).await;
    assert_eq!(ann.next().await, of_nick(2, "ann"));
    let ended = server
        .exchange(&format!(
            "DELETE /api/auth_token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        ))
        .await;
    assert!(ended.starts_with("HTTP/1.1 200 "), "{ended}");
    assert_refused(&ann.next().await, "unauthenticated", None, Value::Null);
    assert_eq!(ann.closed().await, 4401);
}

#[tokio::test]
async fn limits_and_origin_are_checked_before_the_nick() {
    let server = TestServer::with_limits(|limits| limits.connects_per_address = 1).await;
    let mut ann = server.chatter("ann").await;
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let refused = server.get("/chat/login/bob", upgrade).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    let body: Value = serde_json::from_str(refused.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_error(&body["error"], "rate_limited", None);
    let origin = format!("{upgrade}Origin: https://evil.org\r\n");
    let refused = server.get("/chat/login/bob", &origin).await;
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_nick_may_send_a_limited_number_of_messages_in_a_minute() {
    let server = TestServer::with_limits(|limits| {
        limits.requests_per_user = 6;
        limits.messages_per_user = 1;
    })
    .await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    ann.say("here", "one", "ann").await;
    ann.refused(said_by("here", "two"), "rate_limited", None).await;
    for _ in 0..2 {
        ann.nothing_more().await;
    }
    ann.send(Message::text("nonsense")).await;
    assert_eq!(ann.next().await["code"], "invalid");
    let error = ann.ask(json!({ "type": 6 })).await;
    assert_refused(&error, "rate_limited", None, json!(6));
    assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{error}");
}
