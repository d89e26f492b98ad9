//! What every HTTP request passes: origin, size, pace, number; and the operators' pages.

use std::time::{Duration, Instant};

use crate::support::{Client, TestServer, get, soon};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

#[tokio::test]
async fn health_readiness_and_metrics() {
    let server = TestServer::start().await;
    assert_eq!(status(&server.get("/healthz", "").await), "200");
    assert_eq!(status(&server.get("/readyz", "").await), "200");
    assert_eq!(status(&server.get("/nowhere", "").await), "404");
    let mut ann = server.user("ann").await;
    let chat = ann.chat("counted", true, &[]).await;
    ann.say(&chat, "my secret words").await;
    let metrics = server.get("/metrics", "").await;
    for name in ["chinwag_sockets", "chinwag_requests_total", "chinwag_messages_total"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    assert!(!metrics.contains("secret"), "{metrics}");
}

#[tokio::test]
async fn metrics_can_have_an_address_of_their_own() {
    let free = ([127, 0, 0, 1], 0).into();
    let server = TestServer::with(|config| config.metrics_listen = Some(free)).await;
    assert_eq!(status(&server.get("/metrics", "").await), "404");
    assert_eq!(status(&get(server.metrics_address(), "/metrics", "").await), "200");
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let server = TestServer::with(|config| {
        config.allow_origin =
            vec!["https://chat.example.com/".into(), " https://other.example.com:443".into()];
    })
    .await;
    let own = format!("http://{}", server.address());
    let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (origin, allowed) in [
        (own.as_str(), true),
        ("http://localhost:5173", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("https://chat.example.com", true),
        ("https://chat.example.com:443", true),
        ("https://other.example.com", true),
        ("http://chat.example.com", false),
        ("https://chat.example.com.evil.org", false),
        ("https://evil.org", false),
        ("http://localhost.evil.org", false),
        ("null", false),
        ("", false),
    ] {
        let header = format!("Origin: {origin}\r\n");
        let answer = server.get(POLLING, &header).await;
        assert_eq!(status(&answer), if allowed { "200" } else { "403" }, "{origin}");
        let cors = format!("access-control-allow-origin: {origin}\r\n");
        assert_eq!(answer.contains(&cors), allowed, "{answer}");
        if !allowed {
            let path = "/socket.io/?EIO=4&transport=websocket";
            let answer = server.get(path, &format!("{upgrade}{header}")).await;
            assert_eq!(status(&answer), "403", "{origin}");
        }
    }
    assert_eq!(status(&server.get(POLLING, "").await), "200", "no origin is no browser");
}

#[tokio::test]
async fn the_own_origin_is_that_of_the_host_header() {
    let server = TestServer::start().await;
    let request = |host: &str, origin: &str| {
        format!(
            "GET {POLLING} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nConnection: close\r\n\r\n"
        )
    };
    for (host, origin, expected) in [
        ("chat.example.com", "https://chat.example.com", "200"),
        ("chat.example.com:443", "https://chat.example.com", "200"),
        ("chat.example.com", "https://chat.example.com:8443", "403"),
        ("chat.example.com", "https://example.com", "403"),
    ] {
        let answer = server.exchange(&request(host, origin)).await;
        assert_eq!(status(&answer), expected, "{host} {origin}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let server = TestServer::start().await;
    let answer = server
        .exchange(&format!(
            "OPTIONS {POLLING} HTTP/1.1\r\nHost: x\r\nOrigin: http://localhost:5173\r\n\
             Access-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: content-type\r\nConnection: close\r\n\r\n"
        ))
        .await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("access-control-allow-methods: POST"), "{answer}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 1000).await;
    let answer = server
        .exchange(&format!(
            "POST {POLLING} HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\
             Connection: close\r\n\r\n{}",
            "x".repeat(1001)
        ))
        .await;
    assert_eq!(status(&answer), "413", "{answer}");
}

#[tokio::test]
async fn half_a_request_is_not_waited_for() {
    let server = TestServer::with_limits(|limits| {
        limits.handshake_timeout = Duration::from_millis(200);
    })
    .await;
    let started = Instant::now();
    server.exchange("GET / HTTP/1.1\r\nHost: x\r\n").await;
    let head = format!("POST {POLLING} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n4");
    server.exchange(&head).await;
    // Far from any clock's doubt: the default is ten seconds each.
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_malformed_request_is_400() {
    let server = TestServer::start().await;
    assert_eq!(status(&server.exchange("nonsense\r\n\r\n").await), "400");
    for path in [
        "/socket.io/",
        "/socket.io/?EIO=9&transport=polling",
        "/socket.io/?EIO=4&transport=pigeon",
        "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAAAA",
    ] {
        assert_eq!(status(&server.get(path, "").await), "400", "{path}");
    }
}

#[tokio::test]
async fn sockets_over_the_limit_are_closed() {
    let server = TestServer::with_limits(|limits| limits.max_connections = 3).await;
    let _two = [server.connect().await, server.connect().await];
    // Polling opens sockets without keeping connections.
    let open = async || {
        let answer = server.get(POLLING, "").await;
        let sid = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let next = server.get(&format!("{POLLING}&sid={sid}"), "").await;
        status(&next).to_owned()
    };
    assert_eq!(open().await, "200");
    assert_eq!(open().await, "400", "there is no such socket");
}

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let server = TestServer::with_limits(|limits| limits.max_connections = 2).await;
    let one = Client::connect(server.address()).await;
    let _two = Client::connect(server.address()).await;
    let mut third = std::pin::pin!(Client::connect(server.address()));
    let early = tokio::time::timeout(Duration::from_millis(300), third.as_mut()).await;
    assert!(early.is_err(), "a third connection was accepted");
    drop(one);
    soon("the third connection is accepted", third).await;
}
