//! The requests that the REST door refuses before it does anything, in its envelope.

use std::time::Duration;

use chinwag::{Access, Config};
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::http::{Answer, FORM, JSON, PASSWORD, Request, registration};

const MEGABYTE: usize = 1 << 20;
const PLAIN: &str = "Content-Type: text/plain\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Fails unless `request`, which would sign bob up, is refused and does nothing.
async fn does_nothing(request: Request<'_>, status: u16, message: &str) -> Answer {
    let server = request.server;
    let answer = request.send().await;
    answer.refused(status, message);
    server.log_in("bob", PASSWORD).await.refused(401, "Authentication error");
    answer
}

/// A server without a limit of wrong passwords.
async fn start() -> TestServer {
    TestServer::with_limits(|limits| limits.failed_logins_per_account = 0).await
}

fn register(server: &TestServer) -> Request<'_> {
    server.request("POST", "/api/register")
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let server = start().await;
    for path in ["/api/", "/api/nowhere", "/api/register/", "/api/thread/", "/api/thread/a/b"] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = server.request(method, path).send().await;
            let errors = answer.refused(404, "Request error");
            assert_eq!(errors, &json!({ "error": "Not Found" }), "{method} {path}");
        }
    }
    let elsewhere = server.request("GET", "/nowhere").send().await;
    assert_eq!((elsewhere.status, elsewhere.json), (404, Value::Null));
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    let server = start().await;
    for (path, wrong, allow) in [
        ("/api/register", "GET", "POST"),
        ("/api/auth_token", "PUT", "POST,DELETE"),
        ("/api/auth_token/refresh", "DELETE", "POST"),
        ("/api/inbox", "POST", "GET,HEAD"),
        ("/api/thread/bob", "DELETE", "GET,HEAD"),
        ("/api/ws", "POST", "GET,HEAD"),
    ] {
        let answer = server.request(wrong, path).send().await;
        assert_eq!(answer.refused(405, "Request error"), &json!({ "error": "Method Not Allowed" }));
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_it_comes() {
    let server = start().await;
    let mut body = registration("bob");
    body["padding"] = "x".repeat(10 * MEGABYTE).into();
    let body = body.to_string().into_bytes();
    does_nothing(register(&server).header(JSON).body(body.clone()), 413, "Request error").await;
    does_nothing(register(&server).header(JSON).chunked(&body), 413, "Request error").await;
    // A body that is announced as too long is refused before it comes.
    let announced = register(&server).header("Content-Length: 1048577\r\n");
    does_nothing(announced, 413, "Request error").await;
    // A body of exactly the limit is accepted.
    let mut fitting = registration("rob");
    fitting["padding"] = "".into();
    fitting["padding"] = "x".repeat(MEGABYTE - fitting.to_string().len()).into();
    let fitting = fitting.to_string().into_bytes();
    assert_eq!(fitting.len(), MEGABYTE);
    register(&server).header(JSON).chunked(&fitting).send().await.data();
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_operator_says() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 4 * MEGABYTE).await;
    let mut body = registration("bob");
    body["padding"] = "x".repeat(3 * MEGABYTE).into();
    register(&server).json(&body).send().await.data();
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408() {
    let server = TestServer::with_limits(|limits| {
        limits.body_timeout = Duration::from_millis(200);
    })
    .await;
    let mut half = register(&server).header(JSON).header("Content-Length: 1000\r\n");
    half.body = b"{\"first_name\":".to_vec();
    does_nothing(half, 408, "Request error").await;
}

#[tokio::test]
async fn a_body_of_a_wrong_content_type_is_415() {
    let server = start().await;
    let body = registration("bob").to_string();
    let why = "the body must be application/json or application/x-www-form-urlencoded";
    for kind in ["", PLAIN, "Content-Type: multipart/form-data; boundary=x\r\n"] {
        let request = register(&server).header(kind).body(body.clone());
        let answer = does_nothing(request, 415, "Request error").await;
        assert_eq!(answer.json["error"]["errors"], json!({ "error": why }));
    }
    let charset = JSON.replace("\r\n", " ; charset=utf-8\r\n").to_uppercase();
    register(&server).header(&charset).body(body).send().await.data();
}

#[tokio::test]
async fn a_body_that_is_no_object_is_400() {
    let server = start().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for body in [
        "{",
        "nonsense",
        "[]",
        "7",
        "null",
        "\"text\"",
        "{\"username\":\"bob\"}}",
        "{\"a\":\"\u{1}\"}",
        &deep,
    ] {
        let request = register(&server).header(JSON).body(body);
        let answer = does_nothing(request, 400, "Form error").await;
        let errors = answer.json["error"]["errors"].as_object().unwrap();
        assert_eq!(errors.keys().collect::<Vec<_>>(), ["error"], "{body}");
    }
    let not_text = register(&server).header(JSON).body(b"{\"username\":\"\xff\"}".as_slice());
    does_nothing(not_text, 400, "Form error").await;
    // The body does not come to its end.
    let mut cut = register(&server).header(JSON).header("Transfer-Encoding: chunked\r\n");
    cut.body = b"zz\r\n".into();
    does_nothing(cut, 400, "Request error").await;
}

#[tokio::test]
async fn pages_of_other_origins_are_403() {
    let server = start().await;
    let body = registration("bob");
    let foreign = register(&server).header("Origin: https://evil.example\r\n").json(&body);
    does_nothing(foreign, 403, "Request error").await;
    let socket = server.request("GET", "/api/ws").header(UPGRADE);
    let socket = socket.header("Origin: https://evil.example\r\n").send().await;
    socket.refused(403, "Request error");
    let own = register(&server).header("Origin: http://localhost:1\r\n").json(&body).send().await;
    assert_eq!(own.header("access-control-allow-origin"), Some("http://localhost:1"));
    own.data();
}

#[tokio::test]
async fn a_head_over_64_kib_is_431() {
    let server = start().await;
    let body = registration("bob");
    let large = |size: usize| format!("X-Large: {}\r\n", "x".repeat(size));
    let origin = "Origin: http://localhost:1\r\n";
    let of_page = register(&server).header(origin).header(&large(100_000)).json(&body);
    let answer = does_nothing(of_page, 431, "Request error").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:1"));
    for request in [
        register(&server).header(&large(40_000).repeat(2)),
        register(&server).bearer(&"x".repeat(1_000_000)),
        server
            .request("POST", &format!("/api/register?{}", "x".repeat(65_000)))
            .header(&large(1000)),
    ] {
        let answer = does_nothing(request.json(&body), 431, "Request error").await;
        let why = "the head of the request is over the limit of 65536 bytes";
        assert_eq!(answer.json["error"]["errors"], json!({ "error": why }));
    }
    let elsewhere = server.request("GET", "/healthz").header(&large(70_000)).send().await;
    assert_eq!((elsewhere.status, elsewhere.json), (431, Value::Null));
    register(&server).header(&large(60_000)).json(&body).send().await.data();
}

#[tokio::test]
async fn a_socket_is_refused_before_the_upgrade() {
    for access in [Access::Open, Access::Token] {
        let server = TestServer::with(|config: &mut Config| config.access = Some(access)).await;
        let bob = server.sign_up("bob").await;
        let open = async |token: &str, headers: &str| {
            server.request("GET", "/api/ws").bearer(token).header(headers).send().await
        };
        for answer in [
            server.request("GET", "/api/ws").header(UPGRADE).send().await,
            server.request("GET", "/api/ws").send().await,
            open("x", UPGRADE).await,
        ] {
            answer.refused(401, "Authentication error");
        }
        for headers in ["", "Sec-WebSocket-Version: 13\r\n", UPGRADE] {
            let answer = open(bob.access(), headers).await;
            answer.refused(426, "Request error");
        }
    }
}

#[tokio::test]
async fn connects_and_requests_over_the_limit_are_429() {
    let server = TestServer::with_limits(|limits| {
        limits.connects_per_address = 2;
        limits.requests_per_address = 3;
    })
    .await;
    for _ in 0..2 {
        let answer = server.request("GET", "/api/ws").send().await;
        answer.refused(401, "Authentication error");
    }
    server.request("GET", "/api/ws").send().await.limited(30_000);
    for _ in 0..3 {
        register(&server).send().await.refused(400, "Form error");
    }
    let paths = [("POST", "/api/register"), ("DELETE", "/api/auth_token"), ("GET", "/api/inbox")];
    for (method, path) in paths {
        let request = server.request(method, path);
        request.header(FORM).body("username=bob").send().await.limited(20_000);
    }
}
