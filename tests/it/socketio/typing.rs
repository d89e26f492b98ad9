//! `typing`

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::steps::{of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error};

pub fn typing(chat: &str, on: bool) -> Value {
    json!({ "chat": { "id": chat }, "on": on })
}

/// The push that others get of a user who is typing.
pub fn seen(chat: &str, of: &Client, name: &str, on: bool) -> Value {
    json!({ "chat": { "id": chat }, "user": { "id": of.id, "name": name }, "on": on })
}

#[tokio::test]
async fn others_see_who_is_typing_until_it_ends() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut tab = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob, &mut tab]).await;
    let mut guest = server.user("guest").await;

    assert_eq!(ann.done("typing", of_chat(&chat)).await, json!({}));
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", true));
    // Typing again at once is not pushed.
    ann.done("typing", typing(&chat, true)).await;
    ann.done("typing", typing(&chat, false)).await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", false));
    // Typing has ended already: this is not pushed.
    ann.done("typing", typing(&chat, false)).await;

    // A message ends typing without a push of its own.
    ann.done("typing", typing(&chat, true)).await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", true));
    ann.say(&chat, "hello").await;
    bob.next("new-message").await;
    ann.done("typing", typing(&chat, false)).await;

    // After some time typing ends by itself.
    ann.done("typing", typing(&chat, true)).await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", true));
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", false));

    bob.nothing_more().await;
    tab.next("new-message").await;
    tab.nothing_more().await;
    guest.nothing_more().await;
}

#[tokio::test]
async fn typing_on_and_off_is_pushed_no_more_often() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    let begun = Instant::now();
    let on_and_off = (0..21).map(|at| ("typing", typing(&chat, at % 2 == 0)));
    ann.done_at_once(on_and_off).await;
    for on in [true, false, true] {
        assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", on));
    }
    assert!(begun.elapsed() >= Duration::from_secs(2));
    // A message is pushed at once; typing that begins after it has to wait.
    ann.say(&chat, "hello").await;
    ann.done("typing", typing(&chat, true)).await;
    bob.next("new-message").await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", true));
    assert!(begun.elapsed() >= Duration::from_secs(4));
    // Typing that was not pushed ends without a push.
    ann.done("typing", typing(&chat, false)).await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", false));
    ann.done("typing", typing(&chat, true)).await;
    ann.done("typing", typing(&chat, false)).await;
    // It is not pushed even after its 2 s: those of the other chat end later.
    let other = ann.make_private(&mut [&mut bob]).await;
    for on in [true, false, true] {
        ann.done("typing", typing(&other, on)).await;
    }
    for on in [true, false, true] {
        assert_eq!(bob.next("typing").await, seen(&other, &ann, "ann", on));
    }
    bob.nothing_more().await;
}

#[tokio::test]
async fn a_blocker_does_not_see_typing_right_after_a_message() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let direct = ann.done("open-direct", json!({ "user": { "id": bob.id } })).await;
    let chat = direct["chat"]["id"].as_str().unwrap().to_owned();
    bob.next("create-chat").await;
    bob.done("typing", of_chat(&chat)).await;
    assert_eq!(ann.next_of("typing").await, seen(&chat, &bob, "bob", true));
    bob.say(&chat, "hello").await;
    ann.done("block-user", json!({ "user": { "id": bob.id } })).await;
    assert_error(&bob.refused("typing", of_chat(&chat)).await, "forbidden", None);
}

#[tokio::test]
async fn a_member_who_was_refused_first_is_seen_typing_later() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    ann.done("mute-member", of_chat_and(&chat, &bob.id)).await;
    ann.heard();
    assert_error(&bob.refused("typing", of_chat(&chat)).await, "forbidden", None);
    ann.done("unmute-member", of_chat_and(&chat, &bob.id)).await;
    assert_eq!(ann.take_event("typing"), None, "he may not, and is seen");
    bob.done("typing", of_chat(&chat)).await;
    for on in [true, false] {
        assert_eq!(ann.next_of("typing").await, seen(&chat, &bob, "bob", on));
    }
}

#[tokio::test]
async fn typing_ends_for_the_user_who_blocks() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let direct = ann.done("open-direct", json!({ "user": { "id": bob.id } })).await;
    let chat = direct["chat"]["id"].as_str().unwrap().to_owned();
    bob.next("create-chat").await;
    bob.done("typing", of_chat(&chat)).await;
    assert_eq!(ann.next_of("typing").await, seen(&chat, &bob, "bob", true));
    ann.done("block-user", json!({ "user": { "id": bob.id } })).await;
    assert_eq!(ann.next_of("typing").await, seen(&chat, &bob, "bob", false));
    let signal = json!({ "chat": { "id": chat }, "data": 1 });
    assert_error(&bob.refused("signal", signal).await, "forbidden", None);
}
