//! Many clients in one chat, over several nodes. Speakers send each message until it is
//! acknowledged; hearers catch up and listen. They behave as good clients do, whatever happens to
//! the nodes, and what they were told must be right.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::nodes::Processes;
use crate::support::steps::of_chat;
use crate::support::{Client, message, soon};

/// Settings without rate limits.
pub const UNBOUNDED: [&str; 10] = [
    "--connects-per-address=0",
    "--requests-per-address=0",
    "--requests-per-user=0",
    "--messages-per-user=0",
    "--announcements-per-user=0",
    "--announcements-per-node=0",
    "--max-pending=100000",
    "--max-unsent=100000",
    "--sign-ups-per-address=0",
    "--max-unwritten=100000",
];

/// The last message of the chat.
const END: &str = "the end";
/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(50);

pub struct Crowd {
    shared: Shared,
    chat: String,
    speakers: Vec<JoinHandle<Said>>,
    hearers: Vec<JoinHandle<Heard>>,
}

#[derive(Clone)]
struct Shared {
    nodes: Arc<[SocketAddr]>,
    /// How many messages have been acknowledged.
    count: Arc<watch::Sender<usize>>,
    stop: Arc<AtomicBool>,
}

/// What a speaker was told.
#[derive(Default)]
struct Said {
    messages: Vec<Value>,
    errors: BTreeSet<String>,
    /// The longest time until a message was acknowledged.
    longest: Duration,
}

/// What a hearer was told.
#[derive(Default)]
struct Heard {
    messages: Vec<Value>,
    resumed: usize,
    /// The longest time without an event.
    longest: Duration,
}

/// What a crowd has seen.
#[derive(Debug)]
pub struct Outcome {
    pub messages: usize,
    /// The codes of the errors that the speakers were answered.
    pub errors: BTreeSet<String>,
    /// How often hearers have reconnected.
    pub resumed: usize,
}

fn user(name: &str) -> Value {
    json!({ "user": { "id": name, "name": name, "photo": "" } })
}

impl Crowd {
    /// Starts so many speakers and hearers on each node.
    pub async fn gather(nodes: &Processes, speakers: usize, hearers: usize) -> Crowd {
        let addresses: Arc<[_]> = (0..nodes.count()).map(|node| nodes[node].address()).collect();
        let speakers: Vec<_> =
            (0..addresses.len() * speakers).map(|at| format!("speaker{at}")).collect();
        let hearers: Vec<_> =
            (0..addresses.len() * hearers).map(|at| format!("hearer{at}")).collect();
        let mut owner = Client::connect(addresses[0]).await;
        let everybody: Vec<_> = speakers.iter().chain(&hearers).collect();
        for name in everybody.iter().copied().chain([&"owner".to_owned()]) {
            owner.done("create-user", user(name)).await;
        }
        let body = json!({ "chat": { "name": "crowd" }, "users": everybody });
        let made = owner.done("create-chat", body).await;
        let chat = made["chat"]["id"].as_str().unwrap().to_owned();
        let (count, stop) = (Arc::new(watch::Sender::new(0)), Arc::default());
        let shared = Shared { nodes: addresses, count, stop };
        let hear = |(at, name)| tokio::spawn(hear(shared.clone(), at, name, chat.clone()));
        let hearers = hearers.into_iter().enumerate().map(hear).collect();
        let speak = |(at, name)| tokio::spawn(speak(shared.clone(), at, name, chat.clone()));
        let speakers = speakers.into_iter().enumerate().map(speak).collect();
        Crowd { chat, speakers, hearers, shared }
    }

    /// Waits until so many more messages have been acknowledged.
    pub async fn goes_on(&self, more: usize) {
        let mut count = self.shared.count.subscribe();
        let enough = *count.borrow() + more;
        let waiting = count.wait_for(|count| *count >= enough);
        soon("messages are acknowledged", waiting).await.unwrap();
    }

    /// Connects to a node as a user, receives so many messages in order, and disconnects.
    pub async fn visit(&self, node: usize, name: &str, messages: usize) {
        let mut client = self.shared.enter(node, name).await;
        let mut before: Option<i64> = None;
        for _ in 0..messages {
            let seq = client.next_of("new-message").await["seq"].as_i64().unwrap();
            assert!(before.is_none_or(|before| seq == before + 1), "{seq} came after {before:?}");
            before = Some(seq);
        }
    }

    /// Lets all clients finish. Fails unless every acknowledged message is stored once, without a
    /// gap, and every hearer has all messages, once and in order.
    pub async fn end(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Release);
        let said = soon("the speakers end", join_all(self.speakers)).await;
        let said: Vec<_> = said.into_iter().map(Result::unwrap).collect();
        let mut client = self.shared.enter(0, "owner").await;
        let last = client.done("new-message", message(&self.chat, END)).await;
        let heard = soon("the hearers end", join_all(self.hearers)).await;
        let heard: Vec<_> = heard.into_iter().map(Result::unwrap).collect();
        let stored = all(&mut client, &self.chat).await;
        for (at, message) in stored.iter().enumerate() {
            assert_eq!(message["seq"], at + 1, "there is a gap");
        }
        let texts: HashSet<_> = stored.iter().map(|message| message["msg"].as_str()).collect();
        assert_eq!(texts.len(), stored.len(), "a message is stored twice");
        assert_eq!(stored.last(), Some(&last));
        let mut acknowledged: Vec<_> = said.iter().flat_map(|said| &said.messages).collect();
        acknowledged.push(&last);
        acknowledged.sort_by_key(|message| message["seq"].as_i64());
        let stored_ones: Vec<_> = stored.iter().collect();
        assert_eq!(acknowledged, stored_ones, "what is stored is not what was acknowledged");
        for heard in &heard {
            assert_eq!(heard.messages, stored, "a hearer has something else");
        }
        let longest_send = said.iter().map(|said| said.longest).max();
        let longest_silence = heard.iter().map(|heard| heard.longest).max();
        println!("longest until acknowledged: {longest_send:?}, unheard: {longest_silence:?}");
        Outcome {
            messages: stored.len(),
            errors: said.iter().flat_map(|said| said.errors.clone()).collect(),
            resumed: heard.iter().map(|heard| heard.resumed).sum(),
        }
    }
}

impl Shared {
    /// Connects as a user to this node or, if that fails, to the next ones.
    async fn enter(&self, mut node: usize, name: &str) -> Client {
        loop {
            let address = self.nodes[node % self.nodes.len()];
            if let Some(mut client) = Client::try_connect(address).await {
                let entered = client.try_ask("create-user", user(name)).await;
                if entered.is_some_and(|answer| answer.get("error").is_none()) {
                    return client;
                }
            }
            node += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Sends one message after the other, each until it is acknowledged.
async fn speak(shared: Shared, home: usize, name: String, chat: String) -> Said {
    let mut said = Said::default();
    let mut node = home;
    let mut client = shared.enter(node, &name).await;
    while !shared.stop.load(Ordering::Acquire) {
        let text = format!("{name}-{}", said.messages.len());
        let mut body = message(&chat, &text);
        body["message"]["client_id"] = text.into();
        let began = Instant::now();
        let answer = loop {
            match client.try_ask("new-message", body.clone()).await {
                Some(answer) => match answer["error"]["code"].as_str() {
                    None => break answer,
                    Some(code) => {
                        said.errors.insert(code.to_owned());
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                None => {
                    node += 1;
                    client = shared.enter(node, &name).await;
                }
            }
        };
        said.longest = said.longest.max(began.elapsed());
        said.messages.push(answer);
        shared.count.send_modify(|count| *count += 1);
    }
    said
}

/// Receives all messages, up to the last.
async fn hear(shared: Shared, home: usize, name: String, chat: String) -> Heard {
    let mut heard = Heard::default();
    let mut node = home;
    loop {
        let mut client = shared.enter(node, &name).await;
        if listen(&mut client, &chat, &mut heard).await.is_some() {
            return heard;
        }
        (node, heard.resumed) = (node + 1, heard.resumed + 1);
    }
}

/// Catches up, then takes pushes up to the last message; none if the connection ends first.
async fn listen(client: &mut Client, chat: &str, heard: &mut Heard) -> Option<()> {
    loop {
        let query = json!({ "after_seq": heard.messages.len() });
        let body = json!({ "chat": { "id": chat }, "query": query });
        let page = client.try_ask("list-messages", body).await?;
        let Some(messages) = page["messages"].as_array() else {
            assert_eq!(page["error"]["code"], "unavailable", "{page}");
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        heard.messages.extend(messages.iter().cloned());
        if page.get("next").is_none() {
            break;
        }
    }
    let mut before: Option<i64> = None;
    // The last message may have come while catching up.
    while heard.messages.last().is_none_or(|message| message["msg"] != END) {
        let began = Instant::now();
        let (event, message) = client.try_next_event().await?;
        heard.longest = heard.longest.max(began.elapsed());
        if event != "new-message" {
            continue;
        }
        let seq = message["seq"].as_i64().unwrap();
        assert!(before.is_none_or(|before| seq == before + 1), "{seq} came after {before:?}");
        before = Some(seq);
        let known = heard.messages.len() as i64;
        assert!(seq <= known + 1, "{seq} came after {known}");
        if seq == known + 1 {
            heard.messages.push(message);
        }
    }
    Some(())
}

/// All messages of a chat.
pub async fn all(client: &mut Client, chat: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let mut body = of_chat(chat);
        body["query"] = json!({ "after_seq": all.len() });
        let page = client.done("list-messages", body).await;
        all.extend(page["messages"].as_array().unwrap().iter().cloned());
        if page.get("next").is_none() {
            return all;
        }
    }
}
