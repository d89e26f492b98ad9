//! A server that stops under load: if a client's message is stored, the client gets its answer.

use std::collections::HashMap;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::chatter::{message as said, said_by};
use crate::support::{TestServer, message, soon};

const SENDERS: usize = 10;
const EACH: usize = 200;

async fn on(directory: TempDir) -> TestServer {
    TestServer::on(directory, |config| {
        config.limits.requests_per_user = 0;
        config.limits.requests_per_address = 0;
        config.limits.messages_per_user = 0;
        config.limits.max_unsent = 100_000;
    })
    .await
}

/// The stored messages of a chat, by their `client_id`.
async fn stored(directory: TempDir, chat: &str) -> HashMap<String, Value> {
    let server = on(directory).await;
    let mut ann = server.user("ann").await;
    let mut stored = HashMap::new();
    loop {
        let query = json!({ "after_seq": stored.len(), "limit": 1000 });
        let body = json!({ "chat": { "id": chat }, "query": query });
        let page = ann.done("list-messages", body).await;
        for message in page["messages"].as_array().unwrap() {
            stored.insert(message["client_id"].as_str().unwrap().to_owned(), message.clone());
        }
        if page.get("next").is_none() {
            return stored;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_client_gets_the_answers_to_stored_messages() {
    let server = on(TempDir::new().unwrap()).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        senders.push(server.user("ann").await);
    }
    for (at, sender) in senders.iter_mut().enumerate() {
        for number in 0..EACH {
            let mut body = message(&chat, "under load");
            body["message"]["client_id"] = json!(format!("{at} {number}"));
            sender.request("new-message", body).await;
        }
    }
    ann.next("new-message").await;
    let reading = join_all(senders.iter_mut().map(|sender| sender.until_closed()));
    let (directory, answered) = join(server.shutdown(), reading).await;
    let answered = answered.into_iter().flatten().map(|(_, answer)| answer);
    let answered: HashMap<_, _> = answered
        .filter(|answer| answer["client_id"].is_string())
        .map(|answer| (answer["client_id"].as_str().unwrap().to_owned(), answer))
        .collect();
    assert!(!answered.is_empty());
    let stored = stored(directory, &chat).await;
    let unanswered: Vec<_> = stored.keys().filter(|id| !answered.contains_key(*id)).collect();
    assert!(unanswered.is_empty(), "{} of {}: {unanswered:?}", unanswered.len(), stored.len());
    assert_eq!(stored, answered, "what was answered is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_client_gets_the_answers_to_stored_messages() {
    let server = on(TempDir::new().unwrap()).await;
    let mut bob = server.listener("bob").await;
    let mut ann = server.chatter("ann").await;
    ann.join("engines", "ann").await;
    let channel = bob.next("chatroom").await["room"]["id"].clone();
    for number in 0..EACH {
        ann.tell(said_by("engines", &number.to_string())).await;
    }
    assert_eq!(ann.next().await, said("engines", "0", "ann"));
    let (directory, (heard, code)) = join(server.shutdown(), ann.until_closed()).await;
    assert_eq!(code, 1001);
    for (at, frame) in heard.iter().enumerate() {
        assert_eq!(*frame, said("engines", &(at + 1).to_string(), "ann"));
    }
    let server = on(directory).await;
    let history = json!({ "chat": { "id": channel } });
    let history = server.user("bob").await.done("list-messages", history).await;
    let last = history["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["seq"], heard.len() + 1, "the sender did not hear of the last");
}

/// A connection that is used for several requests.
struct Kept(TcpStream);

impl Kept {
    /// Sends a request; returns the body of the answer, or none if the connection is closed.
    async fn exchange(&mut self, request: String) -> Option<String> {
        self.0.write_all(request.as_bytes()).await.ok()?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1)?.lines().next()?.to_owned();
                if body.len() >= length.trim().parse().ok()? {
                    return head.starts_with("HTTP/1.1 200").then(|| body.to_owned());
                }
            }
            match soon("an answer", self.0.read(&mut part)).await {
                Ok(length @ 1..) => answer.extend_from_slice(&part[..length]),
                _ => return None,
            }
        }
    }

    async fn get(&mut self, path: &str) -> Option<String> {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    async fn post(&mut self, path: &str, body: &str) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        assert_eq!(self.exchange(head + body).await.as_deref(), Some("ok"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_polling_client_gets_the_answers_to_stored_messages() {
    let server = on(TempDir::new().unwrap()).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    let mut kept = Kept(TcpStream::connect(server.address()).await.unwrap());
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = kept.get(path).await.unwrap();
    let path = format!("{path}&sid={}", opened.split('"').nth(3).unwrap());
    kept.post(&path, "40").await;
    while !kept.get(&path).await.unwrap().contains("40{") {}
    let user = json!({ "user": { "external_id": "ann", "name": "ann", "photo": "" } });
    kept.post(&path, &format!("420{}", json!(["create-user", user]))).await;
    while !kept.get(&path).await.unwrap().contains("430[") {}
    let packets = (1..=EACH).map(|number| {
        let mut body = message(&chat, "under load");
        body["message"]["client_id"] = json!(number.to_string());
        format!("42{number}{}", json!(["new-message", body]))
    });
    kept.post(&path, &Vec::from_iter(packets).join("\u{1e}")).await;
    ann.next("new-message").await;
    let polling = async {
        let mut answered = Vec::new();
        while let Some(body) = kept.get(&path).await {
            let packets = body.split('\u{1e}').filter(|packet| packet.starts_with("43"));
            answered.extend(packets.filter_map(|packet| {
                Some(packet.split("\"client_id\":\"").nth(1)?.split('"').next()?.to_owned())
            }));
        }
        answered
    };
    let (directory, answered) = join(server.shutdown(), polling).await;
    let stored = stored(directory, &chat).await;
    let unanswered: Vec<_> = stored.keys().filter(|id| !answered.contains(id)).collect();
    assert!(unanswered.is_empty(), "{} of {}: {unanswered:?}", unanswered.len(), stored.len());
}
