//! The budgets of bytes that one user and one address may write and read in a minute.

use chinwag::Config;
use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::rpc::{room_of, state};
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, assert_error, message};

const TEXT: usize = 1000;

fn long() -> String {
    "x".repeat(TEXT)
}

/// Fails unless `error` says when to try again.
#[track_caller]
fn assert_limited(error: &Value) {
    assert_error(error, "rate_limited", None);
    assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{error}");
}

/// Sends long messages until one is refused; returns how many were accepted.
async fn write_on(client: &mut Client, chat: &str) -> usize {
    for taken in 0..50 {
        let answer = client.ask("new-message", message(chat, &long())).await;
        if let Some(error) = answer.get("error") {
            assert_limited(error);
            return taken;
        }
    }
    panic!("no message was refused");
}

/// Reads a history until that is refused; returns how often it was answered.
async fn read_on(client: &mut Client, chat: &str) -> usize {
    for taken in 0..50 {
        let answer = client.ask("list-messages", of_chat(chat)).await;
        if let Some(error) = answer.get("error") {
            assert_limited(error);
            return taken;
        }
    }
    panic!("no page was refused");
}

#[tokio::test]
async fn the_bytes_that_a_user_writes_are_limited() {
    let server = TestServer::with_limits(|limits| limits.written_bytes_per_user = 4000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("long", true, &[]).await;
    let taken = write_on(&mut ann, &chat).await;
    assert!((4..=6).contains(&taken), "{taken}");
    let page = ann.ask("list-messages", of_chat(&chat)).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), taken);
    // Another user at the same address has a budget of their own.
    let mut bob = server.user("bob").await;
    let chat = bob.chat("his", true, &[]).await;
    bob.say(&chat, &long()).await;
}

#[tokio::test]
async fn the_bytes_an_address_writes_are_limited_for_all_its_users() {
    let server = TestServer::with_limits(|limits| limits.written_bytes_per_address = 4000).await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    let of_bob = bob.chat("his", true, &[]).await;
    let chat = ann.chat("long", true, &[]).await;
    let taken = write_on(&mut ann, &chat).await;
    assert!((3..=6).contains(&taken), "{taken}");
    assert_limited(&bob.refused("new-message", message(&of_bob, "hello")).await);
    // Small requests that make the server push much are refused, too.
    let renamed = json!({ "chat": { "id": of_bob, "name": "new" } });
    let made = json!({ "chat": { "name": "more" }, "users": [] });
    for (event, body) in [("update-chat", renamed), ("create-chat", made)] {
        assert_limited(&bob.refused(event, body).await);
    }
}

#[tokio::test]
async fn photos_count_as_written_bytes() {
    let server = TestServer::with_limits(|limits| limits.written_bytes_per_address = 4000).await;
    let mut ann = server.user("ann").await;
    let mut refused = None;
    for at in 0..20 {
        let photo = format!("data:{}{at:02}", long());
        let user = json!({ "user": { "id": ann.id, "name": "ann", "photo": photo } });
        let answer = ann.ask("create-user", user).await;
        if let Some(error) = answer.get("error") {
            refused = Some((at, error.clone()));
            break;
        }
    }
    let (taken, error) = refused.expect("a photo is refused");
    assert_limited(&error);
    assert!((3..=6).contains(&taken), "{taken}");
}

#[tokio::test]
async fn the_bytes_that_a_user_reads_are_limited() {
    let server = TestServer::with_limits(|limits| limits.read_bytes_per_user = 10_000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("long", false, &[]).await;
    for _ in 0..3 {
        ann.say(&chat, &long()).await;
    }
    // Pages of 3,000 bytes of text and a little more.
    let taken = read_on(&mut ann, &chat).await;
    assert!((2..=4).contains(&taken), "{taken}");
    ann.ask("count-unread", json!({})).await["chats"].as_i64().expect("other reads go on");
    let mut bob = server.user("bob").await;
    let page = bob.ask("list-messages", of_chat(&chat)).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(3), "{page}");
}

#[tokio::test]
async fn the_bytes_an_address_reads_are_limited_for_all_its_users() {
    let server = TestServer::with_limits(|limits| limits.read_bytes_per_address = 10_000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("long", false, &[]).await;
    for _ in 0..3 {
        ann.say(&chat, &long()).await;
    }
    let mut nobody = server.connect().await;
    let taken = read_on(&mut nobody, &chat).await;
    assert!((2..=4).contains(&taken), "{taken}");
    assert_limited(&ann.refused("list-messages", of_chat(&chat)).await);
}

#[tokio::test]
async fn the_history_of_the_rooms_api_is_counted() {
    let server = TestServer::with_limits(|limits| limits.read_bytes_per_user = 10_000).await;
    server.call("NewUser", json!(["ann"])).await;
    let room = server.call("NewRoom", json!([state("ann", "0")])).await;
    let ann = state("ann", room_of(&room));
    for _ in 0..8 {
        server.call("SendMessage", json!([long(), ann])).await;
    }
    server.call("DumpHistory", json!([ann])).await;
    let error = server.fault("DumpHistory", json!([ann])).await;
    assert_limited(&json!({
        "code": error["data"]["code"], "message": error["message"],
        "retry_after_ms": error["data"]["retry_after_ms"],
    }));
}

#[tokio::test]
async fn a_users_written_and_read_bytes_are_counted_on_all_nodes() {
    let limited = |config: &mut Config| {
        config.limits.written_bytes_per_user = 4000;
        config.limits.read_bytes_per_user = 10_000;
    };
    let Some(nodes) = Nodes::with(2, limited).await else { return };
    let mut one = nodes[0].user("ann").await;
    let chat = one.chat("ours", true, &[]).await;
    let mut other = nodes[1].user("ann").await;
    let taken = write_on(&mut one, &chat).await;
    assert!((4..=6).contains(&taken), "{taken}");
    assert_limited(&other.refused("new-message", message(&chat, "hello")).await);
    let taken = read_on(&mut one, &chat).await;
    assert!((1..=3).contains(&taken), "{taken}");
    assert_limited(&other.refused("list-messages", of_chat(&chat)).await);
}

#[tokio::test]
async fn zero_turns_the_budgets_off() {
    let server = TestServer::with_limits(|limits| {
        limits.written_bytes_per_user = 0;
        limits.written_bytes_per_address = 0;
        limits.read_bytes_per_user = 0;
        limits.read_bytes_per_address = 0;
    })
    .await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("long", true, &[]).await;
    for _ in 0..20 {
        ann.say(&chat, &long()).await;
        assert!(ann.ask("list-messages", of_chat(&chat)).await.get("error").is_none());
    }
}

/// A small request can make the server push a large message again.
#[tokio::test]
async fn a_change_counts_the_bytes_of_the_message_that_it_pushes() {
    let server = TestServer::with_limits(|limits| limits.written_bytes_per_user = 8000).await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.chat("long", true, &[&bob.id]).await;
    let said = ann.say(&chat, &"x".repeat(4000)).await;
    let mut body = json!({ "chat": { "id": chat }, "message": { "id": said["id"] } });
    let mut taken = 0;
    let error = loop {
        body["reaction"] = json!(taken.to_string());
        let answer = bob.ask("react", body.clone()).await;
        match answer.get("error") {
            Some(error) => break error.clone(),
            None => taken += 1,
        }
    };
    assert_limited(&error);
    assert!((1..=3).contains(&taken), "{taken}");
    // The same holds for a reply to a large message.
    let mut answer = message(&chat, "short");
    answer["message"]["reply_to"] = json!({ "id": said["id"] });
    assert_limited(&bob.refused("new-message", answer).await);
}
