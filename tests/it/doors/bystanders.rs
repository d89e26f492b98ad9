//! How much a client that asks for all that its limits allow, and for more, slows others down.
//! `CHINWAG_BYSTANDERS=3` measures it up to three times, as other programs disturb. It takes
//! minutes.

use std::env;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use rustix::process::setpriority_process;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::abuse::{ABUSES, Abuse, POLLING};
use crate::support::http::{JSON, registration};
use crate::support::program::Running;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, get, message};

/// How long the others are measured without the abuser, and then with it.
const WITHOUT: Duration = Duration::from_secs(3);
const WITH: Duration = Duration::from_secs(6);
/// How often one of them sends or reads something.
const PACE: Duration = Duration::from_millis(10);
/// The address of the others.
const ELSEWHERE: &str = "127.0.0.9";

/// Sends one event on so many sockets, each time the one before is answered.
async fn flood(server: &TestServer, sockets: usize, event: &str, body: Value) {
    let one = async || {
        let Some(mut client) = Client::try_connect(server.address()).await else { return };
        let user = json!({ "user": { "external_id": "eve", "name": "eve", "photo": "" } });
        let _ = client.try_ask("create-user", user).await;
        for _ in 0..200 {
            if client.try_ask(event, body.clone()).await.is_none() {
                return;
            }
        }
    };
    join_all((0..sockets).map(|_| one())).await;
}

async fn large_messages(server: &TestServer, chat: &str) {
    flood(server, 4, "new-message", message(chat, &"x y ".repeat(100_000))).await;
}

/// Sends requests without waiting for answers.
async fn unanswered_requests(server: &TestServer) {
    let Some(mut client) = Client::try_connect(server.address()).await else { return };
    client.send_many((0..1000).map(|at| format!("42{at}[\"list-chats\",{{}}]"))).await;
    while client.try_frame().await.is_some_and(|frame| !frame.starts_with("43999")) {}
}

/// Sends so many requests at the same time.
async fn posts(server: &TestServer, at_once: usize, path: &str, head: &str, body: String) {
    let one = async || server.request("POST", path).header(head).body(body.as_str()).send().await;
    join_all((0..at_once).map(|_| one())).await;
}

async fn sign_ups(server: &TestServer) {
    let new = Uuid::now_v7().simple().to_string();
    posts(server, 4, "/api/register", JSON, registration(&new[12..]).to_string()).await;
}

async fn connects(server: &TestServer) {
    join_all((0..16).map(|_| get(server.address(), POLLING, ""))).await;
}

async fn logins(server: &TestServer) {
    let wrong = json!({ "username": "eve", "password": "a wrong password" });
    posts(server, 16, "/api/auth_token", JSON, wrong.to_string()).await;
}

async fn batches(server: &TestServer) {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "UsersCount", "params": ["0"] });
    posts(server, 4, "/rpc", JSON, json!(vec![call; 1000]).to_string()).await;
}

async fn files(server: &TestServer) {
    let path = "/api/files?name=x&external_id=eve";
    posts(server, 4, path, "Content-Type: text/plain\r\n", "x".repeat(1_000_000)).await;
}

async fn signals(server: &TestServer, chat: &str) {
    let mut body = of_chat(chat);
    body["data"] = json!({ "x": "y".repeat(8000) });
    flood(server, 4, "signal", body).await;
}

async fn public_chats(server: &TestServer) {
    let body = json!({ "chat": { "name": "all", "private": false }, "users": [] });
    flood(server, 4, "create-chat", body).await;
}

async fn searches(server: &TestServer) {
    flood(server, 16, "search-messages", json!({ "query": { "text": "x" } })).await;
}

/// A flood may use a public chat with a long history.
type Flood = for<'a> fn(&'a TestServer, &'a str) -> BoxFuture<'a, ()>;

const FLOODS: [(&str, Flood); 12] = [
    ("reads", |server, chat| flood(server, 16, "list-messages", of_chat(chat)).boxed()),
    ("searches", |server, _| searches(server).boxed()),
    ("messages", |server, chat| flood(server, 16, "new-message", message(chat, "hello")).boxed()),
    ("large messages", |server, chat| large_messages(server, chat).boxed()),
    ("public chats", |server, _| public_chats(server).boxed()),
    ("signals", |server, chat| signals(server, chat).boxed()),
    ("unanswered requests", |server, _| unanswered_requests(server).boxed()),
    ("connects", |server, _| connects(server).boxed()),
    ("sign-ups", |server, _| sign_ups(server).boxed()),
    ("logins", |server, _| logins(server).boxed()),
    ("files", |server, _| files(server).boxed()),
    ("batches", |server, _| batches(server).boxed()),
];

#[derive(Clone, Copy)]
enum Abuser {
    Holds(Abuse),
    Floods(Flood),
}

/// Two users who write to each other, and read.
struct Others {
    ann: Client,
    bob: Client,
    chat: String,
}

impl Others {
    async fn meet(server: SocketAddr) -> Others {
        let mut ann = Client::connect_from(ELSEWHERE, server).await;
        let mut bob = Client::connect_from(ELSEWHERE, server).await;
        let mut ids = Vec::new();
        for (client, name) in [(&mut ann, "ann elsewhere"), (&mut bob, "bob elsewhere")] {
            let user = json!({ "external_id": name, "name": name, "photo": "" });
            let answer = client.done("create-user", json!({ "user": user })).await;
            ids.push(answer["user"]["id"].as_str().unwrap().to_owned());
            client.ask("unsubscribe", json!({ "channel": "system" })).await;
        }
        let chat = ann.chat("ours", true, &[&ids[1]]).await;
        bob.next("create-chat").await;
        Others { ann, bob, chat }
    }

    /// The 99th percentile of how many milliseconds their requests take, from when each is due.
    async fn p99(&mut self, lasting: Duration) -> f64 {
        let (begin, mut took) = (Instant::now(), Vec::new());
        let page = json!({ "chat": { "id": self.chat }, "query": { "limit": 20 } });
        for number in 0..(lasting.as_millis() / PACE.as_millis()) as u32 {
            let due = begin + PACE * number;
            sleep_until(due).await;
            if number % 2 == 0 {
                self.ann.done("new-message", message(&self.chat, "hello")).await;
                self.bob.next("new-message").await;
            } else {
                self.bob.done("list-messages", page.clone()).await;
            }
            took.push(due.elapsed());
        }
        took.sort_unstable();
        took[took.len() * 99 / 100].as_secs_f64() * 1000.0
    }
}

/// Repeats the abuse until the sender is dropped. It gets only the processor time that others
/// leave, as if it came from elsewhere.
fn go_on(
    server: Arc<TestServer>,
    chat: String,
    abuser: Abuser,
) -> (thread::JoinHandle<()>, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || {
        setpriority_process(None, 19).unwrap();
        let abuses = async {
            loop {
                let once = match abuser {
                    Abuser::Holds(abuse) => abuse(&server),
                    Abuser::Floods(flood) => flood(&server, &chat),
                };
                // Some of them panic when they are refused, which is no failure here.
                let _ = AssertUnwindSafe(once).catch_unwind().await;
            }
        };
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::select! {
                () = abuses => {}
                _ = stopped => {}
            }
        });
    });
    (thread, stop)
}

/// Whether the others take at most twice as long, or 20 ms longer.
fn is_bearable(without: f64, with: f64) -> bool {
    with <= (2.0 * without).max(without + 20.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abusive_client_hardly_slows_others_down() {
    let Ok(rounds) = env::var("CHINWAG_BYSTANDERS") else {
        println!("SKIPPED: CHINWAG_BYSTANDERS=3 measures three times what others notice");
        return;
    };
    let directory = TempDir::new().unwrap();
    let running = Running::start(directory.path());
    let server = Arc::new(TestServer::apart(directory, running));
    let mut eve = server.user("eve").await;
    let chat = eve.chat("long", false, &[]).await;
    for _ in 0..200 {
        eve.say(&chat, &"x".repeat(2000)).await;
    }
    let mut others = Others::meet(server.address()).await;
    let mut wrong = Vec::new();
    println!("| abuser | p99 without | with |\n|---|---|---|");
    let holders = ABUSES.map(|(name, abuse)| (name, Abuser::Holds(abuse)));
    let flooders = FLOODS.map(|(name, flood)| (name, Abuser::Floods(flood)));
    for (name, abuser) in holders.into_iter().chain(flooders) {
        let (mut without, mut with) = (f64::MAX, f64::MAX);
        for _ in 0..rounds.parse().unwrap() {
            without = others.p99(WITHOUT).await.min(without);
            let (thread, stop) = go_on(server.clone(), chat.clone(), abuser);
            with = others.p99(WITH).await.min(with);
            drop(stop);
            spawn_blocking(|| thread.join().unwrap()).await.unwrap();
            if is_bearable(without, with) {
                break;
            }
        }
        println!("| {name} | {without:.1} ms | {with:.1} ms |");
        if !is_bearable(without, with) {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
