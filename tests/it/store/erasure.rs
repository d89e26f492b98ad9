//! Texts that were edited or deleted are erased from the database within a minute.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::{Instant, sleep};

use crate::socketio::changes::{edit, of_message};
use crate::support::database::is_no_file;
use crate::support::nodes::Nodes;
use crate::support::services;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, message};

/// How long to wait for what is promised within a minute, as a test machine may be slow.
const PATIENCE: Duration = Duration::from_secs(180);

/// Unique texts of various lengths.
fn text(at: usize) -> String {
    let length = [10, 100, 700, 3000][at % 4];
    format!("secret{at:05}secret-{}", "x".repeat(length))
}

/// Sends `count` texts to several chats, and edits or deletes every second one; returns the numbers
/// of those that must be erased, and of those that stay.
async fn make_secrets(ann: &mut Client, count: usize) -> (Vec<usize>, Vec<usize>) {
    let mut chats = Vec::new();
    for at in 0..5 {
        chats.push(ann.chat(&at.to_string(), true, &[]).await);
    }
    let mut said = Vec::new();
    for at in 0..count {
        let chat = &chats[at * 7 % chats.len()];
        let mut body = message(chat, &text(at));
        if at % 8 == 0 {
            body["message"]["data"] = json!({ "of": text(at) });
        }
        said.push((chat, ann.done("new-message", body).await));
    }
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for (at, (chat, said)) in said.iter().enumerate() {
        match at % 4 {
            0 => drop(ann.done("delete-message", of_message(chat, said)).await),
            2 => {
                // The text of an edit is erased by the next edit, too.
                let once = ann.done("edit-message", edit(chat, said, &text(count + at))).await;
                ann.done("edit-message", edit(chat, &once, "harmless")).await;
                gone.push(count + at);
            }
            _ => {
                kept.push(at);
                continue;
            }
        }
        gone.push(at);
    }
    (gone, kept)
}

/// The numbers of the texts that are in the files of a database. The index of words may keep the
/// first letters of a word for longer, to find its own pages.
fn found_in(directory: &Path, numbers: &[usize]) -> Vec<usize> {
    let mut found = Vec::new();
    for file in ["chat.db", "chat.db-wal"] {
        let bytes = fs::read(directory.join(file)).unwrap_or_default();
        let bytes = String::from_utf8_lossy(&bytes);
        let is_there = |at: &&usize| bytes.contains(&format!("secret{at:05}secret"));
        found.extend(numbers.iter().filter(is_there).copied());
    }
    found
}

#[tokio::test]
async fn no_erased_text_is_left_in_the_sqlite_file_or_its_log() {
    if is_no_file("no_erased_text_is_left_in_the_sqlite_file_or_its_log") {
        return;
    }
    let server = TestServer::start().await;
    let (mut ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (mut gone, kept) = make_secrets(&mut ann, 400).await;
    // Rows next to an erased message are rewritten, and must stay as they were.
    let chat = json!({ "chat": { "name": "names" }, "users": [bob.id] });
    let chat = ann.done("create-chat", chat).await["chat"]["id"].as_str().unwrap().to_owned();
    let mut mention = message(&chat, "for bob");
    mention["message"]["mentions"] = json!([bob.id]);
    ann.done("new-message", mention).await;
    let said = ann.done("new-message", message(&chat, &text(99_999))).await;
    ann.done("delete-message", of_message(&chat, &said)).await;
    gone.push(99_999);
    let begun = Instant::now();
    loop {
        let left = found_in(server.directory.path(), &gone);
        if left.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{left:?} of {} are left", gone.len());
        sleep(Duration::from_millis(500)).await;
    }
    assert!(found_in(server.directory.path(), &kept).len() >= kept.len());
    // His first connection was closed, as it has answered no ping.
    let mut bob = server.user("bob").await;
    assert_eq!(bob.done("count-unread", json!({})).await["mentions"], 1);
}

#[tokio::test]
async fn no_text_of_a_deleted_user_or_chat_is_left_in_the_log() {
    if is_no_file("no_text_of_a_deleted_user_or_chat_is_left_in_the_log") {
        return;
    }
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let direct = json!({ "user": { "id": bob.id } });
    ann.done("update-user", json!({ "user": { "name": "secret ann" } })).await;
    ann.done("open-direct", direct).await;
    let chat = bob.make(json!({ "name": "secret chat" }), &mut []).await;
    bob.done("new-message", message(&chat, "secret text")).await;
    let log = || fs::read(server.directory.path().join("chat.db-wal")).unwrap_or_default();
    let secrets = ["secret ann", "secret chat", "secret text"];
    let has = |secret: &&str| String::from_utf8_lossy(&log()).contains(secret);
    assert!(secrets.iter().all(has));
    ann.done("delete-user", json!({ "messages": "keep" })).await;
    bob.done("delete-chat", of_chat(&chat)).await;
    let begun = Instant::now();
    while secrets.iter().any(has) {
        assert!(begun.elapsed() < PATIENCE, "it is in the log still");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn no_erased_text_is_left_in_postgres() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let nodes = Nodes::on(&database, &redis, 2, |_| {}).await;
    let mut ann = nodes[0].user("ann").await;
    let (gone, kept) = make_secrets(&mut ann, 40).await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let begun = Instant::now();
    loop {
        let rows = all_rows(&mut connection).await;
        let is_there = |at: &&usize| rows.contains(&format!("secret{at:05}"));
        assert!(kept.iter().all(|at| is_there(&at)));
        let left = Vec::from_iter(gone.iter().filter(is_there));
        if left.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{left:?} of {} are left", gone.len());
        sleep(Duration::from_millis(500)).await;
    }
    // The remaining events can still be read.
    let events: Vec<String> =
        sqlx::query_scalar("select event from events where event like '%\"message-%'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    for event in events {
        let event: Value = serde_json::from_str(&event).unwrap();
        assert!(event["data"]["message"]["body"].is_string(), "{event}");
    }
}

/// Every row of every table, as text.
async fn all_rows(connection: &mut PgConnection) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    let mut all = String::new();
    for table in tables {
        let sql = AssertSqlSafe(format!("select row_to_json(t)::text from {table} t"));
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
        rows.iter().for_each(|row| all.push_str(row));
    }
    all
}
