//! The programs in `examples/`, run as they are. `tests/browser` tests the page there.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use chinwag::embed::{Event, NewUser};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::browser_and_node::{can_use_node, install, skip};
use crate::support::database::sqlite_in;
use crate::support::hooks::{SECRET, hooked};
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
    /// Starts it and waits for its first line.
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

/// The program of a Rust example. Cargo builds it with the tests, unless it builds only some tests.
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

/// Answers one HTTP request; returns the whole request.
async fn take_push(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let (mut stream, mut request) = (tokio::io::BufReader::new(stream), String::new());
    while !request.ends_with("\r\n\r\n") {
        stream.read_line(&mut request).await.unwrap();
    }
    let length = request.to_lowercase();
    let length = length.split_once("content-length: ").unwrap().1.split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    request + str::from_utf8(&body).unwrap()
}

/// Accepts one mail by SMTP; returns everything that the client sent.
async fn take_mail(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().await.unwrap();
    let (mut stream, mut said) = (tokio::io::BufReader::new(stream), String::new());
    stream.write_all(b"220 test\r\n").await.unwrap();
    let mut is_text = false;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        said += &line;
        let answer = match line.trim_end() {
            "." if is_text => {
                stream.write_all(b"250 ok\r\n").await.unwrap();
                return said;
            }
            _ if is_text => continue,
            "DATA" => "354 go on\r\n",
            _ => "250 ok\r\n",
        };
        is_text = answer.starts_with("354");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// Starts the receiver of webhooks; returns it and its URL. It pushes and mails to these for Bob.
async fn receiver(pushes: &TcpListener, mails: &TcpListener) -> Option<(Example, String)> {
    if !can_use_node("examples/webhook-node") {
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhook-node");
    install(&folder);
    let push = format!("http://{}/bobs-topic", pushes.local_addr().unwrap());
    let directory = TempDir::new().unwrap();
    let people = directory.path().join("people.json");
    let mut reach: Value =
        serde_json::from_slice(&fs::read(folder.join("people.json")).unwrap()).unwrap();
    reach["bob"]["push"] = push.into();
    fs::write(&people, reach.to_string()).unwrap();
    let mut command = Command::new("node");
    command.args(["receiver.mjs", "0"]).current_dir(folder);
    command.env("CHINWAG_WEBHOOK_SECRET", SECRET).env("PEOPLE", people);
    command.env("SMTP_URL", format!("smtp://{}", mails.local_addr().unwrap()));
    let receiver = Example::start(command).await;
    let url = receiver.first_line.trim().split_once("--webhook-url ").unwrap().1.to_owned();
    Some((receiver, url))
}

/// Makes Ann send these texts to a chat with Bob, who is offline.
async fn says_to_bob(server: &TestServer, texts: &[&str]) {
    // Bob stays offline, since the host makes this user and no client acts as him.
    let bob = NewUser { id: Some("bob".into()), name: "Bob".into(), ..NewUser::default() };
    server.as_host().service().create_user(bob).await.unwrap();
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &["bob"]).await;
    for text in texts {
        ann.say(&chat, text).await;
    }
}

#[tokio::test]
async fn the_receiver_of_webhooks_pushes_and_mails() {
    let pushes = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mails = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Some((_receiver, url)) = receiver(&pushes, &mails).await else { return };
    let forged = exchange(
        url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\
         webhook-id: 1\r\nwebhook-timestamp: 1\r\nwebhook-signature: v1,AAAA\r\n\r\n{}",
    );
    assert!(forged.await.starts_with("HTTP/1.1 401 "), "it takes what anybody sends");
    let server = TestServer::with(hooked(url)).await;
    says_to_bob(&server, &["are you there?"]).await;
    let pushed = soon("it pushes", take_push(&pushes)).await;
    assert!(pushed.starts_with("POST /bobs-topic "), "{pushed}");
    assert!(pushed.ends_with("\r\n\r\nann: are you there?"), "{pushed}");
    let mailed = soon("it mails", take_mail(&mails)).await;
    assert!(mailed.contains("RCPT TO:<bob@example.com>"), "{mailed}");
    assert!(mailed.contains("\r\n\r\nann: are you there?"), "{mailed}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_dead_mail_server_delays_no_push() {
    let pushes = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // A mail server that accepts connections and never says anything.
    let mails = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let Some((_receiver, url)) = receiver(&pushes, &mails).await else { return };
    let server = TestServer::with(hooked(url)).await;
    says_to_bob(&server, &["one", "two", "three"]).await;
    let mut pushed = Vec::new();
    for _ in 0..3 {
        let push = soon("it pushes", take_push(&pushes)).await;
        pushed.extend(push.rsplit("ann: ").next().map(str::to_owned));
    }
    pushed.sort_unstable();
    assert_eq!(pushed, ["one", "three", "two"]);
    server.shutdown().await;
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
