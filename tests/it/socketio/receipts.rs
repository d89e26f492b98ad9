//! How far others have read, and going back to read again.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::steps::{channel, of_chat};
use crate::support::{Client, TestServer, assert_error};

fn read(chat: &str, seq: i64) -> Value {
    json!({ "chat": { "id": chat }, "seq": seq })
}

fn unread(chat: &str, seq: i64) -> Value {
    json!({ "chat": { "id": chat }, "seq": seq, "unread": true })
}

fn receipt(chat: &str, of: &Client, read_seq: i64) -> Value {
    json!({ "chat": { "id": chat }, "user": { "id": of.id }, "read_seq": read_seq })
}

/// Says so many things, and others take the pushes.
async fn say(client: &mut Client, chat: &str, times: usize, others: &mut [&mut Client]) {
    for _ in 0..times {
        client.say(chat, "hello").await;
        for other in others.iter_mut() {
            other.next("new-message").await;
        }
    }
}

#[tokio::test]
async fn the_other_members_see_how_far_one_has_read() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut tab = server.user("bob").await;
    let mut cat = server.user("cat").await;
    let chat = ann.make_public(&mut [&mut bob, &mut tab]).await;
    // Who is in the room and is no member is not told.
    cat.done("subscribe", channel(&chat)).await;
    for client in [&mut ann, &mut bob, &mut tab, &mut cat] {
        client.next("participant-join").await;
    }
    for _ in 0..6 {
        ann.say(&chat, "hello").await;
        bob.next("new-message").await;
        tab.next("new-message").await;
        cat.next("chat-message").await;
    }
    let begun = Instant::now();
    bob.done("mark-read", read(&chat, 1)).await;
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 1));
    for seq in [2, 5, 3, 4] {
        bob.done("mark-read", read(&chat, seq)).await;
    }
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 5), "the last of a second");
    assert!(begun.elapsed().as_secs_f64() > 0.9, "{:?}", begun.elapsed());
    // Nothing new is no news.
    bob.done("mark-read", read(&chat, 5)).await;
    bob.done("mark-read", of_chat(&chat)).await;
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 6));
    for _ in 0..3 {
        tab.next("mark-read").await;
    }
    tab.next("mark-read").await;
    for client in [&mut ann, &mut bob, &mut tab, &mut cat] {
        client.nothing_more().await;
    }
}

#[tokio::test]
async fn one_goes_back_for_oneself_alone() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut tab = server.user("bob").await;
    let chat = ann.make_private(&mut [&mut bob, &mut tab]).await;
    say(&mut ann, &chat, 3, &mut [&mut bob, &mut tab]).await;
    say(&mut bob, &chat, 2, &mut [&mut ann, &mut tab]).await;
    say(&mut ann, &chat, 1, &mut [&mut bob, &mut tab]).await;
    bob.done("mark-read", of_chat(&chat)).await;
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 6));
    tab.next("mark-read").await;

    let answer = bob.done("mark-read", unread(&chat, 3)).await;
    let expected = json!({ "chat": { "id": chat, "read_seq": 2, "unread": 2 } });
    assert_eq!(answer, expected, "one's own two stay read");
    assert_eq!(tab.next("mark-read").await, answer);
    let unread_of = async |bob: &mut Client| {
        bob.done("list-chats", json!({})).await["chats"][0]["unread"].as_i64().unwrap()
    };
    assert_eq!(unread_of(&mut bob).await, 2);
    // Further back, and not forward.
    assert_eq!(bob.done("mark-read", unread(&chat, 1)).await["chat"]["unread"], 4);
    tab.next("mark-read").await;
    let answer = bob.done("mark-read", unread(&chat, 5)).await;
    assert_eq!(answer, json!({ "chat": { "id": chat, "read_seq": 0, "unread": 4 } }));

    // What comes adds to it, and reading on takes from it.
    say(&mut bob, &chat, 1, &mut [&mut ann, &mut tab]).await;
    assert_eq!(unread_of(&mut bob).await, 4);
    say(&mut ann, &chat, 1, &mut [&mut bob, &mut tab]).await;
    assert_eq!(unread_of(&mut bob).await, 5);
    let answer = bob.done("mark-read", read(&chat, 4)).await;
    assert_eq!(answer, json!({ "chat": { "id": chat, "read_seq": 4, "unread": 2 } }));
    tab.next("mark-read").await;
    // Nobody is told of what was read before: the next that ann hears is of what is new.
    bob.done("mark-read", read(&chat, 8)).await;
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 8));
    tab.next("mark-read").await;
    for client in [&mut ann, &mut bob, &mut tab] {
        client.nothing_more().await;
    }
    bob.done("mark-read", unread(&chat, 2)).await;
    let members = ann.done("list-members", of_chat(&chat)).await;
    let members = members["members"].as_array().unwrap().iter();
    let of_bob = members.filter(|it| it["user"]["id"] == bob.id.as_str());
    assert_eq!(Vec::from_iter(of_bob.map(|it| &it["read_seq"])), [8], "a receipt stays");
    let error = bob.refused("mark-read", json!({ "chat": { "id": chat }, "unread": true })).await;
    assert_error(&error, "invalid", Some("seq"));
}

#[tokio::test]
async fn in_a_large_chat_nobody_is_told() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut others = Vec::new();
    for number in 0..99 {
        others.push(json!({ "external_id": number.to_string(), "name": "x", "photo": "" }));
    }
    let mut ids = vec![bob.id.clone()];
    let mut maker = server.connect().await;
    for user in others {
        let made = maker.done("create-user", json!({ "user": user })).await;
        ids.push(made["user"]["id"].as_str().unwrap().to_owned());
    }
    let body = json!({ "chat": { "name": "large", "private": true }, "users": ids });
    let chat = ann.done("create-chat", body).await["chat"]["id"].as_str().unwrap().to_owned();
    ann.next("create-chat").await;
    bob.next("create-chat").await;
    say(&mut ann, &chat, 2, &mut [&mut bob]).await;
    bob.done("mark-read", read(&chat, 1)).await;
    // One fewer, and they are.
    let removed = json!({ "chat": { "id": chat }, "user": { "id": ids[1] } });
    ann.done("remove-member", removed).await;
    // What was read just before may be told only now.
    ann.next_of("remove-member").await;
    bob.next("remove-member").await;
    bob.done("mark-read", read(&chat, 2)).await;
    while ann.next("read").await != receipt(&chat, &bob, 2) {}
}

#[tokio::test]
async fn members_on_another_node_are_told() {
    let Some(nodes) = Nodes::start(2).await else {
        return;
    };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    say(&mut ann, &chat, 2, &mut [&mut bob]).await;
    bob.done("mark-read", of_chat(&chat)).await;
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 2));
    bob.done("mark-read", unread(&chat, 1)).await;
    bob.done("mark-read", of_chat(&chat)).await;
    ann.nothing_more().await;
    bob.nothing_more().await;
}
