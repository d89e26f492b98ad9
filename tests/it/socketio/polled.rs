//! Whatever polling clients send, the server goes on.

use std::ops::Range;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{TestServer, soon};

const TEXT: &str = "text/plain;charset=UTF-8";
const BYTES: &str = "application/octet-stream";

/// The path of a new polling session of this protocol; the request's protocol is to be appended.
async fn open(server: &TestServer, protocol: u8) -> String {
    let answer = server.get(&format!("/socket.io/?EIO={protocol}&transport=polling"), "").await;
    let sid = answer.split("\"sid\":\"").nth(1).expect(&answer).split('"').next().unwrap();
    format!("/socket.io/?transport=polling&sid={sid}&EIO=")
}

/// Posts a body to a path; returns the status of the answer.
async fn post(server: &TestServer, path: &str, content_type: &str, body: &[u8]) -> String {
    let (address, length) = (server.address(), body.len());
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    // A server that refuses a body may close the connection before it has read all of it.
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let _ = soon("the body is answered", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Whether the session of a path still exists; takes the packets that wait for it.
async fn is_open(server: &TestServer, path: &str) -> bool {
    server.get(path, "").await.starts_with("HTTP/1.1 200 ")
}

/// A packet of protocol 3 in a binary body, of this kind: 0 for text, 1 for bytes.
fn framed(kind: u8, packet: &[u8]) -> Vec<u8> {
    let digits = packet.len().to_string().into_bytes().into_iter().map(|digit| digit - b'0');
    [kind].into_iter().chain(digits).chain([255]).chain(packet.iter().copied()).collect()
}

#[tokio::test]
async fn a_wrongly_framed_body_closes_only_its_own_session() {
    let server = TestServer::start().await;
    let many = "1:3".repeat(1025);
    let many_bytes = framed(0, b"3").repeat(1025);
    let not_utf8 = framed(0, b"4\xff\xfe");
    let cases: [(u8, &str, &[u8]); 28] = [
        // The length ends inside a surrogate pair.
        (3, TEXT, "1:😀x".as_bytes()),
        (3, TEXT, "3:4😀😀".as_bytes()),
        (3, TEXT, b"0:"),
        (3, TEXT, b"0:1:3"),
        (3, TEXT, b":3"),
        (3, TEXT, b"3"),
        (3, TEXT, b"2:3"),
        (3, TEXT, b"-1:3"),
        (3, TEXT, b"99999999999999999999:3"),
        (3, TEXT, b"2:4\xff"),
        (3, TEXT, b"3:4\xf0\x9f"),
        (3, TEXT, many.as_bytes()),
        (3, TEXT, b"\0\x01\xff3"),
        (3, BYTES, b"\0\x05hello"),
        (3, BYTES, b"1:3"),
        (3, BYTES, b"\0\x01\xff"),
        (3, BYTES, b"\0\0\xff"),
        (3, BYTES, b"\0\xff3"),
        (3, BYTES, b"\0\x0a\xff3"),
        (3, BYTES, b"\x02\x01\xff3"),
        (3, BYTES, b"\xff"),
        (3, BYTES, b"\0\x01\xff3\0"),
        (3, BYTES, b"\x01\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff4"),
        (3, BYTES, &not_utf8),
        (3, BYTES, &many_bytes),
        (4, TEXT, b"\x1e3"),
        (4, TEXT, b"3\x1e\x1e3"),
        (4, TEXT, b"4\xff"),
    ];
    let beside = open(&server, 3).await + "3";
    for (protocol, content_type, body) in cases {
        let path = format!("{}{protocol}", open(&server, protocol).await);
        let case = format!("{protocol} {content_type} {:.40}", String::from_utf8_lossy(body));
        assert_eq!(post(&server, &path, content_type, body).await, "400", "{case}");
        assert!(!is_open(&server, &path).await, "{case}");
    }
    assert_eq!(post(&server, &beside, TEXT, b"1:2").await, "200");
    assert!(server.get("/healthz", "").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_body_of_several_packets_is_taken() {
    let server = TestServer::start().await;
    let bytes = [framed(0, "42[\"x\",\"😀\"]".as_bytes()), framed(0, b"3")].concat();
    let cases: [(u8, &str, &[u8]); 6] = [
        (3, TEXT, "12:42[\"x\",\"😀\"]1:3".as_bytes()),
        (3, TEXT, b"1:3"),
        (3, BYTES, &bytes),
        (4, TEXT, "40\u{1e}3\u{1e}42[\"x\",\"😀\"]".as_bytes()),
        (4, TEXT, b"40\x1e"),
        // In this protocol the content type has no meaning.
        (4, BYTES, b"40\x1e3"),
    ];
    for (protocol, content_type, body) in cases {
        let path = format!("{}{protocol}", open(&server, protocol).await);
        let case = format!("{protocol} {content_type} {}", String::from_utf8_lossy(body));
        assert_eq!(post(&server, &path, content_type, body).await, "200", "{case}");
        assert!(is_open(&server, &path).await, "{case}");
    }
}

#[tokio::test]
async fn an_old_client_may_send_bytes() {
    let server = TestServer::start().await;
    let path = open(&server, 3).await + "3";
    let user = json!({ "user": { "id": "ann", "name": "Änn 😀" } });
    let asked = format!("421{}", json!(["create-user", user]));
    let mut message = json!({ "chat": { "id": "x" }, "message": { "type": "text" } });
    message["message"]["value"] = json!({ "_placeholder": true, "num": 0 });
    let attached = format!("451-2{}", json!(["new-message", message]));
    let body = [
        framed(0, asked.as_bytes()),
        framed(0, attached.as_bytes()),
        framed(1, b"\x04an attachment"),
        framed(0, b"2"),
    ]
    .concat();
    assert_eq!(post(&server, &path, BYTES, &body).await, "200");
    let mut answers = String::new();
    while !answers.contains("432[") {
        answers += &server.get(&path, "").await;
    }
    assert!(answers.contains("431[{\"user\":") && answers.contains("Änn 😀"), "{answers}");
    assert!(answers.contains("\"field\":\"message.value\""), "{answers}");
}

#[tokio::test]
async fn a_request_of_another_protocol_than_its_sessions_is_refused() {
    let server = TestServer::start().await;
    for (own, other, body) in [(3, "4", "40"), (4, "3", "2:40"), (3, "5", "2:40"), (4, "", "40")] {
        let path = open(&server, own).await;
        assert_eq!(post(&server, &format!("{path}{other}"), TEXT, body.as_bytes()).await, "400");
        let answer = server.get(&format!("{path}{other}"), "").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let upgrade = format!("{path}{other}").replace("=polling", "=websocket");
        let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let answer = server.get(&upgrade, headers).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        // The upgrade was refused, and the session goes on.
        let right = if own == 3 { "1:2" } else { "40" };
        assert_eq!(post(&server, &format!("{path}{own}"), TEXT, right.as_bytes()).await, "200");
    }
}

#[tokio::test]
async fn no_body_is_read_for_an_unknown_session() {
    let server = TestServer::start().await;
    for sid in ["AAAAAAAAAAAAAAAA", "x", "😀", ""] {
        let answer = server
            .exchange(&format!(
                "POST /socket.io/?EIO=3&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Length: 1000\r\n\r\n1:"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{sid}: {answer}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_closes_its_session() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 1000).await;
    let path = open(&server, 4).await + "4";
    // The length of this body is not announced.
    let chunk = format!("3e9\r\n{}\r\n0\r\n\r\n", "4".repeat(1001));
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n");
    let answer = server.exchange(&format!("{head}Connection: close\r\n\r\n{chunk}")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(!is_open(&server, &path).await);
    // The length is announced, so that the body is not read.
    let beside = open(&server, 4).await + "4";
    for (protocol, packet) in [(3, "1:3".to_owned()), (4, "4".to_owned())] {
        let path = format!("{}{protocol}", open(&server, protocol).await);
        assert_eq!(post(&server, &path, TEXT, packet.repeat(1001).as_bytes()).await, "413");
        assert!(!is_open(&server, &path).await, "{protocol}");
    }
    let other = format!("/api/register?{}", beside.split_once('?').unwrap().1);
    assert_eq!(post(&server, &other, TEXT, "4".repeat(1001).as_bytes()).await, "413");
    assert_eq!(post(&server, &beside, TEXT, b"40").await, "200");
    // A body of the greatest length leaves no room for a ping, which the server would add.
    let path = open(&server, 3).await + "3";
    let body = format!("996:42{}", "x".repeat(994));
    assert_eq!(post(&server, &path, TEXT, body.as_bytes()).await, "200");
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, among: Range<usize>) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        among.start + self.0 as usize % among.len()
    }

    fn packet(&mut self, length: usize) -> String {
        const PARTS: [&str; 12] =
            ["4", "2", "1", "6", "b4AAAA", "42[\"x\",", "é", "😀", ":", "5:", "\u{1e}", "["];
        (0..self.roll(1..length + 1)).map(|_| PARTS[self.roll(0..PARTS.len())]).collect()
    }

    /// A body of packets, most of them framed correctly.
    fn body(&mut self, protocol: u8, content_type: &str, packets: usize, length: usize) -> Vec<u8> {
        let mut body = Vec::new();
        for _ in 0..self.roll(1..packets + 1) {
            let packet = self.packet(length);
            match (protocol, content_type) {
                (4, _) => body.extend([packet.replace('\u{1e}', "3").as_bytes(), b"\x1e"].concat()),
                (_, BYTES) => body.extend(framed(self.roll(0..2) as u8, packet.as_bytes())),
                _ => {
                    let units = packet.encode_utf16().count();
                    body.extend(format!("{units}:{packet}").as_bytes());
                }
            }
        }
        match self.roll(0..4) {
            0 => {
                let at = self.roll(0..body.len());
                body[at] = self.roll(0..256) as u8;
            }
            1 => body.truncate(self.roll(0..body.len()) + 1),
            _ => {}
        }
        body
    }
}

#[tokio::test]
async fn any_body_is_answered_in_time() {
    let server = TestServer::with_limits(|limits| {
        limits.connects_per_address = 0;
        limits.requests_per_address = 0;
    })
    .await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    // Many small bodies, and some of the greatest size.
    for (rounds, packets, length) in [(150, 8, 6), (4, 1024, 400), (4, 3, 150_000)] {
        for (protocol, content_type) in [(3, TEXT), (3, BYTES), (4, TEXT)] {
            for round in 0..rounds {
                let path = format!("{}{protocol}", open(&server, protocol).await);
                let mut body = dice.body(protocol, content_type, packets, length);
                body.truncate(1 << 20);
                let status = post(&server, &path, content_type, &body).await;
                let case = format!("{protocol} {content_type} {packets} {round}");
                assert!(["200", "400"].contains(&status.as_str()), "{case}: {status}");
            }
        }
    }
    assert!(server.get("/healthz", "").await.starts_with("HTTP/1.1 200 "));
}
