//! Rooms with participants that one of the nodes cannot know of.

use chinwag::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::crowd::UNBOUNDED;
use crate::support::nodes::Processes;
use crate::support::proxy::Proxy;
use crate::support::rpc::{call, room_of, state};
use crate::support::steps::{channel, of_chat};
use crate::support::{TestServer, message, services, soon};

/// Two nodes. The second reaches Redis through this proxy; the first has been up long enough to
/// delete empty rooms.
async fn start() -> Option<(Processes, Proxy)> {
    let (postgres, redis) = (services::postgres()?, services::redis()?);
    let database = services::database(&postgres).await;
    let to_redis = Proxy::to(&redis).await;
    let cut = (database.clone(), to_redis.url(&redis));
    let nodes = Processes::on(vec![(database, redis), cut], &UNBOUNDED).await;
    deletes_empty_rooms(&nodes[0]).await;
    Some((nodes, to_redis))
}

/// Waits until a node deletes empty rooms.
async fn deletes_empty_rooms(node: &TestServer) {
    node.new_user("first").await;
    let deleted = async {
        loop {
            let made = node.call("NewRoom", json!([state("first", "0")])).await;
            node.call("LeaveRoom", json!([made])).await;
            if !is_there(node, room_of(&made)).await {
                break;
            }
        }
    };
    soon("an empty room is deleted", deleted).await;
}

async fn is_there(node: &TestServer, room: &str) -> bool {
    let count = node.rpc(&call(1, "UsersCount", json!([room]))).await;
    count.get("result").is_some()
}

/// A new room of ann's with a message in it.
async fn make_room(node: &TestServer) -> (Value, String) {
    let ann = node.in_new_room("ann").await;
    node.call("SendMessage", json!(["remember me", ann])).await;
    let room = room_of(&ann).to_owned();
    (ann, room)
}

#[tokio::test]
async fn a_seat_taken_on_a_node_without_redis_keeps_its_room() {
    let Some((nodes, to_redis)) = start().await else { return };
    let (ann, room) = make_room(&nodes[0]).await;
    to_redis.cut();
    let bob = nodes[1].in_room("bob", &room).await;
    nodes[0].call("LeaveRoom", json!([ann])).await;
    for node in [&nodes[0], &nodes[1]] {
        assert!(is_there(node, &room).await);
        let history = node.call("DumpHistory", json!([bob])).await;
        assert_eq!(history[0]["Text"], "remember me");
    }
    // Users who come later find the room, too.
    nodes[0].call("EnterRoom", json!([state("ann", "0"), room])).await;
    to_redis.mend();
    nodes.assert_no_defect();
}

#[tokio::test]
async fn a_subscription_on_a_node_without_redis_keeps_its_room() {
    let Some((nodes, to_redis)) = start().await else { return };
    let (ann, room) = make_room(&nodes[0]).await;
    let mut bob = nodes[1].user("bob").await;
    to_redis.cut();
    bob.done("subscribe", channel(&room)).await;
    nodes[0].call("LeaveRoom", json!([ann])).await;
    assert!(is_there(&nodes[0], &room).await);
    let history = bob.done("list-messages", of_chat(&room)).await;
    assert_eq!(history["messages"][0]["msg"], "remember me");
    // A user who subscribes now finds the room, although Redis does not know of bob.
    let mut eve = nodes[0].user("eve").await;
    eve.done("subscribe", channel(&room)).await;
    to_redis.mend();
    assert_eq!(eve.next("participant-join").await["user"]["id"], eve.id.as_str());
    soon("both are there", async { while nodes[0].count(&room).await != 2 {} }).await;
    nodes.assert_no_defect();
}

#[tokio::test]
async fn a_subscription_on_a_node_presumed_dead_keeps_its_room() {
    let Some((nodes, to_redis)) = start().await else { return };
    let (ann, room) = make_room(&nodes[0]).await;
    let mut bob = nodes[1].user("bob").await;
    let mut eve = nodes[0].user("eve").await;
    bob.done("subscribe", channel(&room)).await;
    eve.done("join-chat", of_chat(&room)).await;
    nodes[0].call("LeaveRoom", json!([ann])).await;
    eve.sees_leave(&room, "ann", 1).await;
    to_redis.cut();
    eve.sees_leave(&room, "bob", 0).await;
    eve.nothing_more().await;
    assert!(is_there(&nodes[0], &room).await);
    to_redis.mend();
    eve.sees_join(&room, "bob", 1).await;
    eve.done("new-message", message(&room, "there you are")).await;
    assert_eq!(bob.next_of("chat-message").await["msg"], "there you are");
    nodes.assert_no_defect();
}

/// Its users may be on their way to another node.
#[tokio::test]
async fn a_room_outlives_the_node_of_all_its_participants() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let of_cluster = |config: &mut Config| {
        config.database_url = database.as_str().into();
        config.redis_url = Some(redis.as_str().into());
        config.limits.requests_per_user = 0;
        config.limits.requests_per_address = 0;
        config.limits.announcements_per_user = 0;
    };
    let one = TestServer::on(TempDir::new().unwrap(), of_cluster).await;
    let other = TestServer::on(TempDir::new().unwrap(), of_cluster).await;
    deletes_empty_rooms(&other).await;
    let (ann, room) = make_room(&other).await;
    let mut bob = other.user("bob").await;
    bob.done("subscribe", channel(&room)).await;
    other.call("LeaveRoom", json!([ann])).await;
    other.shutdown().await;
    let mut bob = one.user("bob").await;
    bob.done("subscribe", channel(&room)).await;
    let history = bob.done("list-messages", of_chat(&room)).await;
    assert_eq!(history["messages"][0]["msg"], "remember me");
}
