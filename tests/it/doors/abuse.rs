//! Memory that misbehaving clients made the server hold is freed when they disconnect.

use std::fs;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, SinkExt};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::TestServer;
use crate::support::http::JSON;
use crate::support::patience::now;
use crate::support::program::Running;

pub(super) const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

/// How long the memory may take to be freed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends these bytes on a connection that stays open for half a second more.
async fn say(server: &TestServer, bytes: &[u8]) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    // The server may refuse them before it has all of them.
    let _ = stream.write_all(bytes).await;
    sleep(Duration::from_millis(500)).await;
}

async fn half_requests(server: &TestServer) {
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(30_000));
    join_all((0..200).map(|_| say(server, head.as_bytes()))).await;
}

async fn half_bodies(server: &TestServer) {
    let head = "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    let request = format!("{head}{}", "[".repeat(900_000));
    join_all((0..40).map(|_| say(server, request.as_bytes()))).await;
}

async fn messages_without_an_end(server: &TestServer) {
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
    let mut streams = Vec::new();
    for _ in 0..40 {
        let (mut stream, _) = connect_async(&url).await.unwrap();
        let part = vec![b'x'; 900_000];
        let frame = Frame::message(part, OpCode::Data(Data::Text), false);
        let _ = stream.send(Message::Frame(frame)).await;
        streams.push(stream);
    }
    sleep(Duration::from_millis(500)).await;
}

async fn unread_answers(server: &TestServer) {
    let mut ann = server.user("ann").await;
    let chat = ann.chat("much", false, &[]).await;
    for _ in 0..4 {
        ann.say(&chat, &"x".repeat(200_000)).await;
    }
    let page = json!(["list-messages", { "chat": { "id": chat } }]);
    let mut readers = join_all((0..40).map(|_| server.connect())).await;
    for reader in &mut readers {
        reader.send_many((0..20).map(|at| format!("42{at}{page}"))).await;
    }
    sleep(Duration::from_secs(1)).await;
}

async fn sessions_that_never_poll(server: &TestServer) {
    join_all((0..400).map(|_| server.get(POLLING, ""))).await;
}

async fn wrong_bodies(server: &TestServer) {
    let bodies = ["[".repeat(1_000_000), "[1,".repeat(330_000), "{\"a\":".repeat(200_000)];
    for path in ["/rpc", "/api/events/create-chat", "/api/register"] {
        join_all(bodies.iter().map(|body| {
            let request = server.request("POST", path).header(JSON).body(body.as_str());
            request.send()
        }))
        .await;
    }
}

async fn large_requests(server: &TestServer) {
    join_all((0..4).map(|_| large_request(server))).await;
}

async fn large_request(server: &TestServer) {
    let mut client = server.connect().await;
    let list = format!("42[\"create-chat\",{{\"users\":[{}0]}}]", "\"x\",".repeat(200_000));
    client.send(list).await;
    client.next("exception").await;
}

pub(super) type Abuse = for<'a> fn(&'a TestServer) -> BoxFuture<'a, ()>;

pub(super) const ABUSES: [(&str, Abuse); 7] = [
    ("half requests", |server| half_requests(server).boxed()),
    ("half bodies", |server| half_bodies(server).boxed()),
    ("messages without an end", |server| messages_without_an_end(server).boxed()),
    ("unread answers", |server| unread_answers(server).boxed()),
    ("sessions that never poll", |server| sessions_that_never_poll(server).boxed()),
    ("wrong bodies", |server| wrong_bodies(server).boxed()),
    ("large requests", |server| large_requests(server).boxed()),
];

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_given_back_after_abuse() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--ping-interval=1", "--ping-timeout=4"]);
        command.args(["--read-bytes-per-user=0", "--read-bytes-per-address=0"]);
        // Freed memory is returned to the system at once, so that only held memory is measured.
        command.env("MALLOC_ARENA_MAX", "1").env("MALLOC_MMAP_THRESHOLD_", "16384");
        command.env("MALLOC_TRIM_THRESHOLD_", "16384");
    });
    let process = running.id();
    let server = TestServer::apart(directory, running);
    // This fills the caches and starts the threads before the first measurement.
    join_all(ABUSES.map(|(_, abuse)| abuse(&server))).await;
    let before = settled(&server, process, 0).await;
    let most = before + before / 5;
    for (name, abuse) in ABUSES {
        abuse(&server).await;
        let after = settled(&server, process, most).await;
        println!("{name}: {before} KiB before, {after} KiB after");
        assert!(after <= most, "{name}: {before} KiB before, {after} KiB after");
    }
}

/// The memory of a process in KiB, once its clients have gone and it holds at most `most`, or
/// `PATIENCE` is over.
async fn settled(server: &TestServer, process: u32, most: usize) -> usize {
    let began = now();
    loop {
        let metrics = server.get("/metrics", "").await;
        let are_gone = metrics.contains("\nchinwag_sockets 0\n")
            && metrics.contains("\nchinwag_unsent_bytes 0\n");
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let memory = line.split_whitespace().next().unwrap().parse().unwrap();
        let waits = now() - began < if most == 0 { PATIENCE / 4 } else { PATIENCE };
        if are_gone && (memory <= most || !waits) {
            return memory;
        }
        assert!(now() - began < 2 * PATIENCE, "{metrics}");
        sleep(Duration::from_millis(100)).await;
    }
}
