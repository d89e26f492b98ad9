//! `react`

use serde_json::{Value, json};

use crate::socketio::changes::of_message;
use crate::socketio::extras::talk;
use crate::support::{TestServer, assert_error};

fn reaction(chat: &str, to: &Value, text: &str, on: bool) -> Value {
    let mut body = of_message(chat, to);
    body["reaction"] = text.into();
    body["on"] = on.into();
    body
}

#[tokio::test]
async fn reactions_are_counted_and_taken_back() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let said = ann.say_quietly(&chat, "done").await;
    let one = bob.done("react", reaction(&chat, &said, "👍", true)).await;
    let expected = json!([{ "reaction": "👍", "count": 1, "users": [bob.id] }]);
    assert_eq!((&one["reactions"], &one["change"]), (&expected, &json!(1)));
    // Reacting twice is the same as once.
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
async fn a_reaction_of_many_users_names_only_some() {
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
    // Another user takes the place of a named one who takes the reaction back.
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
