//! The program: its flags, its first lines, how it ends, and what survives its end.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::support::program::{Running, output, program, send};
use crate::support::{Client, TestServer, assert_error, database, get, message, soon};

#[test]
fn every_setting_has_a_variable_and_is_in_the_help() {
    let (output, help) = output(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for argument in chinwag::Config::command().get_arguments() {
        let flag = argument.get_long().unwrap();
        let variable = format!("CHINWAG_{}", flag.to_uppercase().replace('-', "_"));
        if !["help", "version"].contains(&flag) {
            assert_eq!(argument.get_env(), Some(variable.as_ref()));
            // A flag without a value stands at the end of its line.
            let named = [" ", "\n"].map(|end| format!("--{flag}{end}"));
            let is_named = named.iter().any(|named| help.contains(named));
            assert!(is_named && help.contains(&variable), "{flag}");
        }
    }
}

#[test]
fn a_bad_setting_ends_the_program_with_status_2() {
    for arguments in [
        ["--listen", "nowhere"],
        ["--max-message", "much"],
        ["--max-page", "0"],
        ["--handshake-timeout", "soon"],
        ["--access", "closed"],
        ["--no-such-flag", "x"],
    ] {
        let (output, text) = output(&arguments);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(arguments[0]), "{text}");
    }
}

#[test]
fn the_program_ends_if_it_cannot_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = TempDir::new().unwrap();
    let database = database::url_in(directory.path());
    let (output, text) = output(&["--listen", &address, "--database-url", &database]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&address), "{text}");
    assert!(!directory.path().join("chat.db").exists(), "it was made for nothing");
    let (output, text) =
        self::output(&["--listen", "127.0.0.1:0", "--database-url", "sqlite:/no/such/folder/x.db"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(": /no/such/folder/x.db-lock: No such file"), "{text}");
    let (output, text) =
        self::output(&["--listen", "127.0.0.1:0", "--database-url", "mysql://localhost/x"]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("sqlite:"), "{text}");
}

#[test]
fn a_second_server_on_the_same_database_does_not_start() {
    let directory = TempDir::new().unwrap();
    let mut first = Running::start(directory.path());
    let database = database::url_in(directory.path());
    let start = ["--listen", "127.0.0.1:0", "--database-url", &database];
    let (output, text) = output(&start);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("another server uses it"), "{text}");
    first.kill();
    drop(Running::start(directory.path()));
}

#[test]
fn the_program_ends_at_once_without_postgresql() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let database = format!("postgres://ann:secret@{free}/chat");
    let (output, text) = output(&["--listen", "127.0.0.1:0", "--database-url", &database]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&free.to_string()) && text.contains("refused"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        for argument in chinwag::Config::command().get_arguments() {
            if let Some(variable) =
                argument.get_env().filter(|name| *name != "CHINWAG_DATABASE_URL")
            {
                command.env(variable, "");
            }
        }
        command.env("CHINWAG_LISTEN", "127.0.0.1:0");
    });
    assert!(running.first_line.contains("(access: open)"), "{}", running.first_line);
    drop(running);
    let database = database::url_in(directory.path());
    let file = directory.path().join("copy.db");
    let backup = || {
        let mut backup = program();
        backup.arg("backup").arg(&file).current_dir(directory.path());
        backup
    };
    let missing = backup().env("CHINWAG_DATABASE_URL", "").output().unwrap();
    assert!(String::from_utf8_lossy(&missing.stderr).contains("chinwag.db"), "not the default");
    if database.starts_with("sqlite:") {
        assert!(backup().env("CHINWAG_DATABASE_URL", &database).status().unwrap().success());
    }
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_ends_at_a_signal() {
    let directory = TempDir::new().unwrap();
    for signal in ["TERM", "INT"] {
        let mut running = Running::start(directory.path());
        let line = format!("chinwag listening on http://{} (access: open)\n", running.address);
        assert_eq!(running.first_line, line);
        let hints = running.hints();
        let [page, reference, database] = *Vec::from_iter(hints.lines()) else { panic!("{hints}") };
        assert_eq!(page, format!("demo page: http://{}/", running.address));
        assert_eq!(reference, format!("reference: http://{}/docs", running.address));
        let place = database.strip_prefix("database: ").unwrap();
        assert!(place.starts_with("postgres://") || Path::new(place).is_file(), "{place}");
        let mut client = Client::connect(running.address).await;
        let (status, log) = tokio::task::spawn_blocking(move || running.end(signal)).await.unwrap();
        assert_eq!(status.code(), Some(0), "{log}");
        client.closed().await;
        for line in log.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
    assert!(!directory.path().join("chat.db-wal").exists(), "the log was not folded in");
}

#[test]
fn a_signal_during_the_start_ends_the_program() {
    // A PostgreSQL that accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let database = format!("postgres://ann@{}/x", silent.local_addr().unwrap());
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for signal in ["TERM", "INT"] {
        let child = Command::new(env!("CARGO_BIN_EXE_chinwag"))
            .args(["--listen", &address.to_string(), "--database-url", &database])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _connection = silent.accept().unwrap();
        assert!(TcpStream::connect(address).is_err(), "a client would wait");
        send("HUP", &child);
        send(signal, &child);
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{signal}: {log}");
    }
}

#[tokio::test]
async fn the_program_goes_on_when_its_terminal_is_closed() {
    let directory = TempDir::new().unwrap();
    for ignored in ["", "HUP"] {
        let running = Running::with(directory.path(), |command| {
            command.args(["--listen", "127.0.0.1:0"]).env("IGNORED", ignored);
        });
        let mut client = Client::connect(running.address).await;
        send("HUP", &running.child);
        for _ in 0..10 {
            client.ask("list-chats", json!({})).await;
            Client::connect(running.address).await;
        }
        let ended = tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
        assert_eq!(ended.0.code(), Some(0), "{}", ended.1);
    }
}

#[tokio::test]
async fn all_data_is_there_after_a_restart() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("plans", true, &[&bob.id]).await;
    ann.say(&chat, "one").await;
    ann.say(&chat, "two").await;
    bob.ask("mark-read", json!({ "chat": { "id": chat }, "seq": 1 })).await;
    let of_chat = json!({ "chat": { "id": chat } });
    let chats = bob.ask("list-chats", json!({})).await;
    let messages = bob.ask("list-messages", of_chat.clone()).await;

    let directory = server.shutdown().await;
    bob.closed().await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut again = server.user("bob").await;
    assert_eq!(again.id, bob.id);
    assert_eq!(again.ask("list-chats", json!({})).await, chats);
    assert_eq!(again.ask("list-messages", of_chat).await, messages);
    assert_eq!(again.say(&chat, "three").await["seq"], 3);
}

#[tokio::test]
async fn acknowledged_messages_survive_a_kill() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(directory.path());
    let address = running.address;
    let mut ann = Client::connect(address).await;
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    ann.ask("create-user", user.clone()).await;
    let made = ann.ask("create-chat", json!({ "chat": { "name": "x" }, "users": [] })).await;
    let chat = made["chat"]["id"].as_str().unwrap().to_owned();

    // Eight sockets send a message after each answer, until the server is gone.
    let senders = (0..8).map(|sender| {
        let chat = chat.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            let mut acknowledged = Vec::new();
            for at in 0.. {
                let mut body = message(&chat, &format!("{sender}-{at}"));
                body["user"] = json!({ "id": "ann" });
                match client.try_ask("new-message", body).await {
                    Some(answer) => acknowledged.push(answer),
                    None => break,
                }
            }
            acknowledged
        })
    });
    let senders = join_all(senders);
    // The pushes show that there has been some load.
    for _ in 0..500 {
        ann.next_of("new-message").await;
    }
    let (status, _) = tokio::task::spawn_blocking(move || running.end("KILL")).await.unwrap();
    assert_eq!(status.code(), None);
    let acknowledged = soon("all senders notice", senders).await;

    let running = Running::start(directory.path());
    let mut ann = Client::connect(running.address).await;
    ann.ask("create-user", user).await;
    let mut stored = Vec::new();
    loop {
        let query = json!({ "after_seq": stored.len() });
        let body = json!({ "chat": { "id": chat }, "query": query });
        let page = ann.ask("list-messages", body).await;
        stored.extend(page["messages"].as_array().unwrap().iter().cloned());
        if page.get("next").is_none() {
            break;
        }
    }
    for (at, message) in stored.iter().enumerate() {
        assert_eq!(message["seq"], at + 1, "there is a gap");
    }
    let acknowledged: Vec<_> = acknowledged.into_iter().flat_map(Result::unwrap).collect();
    assert!(acknowledged.len() > 400);
    for message in acknowledged {
        let seq = message["seq"].as_u64().unwrap() as usize;
        assert_eq!(stored.get(seq - 1), Some(&message), "an acknowledged message is lost");
    }
    running.end("TERM");
}

#[tokio::test]
async fn the_server_survives_a_full_disk_and_loses_nothing() {
    if database::is_no_file("a full disk") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let running = Running::start(directory.path());
    let mut ann = Client::connect(running.address).await;
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    ann.ask("create-user", user).await;
    let chat = ann.chat("x", true, &[]).await;
    let limit_files = |limit: &str| {
        let id = running.child.id().to_string();
        let arguments = ["--pid", &id, &format!("--fsize={limit}:unlimited")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
    };
    limit_files("4000000");
    let mut body = message(&chat, &"x".repeat(100_000));
    let mut acknowledged = 0;
    let error = loop {
        body["message"]["client_id"] = acknowledged.to_string().into();
        let answer = ann.ask("new-message", body.clone()).await;
        match answer["seq"].as_i64() {
            Some(seq) => acknowledged = seq,
            None => break answer["error"].clone(),
        }
    };
    assert_error(&error, "unavailable", None);
    let metrics = get(running.address, "/metrics", "").await;
    assert!(metrics.contains("\nchinwag_unavailable_total 1\n"), "{metrics}");
    limit_files("unlimited");
    // The same message again, as a client sends it after such an answer.
    assert_eq!(ann.ask("new-message", body).await["seq"], acknowledged + 1);
    let query = json!({ "limit": 1, "after_seq": acknowledged - 1 });
    let page = ann.ask("list-messages", json!({ "chat": { "id": chat }, "query": query })).await;
    assert_eq!(page["messages"][0]["seq"], acknowledged);
    running.end("TERM");
}

#[tokio::test]
async fn wrong_input_reaches_no_log() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        // With more, it would warn that the limit of open files is too low.
        command.args(["--listen", "127.0.0.1:0", "--max-connections", "100"]);
    });
    let mut client = Client::connect(running.address).await;
    for frame in ["42[\"new-message\",\"my secret\"]", "421[\"my secret\",{}]", "42[\"x\"]"] {
        client.send(frame).await;
    }
    client.ask("create-user", json!({ "user": { "id": 1, "name": "my secret" } })).await;
    client.send("42[\"my secret").await;
    client.ask("list-chats", json!({})).await;
    let (_, log) = tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
    for word in ["ERROR", "WARN", "panicked", "secret"] {
        assert!(!log.contains(word), "{log}");
    }
}
