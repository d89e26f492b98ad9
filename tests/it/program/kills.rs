//! A server is killed under load, again and again, on one database: nothing that it has
//! acknowledged or pushed is lost, doubled or moved. `CHINWAG_KILLS=100` does so 100 times.

use std::collections::HashMap;
use std::env;
use std::net::SocketAddr;
use std::path::Path;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::program::Running;
use crate::support::{Client, message, soon};

const SENDERS: usize = 8;
const CHATS: usize = 4;

/// Sends numbered messages to one chat, and sends a message again that was not answered.
struct Sender {
    number: usize,
    chat: String,
    next: usize,
    acknowledged: Vec<Value>,
}

impl Sender {
    /// Sends a message after each answer, until the server is gone.
    async fn send(mut self, mut client: Client) -> Sender {
        loop {
            let text = format!("{}-{}", self.number, self.next);
            let mut body = message(&self.chat, &text);
            body["message"]["client_id"] = text.into();
            let Some(answer) = client.try_ask("new-message", body).await else {
                return self;
            };
            assert!(answer.get("error").is_none(), "{answer}");
            self.acknowledged.push(answer);
            self.next += 1;
        }
    }
}

/// Joins and leaves a chat, over and over.
struct Guest {
    chat: String,
    /// Whether it is a member; none after a request that was not answered.
    member: Option<bool>,
}

impl Guest {
    async fn come_and_go(mut self, mut client: Client) -> Guest {
        let Some(mut of_chats) = client.try_ask("list-chats", json!({})).await else {
            return self;
        };
        let chats = of_chats["chats"].take();
        let is_chat = |chat: &Value| chat["id"] == self.chat.as_str();
        let member = chats.as_array().unwrap().iter().any(is_chat);
        assert_eq!(self.member.unwrap_or(member), member, "an acknowledged change is lost");
        let mut joins = !member;
        loop {
            self.member = None;
            let event = if joins { "join-chat" } else { "leave-chat" };
            let body = json!({ "chat": { "id": self.chat } });
            let Some(answer) = client.try_ask(event, body).await else {
                return self;
            };
            assert!(answer.get("error").is_none(), "{answer}");
            self.member = Some(joins);
            joins = !joins;
        }
    }
}

/// The messages that a chat has been seen to have.
#[derive(Default)]
struct Chat {
    stored: Vec<Value>,
    /// The next number of each sender.
    next: HashMap<usize, usize>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_reordered() {
    let rounds = env::var("CHINWAG_KILLS").map_or(3, |text| text.parse().expect("a number"));
    let directory = TempDir::new().unwrap();
    let running = start(directory.path());
    let mut owner = enter(running.address, "ann").await;
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        chats.push((owner.chat("a chat", true, &[]).await, Chat::default()));
    }
    let open = json!({ "chat": { "name": "open", "private": false }, "users": [] });
    let open = owner.ask("create-chat", open).await;
    let open = open["chat"]["id"].as_str().unwrap().to_owned();
    let mut guest = Guest { chat: open, member: Some(false) };
    stop(running).await;
    let sender = |number: usize| Sender {
        number,
        chat: chats[number % CHATS].0.clone(),
        next: 0,
        acknowledged: Vec::new(),
    };
    let mut senders = Vec::from_iter((0..SENDERS).map(sender));
    for round in 0..rounds {
        let running = start(directory.path());
        let address = running.address;
        let mut watcher = enter(address, "ann").await;
        let visitor = enter(address, "bob").await;
        // All clients are connected before the server may be killed.
        let clients = join_all(senders.iter().map(|_| enter(address, "ann"))).await;
        let sending = senders.into_iter().zip(clients).map(|(it, client)| it.send(client));
        let sending = join_all(sending.map(tokio::spawn));
        let coming = tokio::spawn(guest.come_and_go(visitor));
        // The kill comes after another number of messages each time.
        let mut pushed = Vec::new();
        for _ in 0..50 + round * 97 % 350 {
            pushed.push(watcher.next_of("new-message").await);
        }
        stop(running).await;
        while let Some((event, body)) = watcher.try_next_event().await {
            if event == "new-message" {
                pushed.push(body);
            }
        }
        senders =
            soon("all senders notice", sending).await.into_iter().map(|it| it.unwrap()).collect();
        guest = soon("the guest notices", coming).await.unwrap();
        let running = start(directory.path());
        let mut reader = enter(running.address, "ann").await;
        for (id, chat) in &mut chats {
            chat.read_on(&mut reader, id).await;
        }
        let acknowledged = senders.iter_mut().flat_map(|sender| sender.acknowledged.drain(..));
        for message in acknowledged.chain(pushed) {
            let seq = message["seq"].as_u64().unwrap() as usize;
            let (_, chat) = chats.iter().find(|(id, _)| message["chat_id"] == id.as_str()).unwrap();
            let stored = chat.stored.get(seq - 1).unwrap_or(&Value::Null);
            for field in ["id", "msg", "user_id", "created_at"] {
                assert_eq!(stored[field], message[field], "round {round}: {message}");
            }
        }
        stop(running).await;
    }
    let stored: usize = chats.iter().map(|(_, chat)| chat.stored.len()).sum();
    println!("{rounds} kills, {stored} messages");
}

impl Chat {
    /// Reads the messages stored since then. Fails unless they have no gap, and each sender's are
    /// in order and there once.
    async fn read_on(&mut self, reader: &mut Client, id: &str) {
        loop {
            let query = json!({ "after_seq": self.stored.len() });
            let body = json!({ "chat": { "id": id }, "query": query });
            let page = reader.ask("list-messages", body).await;
            for message in page["messages"].as_array().unwrap() {
                assert_eq!(message["seq"], self.stored.len() + 1, "there is a gap");
                let (sender, number) = message["msg"].as_str().unwrap().split_once('-').unwrap();
                let next = self.next.entry(sender.parse().unwrap()).or_default();
                assert_eq!(number.parse(), Ok(*next), "lost, doubled or out of order");
                *next += 1;
                self.stored.push(message.clone());
            }
            if page.get("next").is_none() {
                return;
            }
        }
    }
}

fn start(directory: &Path) -> Running {
    Running::with(directory, |command| {
        command.args(["--listen", "127.0.0.1:0"]);
    })
}

async fn stop(running: Running) {
    let (status, log) = spawn_blocking(move || running.end("KILL")).await.unwrap();
    assert_eq!(status.code(), None, "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

async fn enter(address: SocketAddr, id: &str) -> Client {
    let mut client = Client::connect(address).await;
    let user = json!({ "user": { "id": id, "name": id, "photo": "" } });
    client.ask("create-user", user).await;
    client
}
