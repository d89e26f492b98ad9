//! `create-user`: made or fetched by either id, and which user a socket then acts as.

use serde_json::{Value, json};

use crate::support::{TestServer, assert_error, message};

fn user(fields: Value) -> Value {
    let mut user = json!({ "name": "Ann", "photo": "ann.png" });
    user.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({ "user": user })
}

#[tokio::test]
async fn is_made_with_every_field() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let body = user(json!({ "external_id": "7", "handle": "ann_é" }));
    let made = client.ask("create-user", body).await["user"].take();
    assert_eq!(made["external_id"], "7");
    assert_eq!(made["handle"], "ann_é");
    assert_eq!(made["name"], "Ann");
    assert_eq!(made["photo"], "ann.png");
    assert_eq!(made["id"].as_str().unwrap().len(), 36);
    assert_eq!(made["created_at"], made["modified_at"]);
    let created_at = made["created_at"].as_str().unwrap();
    assert_eq!(created_at.len(), "2026-01-31T12:00:00.000000Z".len());
    assert!(created_at.ends_with('Z'));
}

#[tokio::test]
async fn is_fetched_by_external_id_and_updated() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let first = client.ask("create-user", user(json!({ "external_id": "7" }))).await;
    let again = client.ask("create-user", user(json!({ "external_id": "7" }))).await;
    assert_eq!(first, again);
    let body = user(json!({ "external_id": "7", "name": "Anna", "photo": "" }));
    let updated = client.ask("create-user", body).await;
    assert_eq!(updated["user"]["id"], first["user"]["id"]);
    assert_eq!(updated["user"]["name"], "Anna");
    assert_eq!(updated["user"]["photo"], "");
    assert_eq!(updated["user"]["created_at"], first["user"]["created_at"]);
    assert_ne!(updated["user"]["modified_at"], first["user"]["modified_at"]);
}

#[tokio::test]
async fn a_user_created_with_an_id_keeps_it() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let made = client.ask("create-user", user(json!({ "id": "old-17" }))).await;
    assert_eq!(made["user"]["id"], "old-17");
    assert_eq!(made["user"]["external_id"], Value::Null);
    let again = client.ask("create-user", user(json!({ "id": "old-17" }))).await;
    assert_eq!(again, made);
    let body = user(json!({ "id": "old-18", "external_id": "18" }));
    let both = client.ask("create-user", body).await;
    assert_eq!(both["user"]["id"], "old-18");
    assert_eq!(both["user"]["external_id"], "18");
}

#[tokio::test]
async fn a_known_external_id_decides_which_user_is_meant() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let ann = client.ask("create-user", user(json!({ "external_id": "a" }))).await;
    client.ask("create-user", user(json!({ "id": "bob" }))).await;
    let body = user(json!({ "external_id": "a", "id": "nobody" }));
    assert_eq!(client.ask("create-user", body).await["user"]["id"], ann["user"]["id"]);
    let body = user(json!({ "external_id": "a", "id": "bob" }));
    assert_error(&client.refused("create-user", body).await, "conflict", Some("user.id"));
}

#[tokio::test]
async fn a_user_can_be_given_an_external_id_only_once() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.ask("create-user", user(json!({ "id": "bob" }))).await;
    let body = user(json!({ "id": "bob", "external_id": "b" }));
    let linked = client.ask("create-user", body).await;
    assert_eq!(linked["user"]["id"], "bob");
    assert_eq!(linked["user"]["external_id"], "b");
    let body = user(json!({ "id": "bob", "external_id": "c" }));
    let error = client.refused("create-user", body).await;
    assert_error(&error, "conflict", Some("user.external_id"));
}

#[tokio::test]
async fn no_two_users_have_the_same_handle() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.ask("create-user", user(json!({ "id": "a", "handle": "ann" }))).await;
    let body = user(json!({ "id": "b", "handle": "ann" }));
    assert_error(&client.refused("create-user", body).await, "conflict", Some("user.handle"));
    for handle in ["", "an n", "a-b", "x".repeat(33).as_str()] {
        let body = user(json!({ "id": "b", "handle": handle }));
        let error = client.refused("create-user", body).await;
        assert_eq!(error["field"], "user.handle", "{error}");
    }
    let made = client.ask("create-user", user(json!({ "id": "b" }))).await;
    assert_eq!(made["user"]["handle"], Value::Null);
}

#[tokio::test]
async fn two_sockets_that_make_one_user_get_the_same() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.connect().await);
    }
    let body = || user(json!({ "external_id": "race" }));
    let asked = clients.iter_mut().map(|client| client.ask("create-user", body()));
    let users = futures_util::future::join_all(asked).await;
    assert!(users.iter().all(|user| *user == users[0]), "{users:?}");
}

#[tokio::test]
async fn a_socket_acts_as_its_latest_user() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("both", true, &[&bob.id]).await;
    assert_eq!(ann.say(&chat, "as ann").await["user_id"], ann.id.as_str());
    // Naming a user makes the socket act as that user from then on.
    let body = json!({ "user": { "id": bob.id } });
    let listed = ann.ask("list-chats", body).await;
    assert_eq!(listed["chats"].as_array().unwrap().len(), 1);
    // It now acts as two members of the chat, and still gets each message once.
    assert_eq!(ann.say(&chat, "as bob").await["user_id"], bob.id.as_str());
    ann.nothing_more().await;
}

#[tokio::test]
async fn the_users_that_a_socket_acts_as_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_socket_users = 2).await;
    let mut client = server.connect().await;
    for id in ["a", "b", "a", "b"] {
        client.ask("create-user", user(json!({ "id": id }))).await["user"]["id"].as_str().unwrap();
    }
    let error = client.refused("create-user", user(json!({ "id": "c" }))).await;
    assert_error(&error, "too_large", Some("user.id"));
    assert_eq!(client.ask("list-chats", json!({})).await["chats"], json!([]), "still b");
}

#[tokio::test]
async fn a_socket_without_a_user_may_not_act() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("open", false, &[]).await;
    let mut nobody = server.connect().await;
    let of_chat = json!({ "chat": { "id": chat } });
    for (event, body) in [
        ("create-chat", json!({ "chat": { "name": "x" }, "users": [] })),
        ("list-chats", json!({})),
        ("new-message", message(&chat, "x")),
        ("mark-read", of_chat.clone()),
        ("join-chat", of_chat.clone()),
        ("leave-chat", of_chat.clone()),
    ] {
        assert_error(&nobody.refused(event, body).await, "unauthenticated", None);
    }
    // Every client that may connect may read a public chat.
    assert_eq!(nobody.ask("list-messages", of_chat).await["messages"], json!([]));
}

#[tokio::test]
async fn an_unknown_user_cannot_be_claimed() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let body = json!({ "user": { "id": "nobody" } });
    assert_error(&ann.refused("list-chats", body).await, "not_found", Some("user.id"));
    assert_eq!(ann.ask("list-chats", json!({})).await["chats"], json!([]));
}
