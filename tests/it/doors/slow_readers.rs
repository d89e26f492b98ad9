//! Clients that ask for much and read nothing: what they make the server hold.

use std::fs;
use std::time::Duration;

use futures_util::SinkExt;
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::program::Running;
use crate::support::{Client, TestServer, soon};

const READERS: usize = 40;
const PAGES: u64 = 40;
/// Almost as many bytes as a page may have.
const TEXT: usize = 480 << 10;

/// The value of a metric.
async fn metric(server: &TestServer, name: &str) -> f64 {
    let text = server.get("/metrics", "").await;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

/// The memory of a process, in bytes.
fn memory(process: u32) -> usize {
    let pages = fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_read_only_when_the_socket_can_take_it() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--read-bytes-per-user=0"]);
        command.args(["--read-bytes-per-address=0", "--ping-timeout=300"]);
        command.arg("--unacked-timeout=300");
    });
    let process = running.id();
    let server = TestServer::apart(directory, running);
    let mut ann = server.user("ann").await;
    let chat = ann.chat("much", false, &[]).await;
    for _ in 0..2 {
        ann.say(&chat, &"x".repeat(TEXT)).await;
    }
    // Each from an address of its own: those of one wait for each other's reads.
    let from = (0..READERS).map(|at| format!("127.0.1.{at}"));
    let readers = from.map(async |from| Client::connect_from(&from, server.address()).await);
    let mut readers = join_all(readers).await;
    let before = memory(process);
    let page = json!(["list-messages", { "chat": { "id": chat } }]).to_string();
    for reader in &mut readers {
        reader.send_many((0..PAGES).map(|at| format!("42{}{page}", 1000 + at))).await;
    }
    // Until the server does no more for these readers.
    let (mut asked, mut most) = (0.0, 0);
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let unsent = metric(&server, "chinwag_unsent_bytes").await;
        assert!(unsent <= (READERS * (1 << 20)) as f64, "{unsent}");
        most = most.max(memory(process).saturating_sub(before));
        let asked_now = metric(&server, "chinwag_requests_total").await;
        if asked_now == asked {
            break;
        }
        asked = asked_now;
    }
    assert!(asked < (READERS as u64 * PAGES) as f64, "the system has taken all of it");
    // A page for each reader, and as much again for pages that are being made or have been sent.
    assert!(most < READERS * (3 << 20), "{most}");
    // Others are served, and a reader that reads on gets everything.
    let all = async {
        ann.say(&chat, "between").await;
        for reader in &mut readers[..3] {
            for at in 0..PAGES {
                let page = reader.answer(1000 + at).await;
                let last = page["messages"][1]["msg"].as_str();
                assert_eq!(last.map(str::len), Some(TEXT), "{}", page["error"]);
            }
        }
    };
    soon("they get everything", all).await;
    // Nothing is kept for readers that are gone.
    drop(readers);
    let gone = async {
        while metric(&server, "chinwag_unsent_bytes").await > 0.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    soon("nothing is kept", gone).await;
}

/// The library keeps the parts of a message that never ends; they count like unread bytes.
#[tokio::test]
async fn messages_that_never_end_count_against_the_memory_limit() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--max-unsent-total=2097152"]);
    });
    let server = TestServer::apart(directory, running);
    let mut clients = Vec::new();
    for at in 0..9 {
        let path = match at % 2 {
            0 => "socket.io/?EIO=4&transport=websocket".to_owned(),
            _ => format!("chat/login/nick{at}"),
        };
        let url = format!("ws://{}/{path}", server.address());
        let (mut client, _) = connect_async(url).await.unwrap();
        let begun = Frame::message(vec![b'x'; 400 << 10], OpCode::Data(Data::Text), false);
        client.send(Message::Frame(begun)).await.unwrap();
        clients.push(client);
    }
    let cut = async {
        while metric(&server, "chinwag_sockets_cut_total").await < 4.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("those that are too many are cut off", cut).await;
    assert!(metric(&server, "chinwag_unsent_bytes").await <= (2 << 20) as f64);
    drop(clients);
    let gone = async {
        while metric(&server, "chinwag_unsent_bytes").await > 0.0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("nothing is kept", gone).await;
}
