//! The participants of a room, from the first socket of each user to the last.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::steps::{assert_presence, channel, of_chat, sorted};
use crate::support::{TestServer, assert_error};

#[tokio::test]
async fn a_subscriber_is_told_the_participants() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let room = format!("room-{chat}");
    let user = |id: &str, name: &str| json!({ "id": id, "name": name, "photo": "" });
    let alone = json!({ "channel": room, "participants": 1, "users": [user(&bob.id, "bob")] });
    assert_eq!(bob.done("subscribe", channel(&chat)).await, alone);
    let join = json!({
        "channel": room, "room": room, "user": user(&bob.id, "bob"), "participants": 1,
    });
    assert_eq!(bob.next("participant-join").await, join);
    assert_eq!(ann.next("participant-join").await, join, "members hear of it, subscribed or not");

    let both = ann.done("subscribe", channel(&chat)).await;
    assert_eq!(both["participants"], 2);
    assert_eq!(sorted(&both["users"], "name"), ["ann", "bob"]);
    for client in [&mut ann, &mut bob] {
        let join = client.next("participant-join").await;
        assert_eq!(join["user"]["name"], "ann");
        assert_eq!(join["participants"], 2);
    }

    assert_eq!(ann.done("unsubscribe", channel(&chat)).await, alone);
    let leave = json!({
        "channel": room, "room": room, "user": user(&ann.id, "ann"), "participants": 1,
    });
    assert_eq!(ann.next("participant-leave").await, leave, "she is still a member");
    assert_eq!(bob.next("participant-leave").await, leave);
    let error = ann.refused("unsubscribe", channel(&chat)).await;
    assert_error(&error, "conflict", Some("channel"));
    bob.nothing_more().await;
}

#[tokio::test]
async fn subscribing_twice_changes_nothing() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    let once = ann.done("subscribe", channel(&chat)).await;
    assert_eq!(ann.done("subscribe", channel(&chat)).await, once);
    ann.sees_join(&chat, "ann", 1).await;
    ann.done("unsubscribe", channel(&chat)).await;
    ann.sees_leave(&chat, "ann", 0).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_user_is_a_participant_from_the_first_tab_to_the_last() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.user("bob").await, server.user("bob").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut one]).await;
    two.next("create-chat").await;
    let here = one.done("subscribe", channel(&chat)).await;
    assert_eq!(two.done("subscribe", channel(&chat)).await, here);
    let here = one.done("unsubscribe", channel(&chat)).await;
    assert_eq!(here["participants"], 1, "the other tab is still there");
    assert_eq!(here["users"][0]["id"], one.id.as_str());
    let here = two.done("unsubscribe", channel(&chat)).await;
    assert_eq!(here["participants"], 0);
    assert_eq!(here["users"], json!([]));
    for client in [&mut ann, &mut one, &mut two] {
        client.sees_join(&chat, "bob", 1).await;
        client.sees_leave(&chat, "bob", 0).await;
    }
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_socket_that_dies_silently_leaves_its_rooms() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.user("bob").await, server.user("bob").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut one]).await;
    let only_one = ann.make_private(&mut [&mut one]).await;
    one.done("subscribe", channel(&chat)).await;
    ann.sees_join(&chat, "bob", 1).await;
    two.done("subscribe", channel(&chat)).await;
    one.done("subscribe", channel(&only_one)).await;
    ann.sees_join(&only_one, "bob", 1).await;
    drop(one);
    // The end of this tab is shown where it was alone; where the other one is, nothing is shown.
    ann.sees_leave(&only_one, "bob", 0).await;
    ann.nothing_more().await;
    drop(two);
    ann.sees_leave(&chat, "bob", 0).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_socket_that_disconnects_leaves_its_rooms() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    // By leaving the namespace, and by closing the transport.
    for goodbye in ["41", "1"] {
        let mut bob = server.user("bob").await;
        bob.done("subscribe", channel(&chat)).await;
        ann.sees_join(&chat, "bob", 1).await;
        bob.send(goodbye).await;
        ann.sees_leave(&chat, "bob", 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joins_and_leaves_of_racing_tabs_alternate() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    let tabs = join_all((0..8).map(|_| server.user("bob"))).await;
    join_all(tabs.into_iter().map(async |mut tab| {
        for _ in 0..10 {
            tab.done("subscribe", channel(&chat)).await;
            tab.done("unsubscribe", channel(&chat)).await;
        }
    }))
    .await;
    let here = ann.done("subscribe", channel(&chat)).await;
    assert_eq!(here["participants"], 1);
    loop {
        let join = ann.next("participant-join").await;
        if join["user"]["id"] == ann.id.as_str() {
            break assert_presence(&join, &chat, "ann", 1);
        }
        assert_presence(&join, &chat, "bob", 1);
        ann.sees_leave(&chat, "bob", 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_sockets_leave_at_once() {
    const USERS: usize = 100;
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    let names: Vec<_> = (0..USERS * 2).map(|at| format!("user {}", at % USERS)).collect();
    let sockets = join_all(names.iter().map(async |name| {
        let mut socket = server.user(name).await;
        socket.done("subscribe", channel(&chat)).await;
        socket
    }))
    .await;
    for there in 1..=USERS {
        assert_eq!(ann.next("participant-join").await["participants"], there);
    }
    assert_eq!(ann.done("list-chats", json!({})).await["chats"][0]["participants"], USERS);
    drop(sockets);
    for there in (0..USERS).rev() {
        assert_eq!(ann.next("participant-leave").await["participants"], there);
    }
    ann.say(&chat, "still here").await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_socket_without_a_user_listens_and_is_not_counted() {
    let server = TestServer::start().await;
    let mut nobody = server.connect().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    let here = nobody.done("subscribe", channel(&chat)).await;
    assert_eq!(here, json!({ "channel": format!("room-{chat}"), "participants": 0, "users": [] }));
    ann.done("subscribe", channel(&chat)).await;
    nobody.sees_join(&chat, "ann", 1).await;
    ann.sees_join(&chat, "ann", 1).await;

    ann.done("unsubscribe", channel(&chat)).await;
    nobody.sees_leave(&chat, "ann", 0).await;
    ann.sees_leave(&chat, "ann", 0).await;
    nobody.done("unsubscribe", channel(&chat)).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_socket_may_name_its_user_after_it_has_subscribed() {
    let server = TestServer::start().await;
    let mut nobody = server.connect().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    nobody.done("subscribe", channel(&chat)).await;
    let user = json!({ "external_id": "bob", "name": "bob", "photo": "" });
    nobody.done("create-user", json!({ "user": user })).await;
    let mut bob = nobody;
    bob.done("join-chat", of_chat(&chat)).await;
    // Saying which user the client is does not yet make the subscription that user's.
    ann.nothing_more().await;
    assert_eq!(bob.done("subscribe", channel(&chat)).await["participants"], 1);
    ann.sees_join(&chat, "bob", 1).await;
    // The subscription is now the member's, and stays when the chat becomes private.
    ann.done("update-chat", json!({ "chat": { "id": chat, "private": true } })).await;
    ann.next("update-chat").await;
    assert_eq!(bob.done("unsubscribe", channel(&chat)).await["participants"], 0);
    ann.sees_leave(&chat, "bob", 0).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn the_participant_is_the_sockets_user_when_it_subscribed() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    let mut socket = server.connect().await;
    let mut body = channel(&chat);
    body["user"] = json!({ "id": bob.id });
    socket.done("subscribe", body.clone()).await;
    ann.sees_join(&chat, "bob", 1).await;
    body["user"] = json!({ "id": ann.id });
    let here = socket.done("subscribe", body).await;
    assert_eq!(here["participants"], 1);
    assert_eq!(here["users"][0]["id"], bob.id.as_str());
    socket.done("unsubscribe", channel(&chat)).await;
    ann.sees_leave(&chat, "bob", 0).await;
    socket.done("subscribe", channel(&chat)).await;
    ann.sees_join(&chat, "ann", 1).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn every_chat_shows_its_number_of_participants() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.listener("ann").await;
    let body = json!({ "chat": { "name": "news", "private": false }, "users": [] });
    let chat = ann.done("create-chat", body).await["chat"].take();
    assert_eq!(chat["participants"], 0);
    assert_eq!(ann.next_of("chatroom").await["room"]["participants"], 0);
    let chat = chat["id"].as_str().unwrap();
    bob.done("subscribe", channel(chat)).await;
    eve.done("subscribe", channel(chat)).await;
    assert_eq!(ann.done("list-chats", json!({})).await["chats"][0]["participants"], 2);
    let new_name = json!({ "chat": { "id": chat, "name": "new" } });
    assert_eq!(ann.done("update-chat", new_name).await["chat"]["participants"], 2);
    assert_eq!(ann.next_of("update-chat").await["chat"]["participants"], 2);
    assert_eq!(bob.next_of("update-chat").await["chat"]["participants"], 2);
    assert_eq!(bob.done("join-chat", of_chat(chat)).await["chat"]["participants"], 2);
    assert_eq!(bob.done("leave-chat", of_chat(chat)).await["chat"]["participants"], 2);
    drop(eve);
    ann.next_of("participant-leave").await;
    assert_eq!(ann.done("list-chats", json!({})).await["chats"][0]["participants"], 1);
}

#[tokio::test]
async fn a_room_has_no_participants_after_a_restart() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    ann.done("subscribe", channel(&chat)).await;
    bob.done("subscribe", channel(&chat)).await;
    let directory = server.shutdown().await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut ann = server.user("ann").await;
    assert_eq!(ann.done("list-chats", json!({})).await["chats"][0]["participants"], 0);
    let here = ann.done("subscribe", channel(&chat)).await;
    assert_eq!(here["participants"], 1);
    assert_eq!(sorted(&here["users"], "name"), ["ann"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_put_out_of_a_room_can_come_back_at_once() {
    let server = TestServer::start().await;
    let mut eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let mut chats = Vec::new();
    for _ in 0..30 {
        chats.push(ann.make_public(&mut []).await);
    }
    for chat in chats {
        let private = |private: bool| json!({ "chat": { "id": chat, "private": private } });
        eve.done("subscribe", channel(&chat)).await;
        ann.done("update-chat", private(true)).await;
        // By now she has been taken out of the room.
        ann.next_of("update-chat").await;
        ann.request("update-chat", private(false)).await;
        while eve.ask("subscribe", channel(&chat)).await.get("error").is_some() {}
        for _ in 0..10 {
            let there = ann.done("join-chat", of_chat(&chat)).await;
            assert_eq!(there["chat"]["participants"], 1, "she stays");
        }
    }
}
