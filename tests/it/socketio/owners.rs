//! What the owner of a chat may do: change it, and remove members.

use serde_json::{Value, json};

use crate::support::steps::{NO_ID, assert_ids, assert_presence, channel, of_chat, of_chat_and};
use crate::support::{TestServer, as_pushed, assert_error, message};

#[tokio::test]
async fn a_change_affects_only_the_fields_that_it_names() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let body = json!({ "name": "plans", "description": "all of them" });
    let made = ann.done("create-chat", json!({ "chat": body, "users": [] })).await["chat"].take();
    let mut expected = made.clone();
    for changes in [
        json!({ "name": "new plans" }),
        json!({ "description": "the best of them" }),
        json!({ "private": false }),
        json!({ "name": null, "description": null, "private": null }),
        json!({ "name": "open plans", "private": true, "user": "x", "team_id": "x" }),
        json!({}),
    ] {
        for (field, value) in changes.as_object().unwrap() {
            if !value.is_null() && !["user", "team_id"].contains(&field.as_str()) {
                expected[field] = value.clone();
            }
        }
        let mut body = changes.clone();
        body["id"] = made["id"].clone();
        let changed = ann.done("update-chat", json!({ "chat": body })).await["chat"].take();
        expected["modified_at"] = changed["modified_at"].clone();
        assert_eq!(changed, expected, "{changes}");
    }
    assert_ne!(expected["modified_at"], made["modified_at"]);
    assert_eq!(ann.done("list-chats", json!({})).await["chats"][0], expected);
}

#[tokio::test]
async fn an_empty_description_removes_it() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let body = json!({ "name": "plans", "description": "all of them" });
    let chat = ann.make(body, &mut []).await;
    let body = json!({ "chat": { "id": chat, "description": "" } });
    let changed = ann.done("update-chat", body).await;
    assert_eq!(changed["chat"]["description"], Value::Null);
}

#[tokio::test]
async fn all_sockets_of_the_room_get_a_change() {
    let server = TestServer::start().await;
    let (mut bob, mut tab) = (server.user("bob").await, server.user("bob").await);
    let (mut eve, mut nobody) = (server.user("eve").await, server.connect().await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut [&mut bob]).await;
    tab.next("create-chat").await;
    nobody.done("subscribe", channel(&chat)).await;
    let body = json!({ "chat": { "id": chat, "name": "new" } });
    let changed = ann.done("update-chat", body.clone()).await;
    for client in [&mut ann, &mut bob, &mut tab, &mut nobody] {
        assert_eq!(client.next("update-chat").await, as_pushed(changed.clone()));
    }
    ann.tell("update-chat", body).await;
    assert_eq!(ann.next("update-chat").await["chat"]["name"], "new");
    ann.nothing_more().await;
    eve.nothing_more().await;
}

#[tokio::test]
async fn a_chat_can_be_opened_and_closed() {
    let server = TestServer::start().await;
    let mut eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut []).await;
    ann.say(&chat, "hello").await;
    let private = |private: bool| json!({ "chat": { "id": chat, "private": private } });
    let error = eve.refused("list-messages", of_chat(&chat)).await;
    assert_error(&error, "not_found", Some("chat.id"));
    ann.done("update-chat", private(false)).await;
    let page = eve.done("list-messages", of_chat(&chat)).await;
    assert_eq!(page["messages"][0]["msg"], "hello");
    ann.done("update-chat", private(true)).await;
    assert_eq!(eve.refused("list-messages", of_chat(&chat)).await, error);
    assert_eq!(eve.refused("join-chat", of_chat(&chat)).await, error);
}

#[tokio::test]
async fn an_owner_who_left_is_no_owner_after_coming_back() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut [&mut bob]).await;
    let rename = json!({ "chat": { "id": chat, "name": "new" } });
    ann.done("leave-chat", of_chat(&chat)).await;
    assert_error(&ann.refused("update-chat", rename.clone()).await, "forbidden", None);
    let error = ann.refused("remove-member", of_chat_and(&chat, &bob.id)).await;
    assert_error(&error, "forbidden", None);
    ann.done("join-chat", of_chat(&chat)).await;
    assert_error(&ann.refused("update-chat", rename.clone()).await, "forbidden", None);
    bob.done("update-chat", rename).await;
    bob.done("remove-member", of_chat_and(&chat, &ann.id)).await;
}

#[tokio::test]
async fn a_removed_member_is_told_and_gets_no_more_messages() {
    let server = TestServer::start().await;
    let (mut one, mut two) = (server.user("bob").await, server.user("bob").await);
    let mut cat = server.user("cat").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut one, &mut cat]).await;
    two.next("create-chat").await;
    let removed = ann.done("remove-member", of_chat_and(&chat, &one.id)).await;
    assert_eq!(removed["chat"]["id"], chat);
    assert_ids(&removed["chat"]["users"], [&ann.id, &cat.id]);
    for client in [&mut ann, &mut cat, &mut one, &mut two] {
        assert_eq!(client.next("remove-member").await, as_pushed(removed.clone()));
    }
    let said = ann.say(&chat, "without Bob").await;
    assert_eq!(cat.next("new-message").await, said);
    assert_eq!(one.chats().await, json!([]));
    one.nothing_more().await;
    // The last chat that one tab makes is also shown to the other.
    assert_eq!(two.next("create-chat").await["chat"]["name"], "the last event");
}

#[tokio::test]
async fn a_removal_without_an_ack_is_one_event() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    ann.tell("remove-member", of_chat_and(&chat, &bob.id)).await;
    assert_eq!(ann.next("remove-member").await["chat"]["users"], json!([ann.id]));
    ann.nothing_more().await;
    // The request named bob, but the socket still acts as ann.
    assert_eq!(ann.say(&chat, "still Ann").await["user_id"], ann.id.as_str());
}

#[tokio::test]
async fn only_another_member_can_be_removed() {
    let server = TestServer::start().await;
    let (mut bob, eve) = (server.user("bob").await, server.user("eve").await);
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    for (user, code) in [(&ann.id.clone(), "conflict"), (&eve.id, "conflict")] {
        let error = ann.refused("remove-member", of_chat_and(&chat, user)).await;
        assert_error(&error, code, Some("user.id"));
    }
    let error = ann.refused("remove-member", of_chat_and(&chat, NO_ID)).await;
    assert_error(&error, "not_found", Some("user.id"));
    ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
    let error = ann.refused("remove-member", of_chat_and(&chat, &bob.id)).await;
    assert_error(&error, "conflict", Some("user.id"));
}

#[tokio::test]
async fn a_removed_member_is_no_participant_any_more() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    bob.done("subscribe", channel(&chat)).await;
    ann.sees_join(&chat, "bob", 1).await;
    ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
    assert_presence(&ann.next_of("participant-leave").await, &chat, "bob", 0);
    ann.done("new-message", message(&chat, "psst")).await;

    // Bob is invited back, and his subscription has ended.
    let invitation = ann.invite(&chat, &bob.id).await;
    let body = json!({ "invitation": { "id": invitation["id"] } });
    bob.done("accept-invitation", body).await;
    let error = bob.refused("unsubscribe", channel(&chat)).await;
    assert_error(&error, "conflict", Some("channel"));
    ann.done("new-message", message(&chat, "welcome back")).await;
    assert_eq!(bob.next_of("new-message").await["msg"], "welcome back");
    bob.done("subscribe", channel(&chat)).await;
    ann.done("new-message", message(&chat, "have a seat")).await;
    assert_eq!(bob.next_of("chat-message").await["msg"], "have a seat");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_subscribes_while_removed_gets_nothing() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let mut chats = Vec::new();
    for _ in 0..30 {
        chats.push(ann.make_private(&mut [&mut bob]).await);
    }
    for chat in chats {
        let subscribed = bob.request("subscribe", channel(&chat)).await;
        let removed = ann.request("remove-member", of_chat_and(&chat, &bob.id)).await;
        bob.answer(subscribed).await;
        ann.answer(removed).await;
        ann.done("new-message", message(&chat, "psst")).await;
        let open = json!({ "chat": { "id": chat, "private": false } });
        ann.done("update-chat", open).await;
        bob.done("subscribe", channel(&chat)).await;
        ann.done("new-message", message(&chat, "hello")).await;
        assert_eq!(bob.next_of("chat-message").await["msg"], "hello");
    }
}

#[tokio::test]
async fn a_removed_member_of_a_public_chat_may_join_again() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut [&mut bob]).await;
    ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
    for client in [&mut ann, &mut bob] {
        client.next("remove-member").await;
    }
    let error = bob.refused("new-message", message(&chat, "hello?")).await;
    assert_error(&error, "forbidden", None);
    bob.done("join-chat", of_chat(&chat)).await;
    let said = bob.say(&chat, "hello again").await;
    assert_eq!(ann.next("new-message").await, said);
}

#[tokio::test]
async fn a_removed_member_in_the_room_is_told_once_and_leaves_it() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.make_public(&mut [&mut bob]).await;
    for name in ["first", "second"] {
        bob.done("subscribe", channel(&chat)).await;
        ann.done("update-chat", json!({ "chat": { "id": chat, "name": name } })).await;
        let removed = ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
        assert_eq!(removed["chat"]["name"], name);
        assert_eq!(bob.next_of("remove-member").await, as_pushed(removed.clone()));
        assert_presence(&ann.next_of("participant-leave").await, &chat, "bob", 0);
        let error = bob.refused("unsubscribe", channel(&chat)).await;
        assert_error(&error, "conflict", Some("channel"));
        bob.done("join-chat", of_chat(&chat)).await;
    }
}
