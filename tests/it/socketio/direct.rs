//! Direct chats: the one private chat of two users, which is made when it is first used.

use chinwag::Access;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::steps::{assert_ids, channel, of_chat, of_chat_and, on_channel};
use crate::support::{Client, TestServer, as_pushed, assert_error, message};

fn with(user: &str) -> Value {
    json!({ "user": { "id": user } })
}

/// Opens the direct chat of two users; both take its event. Returns its id.
async fn open(one: &mut Client, other: &mut Client) -> String {
    let answer = one.done("open-direct", with(&other.id)).await;
    for client in [&mut *one, other] {
        assert_eq!(client.next("create-chat").await, as_pushed(answer.clone()));
    }
    answer["chat"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_direct_chat_is_made_at_first_use_and_found_later() {
    let server = TestServer::start().await;
    let (mut ann, mut tab) = (server.user("ann").await, server.user("ann").await);
    let mut bob = server.user("bob").await;
    let made = ann.done("open-direct", with(&bob.id)).await;
    let chat = &made["chat"];
    assert_eq!((&chat["private"], &chat["direct"]), (&json!(true), &json!(true)));
    assert_eq!((&chat["user"], &chat["last_seq"]), (&json!(ann.id), &json!(0)));
    assert_eq!((&chat["team_id"], &chat["description"]), (&Value::Null, &Value::Null));
    assert_ids(&chat["users"], [&ann.id, &bob.id]);
    let name = chat["name"].as_str().unwrap();
    assert!(["ann, bob", "bob, ann"].contains(&name), "{name}");
    for client in [&mut ann, &mut tab, &mut bob] {
        assert_eq!(client.next("create-chat").await, as_pushed(made.clone()));
    }
    assert_eq!(bob.done("open-direct", with(&ann.id)).await, made);
    assert_eq!(ann.done("open-direct", with(&bob.id)).await, made);
    for client in [&mut ann, &mut tab, &mut bob] {
        assert_eq!(client.chats().await, json!([chat["id"]]));
    }
    for client in [&mut tab, &mut bob] {
        client.nothing_more().await;
    }
}

#[tokio::test]
async fn a_request_without_an_ack_gets_the_answer_and_the_push() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    ann.tell("open-direct", with(&bob.id)).await;
    let mut events = [ann.next_event().await, ann.next_event().await];
    events.sort_by(|(one, _), (other, _)| one.cmp(other));
    let [(pushed, push), (answered, answer)] = events;
    assert_eq!((pushed.as_str(), answered.as_str()), ("create-chat", "open-direct"));
    assert_eq!(push, as_pushed(answer.clone()));
    ann.tell("open-direct", with(&bob.id)).await;
    assert_eq!(ann.next("open-direct").await, answer);
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_direct_chat_needs_another_user_that_exists() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let error = ann.refused("open-direct", with("nobody")).await;
    assert_error(&error, "not_found", Some("user.id"));
    let error = ann.refused("open-direct", with(&ann.id.clone())).await;
    assert_error(&error, "conflict", Some("user.id"));
    for body in [json!({}), json!({ "user": {} }), json!({ "user": { "id": {} } })] {
        assert_eq!(ann.refused("open-direct", body).await["code"], "invalid");
    }
    // The user in the request does not say who asks.
    let error = server.connect().await.refused("open-direct", with(&ann.id)).await;
    assert_error(&error, "unauthenticated", None);
    assert_eq!(ann.chats().await, json!([]));
    ann.nothing_more().await;
}

#[tokio::test]
async fn messages_go_only_to_the_two_users() {
    let server = TestServer::with_credentials(Access::Open).await;
    let mut eve = server.listener("eve").await;
    let mut bob = server.token_user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = open(&mut ann, &mut bob).await;
    let said = ann.say(&chat, "hello").await;
    assert_eq!(bob.next("new-message").await, said);
    bob.done("subscribe", channel(&chat)).await;
    for client in [&mut ann, &mut bob] {
        client.sees_join(&chat, "bob", 1).await;
    }
    let answer = bob.done("new-message", message(&chat, "hello, Ann")).await;
    assert_eq!(bob.next("chat-message").await, on_channel(&answer));
    assert_eq!(ann.next("new-message").await, answer);
    for client in [&mut ann, &mut bob] {
        let history = client.done("list-messages", of_chat(&chat)).await;
        assert_eq!(history["messages"], json!([said, answer]));
    }
    let listed = ann.done("list-chats", json!({})).await["chats"][0].take();
    assert_eq!((&listed["direct"], &listed["unread"]), (&json!(true), &json!(1)));
    ann.done("mark-read", of_chat(&chat)).await;
    let listed = ann.done("list-chats", json!({})).await["chats"][0].take();
    assert_eq!((&listed["last_seq"], &listed["unread"]), (&json!(2), &json!(0)));

    let error = eve.refused("new-message", message(&chat, "psst")).await;
    assert_error(&error, "not_found", Some("chat.id"));
    assert_eq!(eve.chats().await, json!([]));
    eve.nothing_more().await;
}

#[tokio::test]
async fn a_direct_chat_cannot_be_changed_joined_or_left() {
    let server = TestServer::start().await;
    let carl = server.user("carl").await.id;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = open(&mut ann, &mut bob).await;
    let (ann_id, bob_id) = (ann.id.clone(), bob.id.clone());
    let before = ann.done("list-chats", json!({})).await;
    for (client, other) in [(&mut ann, &bob_id), (&mut bob, &ann_id)] {
        for (event, body) in [
            ("join-chat", of_chat(&chat)),
            ("leave-chat", of_chat(&chat)),
            ("update-chat", json!({ "chat": { "id": chat, "private": false } })),
            ("update-chat", json!({ "chat": { "id": chat, "name": "ours" } })),
            ("remove-member", of_chat_and(&chat, other)),
            ("remove-member", of_chat_and(&chat, &carl)),
            ("invite", of_chat_and(&chat, &carl)),
            ("invite", of_chat_and(&chat, other)),
        ] {
            assert_error(&client.refused(event, body).await, "forbidden", None);
        }
    }
    assert_eq!(ann.done("list-chats", json!({})).await, before);
    // Another chat of the same two users is a different chat.
    let other = ann.make_private(&mut [&mut bob]).await;
    assert_ne!(other, chat);
    ann.nothing_more().await;
}

#[tokio::test]
async fn each_two_users_have_their_own_direct_chat() {
    let server = TestServer::start().await;
    let mut carl = server.user("carl").await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chats = [
        open(&mut ann, &mut bob).await,
        open(&mut bob, &mut carl).await,
        open(&mut carl, &mut ann).await,
    ];
    assert_ids(&ann.chats().await, [&chats[0], &chats[2]]);
    assert_ids(&bob.chats().await, [&chats[0], &chats[1]]);
    assert_ids(&carl.chats().await, [&chats[1], &chats[2]]);
}

#[tokio::test]
async fn two_long_names_make_a_chat_name_that_fits() {
    let server = TestServer::start().await;
    let (long, longer) = ("ä".repeat(255), "ö".repeat(255));
    let (mut ann, mut bob) = (server.user(&long).await, server.user(&longer).await);
    let chat = open(&mut ann, &mut bob).await;
    let listed = ann.done("list-chats", json!({})).await["chats"][0].take();
    assert_eq!(listed["id"], chat.as_str());
    assert_eq!(listed["name"].as_str().unwrap().chars().count(), 255);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_opened_by_both_users_at_once_is_one() {
    let server = TestServer::start().await;
    let mut clients = Vec::new();
    for name in ["ann", "bob"] {
        for _ in 0..4 {
            clients.push(server.user(name).await);
        }
    }
    let ids = (clients[0].id.clone(), clients[4].id.clone());
    let asked = clients.iter_mut().map(|client| {
        let other = if client.id == ids.0 { &ids.1 } else { &ids.0 };
        client.done("open-direct", with(other))
    });
    let opened = join_all(asked).await;
    assert!(opened.iter().all(|answer| answer["chat"]["id"] == opened[0]["chat"]["id"]));
    for client in &mut clients {
        assert_eq!(client.next("create-chat").await, as_pushed(opened[0].clone()));
        assert_eq!(client.chats().await, json!([opened[0]["chat"]["id"]]));
    }
    clients[0].nothing_more().await;
}
