//! Protected users: after their first token, no client can act as them without one.

use chinwag::Access;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::signing::token;
use crate::support::steps::{NO_ID, channel, of_chat};
use crate::support::{Client, TestServer, assert_error, message};

fn as_user(id: &str) -> Value {
    json!({ "user": { "id": id } })
}

/// The body of a `create-user` with these fields, and with a changed name and photo.
fn user(fields: Value) -> Value {
    let mut user = json!({ "name": "changed", "photo": "changed.png" });
    user.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({ "user": user })
}

/// Fails unless a socket acts as nobody, and may not act as its former user.
async fn assert_lost(client: &mut Client) {
    for body in [json!({}), as_user(&client.id), json!({})] {
        assert_error(&client.refused("list-chats", body).await, "unauthenticated", None);
    }
}

impl Client {
    /// The names of all events that have come by now.
    async fn events_until_now(&mut self) -> Vec<String> {
        let last = json!({ "chat": { "name": "the last event" }, "users": [] });
        self.tell("create-chat", last).await;
        let mut names = Vec::new();
        loop {
            let (name, body) = self.next_event().await;
            match body["chat"]["name"] == "the last event" {
                true => return names,
                false => names.push(name),
            }
        }
    }

    /// Acts as another user, who may be new, and is shown only that user's events.
    async fn becomes(&mut self, id: &str) {
        self.done("create-user", user(json!({ "id": id }))).await;
        self.ask("unsubscribe", json!({ "channel": "system" })).await;
    }
}

#[tokio::test]
async fn a_tokenless_socket_loses_a_protected_user_at_once() {
    let server = TestServer::with_credentials(Access::Open).await;
    let (mut claimed, mut tab) = (server.user("ann").await, server.user("ann").await);
    let mut bob = server.user("bob").await;
    let chat = bob.make_private(&mut [&mut claimed, &mut tab]).await;
    let other = bob.make_private(&mut []).await;
    claimed.done("subscribe", channel(&chat)).await;
    for client in [&mut claimed, &mut tab, &mut bob] {
        client.sees_join(&chat, "ann", 1).await;
    }

    let mut ann = server.connect_with(&token("ann")).await;
    for lost in [&mut claimed, &mut tab] {
        let error = lost.refused("new-message", message(&chat, "hello")).await;
        assert_error(&error, "unauthenticated", None);
        assert_lost(lost).await;
        let error = lost.refused("list-messages", of_chat(&chat)).await;
        assert_error(&error, "not_found", Some("chat.id"));
        let error = lost.refused("unsubscribe", channel(&chat)).await;
        assert_error(&error, "not_found", Some("channel"));
        lost.becomes("eve").await;
    }
    bob.sees_leave(&chat, "ann", 0).await;
    // Only after this answer is it certain that she is shown the messages of the chat.
    ann.done("list-chats", json!({})).await;
    let said = bob.say(&chat, "hello, Ann").await;
    assert_eq!(ann.next_of("new-message").await, said);
    bob.invite(&other, &claimed.id).await;
    ann.next("invitation").await;
    claimed.nothing_more().await;
    tab.next("create-chat").await;
    tab.nothing_more().await;
}

#[tokio::test]
async fn a_socket_of_several_users_loses_only_the_protected_one() {
    let server = TestServer::with_credentials(Access::Open).await;
    let mut bob = server.user("bob").await;
    let ann = server.user("ann").await.id;
    let (mut was_ann, mut is_bob) = (server.user("bob").await, server.user("bob").await);
    let chat = bob.make_private(&mut [&mut was_ann, &mut is_bob]).await;
    for client in [&mut was_ann, &mut is_bob] {
        client.done("subscribe", channel(&chat)).await;
        client.done("list-chats", as_user(&ann)).await;
    }
    is_bob.done("list-chats", as_user(&bob.id)).await;
    for client in [&mut bob, &mut was_ann, &mut is_bob] {
        client.sees_join(&chat, "bob", 1).await;
    }

    server.token_user("ann").await;
    assert_lost_but(&mut was_ann, &ann).await;
    let said = is_bob.done("new-message", message(&chat, "as before")).await;
    assert_eq!(said["user_id"], bob.id.as_str());
    for client in [&mut was_ann, &mut is_bob] {
        assert_eq!(client.next("chat-message").await["msg"], "as before");
    }
    was_ann.done("list-chats", as_user(&bob.id)).await;
    for client in [&mut was_ann, &mut is_bob] {
        client.nothing_more().await;
    }
}

/// Fails unless a socket can no longer act as this user, and acts as nobody until it names one.
async fn assert_lost_but(client: &mut Client, id: &str) {
    for body in [json!({}), as_user(id)] {
        assert_error(&client.refused("list-chats", body).await, "unauthenticated", None);
    }
}

#[tokio::test]
async fn a_socket_with_a_credential_keeps_a_protected_user() {
    let server = TestServer::with_credentials(Access::Open).await;
    let ann = server.user("ann").await.id;
    let mut dan = server.token_user("dan").await;
    let mut carl = server.user("carl").await;
    let chat = dan.make_public(&mut [&mut carl]).await;
    let mut service = server.service().await;
    let mut claimed = server.user("ann").await;
    service.done("list-chats", as_user(&ann)).await;
    for client in [&mut service, &mut claimed, &mut dan, &mut carl] {
        client.done("subscribe", channel(&chat)).await;
    }
    for client in [&mut dan, &mut carl] {
        client.sees_join(&chat, "ann", 1).await;
        client.sees_join(&chat, "dan", 2).await;
        client.sees_join(&chat, "carl", 3).await;
    }
    server.token_user("ann").await;
    assert_lost(&mut claimed).await;
    // The service's socket is in the room as ann, and is her last one there.
    let here = service.done("unsubscribe", channel(&chat)).await;
    assert_eq!(here["participants"], 2);
    service.done("list-chats", json!({})).await;
    for client in [&mut dan, &mut carl] {
        client.sees_leave(&chat, "ann", 2).await;
    }
    let said = carl.done("new-message", message(&chat, "still here")).await;
    for client in [&mut dan, &mut carl] {
        assert_eq!(client.next("chat-message").await["id"], said["id"]);
    }
}

#[tokio::test]
async fn only_its_token_and_the_services_key_act_as_a_protected_user() {
    let server = TestServer::with_credentials(Access::Open).await;
    let ann = server.token_user("ann").await.id;
    let (id, external) = (json!({ "id": ann }), json!({ "external_id": "ann" }));
    let both = json!({ "id": ann, "external_id": "ann" });
    let new = json!({ "id": ann, "external_id": "new", "handle": "ann" });
    for (mut client, code) in [
        (server.connect().await, "unauthenticated"),
        (server.user("bob").await, "unauthenticated"),
        (server.token_user("carl").await, "forbidden"),
    ] {
        for event in ["list-chats", "list-messages", "create-chat", "list-invitations"] {
            let mut body = as_user(&ann);
            body["chat"] = json!({ "id": NO_ID, "name": "x" });
            body["users"] = json!([]);
            assert_error(&client.refused(event, body).await, code, None);
        }
        for fields in [&id, &external, &both] {
            assert_error(&client.refused("create-user", user(fields.clone())).await, code, None);
        }
        assert!(client.ask("create-user", user(new.clone())).await.get("error").is_some());
    }
    // Nothing has been changed by these requests.
    let mut own = server.connect_with(&token("ann")).await;
    let chat = own.make_private(&mut []).await;
    let seen = own.done("subscribe", channel(&chat)).await["users"][0].take();
    assert_eq!(seen, json!({ "id": ann, "name": "ann", "photo": "" }));
    for mut client in [own, server.service().await] {
        client.done("list-chats", as_user(&ann)).await;
        for fields in [&id, &external, &both] {
            let made = client.done("create-user", user(fields.clone())).await["user"].take();
            assert_eq!((&made["id"], &made["name"]), (&json!(ann), &json!("changed")));
            assert_eq!((&made["external_id"], &made["handle"]), (&json!("ann"), &Value::Null));
        }
    }
}

#[tokio::test]
async fn a_users_token_neither_makes_nor_acts_as_other_users() {
    for access in [Access::Open, Access::Token] {
        let server = TestServer::with_credentials(access).await;
        let mut service = server.service().await;
        service.done("create-user", user(json!({ "id": "free" }))).await;
        let mut ann = server.token_user("ann").await;
        for fields in [
            json!({ "id": "new" }),
            json!({ "external_id": "new" }),
            json!({ "external_id": "new", "id": "newer" }),
            json!({ "id": "free" }),
            json!({ "id": "free", "external_id": "new" }),
        ] {
            let error = ann.refused("create-user", user(fields)).await;
            assert_error(&error, "forbidden", None);
        }
        for id in ["free", "nobody"] {
            let error = ann.refused("list-chats", as_user(id)).await;
            assert_error(&error, "forbidden", None);
        }
        // The socket acts as the same user, whose external_id only the host application changes.
        let body = user(json!({ "id": ann.id, "external_id": "new" }));
        let error = ann.refused("create-user", body).await;
        assert_error(&error, "conflict", Some("user.external_id"));
        let body = user(json!({ "external_id": "ann", "id": "unknown", "handle": "ann" }));
        let made = ann.done("create-user", body).await["user"].take();
        assert_eq!((&made["id"], &made["handle"]), (&json!(ann.id), &json!("ann")));
        assert!(!server.knows("new").await);
    }
}

#[tokio::test]
async fn no_id_or_handle_stands_for_two_users() {
    let server = TestServer::with_credentials(Access::Open).await;
    let mut ann = server.token_user("ann").await;
    let body = user(json!({ "external_id": "ann", "handle": "ann_1" }));
    ann.done("create-user", body).await;
    for mut client in [server.connect().await, server.service().await] {
        client.done("create-user", user(json!({ "id": "bob_1" }))).await;
        for (fields, field) in [
            (json!({ "id": "new", "handle": "ann_1" }), "user.handle"),
            (json!({ "id": "new", "handle": "bob_1" }), "user.handle"),
            (json!({ "id": "bob_1", "handle": "ann_1" }), "user.handle"),
            (json!({ "id": "ann_1" }), "user.id"),
            (json!({ "id": "ann_1", "external_id": "new" }), "user.id"),
        ] {
            let error = client.refused("create-user", user(fields)).await;
            assert_error(&error, "conflict", Some(field));
        }
        // A user's own id is free for their handle.
        client.done("create-user", user(json!({ "id": "bob_1", "handle": "bob_1" }))).await;
    }
    let error = ann.refused("create-user", user(json!({ "id": ann.id, "handle": "bob_1" }))).await;
    assert_error(&error, "conflict", Some("user.handle"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_claims_a_user_while_their_first_token_connects() {
    let server = &TestServer::with_credentials(Access::Open).await;
    for name in (0..20).map(|round| format!("user-{round}")) {
        let id = &server.user(&name).await.id;
        let claimers = join_all((0..8).map(|_| server.connect())).await;
        let claiming = claimers.into_iter().map(|mut client| async {
            let mut at = 0;
            let error = loop {
                at += 1;
                // Some have acted as the user for long, others begin to do so all the time.
                client.ask("create-user", user(json!({ "id": format!("{id}-{}", at % 2) }))).await;
                let mut answer = client.ask("list-chats", as_user(id)).await;
                if let Some(error) = answer.get_mut("error") {
                    break error.take();
                }
            };
            assert_error(&error, "unauthenticated", None);
            client
        });
        let connected = async { server.connect_with(&token(&name)).await };
        let (mut claimers, mut own) = tokio::join!(join_all(claiming), connected);
        let said = own.chat("own", true, &[]).await;
        own.say(&said, "hello").await;
        for client in &mut claimers {
            let error = client.refused("list-chats", as_user(id)).await;
            assert_error(&error, "unauthenticated", None);
            client.becomes("somebody").await;
            let events = client.events_until_now().await;
            assert!(events.iter().all(|event| event != "new-message"), "{events:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_users_first_token_tokenless_sockets_lose_them() {
    let server = TestServer::with_credentials(Access::Open).await;
    for name in (0..100).map(|round| format!("user-{round}")) {
        let mut claimed = server.user(&name).await;
        let own = server.connect_with(&token(&name)).await;
        assert_lost(&mut claimed).await;
        drop(own);
    }
}
