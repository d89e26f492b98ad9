//! Acts of one client of which many clients get pushes: these are combined, left out or refused
//! before they cost the others too much.

use std::num::NonZeroU32;

use serde_json::json;

use crate::support::chatter::of_nick;
use crate::support::steps::{channel, of_chat, sorted};
use crate::support::{Client, TestServer, assert_error};

/// A room with more participants gets one push a second about all changes.
const LARGE: usize = 200;

fn public(name: &str) -> serde_json::Value {
    json!({ "chat": { "name": name, "private": false }, "users": [] })
}

/// A new user in the room of a chat.
async fn guest(server: &TestServer, chat: &str, number: usize) -> Client {
    let mut guest = server.user(&format!("guest{number}")).await;
    guest.done("subscribe", channel(chat)).await;
    guest
}

#[tokio::test]
async fn joins_of_a_large_room_are_pushed_together() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("the square", false, &[]).await;
    ann.done("subscribe", channel(&chat)).await;
    ann.next("participant-join").await;
    let mut guests = Vec::new();
    for number in 2..=LARGE + 20 {
        guests.push(guest(&server, &chat, number).await);
    }

    for there in 2..=LARGE {
        assert_eq!(ann.next("participant-join").await["participants"], there);
    }
    let (mut named, mut there) = (0, LARGE);
    while named < 20 {
        let told = ann.next("participants").await;
        assert_eq!(told["channel"], format!("room-{chat}"));
        assert_eq!(told["room"], told["channel"]);
        assert_eq!((&told["left"], told.get("more")), (&json!([]), None));
        named += told["joined"].as_array().unwrap().len();
        let count = told["participants"].as_u64().unwrap();
        assert!(count as usize > there, "{told}");
        there = count as usize;
    }
    assert_eq!((named, there), (20, LARGE + 20));

    // A guest who leaves and comes back in between is not in the push; the others are.
    let mut gone = guests.pop().unwrap();
    gone.done("unsubscribe", channel(&chat)).await;
    let mut back = guests.pop().unwrap();
    back.done("unsubscribe", channel(&chat)).await;
    back.done("subscribe", channel(&chat)).await;
    let told = ann.next("participants").await;
    assert_eq!(sorted(&told["left"], "id"), [gone.id.as_str()], "{told}");
    assert_eq!((&told["joined"], &told["participants"]), (&json!([]), &json!(LARGE + 19)));
    drop(guests);
}

#[tokio::test]
async fn a_push_of_many_joins_names_only_some() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("the square", false, &[]).await;
    ann.done("subscribe", channel(&chat)).await;
    let mut guests = Vec::new();
    for number in 2..=LARGE + 130 {
        guests.push(server.user(&format!("guest{number}")).await);
    }
    for guest in &mut guests {
        guest.request("subscribe", channel(&chat)).await;
    }
    let (mut there, mut more) = (0, false);
    while there < LARGE + 130 {
        let (event, told) = ann.next_event().await;
        there = told["participants"].as_u64().unwrap() as usize;
        if event == "participants" {
            let named = told["joined"].as_array().unwrap().len();
            assert!(named <= 50, "{named}");
            more |= told["more"] == true;
        }
    }
    assert!(more, "so many do not come in 50 a second");
}

#[tokio::test]
async fn many_new_public_chats_are_not_all_announced() {
    let server = TestServer::with_limits(|limits| {
        limits.announcements_per_user = 0;
        limits.announced_per_second = NonZeroU32::MIN;
    });
    let server = server.await;
    let mut eve = server.listener("eve").await;
    let mut ann = server.user("ann").await;
    let mut made = 0;
    let requests =
        (0..60).map(|number| format!("42{}", json!(["create-chat", public(&number.to_string())])));
    ann.send_many(requests).await;
    for _ in 0..60 {
        ann.next("create-chat").await;
        made += 1;
    }
    let (mut announced, mut missed) = (0, 0);
    while missed == 0 || announced + missed < made {
        ann.chat("another", false, &[]).await;
        made += 1;
        // Announcements up to now come before the answer to this.
        eve.done("list-chats", json!({ "user": { "id": eve.id } })).await;
        while let Some(told) = eve.take_event("chatroom") {
            announced += 1;
            missed += told["missed"].as_u64().unwrap_or(0);
            assert!(told["room"].get("users").is_none(), "{told}");
        }
    }
    assert_eq!(announced + missed, made);
}

#[tokio::test]
async fn announcements_to_everybody_have_their_own_limit() {
    let server = TestServer::with_limits(|limits| limits.announcements_per_user = 2).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("one", false, &[]).await;
    ann.chat("two", false, &[]).await;
    let error = ann.refused("create-chat", public("three")).await;
    assert_error(&error, "rate_limited", None);
    assert!(error["retry_after_ms"].as_u64().unwrap() > 0);
    ann.chat("a private one", true, &[]).await;
    ann.say(&chat, "messages have another").await;
    let mut bob = server.user("bob").await;
    bob.chat("another user's", false, &[]).await;
    bob.done("join-chat", of_chat(&chat)).await;

    let mut cat = server.chatter("cat").await;
    cat.tell(json!({ "type": 4, "channel": "first" })).await;
    cat.next().await;
    cat.tell(json!({ "type": 4, "channel": "second" })).await;
    cat.next().await;
    cat.refused(json!({ "type": 4, "channel": "third" }), "rate_limited", None).await;
    cat.refused(json!({ "type": 2, "user": "tom" }), "rate_limited", None).await;
    let mut dog = server.chatter("dog").await;
    assert_eq!(cat.next().await, of_nick(2, "dog"));
    dog.tell(json!({ "type": 4, "channel": "first" })).await;
    dog.next().await;
}

#[tokio::test]
async fn an_address_has_ten_times_the_limit_of_a_user() {
    let server = TestServer::with_limits(|limits| limits.announcements_per_user = 1).await;
    for number in 0..10 {
        server.user(&format!("user{number}")).await.chat("one", false, &[]).await;
    }
    let error = server.user("ann").await.refused("create-chat", public("one more")).await;
    assert_error(&error, "rate_limited", None);
}

#[tokio::test]
async fn announcements_of_a_node_are_limited() {
    let server = TestServer::with_limits(|limits| {
        (limits.announcements_per_user, limits.announcements_per_node) = (0, 3);
    });
    let server = server.await;
    for name in ["ann", "bob", "cat"] {
        server.user(name).await.chat(name, false, &[]).await;
    }
    let error = server.user("dog").await.refused("create-chat", public("dog")).await;
    assert_error(&error, "rate_limited", None);
}
