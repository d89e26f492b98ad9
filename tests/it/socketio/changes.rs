//! Changes of messages: edited, deleted, and what a client that was away is told of them.

use serde_json::{Value, json};

use crate::support::signing::{API_KEY, with_credentials};
use crate::support::steps::{NO_ID, channel, of_chat};
use crate::support::{Client, TestServer, assert_error, message};
use chinwag::Access;

/// The body of a request about a message of a chat.
pub fn of_message(chat: &str, message: &Value) -> Value {
    json!({ "chat": { "id": chat }, "message": { "id": message["id"] } })
}

pub fn edit(chat: &str, message: &Value, value: &str) -> Value {
    let mut body = of_message(chat, message);
    body["message"]["value"] = value.into();
    body
}

/// Takes the next event, which must be this change of a message; returns the message.
async fn changed(client: &mut Client, what: &str) -> Value {
    let mut pushed = client.next("message-changed").await;
    assert_eq!(pushed["changed"], what, "{pushed}");
    pushed.as_object_mut().unwrap().remove("changed");
    pushed
}

/// Ann, who has made a chat with bob, and eve, who is not in it; and the chat's id.
async fn talk(server: &TestServer) -> (Client, Client, Client, String) {
    let (mut bob, eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    (ann, bob, eve, chat)
}

#[tokio::test]
async fn an_edit_is_pushed_and_listed() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = talk(&server).await;
    let mut tab = server.user("bob").await;
    tab.done("subscribe", channel(&chat)).await;
    tab.next("participant-join").await;
    bob.next("participant-join").await;
    ann.next("participant-join").await;
    let said = ann.say(&chat, "helo").await;
    assert_eq!(said["user"], json!({ "id": ann.id, "handle": null, "name": "ann" }));
    assert_eq!(said.get("change"), None);
    bob.next("new-message").await;
    tab.next("chat-message").await;
    let edited = ann.done("edit-message", edit(&chat, &said, "hello")).await;
    assert_eq!(edited["msg"], "hello");
    assert_eq!(edited["change"], 1);
    assert_eq!(edited["edited_at"], edited["modified_at"]);
    for kept in ["id", "seq", "created_at", "user", "client_id", "type"] {
        assert_eq!(edited.get(kept), said.get(kept), "{kept}");
    }
    for client in [&mut ann, &mut bob, &mut tab] {
        assert_eq!(changed(client, "edited").await, edited);
    }
    bob.nothing_more().await;
    let listed = bob.done("list-messages", of_chat(&chat)).await;
    assert_eq!(listed["messages"], json!([edited]));
    let chats = bob.done("list-chats", json!({})).await;
    assert_eq!(chats["chats"][1]["last_change"], 1, "{chats}");
    let changes = json!({ "chat": { "id": chat }, "after": 0 });
    let listed = bob.done("list-changes", changes).await;
    assert_eq!(listed, json!({ "messages": [edited], "last_change": 1 }));
}

#[tokio::test]
async fn a_deleted_message_has_neither_text_nor_other_contents() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = talk(&server).await;
    let mut body = message(&chat, "look, bob");
    body["message"]["mentions"] = json!([bob.id]);
    body["message"]["data"] = json!({ "a": 1 });
    let said = ann.done("new-message", body).await;
    let heart = json!({ "chat": { "id": chat }, "message": { "id": said["id"] }, "reaction": "❤" });
    bob.done("react", heart).await;
    bob.done("new-message", message(&chat, "what?")).await;
    ann.done("pin-message", of_message(&chat, &said)).await;
    let deleted = ann.done("delete-message", of_message(&chat, &said)).await;
    assert_eq!(deleted["msg"], "");
    assert_eq!(deleted["change"], 3);
    assert_eq!(deleted["deleted_at"], deleted["modified_at"]);
    for gone in ["mentions", "data", "reactions", "pinned_at"] {
        assert_eq!(deleted.get(gone), None, "{deleted}");
    }
    for _ in 0..2 {
        bob.next_of("message-changed").await;
    }
    assert_eq!(changed(&mut bob, "deleted").await, deleted);
    // Deleting it again changes nothing, and all other changes are refused.
    assert_eq!(ann.done("delete-message", of_message(&chat, &said)).await, deleted);
    bob.nothing_more().await;
    let mut reply = message(&chat, "too late");
    reply["message"]["reply_to"] = json!({ "id": said["id"] });
    let mut heart = of_message(&chat, &said);
    heart["reaction"] = "❤".into();
    for (event, body, field) in [
        ("edit-message", edit(&chat, &said, "again"), "message.id"),
        ("react", heart, "message.id"),
        ("pin-message", of_message(&chat, &said), "message.id"),
        ("new-message", reply, "message.reply_to"),
    ] {
        assert_error(&ann.refused(event, body).await, "conflict", Some(field));
    }
    assert_eq!(ann.say_quietly(&chat, "on").await["seq"], 3);
}

impl Client {
    /// Sends a message without taking the push of it; returns the message.
    pub async fn say_quietly(&mut self, chat: &str, text: &str) -> Value {
        self.done("new-message", message(chat, text)).await
    }
}

#[tokio::test]
async fn only_some_users_may_edit_and_delete_a_message() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let (mut ann, mut bob, mut eve, chat) = talk(&server).await;
    let of_ann = ann.say_quietly(&chat, "of ann").await;
    let of_bob = bob.say_quietly(&chat, "of bob").await;
    assert_error(&ann.refused("edit-message", edit(&chat, &of_bob, "x")).await, "forbidden", None);
    assert_error(
        &bob.refused("delete-message", of_message(&chat, &of_ann)).await,
        "forbidden",
        None,
    );
    for (event, body) in [
        ("edit-message", edit(&chat, &of_ann, "x")),
        ("delete-message", of_message(&chat, &of_ann)),
        ("list-changes", json!({ "chat": { "id": chat }, "after": 0 })),
    ] {
        assert_error(&eve.refused(event, body).await, "not_found", Some("chat.id"));
    }
    let mut service = server.connect_with(API_KEY).await;
    service.done("create-user", json!({ "user": { "external_id": "bot", "name": "bot" } })).await;
    let edited = service.done("edit-message", edit(&chat, &of_ann, "by the service")).await;
    assert_eq!((&edited["user_id"], &edited["msg"]), (&json!(ann.id), &json!("by the service")));
    service.done("delete-message", of_message(&chat, &of_ann)).await;
    // The owner may delete messages of others.
    ann.done("delete-message", of_message(&chat, &of_bob)).await;
    let no_message = json!({ "id": NO_ID });
    for event in ["edit-message", "delete-message", "pin-message"] {
        let error = ann.refused(event, edit(&chat, &no_message, "x")).await;
        assert_error(&error, "not_found", Some("message.id"));
    }
    // It is not found in another chat either.
    let other = ann.done("create-chat", json!({ "chat": { "name": "other" }, "users": [] })).await;
    let other = other["chat"]["id"].as_str().unwrap().to_owned();
    let error = ann.refused("delete-message", of_message(&other, &of_ann)).await;
    assert_error(&error, "not_found", Some("message.id"));
}

#[tokio::test]
async fn in_a_direct_chat_a_user_deletes_only_their_own_messages() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.done("open-direct", json!({ "user": { "id": bob.id } })).await;
    let chat = chat["chat"]["id"].as_str().unwrap();
    let (of_ann, of_bob) = (ann.say_quietly(chat, "hi").await, bob.say_quietly(chat, "ho").await);
    let error = ann.refused("delete-message", of_message(chat, &of_bob)).await;
    assert_error(&error, "forbidden", None);
    ann.done("delete-message", of_message(chat, &of_ann)).await;
    assert!(bob.done("pin-message", of_message(chat, &of_bob)).await["pinned_at"].is_string());
}

#[tokio::test]
async fn an_edit_changes_only_the_fields_that_it_names() {
    let server = TestServer::start().await;
    let (mut ann, bob, _, chat) = talk(&server).await;
    let mut body = message(&chat, "for bob");
    body["message"]["data"] = json!({ "of": "old" });
    let said = ann.done("new-message", body).await;
    let mut body = of_message(&chat, &said);
    body["message"]["mentions"] = json!([bob.id, bob.id]);
    let edited = ann.done("edit-message", body).await;
    assert_eq!(edited["mentions"], json!([bob.id]));
    assert_eq!((&edited["msg"], &edited["data"]), (&json!("for bob"), &json!({ "of": "old" })));
    let mut body = of_message(&chat, &said);
    body["message"]["mentions"] = json!([]);
    body["message"]["data"] = json!({});
    let edited = ann.done("edit-message", body).await;
    assert_eq!((edited.get("mentions"), edited.get("data")), (None, None));
    let error = ann.refused("edit-message", of_message(&chat, &said)).await;
    assert_error(&error, "invalid", Some("message"));
    let error = ann.refused("edit-message", edit(&chat, &said, "")).await;
    assert_error(&error, "invalid", Some("message.value"));
    let long = "x".repeat((512 << 10) + 1);
    let error = ann.refused("edit-message", edit(&chat, &said, &long)).await;
    assert_error(&error, "too_large", Some("message.value"));
}

#[tokio::test]
async fn a_message_sent_again_is_answered_as_it_is_now() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, _, chat) = talk(&server).await;
    let mut body = message(&chat, "first");
    body["message"]["client_id"] = "1".into();
    let said = ann.done("new-message", body.clone()).await;
    let edited = ann.done("edit-message", edit(&chat, &said, "second")).await;
    assert_eq!(ann.done("new-message", body.clone()).await, edited);
    let deleted = ann.done("delete-message", of_message(&chat, &said)).await;
    assert_eq!(ann.done("new-message", body.clone()).await, deleted);
    body["message"]["value"] = "third".into();
    assert_eq!(ann.done("new-message", body).await, deleted);
    bob.next("new-message").await;
    bob.next("message-changed").await;
    bob.next("message-changed").await;
    bob.nothing_more().await;
}

#[tokio::test]
async fn changes_are_listed_once_each_in_pages() {
    let server = TestServer::start().await;
    let (mut ann, _, _, chat) = talk(&server).await;
    let mut said = Vec::new();
    for at in 0..5 {
        said.push(ann.say_quietly(&chat, &at.to_string()).await);
    }
    for at in [3, 0, 3, 1, 4, 0] {
        ann.done("edit-message", edit(&chat, &said[at], "x")).await;
    }
    let (mut after, mut seqs, mut numbers) = (json!(0), Vec::new(), Vec::new());
    loop {
        let body = json!({ "chat": { "id": chat }, "after": after, "limit": 2 });
        let page = ann.done("list-changes", body).await;
        assert_eq!(page["last_change"], 6);
        for message in page["messages"].as_array().unwrap() {
            seqs.push(message["seq"].as_i64().unwrap());
            numbers.push(message["change"].as_i64().unwrap());
        }
        match page.get("next") {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    assert_eq!((seqs, numbers), (vec![4, 2, 5, 1], vec![3, 4, 5, 6]));
    let body = json!({ "chat": { "id": chat }, "after": 6 });
    assert_eq!(ann.done("list-changes", body).await, json!({ "messages": [], "last_change": 6 }));
    let error = ann.refused("list-changes", of_chat(&chat)).await;
    assert_error(&error, "invalid", Some("after"));
}

#[tokio::test]
async fn concurrent_changes_are_numbered_without_a_gap() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut others = Vec::new();
    for at in 0..8 {
        others.push(server.user(&at.to_string()).await);
    }
    let ids = Vec::from_iter(others.iter().map(|other| other.id.clone()));
    let ids = Vec::from_iter(ids.iter().map(String::as_str));
    let chat = ann.chat("busy", true, &ids).await;
    let work = others.iter_mut().map(async |other| {
        for at in 0..10 {
            let said = other.say_quietly(&chat, &at.to_string()).await;
            other.done("edit-message", edit(&chat, &said, "edited")).await;
            other.done("delete-message", of_message(&chat, &said)).await;
        }
    });
    futures_util::future::join_all(work).await;
    for number in 1..=160 {
        assert_eq!(ann.next_of("message-changed").await["change"], number);
    }
    assert_eq!(ann.say_quietly(&chat, "next").await["seq"], 81);
}
