//! The other fields of a message: replies, mentions, data.

use serde_json::{Value, json};

use crate::socketio::changes::of_message;
use crate::support::steps::NO_ID;
use crate::support::{Client, TestServer, assert_error, message};

fn with(chat: &str, text: &str, field: &str, value: Value) -> Value {
    let mut body = message(chat, text);
    body["message"][field] = value;
    body
}

fn reply(chat: &str, text: &str, to: &Value) -> Value {
    with(chat, text, "reply_to", json!({ "id": to["id"] }))
}

/// A chat of ann and bob.
pub async fn talk(server: &TestServer) -> (Client, Client, String) {
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    (ann, bob, chat)
}

#[tokio::test]
async fn a_reply_is_counted_at_its_message() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let said = ann.say_quietly(&chat, "who comes?").await;
    let me = bob.done("new-message", reply(&chat, "me", &said)).await;
    assert_eq!(me["reply_to"], json!({ "id": said["id"], "seq": 1 }));
    assert_eq!(ann.next("new-message").await["seq"], 1);
    assert_eq!(ann.next("new-message").await, me);
    let pushed = ann.next("message-changed").await;
    assert_eq!((&pushed["changed"], &pushed["change"]), (&json!("replies"), &json!(1)));
    assert_eq!((&pushed["id"], &pushed["replies"]), (&said["id"], &json!(1)));
    let too = ann.done("new-message", reply(&chat, "me too", &said)).await;
    ann.say_quietly(&chat, "something else").await;
    let replies = json!({ "chat": { "id": chat }, "query": { "reply_to": said["id"] } });
    let page = ann.done("list-messages", replies.clone()).await;
    assert_eq!(page, json!({ "messages": [me, too] }));
    let mut first = replies.clone();
    first["query"]["limit"] = json!(1);
    first["query"]["after_seq"] = json!(0);
    let page = ann.done("list-messages", first.clone()).await;
    assert_eq!(page, json!({ "messages": [me], "next": { "after_seq": 2 } }));
    first["query"]["after_seq"] = json!(2);
    let page = ann.done("list-messages", first).await;
    assert_eq!(page, json!({ "messages": [too], "previous": { "before_seq": 3 } }));
    // A deleted reply does not count.
    bob.done("delete-message", of_message(&chat, &me)).await;
    for what in ["deleted", "replies"] {
        while ann.next_of("message-changed").await["changed"] != what {}
    }
    let page = ann.done("list-messages", replies).await;
    assert_eq!(page["messages"][0]["msg"], "");
    let all = ann.done("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(all["messages"][0]["replies"], 1);
    ann.done("delete-message", of_message(&chat, &too)).await;
    let all = ann.done("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(all["messages"][0].get("replies"), None);
}

#[tokio::test]
async fn a_reply_needs_a_message_of_the_same_chat() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let other = ann.chat("other", true, &[]).await;
    let elsewhere = ann.say_quietly(&other, "elsewhere").await;
    for to in [&elsewhere, &json!({ "id": NO_ID })] {
        let error = ann.refused("new-message", reply(&chat, "x", to)).await;
        assert_error(&error, "not_found", Some("message.reply_to"));
    }
    let query = json!({ "chat": { "id": chat }, "query": { "reply_to": elsewhere["id"] } });
    let error = ann.refused("list-messages", query).await;
    assert_error(&error, "not_found", Some("query.reply_to"));
    let error = bob.refused("new-message", reply(&other, "x", &elsewhere)).await;
    assert_error(&error, "not_found", Some("chat.id"));
    // The refused message has taken no seq, and its sender can go on.
    assert_eq!(ann.say_quietly(&chat, "on").await["seq"], 1);
}

#[tokio::test]
async fn a_reply_that_is_sent_again_is_stored_once() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let said = ann.say_quietly(&chat, "who comes?").await;
    let mut body = reply(&chat, "me", &said);
    body["message"]["client_id"] = "1".into();
    let first = bob.done("new-message", body.clone()).await;
    assert_eq!(bob.done("new-message", body.clone()).await, first);
    ann.done("delete-message", of_message(&chat, &said)).await;
    assert_eq!(bob.done("new-message", body).await, first);
    assert_eq!(ann.say_quietly(&chat, "on").await["seq"], 3);
}

#[tokio::test]
async fn only_members_can_be_mentioned() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let eve = server.user("eve").await;
    let body = with(&chat, "you two", "mentions", json!([bob.id, ann.id, bob.id]));
    let said = ann.done("new-message", body).await;
    assert_eq!(said["mentions"], json!([bob.id, ann.id]));
    assert_eq!(bob.next("new-message").await, said);
    let error =
        ann.refused("new-message", with(&chat, "x", "mentions", json!([bob.id, eve.id]))).await;
    assert_error(&error, "invalid", Some("message.mentions"));
    assert!(error["message"].as_str().unwrap().contains(&eve.id), "{error}");
    let many = Vec::from_iter((0..51).map(|at| at.to_string()));
    let error = ann.refused("new-message", with(&chat, "x", "mentions", json!(many))).await;
    assert_error(&error, "invalid", Some("message.mentions"));
    bob.nothing_more().await;
}

#[tokio::test]
async fn the_data_of_a_message_is_an_object_of_8_kib() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let data = json!({ "poll": [1, 2, { "deep": "\u{1f600}\n" }] });
    let said = ann.done("new-message", with(&chat, "vote", "data", data.clone())).await;
    assert_eq!(said["data"], data);
    assert_eq!(bob.next("new-message").await, said);
    let none = ann.done("new-message", with(&chat, "vote", "data", json!({}))).await;
    assert_eq!(none.get("data"), None);
    for no_object in [json!([1]), json!("{}"), json!(1)] {
        let error = ann.refused("new-message", with(&chat, "x", "data", no_object)).await;
        assert_error(&error, "invalid", Some("message.data"));
    }
    let large = json!({ "x": "x".repeat(8 << 10) });
    let error = ann.refused("new-message", with(&chat, "x", "data", large)).await;
    assert_error(&error, "too_large", Some("message.data"));
}
