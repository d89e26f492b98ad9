//! The checks that every HTTP request passes: host, origin, size, time; and the operators' pages.

use std::time::{Duration, Instant};

use chinwag::Access;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::http::{PASSWORD, registration};
use crate::support::patience::now;
use crate::support::{Client, TestServer, exchange, get, soon};

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
    let names =
        ["chinwag_sockets", "chinwag_requests_total", "chinwag_messages_total", "chinwag_tasks"];
    for name in names {
        assert!(metrics.contains(name), "{metrics}");
    }
    assert!(!metrics.contains("secret"), "{metrics}");
}

#[tokio::test]
async fn metrics_can_be_served_at_another_address() {
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
        ("http://app.localhost:8080", true),
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
async fn the_servers_own_origin_is_that_of_the_host_header() {
    let server =
        TestServer::with(|config| config.allow_host = vec!["chat.example.com".into()]).await;
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

/// The answer to a GET with these header lines and no others.
async fn bare(server: &TestServer, path: &str, headers: &str) -> String {
    server.exchange(&format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_loopback_server_refuses_unknown_host_names() {
    let metrics = ([127, 0, 0, 1], 0).into();
    let server = TestServer::with(|config| {
        config.allow_origin = vec!["https://chat.example.com:8443".into()];
        config.allow_host = vec!["chat.internal".into(), "[2001:DB8:0::1]".into()];
        config.metrics_listen = Some(metrics);
    })
    .await;
    let paths = ["/", POLLING, "/rpc", "/api/inbox", "/chat/login/ann", "/healthz", "/nowhere"];
    for name in [
        "localhost",
        "LOCALHOST:3000",
        "localhost.",
        "app.localhost",
        "127.0.0.1:3000",
        "127.1.2.3",
        "[::1]:80",
        "chat.example.com",
        "Chat.Example.com:3000",
        "chat.internal:3000",
        "[2001:db8::1]:3000",
    ] {
        for path in paths {
            let answer = bare(&server, path, &format!("Host: {name}\r\n")).await;
            assert_ne!(status(&answer), "421", "{name} {path}: {answer}");
        }
    }
    for name in [
        "evil.example.com",
        "evil.example.com:3000",
        "localhost.evil.example.com",
        "127.0.0.1.evil.example.com",
        "127.0.0.1@evil.example.com",
        "192.0.2.1",
        "[2001:db8::2]",
        "",
    ] {
        // A page under this name may send its origin or not.
        for origin in ["", &format!("Origin: http://{name}\r\n")] {
            for path in paths {
                let answer = bare(&server, path, &format!("Host: {name}\r\n{origin}")).await;
                assert_eq!(status(&answer), "421", "{name} {path}: {answer}");
            }
        }
        let metrics = format!("GET /metrics HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        let answer = exchange(server.metrics_address(), &metrics).await;
        assert_eq!(status(&answer), "421", "{name}");
    }
    let two = "Host: localhost\r\nHost: evil.example.com\r\n";
    assert_eq!(status(&bare(&server, "/", two).await), "421");
    let absolute = bare(&server, "http://evil.example.com/", "Host: localhost\r\n").await;
    assert_eq!(status(&absolute), "421");
    let answer = bare(&server, "/", "Host: evil.example.com:3000\r\n").await;
    assert!(answer.contains("--allow-host evil.example.com\n"), "{answer}");
}

#[tokio::test]
async fn a_public_server_can_be_limited_to_listed_host_names() {
    let open = async |names: &[&str]| {
        TestServer::with(|config| {
            config.listen = vec!["0.0.0.0:0".into()];
            config.access = Some(Access::Open);
            config.allow_host = names.iter().map(|name| (*name).into()).collect();
        })
        .await
    };
    let any = open(&[]).await;
    let listed = open(&["chat.example.com"]).await;
    for (name, expected) in
        [("chat.example.com", "200"), ("localhost", "200"), ("evil.example.com", "421")]
    {
        let host = format!("Host: {name}\r\n");
        assert_eq!(status(&bare(&any, "/healthz", &host).await), "200", "{name}");
        assert_eq!(status(&bare(&listed, "/healthz", &host).await), expected, "{name}");
    }
}

#[tokio::test]
async fn the_origins_of_apps_are_allowed_by_name() {
    let origins = ["null", "file://", "capacitor://localhost", "ionic://", "tauri://localhost"];
    let strict = TestServer::start().await;
    let open =
        TestServer::with(|config| config.allow_origin = origins.map(Into::into).into()).await;
    for origin in origins {
        let header = format!("Origin: {origin}\r\n");
        let answer = strict.get(POLLING, &header).await;
        assert_eq!(status(&answer), "403", "{answer}");
        assert!(answer.contains(&format!("the origin {origin} may not connect")), "{answer}");
        assert!(answer.contains(&format!("--allow-origin {origin}\n")), "{answer}");
        let answer = open.get(POLLING, &header).await;
        assert_eq!(status(&answer), "200", "{answer}");
        let cors = format!("access-control-allow-origin: {origin}\r\n");
        assert!(answer.contains(&cors), "{answer}");
    }
}

#[tokio::test]
async fn a_preflight_may_name_any_header() {
    let server = TestServer::start().await;
    for path in [POLLING, "/rpc", "/api/inbox", "/nowhere"] {
        let answer = server
            .exchange(&format!(
                "OPTIONS {path} HTTP/1.1\r\nHost: x.localhost\r\nOrigin: http://localhost:5173\r\n\
                 Access-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: content-type,x-trace-id,traceparent\r\n\
                 Connection: close\r\n\r\n"
            ))
            .await;
        assert_eq!(status(&answer), "200", "{answer}");
        for line in [
            "access-control-allow-methods: POST",
            "access-control-allow-headers: content-type,x-trace-id,traceparent",
            "access-control-max-age: 7200",
        ] {
            assert!(answer.contains(&format!("{line}\r\n")), "{answer}");
        }
    }
}

#[tokio::test]
async fn proxies_and_browsers_may_cache_only_pages() {
    let server = TestServer::start().await;
    for path in [POLLING, "/api/inbox", "/api/docs", "/rpc", "/readyz", "/nowhere"] {
        let answer = server.get(path, "").await;
        assert!(answer.contains("cache-control: no-store\r\n"), "{path}: {answer}");
    }
    let sign_up = server.post("/api/register", registration("bob")).await;
    assert_eq!(sign_up.header("cache-control"), Some("no-store"));
    let refused = server.get(POLLING, "Origin: https://evil.example.com\r\n").await;
    assert!(refused.contains("cache-control: no-store\r\n"), "{refused}");
    let page = server.get("/", "").await;
    assert!(page.contains("cache-control: no-cache\r\n") || page.contains("without its"), "{page}");
}

#[tokio::test]
async fn cookies_are_neither_read_nor_set() {
    let server = TestServer::with_credentials(Access::Token).await;
    let ann = server.sign_up("ann").await;
    let token = ann.access();
    let names = ["access_token", "token", "Authorization", "session", "io", "jwt"];
    let cookies = Vec::from_iter(names.iter().map(|name| format!("{name}={token}")));
    let cookie = format!("Cookie: {}\r\n", cookies.join("; "));
    for path in ["/", "/docs", POLLING, "/api/inbox", "/chat/login/ann", "/nowhere"] {
        let (with, without) = (server.get(path, &cookie).await, server.get(path, "").await);
        assert_eq!(status(&with), status(&without), "{path}");
        assert!(!with.to_lowercase().contains("set-cookie"), "{path}: {with}");
    }
    let answer = server.request("GET", "/api/inbox").header(&cookie).send().await;
    assert_eq!(answer.status, 401, "{answer:?}");
    let events = server.request("POST", "/api/events/list-chats").header(&cookie);
    assert_eq!(events.json(&json!({})).send().await.status, 401);
    let login = server.log_in("ann", PASSWORD).await;
    assert!(login.status == 200 && login.header("set-cookie").is_none(), "{login:?}");
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("cookie", cookies.join("; ").parse().unwrap());
    let mut client = Client::open_url(request).await;
    assert!(client.frame().await.starts_with('0'));
    client.send("40").await;
    assert!(client.frame().await.starts_with("44{"), "the cookie is a login");
}

#[tokio::test]
async fn the_scripts_have_their_source_maps() {
    let server = TestServer::start().await;
    for script in ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"] {
        let path = format!("/socket.io/{script}");
        let answer = server.get(&path, "").await;
        if answer.contains("built without Node.js") {
            continue;
        }
        let named = answer.rsplit("sourceMappingURL=").next().unwrap().trim();
        assert_eq!(named, format!("{script}.map"));
        let map = server.get(&format!("/socket.io/{named}"), "").await;
        assert_eq!(status(&map), "200", "{named}");
        let (_, map) = map.split_once("\r\n\r\n").unwrap();
        assert_eq!(serde_json::from_str::<Value>(map).unwrap()["version"], 3);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 1000).await;
    let answer = server
        .exchange(&format!(
            "POST {POLLING} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\
             Connection: close\r\n\r\n{}",
            "x".repeat(1001)
        ))
        .await;
    assert_eq!(status(&answer), "413", "{answer}");
}

#[tokio::test]
async fn an_incomplete_request_head_times_out() {
    let server = TestServer::with_limits(|limits| {
        limits.handshake_timeout = Duration::from_millis(200);
    })
    .await;
    let started = now();
    server.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n").await;
    // The default of ten seconds would take longer.
    assert!(now() - started < Duration::from_secs(9));
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408_everywhere() {
    let server = TestServer::with_limits(|limits| {
        limits.body_timeout = Duration::from_millis(500);
    })
    .await;
    let paths = [POLLING, "/rpc", "/api/register", "/api/auth_token", "/api/auth_token/refresh"];
    for path in paths {
        for length in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            let (path, kind) = match path {
                // The timeout closes the polling session: each body needs a new one.
                POLLING => (polled(&server).await, "text/plain"),
                path => (path.to_owned(), "application/json"),
            };
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Type: {kind}\r\n{length}\r\n\r\n"
            );
            let answer = soon("the body is given up", drip(&server, &head)).await;
            assert_eq!(status(&answer), "408", "{path}: {answer}");
            assert!(answer.contains("the body came too slowly"), "{path}: {answer}");
        }
    }
}

/// The path of a new polling session.
async fn polled(server: &TestServer) -> String {
    let answer = server.get(POLLING, "").await;
    let sid = answer.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    format!("{POLLING}&sid={sid}")
}

/// The answer to a body that comes in chunks of one byte, with pauses.
async fn drip(server: &TestServer, head: &str) -> String {
    let (mut read, mut write) = TcpStream::connect(server.address()).await.unwrap().into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let dripping = async {
        while write.write_all(b"1\r\n \r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending().await
    };
    let mut answer = Vec::new();
    tokio::select! {
        _ = read.read_to_end(&mut answer) => String::from_utf8_lossy(&answer).into_owned(),
        never = dripping => never,
    }
}

#[tokio::test]
async fn a_body_that_comes_steadily_may_take_long() {
    let server = TestServer::with_limits(|limits| {
        limits.body_timeout = Duration::from_millis(300);
    })
    .await;
    let (mut read, mut write) = TcpStream::connect(server.address()).await.unwrap().into_split();
    let body = format!("{}{}", " ".repeat(400 << 10), registration("bob"));
    let head = format!(
        "POST /api/register HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // Half a second in all: longer than the timeout, which a body of 400 KiB may exceed.
    for part in (head + &body).as_bytes().chunks(80 << 10) {
        write.write_all(part).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut answer = String::new();
    read.read_to_string(&mut answer).await.unwrap();
    assert_eq!(status(&answer), "200", "{answer}");
}

#[tokio::test]
async fn the_whole_time_of_a_request_is_limited() {
    let server = TestServer::with_limits(|limits| {
        limits.request_timeout = Duration::from_millis(300);
    })
    .await;
    let path = POLLING.replace("EIO=4", "EIO=3");
    let opened = server.get(&path, "").await;
    let sid = opened.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("{path}&sid={sid}");
    assert!(server.get(&path, "").await.ends_with("2:40"));
    // Nothing is left that this poll could bring.
    let began = Instant::now();
    assert_eq!(status(&server.get(&path, "").await), "408");
    assert!(began.elapsed() >= Duration::from_millis(300));
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
