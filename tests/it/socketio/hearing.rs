//! Channels: what a subscriber of a room or of the system channel is shown, and for how long.

use serde_json::{Value, json};

use crate::support::steps::{assert_presence, channel, of_chat, on_channel};
use crate::support::{TestServer, assert_error, message};

#[tokio::test]
async fn without_an_ack_the_answer_is_an_event() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    for (event, participants) in [("subscribe", 1), ("unsubscribe", 0)] {
        ann.tell(event, channel(&chat)).await;
        assert_eq!(ann.next_of(event).await["participants"], participants);
    }
    ann.tell("unsubscribe", channel(&chat)).await;
    assert_eq!(ann.next_of("exception").await["event"], "unsubscribe");
}

#[tokio::test]
async fn a_subscribed_socket_gets_chat_message_in_place_of_new_message() {
    let server = TestServer::start().await;
    let (mut bob, mut tab) = (server.user("bob").await, server.user("bob").await);
    let (mut eve, mut nobody) = (server.user("eve").await, server.connect().await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut [&mut bob]).await;
    tab.next("create-chat").await;
    eve.done("subscribe", channel(&chat)).await;
    bob.done("subscribe", channel(&chat)).await;
    nobody.done("subscribe", channel(&chat)).await;
    for client in [&mut ann, &mut bob, &mut tab, &mut eve] {
        client.sees_join(&chat, "eve", 1).await;
        client.sees_join(&chat, "bob", 2).await;
    }

    let said = ann.say(&chat, "hello").await;
    assert_eq!(tab.next("new-message").await, said, "each socket has its own subscriptions");
    for subscribed in [&mut bob, &mut eve, &mut nobody] {
        assert_eq!(subscribed.next("chat-message").await, on_channel(&said));
    }
    let said = bob.done("new-message", message(&chat, "hello, Ann")).await;
    assert_eq!(said.get("channel"), None, "the answer is the message");
    for subscribed in [&mut bob, &mut eve, &mut nobody] {
        assert_eq!(subscribed.next("chat-message").await, on_channel(&said));
    }
    for other in [&mut ann, &mut tab] {
        assert_eq!(other.next("new-message").await, said);
    }

    bob.done("unsubscribe", channel(&chat)).await;
    for client in [&mut ann, &mut bob, &mut tab, &mut eve, &mut nobody] {
        client.sees_leave(&chat, "bob", 1).await;
    }
    let said = ann.say(&chat, "and again").await;
    for member in [&mut bob, &mut tab] {
        assert_eq!(member.next("new-message").await, said);
    }
    for subscribed in [&mut eve, &mut nobody] {
        assert_eq!(subscribed.next("chat-message").await, on_channel(&said));
    }
    eve.nothing_more().await;
}

#[tokio::test]
async fn a_subscriber_without_an_ack_gets_the_answer_and_the_push() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    ann.done("subscribe", channel(&chat)).await;
    ann.sees_join(&chat, "ann", 1).await;
    ann.tell("new-message", message(&chat, "hello")).await;
    let events = [ann.next_event().await, ann.next_event().await];
    let mut names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.sort();
    assert_eq!(names, ["chat-message", "new-message"]);
    assert!(events.iter().all(|(_, body)| body["msg"] == "hello"), "{events:?}");
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_socket_of_two_members_gets_each_message_once() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    ann.done("subscribe", channel(&chat)).await;
    ann.sees_join(&chat, "ann", 1).await;
    ann.done("list-chats", json!({ "user": { "id": bob.id } })).await;
    let said = ann.done("new-message", message(&chat, "as Bob")).await;
    assert_eq!(said["user_id"], bob.id.as_str());
    assert_eq!(ann.next("chat-message").await, on_channel(&said));
    ann.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribing_and_unsubscribing_loses_and_doubles_nothing() {
    const MESSAGES: u64 = 50;
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let mut last = 0;
    for at in 0..MESSAGES {
        let event = if at % 2 == 0 { "subscribe" } else { "unsubscribe" };
        bob.request(event, channel(&chat)).await;
        last = ann.request("new-message", message(&chat, "hello")).await;
    }
    ann.answer(last).await;
    ann.done("new-message", message(&chat, "the end")).await;
    let (mut seqs, mut end) = (Vec::new(), false);
    while !end {
        let frame = bob.frame().await;
        let Some((event, body)) = event(&frame) else {
            continue;
        };
        match event.as_str() {
            "new-message" => assert_eq!(body.get("channel"), None),
            "chat-message" => assert_eq!(body["channel"], body["room"]),
            _ => continue,
        }
        seqs.push(body["seq"].as_u64().unwrap());
        end = body["msg"] == "the end";
    }
    assert_eq!(seqs, Vec::from_iter(1..=MESSAGES + 1));
}

/// The event in a frame; none if it is an answer.
fn event(frame: &str) -> Option<(String, Value)> {
    serde_json::from_str(frame.strip_prefix("42")?).ok()
}

#[tokio::test]
async fn a_subscriber_that_joins_or_leaves_the_chat_stays_subscribed() {
    let server = TestServer::start().await;
    let mut eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut []).await;
    eve.done("subscribe", channel(&chat)).await;
    for client in [&mut ann, &mut eve] {
        client.sees_join(&chat, "eve", 1).await;
    }
    for event in ["join-chat", "leave-chat"] {
        eve.done(event, of_chat(&chat)).await;
        let said = ann.say(&chat, event).await;
        assert_eq!(eve.next("chat-message").await, on_channel(&said));
    }
    eve.nothing_more().await;
}

#[tokio::test]
async fn public_chats_are_announced_on_the_system_channel() {
    let server = TestServer::start().await;
    let mut bob = server.listener("bob").await;
    let mut nobody = server.connect().await;
    let mut ann = server.listener("ann").await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    for chat in [
        json!({ "name": "private" }),
        json!({ "name": "of a team", "private": false, "team_id": team }),
        json!({ "name": "public", "private": false }),
    ] {
        ann.done("create-chat", json!({ "chat": chat, "users": [] })).await;
    }
    let room = ann.done("list-chats", json!({ "limit": 1 })).await["chats"][0].take();
    let announced = bob.next("chatroom").await;
    assert_eq!(announced["channel"], "system");
    assert_eq!(announced["request_type"], "chatroom");
    for field in ["id", "name", "private", "user", "participants", "created_at"] {
        assert_eq!(announced["room"][field], room[field], "{field}");
    }
    assert!(announced["room"].get("users").is_none(), "{announced}");
    assert_eq!(announced["room"]["name"], "public");
    assert_eq!(ann.next_of("chatroom").await, announced, "its creator hears of it too");

    // A client that has not said which user it is was shown none of this.
    let user = json!({ "external_id": "eve", "name": "eve", "photo": "" });
    nobody.done("create-user", json!({ "user": user })).await;
    nobody.nothing_more().await;
    bob.nothing_more().await;
}

#[tokio::test]
async fn a_socket_can_unsubscribe_from_the_system_channel() {
    let server = TestServer::start().await;
    let (mut bob, mut tab) = (server.listener("bob").await, server.listener("bob").await);
    let mut ann = server.user("ann").await;
    let system = json!({ "channel": "system" });
    assert_eq!(bob.done("subscribe", system.clone()).await, system, "one is there already");
    assert_eq!(bob.done("unsubscribe", system.clone()).await, system);
    let error = bob.refused("unsubscribe", system.clone()).await;
    assert_error(&error, "conflict", Some("channel"));
    let first = ann.make_public(&mut []).await;
    assert_eq!(tab.next("chatroom").await["room"]["id"], first, "his other tab has not left");
    assert_eq!(bob.done("subscribe", system.clone()).await, system);
    let second = ann.make_public(&mut []).await;
    assert_eq!(bob.next("chatroom").await["room"]["id"], second);
}

#[tokio::test]
async fn a_chat_made_private_is_closed_to_others() {
    let server = TestServer::start().await;
    let (mut bob, mut eve) = (server.user("bob").await, server.user("eve").await);
    let mut nobody = server.connect().await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut [&mut bob]).await;
    for client in [&mut bob, &mut eve, &mut nobody] {
        client.done("subscribe", channel(&chat)).await;
    }
    let private = |private: bool| json!({ "chat": { "id": chat, "private": private } });
    ann.done("update-chat", private(true)).await;
    assert_presence(&ann.next_of("participant-leave").await, &chat, "eve", 1);
    ann.done("new-message", message(&chat, "psst")).await;
    assert_eq!(bob.next_of("chat-message").await["msg"], "psst", "members stay");
    for client in [&mut eve, &mut nobody] {
        let error = client.refused("unsubscribe", channel(&chat)).await;
        assert_error(&error, "not_found", Some("channel"));
    }
    ann.done("update-chat", private(false)).await;
    for client in [&mut eve, &mut nobody] {
        let error = client.refused("unsubscribe", channel(&chat)).await;
        assert_error(&error, "conflict", Some("channel"));
        client.done("subscribe", channel(&chat)).await;
    }
    ann.done("new-message", message(&chat, "hello again")).await;
    for client in [&mut eve, &mut nobody] {
        assert_eq!(client.next_of("chat-message").await["msg"], "hello again");
    }
}

#[tokio::test]
async fn leaving_a_private_chat_ends_the_subscriptions_of_all_tabs() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.user("bob").await, server.user("bob").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut one]).await;
    for tab in [&mut one, &mut two] {
        tab.done("subscribe", channel(&chat)).await;
    }
    ann.sees_join(&chat, "bob", 1).await;
    one.done("leave-chat", of_chat(&chat)).await;
    ann.sees_leave(&chat, "bob", 0).await;
    ann.say(&chat, "psst").await;

    let invitation = ann.invite(&chat, &one.id).await;
    let accept = json!({ "invitation": { "id": invitation["id"] } });
    one.done("accept-invitation", accept).await;
    let said = ann.say(&chat, "welcome back").await;
    for tab in [&mut one, &mut two] {
        let error = tab.refused("unsubscribe", channel(&chat)).await;
        assert_error(&error, "conflict", Some("channel"));
        assert_eq!(tab.next_of("new-message").await, said);
        tab.done("subscribe", channel(&chat)).await;
    }
    ann.done("new-message", message(&chat, "have a seat")).await;
    for tab in [&mut one, &mut two] {
        assert_eq!(tab.next_of("chat-message").await["msg"], "have a seat");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribing_while_a_chat_becomes_private_reveals_nothing() {
    let server = TestServer::start().await;
    let mut eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let private = |chat: &str, private: bool| json!({ "chat": { "id": chat, "private": private } });
    let mut chats = Vec::new();
    for _ in 0..30 {
        chats.push(ann.make_public(&mut []).await);
    }
    for chat in chats {
        let subscribed = eve.request("subscribe", channel(&chat)).await;
        let closed = ann.request("update-chat", private(&chat, true)).await;
        eve.answer(subscribed).await;
        ann.answer(closed).await;
        ann.done("new-message", message(&chat, "psst")).await;
        ann.done("update-chat", private(&chat, false)).await;
        eve.done("subscribe", channel(&chat)).await;
        ann.done("new-message", message(&chat, "hello")).await;
        assert_eq!(eve.next_of("chat-message").await["msg"], "hello");
    }
}

#[tokio::test]
async fn the_rooms_of_a_socket_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_socket_rooms = 1).await;
    let mut ann = server.user("ann").await;
    let (one, two) = (ann.make_private(&mut []).await, ann.make_private(&mut []).await);
    let there = ann.done("subscribe", channel(&one)).await;
    let error = ann.refused("subscribe", channel(&two)).await;
    assert_error(&error, "too_large", Some("channel"));
    assert_eq!(ann.done("subscribe", channel(&one)).await, there, "it is there already");
    ann.done("unsubscribe", channel(&one)).await;
    ann.done("subscribe", channel(&two)).await;
}
