//! The list of public chats.

use serde_json::{Value, json};

use crate::socketio::spelling::execute;
use crate::support::rpc::room_of;
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error, message, soon};

/// The chats that a request lists.
async fn listed(client: &mut Client, body: Value) -> Value {
    client.done("list-public-chats", body).await["chats"].take()
}

/// This field of each chat that a request lists.
async fn each(client: &mut Client, body: Value, field: &str) -> Vec<Value> {
    let chats = listed(client, body).await;
    chats.as_array().unwrap().iter().map(|chat| chat[field].clone()).collect()
}

#[tokio::test]
async fn every_client_can_list_the_public_chats() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut nobody = server.connect().await;
    assert_eq!(listed(&mut nobody, json!({})).await, json!([]));

    let team = ann.make_team("crew", &[]).await;
    ann.make(json!({ "name": "ours", "private": false, "team_id": team }), &mut []).await;
    ann.make_private(&mut [&mut bob]).await;
    ann.done("open-direct", json!({ "user": { "id": bob.id } })).await;
    let first = ann.chat("Ärger", false, &[&bob.id]).await;
    let second = ann.chat("ärzte", false, &[]).await;
    assert_eq!(each(&mut nobody, json!({}), "id").await, [second.as_str(), first.as_str()]);

    ann.done("new-message", message(&first, "hello")).await;
    ann.done("subscribe", channel(&first)).await;
    let chats = listed(&mut nobody, json!({})).await;
    assert_eq!(chats[0]["id"], json!(first), "its activity is the latest");
    assert_eq!(chats[0]["members"], 2);
    assert_eq!(chats[0]["participants"], 1);
    assert_eq!(chats[0]["last_seq"], 1);
    assert_eq!(chats[0].get("users"), None);

    // A search is for the beginning of a name, in any spelling.
    for (text, found) in [
        ("ÄR", vec![&first, &second]),
        ("a\u{308}rz", vec![&second]),
        (" ärger ", vec![&first]),
        ("rger", vec![]),
        ("our", vec![]),
        ("  ", vec![&first, &second]),
    ] {
        let listed = each(&mut nobody, json!({ "text": text }), "id").await;
        assert_eq!(json!(listed), json!(found), "{text}");
    }

    // A chat that becomes private, or gets another name, is no longer found.
    let private = json!({ "chat": { "id": first, "private": true } });
    ann.done("update-chat", private).await;
    let renamed = json!({ "chat": { "id": second, "name": "Nurses" } });
    ann.done("update-chat", renamed).await;
    assert_eq!(listed(&mut nobody, json!({ "text": "är" })).await, json!([]));
    assert_eq!(each(&mut nobody, json!({ "text": "nur" }), "id").await, [second.as_str()]);
    let public = json!({ "chat": { "id": first, "private": false } });
    ann.done("update-chat", public).await;
    assert_eq!(each(&mut nobody, json!({ "text": "är" }), "id").await, [first.as_str()]);
}

#[tokio::test]
async fn public_chats_come_in_pages() {
    let server = TestServer::with_limits(|limits| {
        limits.max_page = 3;
        limits.announcements_per_user = 0;
    })
    .await;
    let mut ann = server.user("ann").await;
    let mut made = Vec::new();
    for number in 0..8 {
        made.insert(0, ann.chat(&format!("{}", number % 2), false, &[]).await);
    }
    for (text, of_all) in [(None, 1), (Some("1"), 2)] {
        let (mut ids, mut before) = (Vec::new(), Value::Null);
        loop {
            let body = json!({ "text": text, "limit": 2, "before": before });
            let page = ann.done("list-public-chats", body).await;
            let chats = page["chats"].as_array().unwrap();
            assert!((1..=2).contains(&chats.len()), "{page}");
            ids.extend(chats.iter().map(|chat| chat["id"].as_str().unwrap().to_owned()));
            match page.get("next") {
                Some(next) => before = next.clone(),
                None => break,
            }
        }
        assert_eq!(ids, Vec::from_iter(made.iter().step_by(of_all).cloned()));
    }
    assert_eq!(each(&mut ann, json!({}), "id").await.len(), 3, "a page has a bound");
    for (field, value) in [("limit", json!(0)), ("before", json!("1")), ("text", json!(1))] {
        let error = ann.refused("list-public-chats", json!({ field: value })).await;
        assert_error(&error, "invalid", Some(field));
    }
}

#[tokio::test]
async fn the_list_counts_the_members_of_a_chat() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.chat("open", false, &[]).await;
    for (members, event) in
        [(2, "join-chat"), (2, "join-chat"), (1, "leave-chat"), (2, "join-chat")]
    {
        bob.done(event, of_chat(&chat)).await;
        assert_eq!(each(&mut ann, json!({}), "members").await, [members], "after {event}");
    }
    ann.done("remove-member", of_chat_and(&chat, &bob.id)).await;
    assert_eq!(each(&mut ann, json!({}), "members").await, [1]);
}

#[tokio::test]
async fn a_room_that_has_ended_is_not_listed() {
    let server = TestServer::start().await;
    let mut nobody = server.connect().await;
    let zoe = server.in_new_room("zoe").await;
    let room = room_of(&zoe).to_owned();
    assert_eq!(each(&mut nobody, json!({}), "id").await, [room.as_str()]);
    server.call("LeaveRoom", json!([zoe])).await;
    let gone = async { while listed(&mut nobody, json!({})).await != json!([]) {} };
    soon("the room ends", gone).await;
}

#[tokio::test]
async fn chats_of_an_older_version_are_found() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let public = ann.chat("\u{c9}t\u{e9}", false, &[]).await;
    ann.chat("\u{e9}tage", true, &[]).await;
    // As an older version of the server has left them.
    let directory = server.shutdown().await;
    execute(&directory, "update chats set name_folded = null").await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut nobody = server.connect().await;
    assert_eq!(each(&mut nobody, json!({ "text": "\u{e9}t" }), "id").await, [public.as_str()]);
}
