//! What there is once on one node is there once on several: a user in a room, a nick, a seat, a
//! user's rate of requests.

use std::time::Duration;

use chinwag::Config;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::nodes::Nodes;
use crate::support::program::Running;
use crate::support::rpc::state;
use crate::support::{Client, assert_error, services, soon};

async fn subscribe(client: &mut Client, chat: &str) -> Value {
    client.done("subscribe", json!({ "channel": format!("room-{chat}") })).await
}

async fn unsubscribe(client: &mut Client, chat: &str) -> Value {
    client.done("unsubscribe", json!({ "channel": format!("room-{chat}") })).await
}

#[tokio::test]
async fn a_user_joins_with_the_first_socket_anywhere_and_leaves_with_the_last() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let chat = ann.chat("a room", false, &[]).await;
    assert_eq!(subscribe(&mut ann, &chat).await["participants"], 1);
    let joined = ann.next("participant-join").await;
    assert_eq!((&joined["user"]["id"], &joined["participants"]), (&json!(ann.id), &json!(1)));
    let mut one = nodes[0].user("bob").await;
    let mut other = nodes[1].user("bob").await;
    let room = subscribe(&mut other, &chat).await;
    assert_eq!(room["participants"], 2);
    assert_eq!(room["users"].as_array().unwrap().len(), 2);
    let joined = ann.next("participant-join").await;
    assert_eq!((&joined["user"]["id"], &joined["participants"]), (&json!(one.id), &json!(2)));
    assert_eq!(other.next("participant-join").await, joined);
    assert_eq!(subscribe(&mut one, &chat).await["participants"], 2);
    assert_eq!(unsubscribe(&mut other, &chat).await["participants"], 2);
    let chats = ann.done("list-chats", json!({ "user": { "id": ann.id } })).await;
    assert_eq!(chats["chats"][0]["participants"], 2);
    drop(one);
    let left = ann.next("participant-leave").await;
    assert_eq!((&left["user"]["id"], &left["participants"]), (&json!(other.id), &json!(1)));
    assert_eq!(left["user"]["name"], "bob");
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_room_is_the_same_for_all_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let chat = ann.chat("a room", false, &[]).await;
    let mut visitors = Vec::new();
    for number in 0..20 {
        let mut visitor = nodes[number % 2].user(&format!("visitor {number:02}")).await;
        assert_eq!(subscribe(&mut visitor, &chat).await["participants"], number + 1);
        visitors.push(visitor);
    }
    let users = subscribe(&mut ann, &chat).await["users"].clone();
    let ids: Vec<_> = users.as_array().unwrap().iter().map(|user| user["id"].as_str()).collect();
    assert!(ids.is_sorted() && ids.len() == 21, "{users}");
    visitors.truncate(10);
    while ann.next_of("participant-leave").await["participants"] != 11 {}
    assert_eq!(subscribe(&mut ann, &chat).await["participants"], 11);
}

#[tokio::test]
async fn a_nick_is_connected_once_on_all_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut ann = nodes[0].chatter("ann").await;
    let (error, code) = nodes[1].turned_away("ann").await;
    assert_eq!((&error["code"], code), (&json!("conflict"), 4409));
    let mut bob = nodes[1].chatter("bob").await;
    assert_eq!(ann.next().await, json!({ "type": 2, "user": "bob" }));
    for chatter in [&mut ann, &mut bob] {
        chatter.tell(json!({ "type": 6 })).await;
        assert_eq!(chatter.next().await, json!({ "type": 6, "users": ["ann", "bob"] }));
    }
    bob.tell(json!({ "type": 4, "channel": "#tea" })).await;
    assert_eq!(bob.next().await, json!({ "type": 4, "channel": "tea", "user": "bob" }));
    ann.tell(json!({ "type": 4, "channel": "tea" })).await;
    for chatter in [&mut ann, &mut bob] {
        assert_eq!(chatter.next().await, json!({ "type": 4, "channel": "tea", "user": "ann" }));
    }
    for chatter in [&mut ann, &mut bob] {
        chatter.tell(json!({ "type": 6, "channel": "tea" })).await;
        assert_eq!(chatter.next().await, json!({ "type": 6, "users": ["ann", "bob"] }));
    }
    ann.tell(json!({ "type": 0, "dest": "tea", "message": "hello" })).await;
    let said = json!({ "type": 0, "dest": "tea", "message": "hello", "user": "ann" });
    assert_eq!(ann.next().await, said);
    assert_eq!(bob.next().await, said);
    drop(ann);
    assert_eq!(bob.next().await, json!({ "type": 3, "user": "ann" }));
    nodes[1].chatter("ann").await;
}

#[tokio::test]
async fn every_node_lists_the_nicks_of_a_channel_on_all_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut eve = nodes[0].chatter("eve").await;
    let mut bob = nodes[1].chatter("bob").await;
    assert_eq!(eve.next().await, json!({ "type": 2, "user": "bob" }));
    // The node that lists the channel has no user of its own in it.
    for (kind, users) in [(4, json!(["bob"])), (5, json!([])), (4, json!(["bob"]))] {
        bob.ask(json!({ "type": kind, "channel": "tea" })).await;
        let listed = async {
            while eve.ask(json!({ "type": 6, "channel": "tea" })).await["users"] != users {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon("the list is the new one", listed).await;
    }
}

#[tokio::test]
async fn the_calls_of_the_rooms_api_may_come_to_any_node() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (one, other) = (&nodes[0], &nodes[1]);
    assert_eq!(one.call("NewUser", json!({ "userId": "ann" })).await, state("ann", "0"));
    other.fault("NewUser", json!({ "userId": "ann" })).await;
    other.call("NewUser", json!({ "userId": "bob" })).await;
    assert_eq!(one.call("UsersCount", json!({ "roomId": "0" })).await, 2);
    let made = other.call("NewRoom", json!({ "keyHolder": state("ann", "0") })).await;
    let room = made["RoomId"].as_str().unwrap();
    let there = json!({ "user": state("bob", "0"), "roomId": room });
    assert_eq!(one.call("EnterRoom", there.clone()).await, state("bob", room));
    other.fault("EnterRoom", there).await;
    for node in [one, other] {
        assert_eq!(node.call("UsersCount", json!({ "roomId": room })).await, 2);
    }
    let text = json!({ "content": "hello", "user": state("ann", room) });
    one.call("SendMessage", text).await;
    let picked = other.call("PickUpHistory", json!({ "user": state("bob", room) })).await;
    assert_eq!(picked["Messages"][0]["Text"], "hello");
    let picked = one.call("PickUpHistory", json!({ "user": state("bob", room) })).await;
    assert_eq!(picked["Messages"], json!([]));
    other.call("LeaveRoom", json!({ "user": state("bob", room) })).await;
    assert_eq!(one.call("UsersCount", json!({ "roomId": room })).await, 1);
    let gone = one.call("LeaveRoom", json!({ "user": state("bob", "0") })).await;
    assert_eq!(gone, state("bob", ""));
}

#[tokio::test]
async fn an_ephemeral_room_ends_with_its_last_user_on_any_node() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (one, other) = (&nodes[0], &nodes[1]);
    one.call("NewUser", json!({ "userId": "ann" })).await;
    let mut bob = other.user("bob").await;
    // Until a node has been up for a while, it cannot know that a room is empty.
    let ended = async {
        loop {
            let made = one.call("NewRoom", json!({ "keyHolder": state("ann", "0") })).await;
            let room = made["RoomId"].as_str().unwrap();
            subscribe(&mut bob, room).await;
            other.call("LeaveRoom", json!({ "user": state("ann", room) })).await;
            assert_eq!(one.call("UsersCount", json!({ "roomId": room })).await, 1);
            unsubscribe(&mut bob, room).await;
            let channel = json!({ "channel": format!("room-{room}") });
            let answer = bob.ask("subscribe", channel).await;
            // Nobody can enter an empty room.
            assert_error(&answer["error"], "not_found", Some("channel"));
            let history = json!({ "chat": { "id": room } });
            if bob.ask("list-messages", history).await.get("error").is_some() {
                break;
            }
        }
    };
    soon("the room is deleted", ended).await;
}

#[tokio::test]
async fn a_users_requests_are_counted_on_all_nodes() {
    let limited = |config: &mut Config| config.limits.messages_per_user = 4;
    let Some(nodes) = Nodes::with(2, limited).await else { return };
    let mut one = nodes[0].user("ann").await;
    let chat = one.chat("ours", true, &[]).await;
    let mut other = nodes[1].user("ann").await;
    let message = |text: &str| crate::support::message(&chat, text);
    for text in ["one", "two"] {
        one.done("new-message", message(text)).await;
        other.done("new-message", message(text)).await;
    }
    for client in [&mut one, &mut other] {
        let error = client.refused("new-message", message("three")).await;
        assert_error(&error, "rate_limited", None);
    }
    // Another user has a rate of their own.
    let mut bob = nodes[0].user("bob").await;
    let chat = bob.chat("his", true, &[]).await;
    bob.say(&chat, "hello").await;
}

#[tokio::test]
async fn a_dead_nodes_users_are_gone() {
    let Some(postgres) = services::postgres() else { return };
    let Some(redis) = services::redis() else { return };
    let database = services::database(&postgres).await;
    let nodes = Nodes::on(&database, &redis, 1, |_| {}).await;
    let directory = TempDir::new().unwrap();
    let doomed = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--redis-url", &redis]);
        command.args(["--database-url", &database]);
    });
    let mut ann = nodes[0].user("ann").await;
    let chat = ann.chat("a room", false, &[]).await;
    subscribe(&mut ann, &chat).await;
    ann.next("participant-join").await;
    let mut watcher = nodes[0].chatter("watcher").await;
    let mut bob = Client::connect(doomed.address).await;
    let user = json!({ "id": "bob", "name": "bob", "photo": "" });
    bob.done("create-user", json!({ "user": user })).await;
    subscribe(&mut bob, &chat).await;
    assert_eq!(ann.next("participant-join").await["user"]["id"], "bob");
    let nick = format!("ws://{}/chat/login/doomed", doomed.address);
    let _chatter = crate::support::chatter::Chatter::open(nick).await;
    assert_eq!(watcher.next().await, json!({ "type": 2, "user": "doomed" }));
    doomed.end("KILL");
    let left = ann.next("participant-leave").await;
    assert_eq!((&left["user"]["id"], &left["participants"]), (&json!("bob"), &json!(1)));
    assert_eq!(watcher.next().await, json!({ "type": 3, "user": "doomed" }));
    nodes[0].chatter("doomed").await;
}
