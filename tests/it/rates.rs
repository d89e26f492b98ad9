//! How often: what one address and one user may do in a minute.

use serde_json::Value;

use crate::support::{TestServer, assert_error};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// The status of a handshake by polling, with further header lines.
async fn handshake(server: &TestServer, headers: &str) -> String {
    let answer = server.get(POLLING, headers).await;
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

/// The same through proxies that have written this.
async fn forwarded(server: &TestServer, addresses: &str) -> String {
    handshake(server, &format!("X-Forwarded-For: {addresses}\r\n")).await
}

/// A server that lets an address connect once, behind so many proxies.
async fn once_behind(proxies: usize) -> TestServer {
    TestServer::with(|config| {
        config.trusted_proxies = proxies;
        config.limits.connects_per_address = 1;
    })
    .await
}

/// Fails unless `error` says when to come back, `most` milliseconds from now at the latest.
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
    // Who is in stays in, and may go on by polling.
    ann.ask("list-chats", serde_json::json!({})).await;
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
async fn behind_a_proxy_clients_have_the_addresses_that_it_saw() {
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
async fn what_a_client_forwards_itself_is_not_believed() {
    let server = once_behind(1).await;
    assert_eq!(forwarded(&server, "203.0.113.1").await, "200");
    assert_eq!(forwarded(&server, "198.51.100.1, 203.0.113.1").await, "429");
    assert_eq!(forwarded(&server, "nonsense,, 203.0.113.1").await, "429");
    let own_line = "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.1\r\n";
    assert_eq!(handshake(&server, own_line).await, "429");
}

#[tokio::test]
async fn every_proxy_is_counted() {
    let server = once_behind(2).await;
    assert_eq!(forwarded(&server, "198.51.100.1, 203.0.113.1, 192.0.2.1").await, "200");
    assert_eq!(forwarded(&server, "198.51.100.2, 203.0.113.1, 192.0.2.2").await, "429");
    assert_eq!(forwarded(&server, "203.0.113.2, 192.0.2.1").await, "200");
}

#[tokio::test]
async fn who_did_not_come_through_the_proxies_is_the_one_who_connected() {
    let server = once_behind(2).await;
    assert_eq!(handshake(&server, "").await, "200");
    for addresses in ["203.0.113.1", "nonsense, 192.0.2.1", ""] {
        assert_eq!(forwarded(&server, addresses).await, "429", "{addresses}");
    }
}
