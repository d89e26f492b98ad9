//! PostgreSQL goes down and comes back while clients write: they get errors in time, lose nothing
//! that was acknowledged, and recover by themselves.

use std::collections::HashMap;
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::support::held::Held;
use crate::support::program::{Running, freeze, signal_to};
use crate::support::proxy::Proxy;
use crate::support::services::{self, Services, database};
use crate::support::{Client, TestServer, assert_error, get, message, soon};

const WRITERS: usize = 20;

async fn on(url: &str) -> TestServer {
    TestServer::on(TempDir::new().unwrap(), |config| config.database_url = url.into()).await
}

/// Sends one message after the other until told to stop, each until it is acknowledged; returns
/// what was acknowledged, by its `client_id`.
async fn write(mut client: Client, chat: &str, stop: &AtomicBool) -> HashMap<String, Value> {
    let mut acknowledged = HashMap::new();
    while !stop.load(Relaxed) {
        let client_id = acknowledged.len().to_string();
        let mut body = message(chat, &format!("{} {client_id}", client.id));
        body["message"]["client_id"] = json!(client_id);
        let said = loop {
            let said = client.ask("new-message", body.clone()).await;
            match said.get("error") {
                Some(error) => assert_error(error, "unavailable", None),
                None => break said,
            }
        };
        acknowledged.insert(client_id, said);
    }
    acknowledged
}

/// Makes commits take a while to reach the disk, so that a crash hits one of them.
async fn commit_slowly(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    for setting in ["commit_delay = 100000", "commit_siblings = 0"] {
        let set = AssertSqlSafe(format!("alter system set {setting}"));
        sqlx::raw_sql(set).execute(&mut connection).await.unwrap();
    }
    sqlx::raw_sql("select pg_reload_conf()").execute(&mut connection).await.unwrap();
}

/// Waits until a commit is under way.
async fn in_a_commit(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let commits = "select count(*) from pg_stat_activity
        where datname = current_database() and state = 'active' and query = 'commit'";
    let mut count = 0;
    while count == 0 {
        count = sqlx::query_scalar::<_, i64>(commits).fetch_one(&mut connection).await.unwrap();
    }
}

async fn is_ready(server: &TestServer) -> bool {
    server.get("/readyz", "").await.starts_with("HTTP/1.1 200")
}

#[tokio::test]
async fn a_crash_under_load_loses_and_doubles_nothing() {
    let Some(services) = Services::start(&["postgres"]).await else { return };
    let url = database(&services.url("postgres")).await;
    commit_slowly(&url).await;
    let server = on(&url).await;
    let mut ann = server.user("ann").await;
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        writers.push(server.user(&format!("writer {number}")).await);
    }
    let ids = Vec::from_iter(writers.iter().map(|writer| writer.id.as_str()));
    let chat = ann.chat("ours", true, &ids).await;
    let names = Vec::from_iter(writers.iter().map(|writer| writer.id.clone()));
    let stop = AtomicBool::new(false);
    let crashes = async {
        for _ in 0..3 {
            // The pushes show that there has been some load.
            for _ in 0..5 * WRITERS {
                ann.next_of("new-message").await;
            }
            soon("a commit", in_a_commit(&url)).await;
            services.kill("postgres").await;
            soon("it is not ready", async { while is_ready(&server).await {} }).await;
            services.start_again("postgres").await;
            soon("it is ready again", async { while !is_ready(&server).await {} }).await;
        }
        stop.store(true, Relaxed);
    };
    let (_, written) =
        join(crashes, join_all(writers.into_iter().map(|it| write(it, &chat, &stop)))).await;

    let mut stored = Vec::new();
    loop {
        let body = json!({ "chat": { "id": chat }, "query": { "after_seq": stored.len() } });
        let mut page = ann.ask("list-messages", body).await;
        stored.append(page["messages"].as_array_mut().unwrap());
        if page.get("next").is_none() {
            break;
        }
    }
    for (at, message) in stored.iter().enumerate() {
        assert_eq!(message["seq"], at + 1, "there is a gap");
    }
    let mut count = 0;
    for (name, acknowledged) in names.iter().zip(written) {
        for message in acknowledged.values() {
            let seq = message["seq"].as_u64().unwrap() as usize;
            assert_eq!(stored.get(seq - 1), Some(message), "{name} has lost a message");
        }
        count += acknowledged.len();
    }
    assert_eq!(stored.len(), count, "something is there twice, or nobody was told of it");
}

#[tokio::test]
async fn requests_during_an_outage_are_answered_in_time() {
    let Some(services) = Services::start(&["postgres"]).await else { return };
    let server = on(&database(&services.url("postgres")).await).await;
    let account = server.sign_up("bob").await;
    let mut clients = Vec::new();
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    for _ in 0..WRITERS {
        clients.push(server.user("ann").await);
    }
    let of_chat = json!({ "chat": { "id": chat } });
    let requests = [
        ("create-user", json!({ "user": { "id": "eve", "name": "Eve", "photo": "" } })),
        ("create-chat", json!({ "chat": { "name": "x" }, "users": [] })),
        ("list-chats", json!({})),
        ("list-messages", of_chat.clone()),
        ("mark-read", of_chat),
        ("new-message", message(&chat, "hello")),
    ];
    services.kill("postgres").await;
    let asked = clients.iter_mut().zip(requests.iter().cycle()).map(async |(client, request)| {
        let (event, body) = request.clone();
        // The client would not wait so long if the requests were refused one after the other.
        let error = client.refused(event, body).await;
        assert_error(&error, "unavailable", None);
    });
    let others = async {
        let inbox = server.request("GET", "/api/inbox").bearer(account.access()).send().await;
        assert_eq!(inbox.status, 503, "{}", inbox.text);
        let fault = server.fault("NewUser", json!(["eve"])).await;
        assert_eq!(fault["data"]["code"], "unavailable", "{fault}");
    };
    join(others, join_all(asked)).await;
    services.start_again("postgres").await;
    soon("it is ready again", async { while !is_ready(&server).await {} }).await;
    for (client, (event, body)) in clients.iter_mut().zip(requests) {
        let answer = client.ask(event, body).await;
        assert!(answer.get("error").is_none(), "{event}: {answer}");
    }
}

/// Breaks the writer's connection in the middle of the transaction of a message.
async fn lose(held: &mut Held, author: &mut Client, chat: &str) {
    held.hold(chat).await;
    let ack = author.request("new-message", message(chat, "lost")).await;
    held.awaited("the writer").await;
    held.cut_off().await;
    assert_error(&author.answer(ack).await["error"], "unavailable", None);
    held.let_go().await;
}

#[tokio::test]
async fn a_lost_connection_is_not_used_again() {
    let Some(postgres) = services::postgres() else { return };
    let url = database(&postgres).await;
    let server = on(&url).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    let mut held = Held::on(&url).await;
    for number in 1..=20 {
        lose(&mut held, &mut ann, &chat).await;
        assert_eq!(ann.say(&chat, "said").await["seq"], number);
        // All idle connections break, too.
        held.cut_off_all().await;
        ann.done("mark-read", json!({ "chat": { "id": chat } })).await;
        held.cut_off_all().await;
        ann.done("list-chats", json!({})).await;
    }
}

#[tokio::test]
async fn a_commit_counts_though_its_answer_is_lost() {
    let Some(postgres) = services::postgres() else { return };
    let url = database(&postgres).await;
    let proxy = Proxy::to(&url).await;
    let server = on(&proxy.url(&url)).await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    proxy.break_at_commit();
    let chat = ann.chat("ours", true, &[&bob.id]).await;
    assert_eq!(bob.next("create-chat").await["chat"]["id"], chat);
    proxy.break_at_commit();
    let said = ann.ask("new-message", message(&chat, "can you hear me?")).await;
    assert_eq!(said["seq"], 1);
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.next("new-message").await, said);
    }
    // Nothing is pushed of what was not committed.
    let mut held = Held::on(&url).await;
    lose(&mut held, &mut ann, &chat).await;
    assert_eq!(ann.say(&chat, "said").await["seq"], 2);
    assert_eq!(bob.next("new-message").await["seq"], 2);
}

/// As when the machine or the network is gone: nothing says that the connection has ended.
#[tokio::test]
async fn requests_to_a_silent_database_fail_in_time() {
    let Some(postgres) = services::postgres() else { return };
    let url = database(&postgres).await;
    let proxy = Proxy::to(&url).await;
    let server = on(&proxy.url(&url)).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    let mut others = Vec::new();
    for _ in 0..WRITERS {
        others.push(server.user("ann").await);
    }
    let mut held = Held::on(&url).await;
    for number in 0..2 {
        held.hold(&chat).await;
        let mut body = message(&chat, "hello");
        body["message"]["client_id"] = json!(number.to_string());
        let ack = ann.request("new-message", body.clone()).await;
        held.awaited("the writer").await;
        proxy.cut();
        held.let_go().await;
        let events = ["mark-read", "list-messages"].into_iter().cycle();
        let asked = others.iter_mut().zip(events).map(async |(client, event)| {
            let error = client.refused(event, json!({ "chat": { "id": chat } })).await;
            assert_error(&error, "unavailable", None);
        });
        let (said, _) = join(ann.answer(ack), join_all(asked)).await;
        assert_error(&said["error"], "unavailable", None);
        proxy.mend();
        soon("it is ready again", async { while !is_ready(&server).await {} }).await;
        assert_eq!(ann.ask("new-message", body).await["seq"], number + 1);
    }
}

#[tokio::test]
async fn an_error_for_too_few_connections_names_the_cause() {
    let Some(postgres) = services::postgres() else { return };
    let url = database(&postgres).await;
    let name = url.rsplit_once('/').unwrap().1;
    let mut admin = PgConnection::connect(&url).await.unwrap();
    let mut run = async |sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    };
    run(format!("create role {name} login; alter database {name} owner to {name}")).await;
    run(format!("alter schema public owner to {name}")).await;
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let running = Running::with(directory.path(), |command| {
        let url = url.replacen("//chinwag@", &format!("//{name}@"), 1);
        command.args(["--listen", "127.0.0.1:0", "--database-url", &url]);
        command.stderr(File::create(&log).unwrap());
    });
    run(format!("alter role {name} connection limit 0")).await;
    let of_role = format!("from pg_stat_activity where usename = '{name}'");
    run(format!("select pg_terminate_backend(pid) {of_role}")).await;
    let is_named = |failed: &str| {
        let log = fs::read_to_string(&log).unwrap();
        let mut lines = log.lines().filter(|line| line.contains(failed));
        lines.any(|line| line.contains("too many connections for role"))
    };
    // Of those that wait for a connection at the same time, one is told why there is none, if
    // PostgreSQL says so at once.
    soon("the log says why the server is not ready", async {
        while !is_named("not ready") {
            assert!(get(running.address, "/readyz", "").await.starts_with("HTTP/1.1 503"));
        }
    })
    .await;
    let mut ann = Client::connect(running.address).await;
    soon("the log says why a request failed", async {
        while !is_named("request failed") {
            let user = json!({ "user": { "external_id": "ann", "name": "Ann", "photo": "" } });
            assert_error(&ann.refused("create-user", user).await, "unavailable", None);
        }
    })
    .await;
}

/// As with a balancer that has no PostgreSQL behind it.
#[tokio::test]
async fn a_database_behind_a_proxy_that_hangs_up_is_unavailable() {
    let Some(services) = Services::start(&["postgres"]).await else { return };
    let url = database(&services.url("postgres")).await;
    let proxy = Proxy::to(&url).await;
    let server = on(&proxy.url(&url)).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    services.kill("postgres").await;
    for _ in 0..3 {
        let requests = [
            ("new-message", message(&chat, "hello")),
            ("list-chats", json!({})),
            ("create-chat", json!({ "chat": { "name": "x" }, "users": [] })),
        ];
        for (event, body) in requests {
            assert_error(&ann.refused(event, body).await, "unavailable", None);
        }
        let fault = server.fault("NewUser", json!(["eve"])).await;
        assert_eq!(fault["data"]["code"], "unavailable", "{fault}");
    }
    services.start_again("postgres").await;
    soon("it is ready again", async { while !is_ready(&server).await {} }).await;
    ann.say(&chat, "hello").await;
}

/// PostgreSQL ends the server's transaction meanwhile.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_was_frozen_goes_on() {
    let Some(postgres) = services::postgres() else { return };
    let url = database(&postgres).await;
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--database-url", &url]);
    });
    let process = running.id();
    let server = TestServer::apart(directory, running);
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    let mut held = Held::on(&url).await;
    held.hold(&chat).await;
    let ack = ann.request("new-message", message(&chat, "lost")).await;
    held.awaited("the writer").await;
    freeze(process).await;
    held.let_go().await;
    let open = "select count(*) from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'";
    soon("the transaction is idle", async { while held.count(open).await == 0 {} }).await;
    soon("it is given up", async { while held.count(open).await > 0 {} }).await;
    signal_to(process, "CONT");
    assert_error(&ann.answer(ack).await["error"], "unavailable", None);
    assert_eq!(ann.say(&chat, "said").await["seq"], 1);
}

/// As a node of a newer version does at its start, while this one still works.
#[tokio::test]
async fn a_column_that_a_newer_version_adds_delays_nobody() {
    let Some(postgres) = services::postgres() else { return };
    let url = database(&postgres).await;
    let server = on(&url).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", false, &[]).await;
    ann.say(&chat, "hello").await;
    let page = json!({ "chat": { "id": chat } });
    let names = (0..WRITERS).map(|number| format!("reader {number}"));
    let mut readers = Vec::new();
    for name in names {
        readers.push(server.user(&name).await);
    }
    // Prepares the statements on each of the connections to PostgreSQL.
    let read = async |reader: &mut Client| {
        for _ in 0..20 {
            reader.done("list-messages", page.clone()).await;
        }
    };
    join_all(readers.iter_mut().map(read)).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    let add = ["users", "chats", "messages"].map(|it| format!("alter table {it} add later text"));
    sqlx::raw_sql(AssertSqlSafe(add.join(";"))).execute(&mut other).await.unwrap();
    let refused = join_all(readers.iter_mut().map(async |reader| {
        let mut refused = 0;
        while let Some(error) = reader.ask("list-messages", page.clone()).await.get("error") {
            assert_error(error, "unavailable", None);
            refused += 1;
        }
        refused
    }));
    let refused = refused.await.into_iter().sum::<usize>();
    assert!((1..=2 * WRITERS).contains(&refused), "{refused} reads were refused");
    join_all(readers.iter_mut().map(read)).await;
}
