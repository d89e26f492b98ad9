//! `delete-user`

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::signing::{token, with_credentials};
use crate::support::steps::{channel, of_chat};
use crate::support::{Client, TestServer, assert_error, message};

fn keep() -> Value {
    json!({ "messages": "keep" })
}

fn of_user(id: &str) -> Value {
    json!({ "user": { "id": id } })
}

impl Client {
    async fn members(&mut self, chat: &str) -> Vec<String> {
        let listed = self.done("list-members", of_chat(chat)).await;
        let members = listed["members"].as_array().unwrap().iter();
        members.map(|it| it["user"]["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_deletion_leaves_nothing_but_messages() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    assert_nothing_is_left(&mut ann, &mut bob).await;
    // Neither the id nor the external_id belongs to anyone any more.
    let mut maker = server.connect().await;
    let again = json!({ "user": { "id": ann.id, "name": "Eve" } });
    let error = maker.refused("create-user", again).await;
    assert_error(&error, "conflict", Some("user.id"));
    assert_ne!(server.user("ann").await.id, ann.id);
}

#[tokio::test]
async fn a_deletion_leaves_nothing_but_messages_on_two_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    assert_nothing_is_left(&mut ann, &mut bob).await;
    let mut tab = nodes[1].connect().await;
    let error = tab.refused("list-chats", of_user(&ann.id)).await;
    assert_error(&error, "not_found", Some("user.id"));
}

async fn assert_nothing_is_left(ann: &mut Client, bob: &mut Client) {
    ann.done("update-user", json!({ "user": { "handle": "ann", "data": { "a": 1 } } })).await;
    let chat = ann.make_private(&mut [bob]).await;
    let direct = ann.done("open-direct", of_user(&bob.id)).await;
    let direct = direct["chat"]["id"].as_str().unwrap().to_owned();
    ann.done("new-message", message(&chat, "to all")).await;
    ann.done("new-message", message(&direct, "to you")).await;
    ann.make_team("crew", &[&bob.id]).await;
    bob.next_of("create-chat").await;

    let id = ann.id.clone();
    assert_eq!(ann.done("delete-user", keep()).await, of_user(&id));
    let renamed = bob.next_of("update-chat").await;
    assert!(renamed["chat"]["name"].as_str().unwrap().contains("Deleted user"), "{renamed}");
    assert_eq!(renamed["chat"]["id"], direct.as_str());
    for chat in [&chat, &direct] {
        assert_eq!(bob.members(chat).await, [bob.id.as_str()]);
        let listed = bob.done("list-messages", of_chat(chat)).await;
        assert_eq!(listed["messages"][0]["user_id"], id.as_str());
    }
    let named = json!([{ "id": id }, { "handle": "ann" }, { "external_id": "ann" }]);
    assert!(bob.list_users(named).await.is_empty());
    let found = bob.done("list-users", json!({ "text": "del" })).await;
    assert_eq!(found["users"], json!([]));
    let teams = bob.done("list-teams", json!({})).await;
    assert_eq!(teams["teams"][0]["users"], json!([bob.id]));
    // The socket acts as nobody, and nobody can act as the user again.
    assert_error(&ann.refused("list-chats", json!({})).await, "unauthenticated", None);
    let error = ann.refused("list-chats", of_user(&id)).await;
    assert_error(&error, "not_found", Some("user.id"));
    for event in ["open-direct", "block-user"] {
        bob.ask(event, of_user(&id)).await;
    }
    // The handle of a user who was not protected is free.
    bob.done("update-user", json!({ "user": { "handle": "ann" } })).await;
}

#[tokio::test]
async fn a_deleted_user_leaves_their_rooms_and_connections() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let (mut ann, mut tab) = (server.token_user("ann").await, server.token_user("ann").await);
    let mut bob = server.user("bob").await;
    let chat = ann.make_public(&mut [&mut tab]).await;
    bob.done("join-chat", of_chat(&chat)).await;
    tab.done("subscribe", channel(&chat)).await;
    bob.next_of("participant-join").await;
    let id = ann.id.clone();
    ann.done("delete-user", keep()).await;
    assert_eq!(bob.next_of("participant-leave").await["user"]["id"], id.as_str());
    ann.closed().await;
    tab.closed().await;
    // The same token of the host application now makes a new user.
    let mut again = server.connect_with(&token("ann")).await;
    let listed = again.list_users(json!([{ "external_id": "ann" }])).await;
    assert_ne!(listed[0]["id"], id.as_str());
}

#[tokio::test]
async fn the_tokens_of_a_deleted_account_end() {
    let server = TestServer::with(with_credentials(Access::Token)).await;
    let account = server.sign_up("bobby").await;
    let mut bob = server.connect_with(account.access()).await;
    bob.done("delete-user", keep()).await;
    bob.closed().await;
    let inbox = server.request("GET", "/api/inbox").bearer(account.access()).send().await;
    assert_eq!(inbox.status, 401);
    let login = json!({ "username": "bobby", "password": crate::support::http::PASSWORD });
    assert_eq!(server.post("/api/auth_token", login).await.status, 401);
}

#[tokio::test]
async fn only_the_service_may_delete_other_users() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let (mut ann, mut bob) = (server.token_user("ann").await, server.token_user("bob").await);
    let of_bob = json!({ "user": { "id": bob.id }, "messages": "keep" });
    assert_error(&ann.refused("delete-user", of_bob.clone()).await, "forbidden", None);
    let error = ann.refused("delete-user", json!({})).await;
    assert_error(&error, "invalid", Some("messages"));
    let error = ann.refused("delete-user", json!({ "messages": "burn" })).await;
    assert_error(&error, "invalid", Some("messages"));
    let error = server.connect().await.refused("delete-user", keep()).await;
    assert_error(&error, "unauthenticated", None);
    let mut service = server.service().await;
    assert_eq!(service.done("delete-user", of_bob.clone()).await, of_user(&bob.id));
    bob.closed().await;
    let error = service.refused("delete-user", of_bob).await;
    assert_error(&error, "not_found", Some("user.id"));
    ann.done("list-chats", json!({})).await;
}

#[tokio::test]
async fn a_deletion_can_erase_the_users_messages() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    assert_erased(&mut ann, &mut bob).await;
}

#[tokio::test]
async fn a_deletion_can_erase_the_users_messages_on_two_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    assert_erased(&mut ann, &mut bob).await;
}

async fn assert_erased(ann: &mut Client, bob: &mut Client) {
    let chat = ann.make_public(&mut [bob]).await;
    let left = bob.make_public(&mut [ann]).await;
    for text in ["one", "two"] {
        ann.say(&chat, text).await;
    }
    bob.done("new-message", message(&chat, "mine")).await;
    // Her messages in a chat that she has left are erased, too.
    ann.done("new-message", message(&left, "before I go")).await;
    ann.done("leave-chat", of_chat(&left)).await;

    let id = ann.id.clone();
    ann.done("delete-user", json!({ "messages": "erase" })).await;
    for _ in 0..3 {
        let changed = bob.next_of("message-changed").await;
        assert_eq!((&changed["changed"], &changed["user_id"]), (&json!("deleted"), &json!(id)));
        assert_eq!(changed["msg"], "");
    }
    for (chat, changes) in [(&chat, 2), (&left, 1)] {
        let listed = bob.done("list-messages", of_chat(chat)).await;
        for message in listed["messages"].as_array().unwrap() {
            let text = if message["user_id"] == id.as_str() { "" } else { "mine" };
            assert_eq!(message["msg"], text, "{message}");
        }
        let body = json!({ "chat": { "id": chat }, "after": 0 });
        let changed = bob.done("list-changes", body).await;
        assert_eq!(changed["last_change"], changes, "{changed}");
    }
}
