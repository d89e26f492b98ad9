//! The programs in `examples/`, run as they stand. `tests/browser` has its page.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chinwag::embed::{Event, NewUser};
use serde_json::json;
use tempfile::TempDir;

use crate::suites::{can_use_node, install, skip};
use crate::support::database::sqlite_in;
use crate::support::hooks::SECRET;
use crate::support::{Client, TestServer, exchange, message, soon};

/// A running example.
struct Example {
    child: Child,
    first_line: String,
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Example {
    /// Starts it and waits for what it says first.
    async fn start(mut command: Command) -> Example {
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut example = Example { child, first_line: String::new() };
        let started = tokio::task::spawn_blocking(move || {
            let stdout = example.child.stdout.as_mut().unwrap();
            BufReader::new(stdout).read_line(&mut example.first_line).unwrap();
            example
        });
        soon("the example says something", started).await.unwrap()
    }
}

/// An example in Rust, which cargo builds beside the tests unless it is asked for some tests alone.
fn example(name: &str) -> Option<Command> {
    let tests = env::current_exe().unwrap();
    let file = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    let built = file.exists() || skip(&file.display().to_string(), "run cargo build --examples");
    built.then(|| Command::new(file))
}

#[tokio::test]
async fn the_embedding_host_has_a_route() {
    let Some(mut command) = example("embed") else { return };
    let directory = TempDir::new().unwrap();
    command.args(["--listen", "127.0.0.1:0", "--database-url", &sqlite_in(directory.path())]);
    let host = Example::start(command).await;
    let (_, url) = host.first_line.trim().split_once("http://").expect("its address");
    let (address, chat) = url.split_once("/say/").expect("its chat");
    let address = address.parse().unwrap();

    let mut ann = Client::connect(address).await;
    let user = json!({ "id": "ann", "name": "Ann" });
    ann.done("create-user", json!({ "user": user })).await;
    ann.done("join-chat", json!({ "chat": { "id": chat } })).await;
    let request = format!(
        "POST /say/{chat} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nHello"
    );
    let answer = exchange(address, &request).await;
    assert!(answer.ends_with("this is message 1\n"), "{answer}");
    let pushed = ann.next_of("new-message").await;
    assert_eq!((&pushed["msg"], &pushed["user_id"]), (&json!("Hello"), &json!("host")));
}

#[tokio::test]
async fn the_bot_answers_in_its_channel() {
    let Some(mut command) = example("bot") else { return };
    let server = TestServer::start().await;
    command.arg(format!("ws://{}", server.address()));
    let bot = Example::start(command).await;
    assert_eq!(bot.first_line, "ping_bot is in #bots\n");
    let mut ann = server.user("ann").await;
    let chats = ann.done("list-public-chats", json!({ "text": "#bots" })).await;
    let chat = chats["chats"][0]["id"].as_str().unwrap();
    ann.done("join-chat", json!({ "chat": { "id": chat } })).await;
    ann.done("new-message", message(chat, "ping")).await;
    assert_eq!(ann.next_of("new-message").await["msg"], "ping");
    let answer = ann.next_of("new-message").await;
    assert_eq!((&answer["msg"], &answer["user"]["handle"]), (&json!("pong"), &json!("ping_bot")));
}

#[tokio::test]
async fn the_receiver_of_webhooks_says_whom_it_would_notify() {
    if !can_use_node("examples/webhook-node") {
        return;
    }
    let receiver = |port: &str| {
        let mut command = Command::new("node");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhook-node");
        command.args(["receiver.mjs", port]).current_dir(folder);
        command.env("CHINWAG_WEBHOOK_SECRET", SECRET);
        command
    };
    let mut receiver = Example::start(receiver("0")).await;
    let url = receiver.first_line.trim().split_once("--webhook-url ").unwrap().1.to_owned();
    let forged = exchange(
        url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\
         webhook-id: 1\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA\r\n\r\n{}",
    );
    assert!(forged.await.starts_with("HTTP/1.1 401 "), "it takes what anybody sends");
    let server = TestServer::with(|config| {
        config.webhook_url = Some(url.as_str().into());
        config.webhook_secret = Some(SECRET.into());
        config.webhook_private = true;
    })
    .await;
    // Nobody acts as a user whom the host has made.
    let bob = NewUser { id: Some("bob".into()), name: "Bob".into(), ..NewUser::default() };
    server.as_host().service().create_user(bob).await.unwrap();
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &["bob"]).await;
    ann.say(&chat, "are you there?").await;
    let said = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(receiver.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        line
    });
    let said = soon("it says whom", said).await.unwrap();
    assert_eq!(said, "push to bob: ann: are you there?\n");
}

#[tokio::test]
async fn the_bot_in_node_answers_where_it_is_invited() {
    if !can_use_node("examples/bot-node") {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bot-node");
    install(&folder);
    let server = TestServer::start().await;
    let mut command = Command::new("node");
    command.arg("bot.mjs").arg(format!("http://{}", server.address())).current_dir(folder);
    let bot = Example::start(command).await;
    assert_eq!(bot.first_line, "invite me: node_bot\n");
    let mut ann = server.user("ann").await;
    let mut events = server.as_host().events();
    let chat = ann.chat("ours", true, &[]).await;
    let invited = json!({ "chat": { "id": chat }, "user": { "id": "node_bot" } });
    ann.done("invite", invited).await;
    let of_bot = Event::MemberJoined { chat_id: chat.clone(), user_id: "node_bot".into() };
    while soon("the bot comes in", events.next()).await != Some(Ok(of_bot.clone())) {}
    let ping = ann.done("new-message", message(&chat, "ping")).await;
    assert_eq!(ann.next_of("new-message").await["msg"], "ping");
    let answer = ann.next_of("new-message").await;
    assert_eq!((&answer["msg"], &answer["reply_to"]["id"]), (&json!("pong"), &ping["id"]));
}
