//! Chats: how they are made, listed, joined and left, and what clients are told of them.

use serde_json::{Value, json};

use crate::socketio::roles::Chat;
use crate::support::nodes::Nodes;
use crate::support::{Client, TestServer, as_pushed, assert_error, message};

#[tokio::test]
async fn is_made_private_with_its_creator_as_a_member() {
    let server = TestServer::start().await;
    let bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let body = json!({ "chat": { "name": "plans" }, "users": [bob.id, bob.id, ann.id] });
    let chat = ann.ask("create-chat", body).await["chat"].take();
    assert_eq!(chat["name"], "plans");
    assert_eq!(chat["description"], Value::Null);
    assert_eq!(chat["private"], true);
    assert_eq!(chat["team_id"], Value::Null);
    assert_eq!(chat["user"], ann.id.as_str());
    assert_eq!(chat["users"], json!([bob.id, ann.id]), "by id: that is, by age");
    assert_eq!(chat["created_at"], chat["modified_at"]);
    let chat = json!({ "name": "news", "description": "all of it", "private": false });
    let chat = ann.ask("create-chat", json!({ "chat": chat, "users": [] })).await["chat"].take();
    assert_eq!(chat["description"], "all of it");
    assert_eq!(chat["private"], false);
    assert_eq!(chat["users"], json!([ann.id]));
}

#[tokio::test]
async fn its_members_get_the_event_and_the_messages_after_it() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut eve = server.user("eve").await;
    let mut ann = server.user("ann").await;
    let body = json!({ "chat": { "name": "plans" }, "users": [bob.id] });
    let answer = ann.ask("create-chat", body).await;
    assert_eq!(ann.next("create-chat").await, as_pushed(answer.clone()));
    assert_eq!(bob.next("create-chat").await, as_pushed(answer.clone()));
    let chat = answer["chat"]["id"].as_str().unwrap();
    let said = ann.say(chat, "hello").await;
    assert_eq!(bob.next("new-message").await, said);
    eve.nothing_more().await;
}

#[tokio::test]
async fn without_an_ack_its_creator_gets_one_event() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    ann.tell("create-chat", json!({ "chat": { "name": "one" }, "users": [] })).await;
    assert_eq!(ann.next("create-chat").await["chat"]["name"], "one");
    ann.nothing_more().await;
}

#[tokio::test]
async fn names_every_unknown_user_at_once() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let body = json!({ "chat": { "name": "x" }, "users": ["no-1", ann.id, "no-2"] });
    let error = ann.refused("create-chat", body).await;
    assert_error(&error, "not_found", Some("users"));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("no-1") && message.contains("no-2"), "{message}");
    assert!(!message.contains(&ann.id), "{message}");
    assert_eq!(ann.ask("list-chats", json!({})).await["chats"], json!([]));
}

#[tokio::test]
async fn are_listed_latest_activity_first_in_pages() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut chats = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        chats.push(ann.chat(name, true, &[]).await);
    }
    ann.say(&chats[1], "b is the latest").await;
    ann.say(&chats[3], "now d is").await;
    let (mut names, mut sizes, mut before) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let page = ann.ask("list-chats", json!({ "limit": 2, "before": before })).await;
        let chats = page["chats"].as_array().unwrap();
        sizes.push(chats.len());
        names.extend(chats.iter().map(|chat| chat["name"].as_str().unwrap().to_owned()));
        match page.get("next") {
            Some(next) => before = next.clone(),
            None => break,
        }
    }
    assert_eq!(names, ["d", "b", "e", "c", "a"]);
    assert_eq!(sizes, [2, 2, 1]);
}

#[tokio::test]
async fn a_page_of_chats_is_bounded_in_bytes() {
    let server = TestServer::with_limits(|limits| limits.max_page_bytes = 5000).await;
    let mut ann = server.user("ann").await;
    for name in ["a", "b", "c"] {
        let chat = json!({ "name": name, "description": "x".repeat(3000) });
        ann.ask("create-chat", json!({ "chat": chat, "users": [] })).await;
    }
    let page = ann.ask("list-chats", json!({})).await;
    assert_eq!(page["chats"].as_array().unwrap().len(), 1);
    let page = ann.ask("list-chats", json!({ "before": page["next"] })).await;
    assert_eq!(page["chats"][0]["name"], "b");
}

#[tokio::test]
async fn a_list_shows_members_and_unread_messages() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("plans", true, &[&bob.id]).await;
    ann.say(&chat, "one").await;
    ann.say(&chat, "two").await;
    let listed = bob.ask("list-chats", json!({})).await["chats"][0].take();
    assert_eq!(listed["id"], chat.as_str());
    assert_eq!(listed["last_seq"], 2);
    assert_eq!(listed["unread"], 2);
    assert_eq!(listed["users"], json!([bob.id, ann.id]));
    let own = ann.ask("list-chats", json!({})).await["chats"][0].take();
    assert_eq!(own["unread"], 0, "one's own messages are read");
}

#[tokio::test]
async fn a_public_chat_can_be_joined_and_left() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("open", false, &[]).await;
    let of_chat = json!({ "chat": { "id": chat } });
    let mut bob = server.user("bob").await;
    let error = bob.refused("new-message", message(&chat, "not yet")).await;
    assert_error(&error, "forbidden", None);

    let joined = bob.ask("join-chat", of_chat.clone()).await;
    assert_eq!(joined["chat"]["users"], json!([ann.id, bob.id]));
    assert_eq!(
        bob.ask("join-chat", of_chat.clone()).await,
        joined,
        "joining twice changes nothing"
    );
    bob.say(&chat, "here I am").await;
    ann.next("new-message").await;

    let left = bob.ask("leave-chat", of_chat.clone()).await;
    assert_eq!(left["chat"]["users"], json!([ann.id]));
    assert_error(&bob.refused("leave-chat", of_chat).await, "conflict", Some("chat.id"));
    let error = bob.refused("new-message", message(&chat, "no more")).await;
    assert_error(&error, "forbidden", None);
    ann.say(&chat, "gone").await;
    bob.nothing_more().await;
    let chats = bob.ask("list-chats", json!({})).await["chats"].take();
    let names: Vec<_> = chats.as_array().unwrap().iter().map(|chat| &chat["name"]).collect();
    assert_eq!(names, ["the last event"]);
}

#[tokio::test]
async fn all_sockets_of_a_user_enter_and_leave() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("open", false, &[]).await;
    let (mut tab1, mut tab2) = (server.user("bob").await, server.user("bob").await);
    tab1.ask("join-chat", json!({ "chat": { "id": chat } })).await;
    let said = ann.say(&chat, "for both").await;
    assert_eq!(tab1.next("new-message").await, said);
    assert_eq!(tab2.next("new-message").await, said);
    tab2.ask("leave-chat", json!({ "chat": { "id": chat } })).await;
    ann.say(&chat, "for none").await;
    // The last chat that tab 2 makes is also shown to tab 1.
    tab2.nothing_more().await;
    assert_eq!(tab1.next("create-chat").await["chat"]["name"], "the last event");
}

#[tokio::test]
async fn a_socket_that_connects_during_a_join_gets_the_right_messages() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let (stay, go) = (ann.chat("stay", false, &[]).await, ann.chat("go", false, &[]).await);
    for round in 0..30 {
        let name = format!("bob{round}");
        let mut bob = server.user(&name).await;
        bob.ask("join-chat", json!({ "chat": { "id": go } })).await;
        drop(bob);
        // One socket changes the memberships while another one enters.
        let (mut one, mut two) = (server.connect().await, server.connect().await);
        let user = json!({ "user": { "external_id": name, "name": name, "photo": "" } });
        one.tell("create-user", user.clone()).await;
        one.tell("leave-chat", json!({ "chat": { "id": go } })).await;
        let joined = one.request("join-chat", json!({ "chat": { "id": stay } })).await;
        let come = two.request("create-user", user).await;
        one.answer(joined).await;
        two.answer(come).await;
        ann.say(&go, "not for bob").await;
        let said = ann.say(&stay, "for bob").await;
        assert_eq!(two.next("new-message").await, said);
    }
}

#[tokio::test]
async fn a_private_chat_does_not_exist_for_others() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("secret", true, &[]).await;
    ann.say(&chat, "psst").await;
    let mut eve = server.user("eve").await;
    let of_chat = json!({ "chat": { "id": chat } });
    let of_none = json!({ "chat": { "id": "00000000-0000-4000-8000-000000000000" } });
    for event in ["list-messages", "mark-read", "join-chat", "leave-chat"] {
        let error = eve.refused(event, of_chat.clone()).await;
        assert_error(&error, "not_found", Some("chat.id"));
        assert_eq!(error, eve.refused(event, of_none.clone()).await, "it looks like no chat");
    }
    let error = eve.refused("new-message", message(&chat, "x")).await;
    assert_error(&error, "not_found", Some("chat.id"));
    assert_eq!(eve.ask("list-chats", json!({})).await["chats"], json!([]));
}

#[tokio::test]
async fn a_returning_user_gets_the_messages_of_all_chats() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let bob = server.user("bob").await;
    let (one, two) = (ann.chat("1", true, &[&bob.id]).await, ann.chat("2", true, &[&bob.id]).await);
    drop(bob);
    let mut bob = server.user("bob").await;
    for chat in [one, two] {
        let said = ann.say(&chat, "welcome back").await;
        assert_eq!(bob.next("new-message").await, said);
    }
}

#[tokio::test]
async fn a_chat_made_twice_with_one_client_id_is_one() {
    let server = TestServer::start().await;
    assert_made_once(&server, server.user("ann").await, server.user("bob").await).await;
}

async fn assert_made_once(server: &TestServer, mut ann: Client, mut bob: Client) {
    let body = json!({ "chat": { "name": "plans", "client_id": "c1" }, "users": [bob.id] });
    let made = ann.ask("create-chat", body.clone()).await;
    assert_eq!(ann.next("create-chat").await, as_pushed(made.clone()));
    bob.next("create-chat").await;
    assert_eq!(ann.ask("create-chat", body.clone()).await, made);
    ann.tell("create-chat", body.clone()).await;
    assert_eq!(ann.next("create-chat").await, made, "the answer, as there was no ack");
    // Each user has their own `client_id`s.
    let of_bob = bob.ask("create-chat", body.clone()).await;
    assert_ne!(of_bob["chat"]["id"], made["chat"]["id"]);
    bob.next("create-chat").await;
    bob.nothing_more().await;
    let of_chat = json!({ "chat": { "id": made["chat"]["id"] } });
    ann.ask("delete-chat", of_chat).await;
    let anew = ann.ask("create-chat", body).await;
    assert_ne!(anew["chat"]["id"], made["chat"]["id"], "the first one is deleted");
    let mut wrong = json!({ "chat": { "name": "plans", "client_id": "" }, "users": [] });
    let error = ann.refused("create-chat", wrong.clone()).await;
    assert_error(&error, "invalid", Some("chat.client_id"));
    // A chat that is asked for twice at once is made once, too.
    wrong["chat"]["client_id"] = json!("c2");
    let (mut one, mut two) = (server.user("ann").await, server.user("ann").await);
    let (one, two) =
        tokio::join!(one.ask("create-chat", wrong.clone()), two.ask("create-chat", wrong));
    assert_eq!(one["chat"]["id"], two["chat"]["id"]);
}

#[tokio::test]
async fn a_chat_made_with_one_client_id_on_two_nodes_is_one() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut far) = (nodes[0].user("ann").await, nodes[1].user("ann").await);
    let body = json!({ "chat": { "name": "plans", "client_id": "c1" }, "users": [] });
    let (one, two) =
        tokio::join!(ann.ask("create-chat", body.clone()), far.ask("create-chat", body));
    assert_eq!(one["chat"]["id"], two["chat"]["id"]);
}

#[tokio::test]
async fn the_data_of_a_chat_is_replaced_and_cleared() {
    let mut chat = Chat::new(true).await;
    let keep = |data: Value| json!({ "chat": { "id": chat.id, "data": data } });
    let (one, none, wrong) = (keep(json!({ "topic": 1 })), keep(json!({})), keep(json!([1])));
    let large = keep(json!({ "x": "x".repeat(9000) }));
    assert_eq!(chat.bob.ask("update-chat", one).await["chat"]["data"], json!({ "topic": 1 }));
    assert_eq!(chat.eve.next_of("update-chat").await["chat"]["data"], json!({ "topic": 1 }));
    assert_eq!(chat.bob.refused("update-chat", wrong).await["field"], "chat.data");
    assert_eq!(chat.bob.refused("update-chat", large).await["code"], "too_large");
    assert_eq!(chat.bob.ask("update-chat", none).await["chat"].get("data"), None);
}
