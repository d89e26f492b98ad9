//! New chats, members and messages reach the users concerned, on whichever node they are.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::crowd::{Crowd, UNBOUNDED};
use crate::support::nodes::Processes;
use crate::support::steps::{channel, of_chat, on_channel};
use crate::support::{Client, as_pushed, message};

#[tokio::test]
async fn changes_on_one_node_are_pushed_on_the_others() {
    let Some(nodes) = Processes::start(3).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let mut tab = nodes[2].user("bob").await;
    let mut all = nodes[2].listener("somebody").await;

    let body = json!({ "chat": { "name": "ours" }, "users": [bob.id] });
    let made = ann.done("create-chat", body).await;
    let chat = made["chat"]["id"].as_str().unwrap().to_owned();
    for client in [&mut ann, &mut bob, &mut tab] {
        assert_eq!(client.next("create-chat").await, as_pushed(made.clone()));
    }
    let said = ann.say(&chat, "hello").await;
    for client in [&mut bob, &mut tab] {
        assert_eq!(client.next("new-message").await, said);
    }
    let read = bob.done("mark-read", of_chat(&chat)).await;
    assert_eq!(ann.next("read").await["read_seq"], 1);
    assert_eq!(tab.next("mark-read").await, read);
    let change = json!({ "chat": { "id": chat, "name": "new" } });
    let changed = ann.done("update-chat", change).await;
    for client in [&mut ann, &mut bob, &mut tab] {
        assert_eq!(client.next("update-chat").await["chat"]["name"], changed["chat"]["name"]);
    }

    let open = json!({ "chat": { "name": "open", "private": false }, "users": [] });
    let made = ann.done("create-chat", open).await;
    ann.next("create-chat").await;
    let chat = made["chat"]["id"].as_str().unwrap().to_owned();
    let announced = all.next("chatroom").await;
    assert_eq!(announced["room"]["id"], chat);
    // A new member is shown what comes after, at once, and so is a user who only subscribes.
    bob.done("join-chat", of_chat(&chat)).await;
    all.done("subscribe", channel(&chat)).await;
    let said = ann.ask("new-message", message(&chat, "welcome")).await;
    for client in [&mut bob, &mut tab] {
        // The `participant-join` of the subscription comes before.
        assert_eq!(client.next_of("new-message").await, said);
    }
    assert_eq!(all.next_of("chat-message").await, on_channel(&said));

    let body = json!({ "chat": { "name": "by invitation" }, "users": [] });
    let made = ann.done("create-chat", body).await;
    let chat = made["chat"]["id"].as_str().unwrap().to_owned();
    ann.invite(&chat, &bob.id).await;
    let invitation = tab.next_of("invitation").await;
    assert_eq!(bob.next_of("invitation").await, invitation);
    let answer = json!({ "invitation": { "id": invitation["invitation"]["id"] } });
    tab.done("accept-invitation", answer).await;
    let said = ann.ask("new-message", message(&chat, "welcome")).await;
    for client in [&mut bob, &mut tab] {
        assert_eq!(client.next("new-message").await, said);
    }
    nodes.assert_no_defect();
}

#[tokio::test]
async fn a_new_direct_chat_reaches_the_other_user_on_another_node() {
    let Some(nodes) = Processes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    for round in 0..10 {
        let mut other = nodes[1].user(&format!("other{round}")).await;
        let opened = ann.done("open-direct", json!({ "user": { "id": other.id } })).await;
        let chat = opened["chat"]["id"].as_str().unwrap();
        ann.next("create-chat").await;
        let said = ann.say(chat, "hello").await;
        assert_eq!(other.next("create-chat").await["chat"]["id"], chat);
        assert_eq!(other.next("new-message").await, said);
        let answer = other.say(chat, "hello yourself").await;
        assert_eq!(ann.next("new-message").await, answer);
    }
    nodes.assert_no_defect();
}

#[tokio::test]
async fn a_sender_gets_all_pushes_before_its_node_knows_the_chat() {
    let Some(nodes) = Processes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let mut tab = nodes[1].user("eve").await;
    for _ in 0..20 {
        let body = json!({ "chat": { "name": "ours" }, "users": [bob.id, tab.id] });
        let made = ann.done("create-chat", body).await;
        let chat = made["chat"]["id"].as_str().unwrap();
        bob.request("new-message", message(chat, "one")).await;
        ann.request("new-message", message(chat, "two")).await;
        bob.request("new-message", message(chat, "three")).await;
        for client in [&mut ann, &mut bob, &mut tab] {
            assert_eq!(client.next("create-chat").await["chat"]["id"], chat);
            for seq in 1..=3 {
                assert_eq!(client.next("new-message").await["seq"], seq);
            }
        }
    }
    nodes.assert_no_defect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_members_on_three_nodes_get_every_message() {
    let Some(nodes) = Processes::with(3, &UNBOUNDED).await else { return };
    const MEMBERS: usize = 999;
    // Only some members have a socket.
    let mut clients: Vec<Client> = Vec::new();
    let mut maker = nodes[0].connect().await;
    for member in 0..MEMBERS {
        let user = json!({ "id": format!("user{member}"), "name": "x", "photo": "" });
        maker.request("create-user", json!({ "user": user })).await;
    }
    maker.done("list-chats", json!({})).await;
    for member in 0..300 {
        let mut client = nodes[member % 3].connect().await;
        client.request("list-chats", json!({ "user": { "id": format!("user{member}") } })).await;
        clients.push(client);
    }
    for client in &mut clients {
        client.done("unsubscribe", json!({ "channel": "system" })).await;
    }
    drop(maker);
    let users: Vec<_> = (0..MEMBERS).map(|member| format!("user{member}")).collect();
    let mut owner = nodes[0].user("owner").await;
    let body = json!({ "chat": { "name": "large" }, "users": users });
    let made = owner.done("create-chat", body).await;
    let chat = made["chat"]["id"].as_str().unwrap().to_owned();
    for text in ["one", "two", "three"] {
        clients[1].request("new-message", message(&chat, text)).await;
    }
    let hear = clients.iter_mut().map(async |client| {
        assert_eq!(client.next("create-chat").await["chat"]["id"], chat);
        for seq in 1..=3 {
            assert_eq!(client.next("new-message").await["seq"], seq);
        }
    });
    join_all(hear).await;
    nodes.assert_no_defect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_miss_nothing_while_others_come_and_go() {
    let Some(nodes) = Processes::with(3, &UNBOUNDED).await else { return };
    let crowd = Crowd::gather(&nodes, 4, 2).await;
    let visits = (0..6).map(async |at| {
        for visit in 0..12 {
            crowd.visit(at + visit, &format!("hearer{at}"), visit).await;
        }
    });
    join_all(visits).await;
    let outcome = crowd.end().await;
    assert!(outcome.errors.is_empty(), "{outcome:?}");
    assert_eq!(outcome.resumed, 0, "{outcome:?}");
    nodes.assert_no_defect();
}
