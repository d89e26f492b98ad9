//! Messages: how they are sent, pushed, and sent again.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::support::{Client, TestServer, assert_error, message};

/// Two users with a chat, a third who is not in it, and the chat's id.
async fn chat_of_two(server: &TestServer) -> (Client, Client, Client, String) {
    let mut bob = server.user("bob").await;
    let eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("talk", true, &[&bob.id]).await;
    bob.next("create-chat").await;
    (ann, bob, eve, chat)
}

fn with_client_id(chat: &str, text: &str, client_id: &str) -> Value {
    let mut body = message(chat, text);
    body["message"]["client_id"] = client_id.into();
    body
}

#[tokio::test]
async fn a_message_has_every_field() {
    let server = TestServer::start().await;
    let (mut ann, _, _, chat) = chat_of_two(&server).await;
    for (seq, kind) in [(1, "text"), (2, "img"), (3, "file")] {
        let message = json!({ "value": "hé\n\"quoted\" 🦀", "type": kind, "client_id": kind });
        let body = json!({ "chat": { "id": chat }, "user": { "id": ann.id }, "message": message });
        let sent = ann.ask("new-message", body).await;
        assert_eq!(sent["id"].as_str().unwrap().len(), 36);
        assert_eq!(sent["msg"], "hé\n\"quoted\" 🦀");
        assert_eq!(sent["type"], kind);
        assert_eq!(sent["user_id"], ann.id.as_str());
        assert_eq!(sent["chat_id"], chat.as_str());
        assert_eq!(sent["room"], format!("room-{chat}"));
        assert_eq!(sent["seq"], seq);
        assert_eq!(sent["client_id"], kind);
        assert_eq!(sent["created_at"], sent["modified_at"]);
        assert!(sent["created_at"].as_str().unwrap().ends_with('Z'));
    }
    let sent = ann.ask("new-message", message(&chat, "x")).await;
    assert_eq!(sent.get("client_id"), None);
}

#[tokio::test]
async fn a_message_is_pushed_once_to_each_socket_of_the_members() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, mut eve, chat) = chat_of_two(&server).await;
    let mut tab = server.user("bob").await;
    let sent = ann.ask("new-message", message(&chat, "hello")).await;
    for client in [&mut ann, &mut bob, &mut tab] {
        assert_eq!(client.next("new-message").await, sent);
    }
    eve.nothing_more().await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn without_an_ack_its_sender_gets_one_event() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = chat_of_two(&server).await;
    ann.tell("new-message", message(&chat, "hello")).await;
    let pushed = ann.next("new-message").await;
    assert_eq!(pushed["msg"], "hello");
    assert_eq!(bob.next("new-message").await, pushed);
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_message_sent_again_is_answered_and_not_pushed() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = chat_of_two(&server).await;
    let first = ann.ask("new-message", with_client_id(&chat, "hello", "c1")).await;
    ann.next("new-message").await;
    bob.next("new-message").await;
    assert_eq!(ann.ask("new-message", with_client_id(&chat, "hello", "c1")).await, first);
    ann.tell("new-message", with_client_id(&chat, "hello", "c1")).await;
    assert_eq!(ann.next("new-message").await, first, "the answer, as there was no ack");
    ann.nothing_more().await;
    bob.nothing_more().await;
    // The same client_id of another user is another message.
    let other = bob.ask("new-message", with_client_id(&chat, "hi", "c1")).await;
    assert_eq!(other["seq"], 2);
}

#[tokio::test]
async fn a_message_sent_again_in_one_batch_is_stored_once() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = chat_of_two(&server).await;
    // Many sockets of one user at once, so that the writer finds several of these in its queue.
    let mut tabs = Vec::new();
    for _ in 0..20 {
        tabs.push(server.user("ann").await);
    }
    let body = with_client_id(&chat, "hello", "c1");
    let asked = tabs.iter_mut().map(|tab| tab.ask("new-message", body.clone()));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(ann.next("new-message").await, answers[0]);
    assert_eq!(bob.next("new-message").await, answers[0]);
    bob.nothing_more().await;
}

#[tokio::test]
async fn a_client_id_cannot_name_two_messages() {
    let server = TestServer::start().await;
    let (mut ann, _, _, chat) = chat_of_two(&server).await;
    ann.ask("new-message", with_client_id(&chat, "hello", "c1")).await;
    let error = ann.refused("new-message", with_client_id(&chat, "other", "c1")).await;
    assert_error(&error, "conflict", Some("message.client_id"));
    let mut body = with_client_id(&chat, "hello", "c1");
    body["message"]["type"] = "file".into();
    let error = ann.refused("new-message", body).await;
    assert_error(&error, "conflict", Some("message.client_id"));
    assert_eq!(ann.ask("new-message", message(&chat, "next")).await["seq"], 2);
}

#[tokio::test]
async fn the_bytes_of_a_message_are_limited() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = chat_of_two(&server).await;
    let full = "é".repeat(256 << 10);
    assert_eq!(ann.ask("new-message", message(&chat, &full)).await["msg"], full.as_str());
    assert_eq!(bob.next("new-message").await["msg"], full.as_str());
    let error = ann.refused("new-message", message(&chat, &(full + "x"))).await;
    assert_error(&error, "too_large", Some("message.value"));
    assert_error(
        &ann.refused("new-message", message(&chat, "")).await,
        "invalid",
        Some("message.value"),
    );
    let error = ann.refused("new-message", message(&chat, "a\0b")).await;
    assert_error(&error, "invalid", Some("message.value"));
}

#[tokio::test]
async fn a_full_queue_refuses_messages_and_loses_none() {
    let server = TestServer::with_limits(|limits| limits.max_unwritten = 1).await;
    let mut users = Vec::new();
    let mut ids = Vec::new();
    for at in 0..20 {
        users.push(server.user(&at.to_string()).await);
        ids.push(users[at].id.clone());
    }
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let chat = users[0].chat("busy", true, &ids).await;
    let refusals = Cell::new(0);
    let sends = users.iter_mut().map(async |user| {
        let mut answers = Vec::new();
        for at in 0..20 {
            let client_id = at.to_string();
            // A refused message is sent again with the same client_id, as clients do.
            loop {
                let answer = user.ask("new-message", with_client_id(&chat, "x", &client_id)).await;
                if answer["error"]["code"] != "unavailable" {
                    answers.push(answer["seq"].as_i64().unwrap());
                    break;
                }
                refusals.set(refusals.get() + 1);
            }
        }
        answers
    });
    let mut seqs: Vec<_> = futures_util::future::join_all(sends).await.concat();
    seqs.sort();
    assert_eq!(seqs, Vec::from_iter(1..=400));
    assert!(refusals.get() > 0, "the queue was never full");
}
