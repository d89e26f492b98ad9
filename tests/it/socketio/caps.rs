//! How many chats, invitations and seats a user may have.

use serde_json::{Value, json};

use crate::support::rpc::{room_of, state};
use crate::support::steps::{of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error};

async fn three_chats_each() -> TestServer {
    TestServer::with_limits(|limits| limits.max_chats_per_user = 3).await
}

/// Fails unless a client is refused one more chat.
async fn has_all_chats(client: &mut Client) {
    let new = json!({ "chat": { "name": "one more" }, "users": [] });
    assert_error(&client.refused("create-chat", new).await, "too_large", Some("chat"));
}

#[tokio::test]
async fn the_number_of_a_users_chats_is_limited() {
    let server = three_chats_each().await;
    let mut bob = server.user("bob").await;
    let open = bob.chat("open", false, &[]).await;
    let other = bob.chat("other", false, &[]).await;
    let mut ann = server.user("ann").await;
    ann.chat("one", true, &[]).await;
    ann.chat("two", true, &[]).await;
    let invitation = bob.invite(&other, &ann.id).await;
    ann.next("invitation").await;
    ann.done("join-chat", of_chat(&open)).await;
    has_all_chats(&mut ann).await;
    for (event, body) in [
        ("join-chat", of_chat(&other)),
        ("open-direct", json!({ "user": { "id": bob.id } })),
        ("accept-invitation", json!({ "invitation": { "id": invitation["id"] } })),
    ] {
        assert_error(&ann.refused(event, body).await, "too_large", Some("chat"));
    }
    // Joining or leaving the chats that she has already is no further chat.
    ann.done("join-chat", of_chat(&open)).await;
    ann.done("leave-chat", of_chat(&open)).await;
    ann.done("join-chat", of_chat(&other)).await;
    has_all_chats(&mut ann).await;
}

#[tokio::test]
async fn a_chat_counts_for_its_creator_and_not_for_added_members() {
    let server = three_chats_each().await;
    let mut bob = server.user("bob").await;
    let mut chats = Vec::new();
    for name in ["eve", "mallory"] {
        let mut stranger = server.user(name).await;
        for at in 0..3 {
            chats.push(stranger.chat(&at.to_string(), true, &[&bob.id]).await);
        }
        has_all_chats(&mut stranger).await;
        // While bob is still in it, the chat still counts.
        stranger.done("leave-chat", of_chat(chats.last().unwrap())).await;
        has_all_chats(&mut stranger).await;
        bob.done("leave-chat", of_chat(chats.last().unwrap())).await;
        stranger.chat("in its place", true, &[&bob.id]).await;
    }
    for name in ["one", "two", "three"] {
        let body = json!({ "chat": { "name": name }, "users": [] });
        bob.done("create-chat", body).await;
    }
    has_all_chats(&mut bob).await;
    let new = json!({ "users": [], "chat": { "name": "none" } });
    assert_error(&bob.refused("create-chat", new).await, "too_large", Some("chat"));
}

#[tokio::test]
async fn channels_and_rooms_count_as_chats() {
    let server = three_chats_each().await;
    let mut ann = server.chatter("ann").await;
    for channel in ["a", "b", "c"] {
        ann.ask(json!({ "type": 4, "channel": channel })).await;
    }
    let refused = ann.ask(json!({ "type": 4, "channel": "d" })).await;
    assert_eq!(refused["code"], "too_large", "{refused}");
    // After a reconnect, a channel that the user is a member of can be joined again.
    ann.tell(json!({ "type": 3 })).await;
    ann.closed().await;
    let mut again = server.chatter("ann").await;
    let joined = again.ask(json!({ "type": 4, "channel": "a" })).await;
    assert_eq!(joined, json!({ "type": 4, "channel": "a", "user": "ann" }));

    server.new_user("ann").await;
    let error = server.fault("NewRoom", json!([state("ann", "0")])).await;
    assert_eq!(error["data"]["code"], "too_large", "{error}");
    let bobs = server.in_new_room("bob").await;
    let enter = json!([state("ann", "0"), room_of(&bobs)]);
    assert_eq!(server.fault("EnterRoom", enter).await["data"]["code"], "too_large");
}

#[tokio::test]
async fn the_logged_in_users_of_an_address_are_limited() {
    let server = TestServer::with(|config| {
        config.limits.max_seats_per_address = 2;
        config.api_key = Some("the service's key".into());
    })
    .await;
    server.new_user("ann").await;
    let room = server.in_new_room("bob").await;
    let error = server.fault("NewUser", json!(["cat"])).await;
    assert_eq!(error["data"]["code"], "too_large", "{error}");
    let key = "Authorization: Bearer the service's key\r\n";
    server.call_as(key, "NewUser", json!(["dan"])).await;
    // A user who leaves makes room for another.
    for seat in [state("dan", "0"), room.clone(), state("bob", "0")] {
        server.call("LeaveRoom", json!([seat])).await;
    }
    server.new_user("cat").await;
    let error = server.fault("NewUser", json!(["eve"])).await;
    assert_eq!(error["data"]["code"], "too_large", "{error}");
}

#[tokio::test]
async fn open_invitations_are_limited() {
    let server = TestServer::with_limits(|limits| {
        limits.max_invitations_per_inviter = 2;
        limits.max_invitations_per_invitee = 3;
    })
    .await;
    let mut cat = server.user("cat").await;
    let mut invitations = Vec::new();
    for name in ["ann", "bob"] {
        let mut inviter = server.user(name).await;
        let mut chats = Vec::new();
        for at in 0..3 {
            chats.push(inviter.chat(&at.to_string(), true, &[]).await);
        }
        for (at, chat) in chats.iter().enumerate() {
            let answer = inviter.ask("invite", of_chat_and(chat, &cat.id)).await;
            match (answer.get("error"), invitations.len(), at) {
                (None, ..) => invitations.push(answer["invitation"]["id"].clone()),
                (Some(error), 3, _) if name == "bob" => {
                    assert_error(error, "conflict", Some("user.id"));
                }
                (Some(error), _, 2) => assert_error(error, "too_large", Some("user.id")),
                (Some(error), ..) => panic!("{error}"),
            }
        }
    }
    assert_eq!(invitations.len(), 3);
    // An answered invitation makes room for another.
    let first = json!({ "invitation": { "id": invitations[0] } });
    cat.done("decline-invitation", first).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("again", true, &[]).await;
    ann.invite(&chat, &cat.id).await;
}

#[tokio::test]
async fn invitations_are_listed_newest_first_in_pages() {
    let server = TestServer::start().await;
    let mut cat = server.user("cat").await;
    let mut ann = server.user("ann").await;
    let mut made = Vec::new();
    for at in 0..5 {
        let chat = ann.chat(&at.to_string(), true, &[]).await;
        made.push(ann.invite(&chat, &cat.id).await["id"].clone());
    }
    let (mut listed, mut before, mut sizes) = (Vec::new(), Value::Null, Vec::new());
    loop {
        let page = cat.done("list-invitations", json!({ "limit": 2, "before": before })).await;
        let ids = page["invitations"].as_array().unwrap().iter().map(|it| it["id"].clone());
        sizes.push(ids.len());
        listed.extend(ids);
        match page.get("next") {
            Some(next) => before = next.clone(),
            None => break,
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    listed.reverse();
    assert_eq!(listed, made);
    let error = cat.refused("list-invitations", json!({ "before": "nonsense" })).await;
    assert_error(&error, "invalid", Some("before"));
    // A new socket is shown them in the order in which they came.
    let mut again = server.user("cat").await;
    for id in &made {
        assert_eq!(again.next("invitation").await["invitation"]["id"], *id);
    }
}

#[tokio::test]
async fn a_list_of_nicks_is_one_page_and_up_to_date() {
    // As many nicks as fit, with the JSON around them.
    let server = TestServer::with_limits(|limits| limits.max_page_bytes = 20).await;
    let mut ann = server.chatter("ann").await;
    let list = json!({ "type": 6 });
    assert_eq!(ann.ask(list.clone()).await["users"], json!(["ann"]));
    let mut others = Vec::new();
    for nick in ["dan", "bob", "cat"] {
        others.push(server.chatter(nick).await);
        assert_eq!(ann.next().await, json!({ "type": 2, "user": nick }));
        assert!(ann.ask(list.clone()).await["users"].as_array().unwrap().len() <= others.len() + 1);
    }
    assert_eq!(ann.ask(list.clone()).await["users"], json!(["ann", "bob", "cat"]));
    others[1].tell(json!({ "type": 3 })).await;
    assert_eq!(ann.next().await, json!({ "type": 3, "user": "bob" }));
    assert_eq!(ann.ask(list).await["users"], json!(["ann", "cat", "dan"]));
}
