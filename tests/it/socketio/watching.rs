//! Presence: clients that watch a user get pushes when that user comes online or goes offline.

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::nodes::{Nodes, Processes};
use crate::support::signing::with_credentials;
use crate::support::{Client, TestServer, assert_error};

fn these(users: &[&str]) -> Value {
    json!({ "users": users.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() })
}

impl Client {
    async fn watch(&mut self, user: &str) -> Value {
        let watched = self.done("watch-users", these(&[user])).await;
        assert_eq!(watched["users"].as_array().unwrap().len(), 1, "{watched}");
        watched["users"][0].clone()
    }

    /// Waits for the push that this user is online, or offline. Before it no push may come of
    /// another user, but that the user is online may be pushed once more, just after the client
    /// began to watch.
    async fn sees(&mut self, user: &str, online: bool) -> Value {
        loop {
            let told = self.next_of("presence").await;
            assert_eq!(told["user"], json!({ "id": user }), "{told}");
            if told["online"] == online {
                return told["last_seen"].clone();
            }
            assert!(!online, "{told}");
        }
    }
}

#[tokio::test]
async fn a_watcher_sees_the_first_socket_come_and_the_last_go() {
    let server = TestServer::start().await;
    let (mut ann, mut eve) = (server.user("ann").await, server.user("eve").await);
    let bob = server.user("bob").await;
    let id = bob.id.clone();
    assert_eq!(ann.watch(&id).await["online"], true);
    let tab = server.user("bob").await;
    drop(bob);
    drop(tab);
    let seen = ann.sees(&id, false).await;
    let listed = ann.list_users(json!([{ "id": id }])).await;
    assert_eq!((&listed[0]["online"], &listed[0]["last_seen"]), (&json!(false), &seen));
    let bob = server.user("bob").await;
    ann.sees(&id, true).await;
    assert_eq!(ann.list_users(json!([{ "id": id }])).await[0]["online"], true);

    // Clients that stop watching, or never did, get no pushes.
    ann.done("unwatch-users", these(&[&id])).await;
    eve.watch(&id).await;
    drop(bob);
    eve.sees(&id, false).await;
    ann.passes("presence").await;
}

#[tokio::test]
async fn a_user_who_comes_back_at_once_is_not_shown_as_offline() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    let (id, cat) = (bob.id.clone(), server.user("cat").await);
    ann.watch(&id).await;
    ann.watch(&cat.id).await;
    let of_cat = cat.id.clone();
    for _ in 0..3 {
        drop(bob);
        bob = server.user("bob").await;
    }
    drop(cat);
    // Bob has gone and come back before cat goes.
    loop {
        let told = ann.next_of("presence").await;
        if told["online"] == false {
            assert_eq!(told["user"]["id"], of_cat.as_str());
            break;
        }
    }
    drop(bob);
    ann.sees(&id, false).await;
}

#[tokio::test]
async fn a_connection_at_any_door_makes_a_user_online() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut maker = server.connect().await;
    let user = json!({ "id": "fay", "name": "Fay", "handle": "fay" });
    maker.done("create-user", json!({ "user": user })).await;
    ann.watch("fay").await;
    drop(maker);
    ann.sees("fay", false).await;
    let fay = server.chatter("fay").await;
    ann.sees("fay", true).await;
    drop(fay);
    ann.sees("fay", false).await;
}

#[tokio::test]
async fn the_users_that_a_socket_watches_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_watched = 2).await;
    let mut ann = server.user("ann").await;
    let (bob, cat) = (server.user("bob").await, server.user("cat").await);
    ann.done("watch-users", these(&[&bob.id, "nobody"])).await;
    // An unknown user is not watched, and watching a user again does not count.
    ann.done("watch-users", these(&[&bob.id, &cat.id])).await;
    let error = ann.refused("watch-users", these(&[&ann.id.clone()])).await;
    assert_error(&error, "too_large", Some("users"));
    ann.done("unwatch-users", these(&[&bob.id])).await;
    ann.done("watch-users", these(&[&ann.id.clone()])).await;
    for body in [json!({}), json!({ "users": [{}] })] {
        assert_eq!(ann.refused("watch-users", body.clone()).await["code"], "invalid");
        assert_eq!(ann.refused("unwatch-users", body).await["code"], "invalid");
    }
}

#[tokio::test]
async fn the_time_when_a_user_was_last_seen_is_stored() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let bob = server.user("bob").await;
    let id = bob.id.clone();
    let mut ann = server.user("ann").await;
    let before = ann.watch(&id).await["last_seen"].clone();
    let directory = server.shutdown().await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut ann = server.user("ann").await;
    let listed = ann.list_users(json!([{ "id": id }])).await;
    assert_eq!(listed[0]["online"], false);
    let seen = listed[0]["last_seen"].as_str().unwrap();
    assert!(seen >= before.as_str().unwrap(), "{seen} is before {before}");
}

#[tokio::test]
async fn a_user_is_online_on_all_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let bob = nodes[1].user("bob").await;
    let id = bob.id.clone();
    ann.watch(&id).await;
    // The other node may not know it yet.
    while ann.list_users(json!([{ "id": id }])).await[0]["online"] != true {}
    ann.passes("user-updated").await;
    let tab = nodes[0].user("bob").await;
    let cat = nodes[0].user("cat").await;
    ann.watch(&cat.id).await;
    drop(bob);
    let of_cat = cat.id.clone();
    drop(cat);
    // Bob is still online on the other node, so that no push about him comes before cat's.
    loop {
        let told = ann.next_of("presence").await;
        if told["online"] == false {
            assert_eq!(told["user"]["id"], of_cat.as_str());
            break;
        }
    }
    assert_eq!(ann.list_users(json!([{ "id": id }])).await[0]["online"], true);
    drop(tab);
    ann.sees(&id, false).await;
    assert_eq!(ann.list_users(json!([{ "id": id }])).await[0]["online"], false);
    let _bob = nodes[1].user("bob").await;
    ann.sees(&id, true).await;
}

#[tokio::test]
async fn users_of_a_dead_node_go_offline() {
    let Some(mut nodes) = Processes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let bob = nodes[1].user("bob").await;
    ann.watch(&bob.id).await;
    while ann.list_users(json!([{ "id": bob.id }])).await[0]["online"] != true {}
    nodes[1].kill();
    ann.sees(&bob.id.clone(), false).await;
    assert_eq!(ann.list_users(json!([{ "id": bob.id }])).await[0]["online"], false);
}
