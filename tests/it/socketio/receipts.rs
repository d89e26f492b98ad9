//! How far a user has read: what is unread, what others are told of it, and marking as unread.

use std::time::Instant;

use serde_json::{Value, json};

use crate::socketio::membership::update;
use crate::support::nodes::Nodes;
use crate::support::steps::{channel, of_chat};
use crate::support::{Client, TestServer, assert_error, message};

fn read(chat: &str, seq: i64) -> Value {
    json!({ "chat": { "id": chat }, "seq": seq })
}

fn unread(chat: &str, seq: i64) -> Value {
    json!({ "chat": { "id": chat }, "seq": seq, "unread": true })
}

fn receipt(chat: &str, of: &Client, read_seq: i64) -> Value {
    json!({ "chat": { "id": chat }, "user": { "id": of.id }, "read_seq": read_seq })
}

/// Sends so many messages, and takes the pushes that others get.
async fn say(client: &mut Client, chat: &str, times: usize, others: &mut [&mut Client]) {
    for _ in 0..times {
        client.say(chat, "hello").await;
        for other in others.iter_mut() {
            other.next("new-message").await;
        }
    }
}

#[tokio::test]
async fn a_read_mark_does_not_go_back() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("plans", true, &[&bob.id]).await;
    for text in ["1", "2", "3"] {
        ann.say(&chat, text).await;
    }
    bob.ask("new-message", message(&chat, "4, bob's own")).await;
    ann.ask("new-message", message(&chat, "5")).await;
    let read = |seq: Value| json!({ "chat": { "id": chat }, "seq": seq });
    let answer = bob.ask("mark-read", read(json!(2))).await;
    assert_eq!(answer, json!({ "chat": { "id": chat, "read_seq": 2, "unread": 2 } }));
    let answer = bob.ask("mark-read", read(json!(1))).await;
    assert_eq!(answer["chat"]["read_seq"], 2, "it never goes back");
    let answer = bob.ask("mark-read", read(json!(4))).await;
    assert_eq!(answer["chat"]["unread"], 1);
    let listed = bob.ask("list-chats", json!({})).await;
    assert_eq!(listed["chats"][0]["unread"], 1);
    let answer = bob.ask("mark-read", read(Value::Null)).await;
    assert_eq!(answer, json!({ "chat": { "id": chat, "read_seq": 5, "unread": 0 } }));
    let answer = bob.ask("mark-read", read(json!(99))).await;
    assert_eq!(answer["chat"]["read_seq"], 5, "nothing is read that is not there");
    ann.ask("new-message", message(&chat, "6")).await;
    let listed = bob.ask("list-chats", json!({})).await;
    assert_eq!(listed["chats"][0]["unread"], 1);
}

#[tokio::test]
async fn the_users_other_sockets_get_the_read_mark() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let bob = server.user("bob").await;
    let chat = ann.chat("plans", true, &[&bob.id]).await;
    ann.say(&chat, "1").await;
    let (mut tab1, mut tab2) = (server.user("bob").await, server.user("bob").await);
    let answer = tab1.ask("mark-read", json!({ "chat": { "id": chat } })).await;
    assert_eq!(ann.next("read").await["read_seq"], 1);
    assert_eq!(tab2.next("mark-read").await, answer);
    tab1.nothing_more().await;
    ann.nothing_more().await;
    tab1.tell("mark-read", json!({ "chat": { "id": chat } })).await;
    assert_eq!(tab1.next("mark-read").await, answer, "the answer, as there was no ack");
    tab1.nothing_more().await;
}

#[tokio::test]
async fn only_members_can_mark_as_read() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("open", false, &[]).await;
    ann.say(&chat, "1").await;
    let mut bob = server.user("bob").await;
    let of_chat = json!({ "chat": { "id": chat } });
    assert_error(&bob.refused("mark-read", of_chat.clone()).await, "forbidden", None);
    let page = bob.ask("list-messages", of_chat.clone()).await;
    assert_eq!(page["messages"][0]["seq"], 1, "but all may read it");
    bob.ask("join-chat", of_chat).await;
    let listed = bob.ask("list-chats", json!({})).await;
    assert_eq!(listed["chats"][0]["unread"], 0, "what was said before one came is read");
}

#[tokio::test]
async fn other_members_see_how_far_a_member_has_read() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut tab = server.user("bob").await;
    let mut cat = server.user("cat").await;
    let chat = ann.make_public(&mut [&mut bob, &mut tab]).await;
    // A user who is in the room, but is no member, gets no receipts.
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
    bob.done_at_once([2, 5, 3, 4].map(|seq| ("mark-read", read(&chat, seq)))).await;
    assert_eq!(ann.next("read").await, receipt(&chat, &bob, 5), "the last of a second");
    assert!(begun.elapsed().as_secs_f64() > 0.9, "{:?}", begun.elapsed());
    // Marking the same as read again sends no receipt.
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
async fn marking_as_unread_is_not_shown_to_others() {
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
    // It can go further back, but not forward.
    assert_eq!(bob.done("mark-read", unread(&chat, 1)).await["chat"]["unread"], 4);
    tab.next("mark-read").await;
    let answer = bob.done("mark-read", unread(&chat, 5)).await;
    assert_eq!(answer, json!({ "chat": { "id": chat, "read_seq": 0, "unread": 4 } }));

    // New messages add to the count, and reading on reduces it.
    say(&mut bob, &chat, 1, &mut [&mut ann, &mut tab]).await;
    assert_eq!(unread_of(&mut bob).await, 4);
    say(&mut ann, &chat, 1, &mut [&mut bob, &mut tab]).await;
    assert_eq!(unread_of(&mut bob).await, 5);
    let answer = bob.done("mark-read", read(&chat, 4)).await;
    assert_eq!(answer, json!({ "chat": { "id": chat, "read_seq": 4, "unread": 2 } }));
    tab.next("mark-read").await;
    // Reading the same again sends no receipt: ann's next one is for new messages.
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
async fn a_large_chat_pushes_no_receipts() {
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
    // With one member fewer, receipts are sent.
    let removed = json!({ "chat": { "id": chat }, "user": { "id": ids[1] } });
    ann.done("remove-member", removed).await;
    // An earlier receipt may come only now.
    ann.next_of("remove-member").await;
    bob.next("remove-member").await;
    bob.done("mark-read", read(&chat, 2)).await;
    while ann.next("read").await != receipt(&chat, &bob, 2) {}
}

#[tokio::test]
async fn members_on_another_node_get_receipts() {
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

#[tokio::test]
async fn unread_messages_are_counted_in_all_chats_but_muted_ones() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let count = async |ann: &mut Client| {
        let unread = ann.done("count-unread", json!({})).await;
        (unread["chats"].as_i64().unwrap(), unread["messages"].as_i64().unwrap())
    };
    assert_eq!(count(&mut ann).await, (0, 0));
    let mut chats = Vec::new();
    for name in ["one", "two", "three"] {
        chats.push(ann.chat(name, true, &[&bob.id]).await);
        bob.next("create-chat").await;
    }
    for (chat, times) in [(0, 1), (1, 2)] {
        for _ in 0..times {
            bob.say(&chats[chat], "hello").await;
        }
    }
    ann.done("new-message", message(&chats[2], "one's own")).await;
    assert_eq!(count(&mut ann).await, (2, 3));
    ann.done("update-membership", update(&chats[1], json!({ "muted": true }))).await;
    assert_eq!(count(&mut ann).await, (1, 1));
    ann.done("mark-read", of_chat(&chats[0])).await;
    assert_eq!(count(&mut ann).await, (0, 0));
    ann.done("update-membership", update(&chats[1], json!({ "muted": false }))).await;
    assert_eq!(count(&mut ann).await, (1, 2));
    let mut nobody = server.connect().await;
    let error = nobody.refused("count-unread", json!({})).await;
    assert_error(&error, "unauthenticated", None);
}
