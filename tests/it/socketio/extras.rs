//! What a message has beside its text: answers, mentions, data, reactions, pins.

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

fn reaction(chat: &str, to: &Value, text: &str, on: bool) -> Value {
    let mut body = of_message(chat, to);
    body["reaction"] = text.into();
    body["on"] = on.into();
    body
}

/// A chat of ann and bob.
async fn talk(server: &TestServer) -> (Client, Client, String) {
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    (ann, bob, chat)
}

#[tokio::test]
async fn an_answer_counts_at_what_it_answers() {
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
    // A deleted answer does not count.
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
async fn an_answer_is_to_a_message_of_the_chat() {
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
    // What was refused has taken no seq, and its sender goes on.
    assert_eq!(ann.say_quietly(&chat, "on").await["seq"], 1);
}

#[tokio::test]
async fn sent_again_an_answer_is_one() {
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
async fn mentions_are_members() {
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
async fn data_is_an_object_of_8_kib() {
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

#[tokio::test]
async fn reactions_are_counted_and_taken_back() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let said = ann.say_quietly(&chat, "done").await;
    let one = bob.done("react", reaction(&chat, &said, "👍", true)).await;
    let expected = json!([{ "reaction": "👍", "count": 1, "users": [bob.id] }]);
    assert_eq!((&one["reactions"], &one["change"]), (&expected, &json!(1)));
    // Twice is once.
    assert_eq!(bob.done("react", reaction(&chat, &said, "👍", true)).await, one);
    let two = ann.done("react", reaction(&chat, &said, "👍", true)).await;
    let expected = json!([{ "reaction": "👍", "count": 2, "users": [bob.id, ann.id] }]);
    assert_eq!((&two["reactions"], &two["change"]), (&expected, &json!(2)));
    ann.done("react", reaction(&chat, &said, "🎉", true)).await;
    let back = bob.done("react", reaction(&chat, &said, "👍", false)).await;
    let expected = json!([
        { "reaction": "👍", "count": 1, "users": [ann.id] },
        { "reaction": "🎉", "count": 1, "users": [ann.id] },
    ]);
    assert_eq!((&back["reactions"], &back["change"]), (&expected, &json!(4)));
    assert_eq!(bob.done("react", reaction(&chat, &said, "👍", false)).await, back);
    for text in ["👍", "🎉"] {
        ann.done("react", reaction(&chat, &said, text, false)).await;
    }
    let listed = ann.done("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(listed["messages"][0].get("reactions"), None);
    bob.next("new-message").await;
    for number in 1..=6 {
        let pushed = bob.next("message-changed").await;
        assert_eq!((&pushed["changed"], &pushed["change"]), (&json!("reactions"), &json!(number)));
    }
    bob.nothing_more().await;
    for (text, code) in [("", "invalid"), ("x\ny", "invalid"), (&*"x".repeat(65), "too_large")] {
        let error = ann.refused("react", reaction(&chat, &said, text, true)).await;
        assert_error(&error, code, Some("reaction"));
    }
}

#[tokio::test]
async fn of_many_who_react_some_are_named() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut others = Vec::new();
    for at in 0..22 {
        others.push(server.user(&at.to_string()).await);
    }
    let ids = Vec::from_iter(others.iter().map(|other| other.id.clone()));
    let ids = Vec::from_iter(ids.iter().map(String::as_str));
    let chat = ann.chat("many", true, &ids).await;
    let said = ann.say_quietly(&chat, "done").await;
    let mut last = Value::Null;
    for other in &mut others {
        last = other.done("react", reaction(&chat, &said, "+1", true)).await;
    }
    assert_eq!(last["reactions"][0]["count"], 22);
    assert_eq!(last["reactions"][0]["users"].as_array().unwrap().len(), 20);
    // Another takes the place of one who is named.
    let back = others[0].done("react", reaction(&chat, &said, "+1", false)).await;
    let users = back["reactions"][0]["users"].as_array().unwrap();
    assert_eq!((&back["reactions"][0]["count"], users.len()), (&json!(21), 20));
    assert!(!users.contains(&json!(others[0].id)), "{back}");
    for at in 0..19 {
        ann.done("react", reaction(&chat, &said, &at.to_string(), true)).await;
    }
    let error = ann.refused("react", reaction(&chat, &said, "one more", true)).await;
    assert_error(&error, "conflict", Some("reaction"));
    ann.done("react", reaction(&chat, &said, "+1", true)).await;
}

#[tokio::test]
async fn pins_are_of_moderators_and_listed() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let one = bob.say_quietly(&chat, "one").await;
    let two = ann.say_quietly(&chat, "two").await;
    let error = bob.refused("pin-message", of_message(&chat, &one)).await;
    assert_error(&error, "forbidden", None);
    let pinned = ann.done("pin-message", of_message(&chat, &one)).await;
    assert_eq!(pinned["pinned_at"], pinned["modified_at"]);
    assert_eq!(ann.done("pin-message", of_message(&chat, &one)).await, pinned);
    assert_eq!(bob.next_of("message-changed").await["changed"], "pinned");
    let list = json!({ "chat": { "id": chat }, "query": { "pinned": true } });
    let page = bob.done("list-messages", list.clone()).await;
    assert_eq!(page, json!({ "messages": [pinned] }));
    let mut off = of_message(&chat, &one);
    off["on"] = false.into();
    assert_eq!(ann.done("pin-message", off).await.get("pinned_at"), None);
    assert_eq!(bob.done("list-messages", list.clone()).await, json!({ "messages": [] }));
    ann.done("pin-message", of_message(&chat, &two)).await;
    for at in 0..99 {
        let said = ann.say_quietly(&chat, &at.to_string()).await;
        ann.done("pin-message", of_message(&chat, &said)).await;
    }
    let error = ann.refused("pin-message", of_message(&chat, &one)).await;
    assert_error(&error, "conflict", Some("message.id"));
    let page = bob.done("list-messages", list).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 100);
}
