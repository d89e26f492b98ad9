//! What polling clients send: whatever it is, the server goes on.

use crate::support::TestServer;

const TEXT: &str = "text/plain;charset=UTF-8";
const BYTES: &str = "application/octet-stream";

/// A path of a new polling session that began with a protocol, up to the protocol of a request.
async fn open(server: &TestServer, protocol: u8) -> String {
    let answer = server.get(&format!("/socket.io/?EIO={protocol}&transport=polling"), "").await;
    let sid = answer.split("\"sid\":\"").nth(1).expect(&answer).split('"').next().unwrap();
    format!("/socket.io/?transport=polling&sid={sid}&EIO=")
}

/// The status of a body sent to a path.
async fn post(server: &TestServer, path: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    let answer = server
        .exchange(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_body_with_a_wrong_framing_is_refused_and_stops_nobody() {
    let server = TestServer::start().await;
    let many = "1:3".repeat(1025);
    let cases = [
        // It ends inside a surrogate pair.
        ("3", TEXT, "1:😀x"),
        ("3", TEXT, "3:4😀😀"),
        ("3", TEXT, "0:"),
        ("3", TEXT, "0:1:3"),
        ("3", TEXT, ":3"),
        ("3", TEXT, "3"),
        ("3", TEXT, "2:3"),
        ("3", TEXT, "-1:3"),
        ("3", TEXT, "99999999999999999999:3"),
        ("3", TEXT, many.as_str()),
        ("3", BYTES, "\0\u{5}hello"),
        ("3", BYTES, "1:3"),
        ("4", TEXT, "\u{1e}3"),
        ("4", TEXT, "3\u{1e}\u{1e}3"),
    ];
    for began_with in [3, 4] {
        for (protocol, content_type, body) in cases {
            let path = open(&server, began_with).await + protocol;
            let status = post(&server, &path, content_type, body).await;
            assert_eq!(status, "400", "{began_with} {protocol} {content_type} {body:.40}");
        }
    }
    assert!(server.get("/healthz", "").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_of_several_packets_is_taken() {
    let server = TestServer::start().await;
    for (protocol, body) in [
        (3, "12:42[\"x\",\"😀\"]1:3"),
        (3, "1:3"),
        (4, "40\u{1e}3\u{1e}42[\"x\",\"😀\"]"),
        (4, "40\u{1e}"),
    ] {
        let path = format!("{}{protocol}", open(&server, protocol).await);
        assert_eq!(post(&server, &path, TEXT, body).await, "200", "{protocol} {body}");
    }
}
