//! A user who loses a right on one node has lost it on all nodes.

use std::time::Duration;

use chinwag::Access;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::chatter::Chatter;
use crate::support::crowd::UNBOUNDED;
use crate::support::live::Live;
use crate::support::nodes::Processes;
use crate::support::signing::{SECRET, token};
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error, message};

async fn start() -> Option<Processes> {
    let secret = format!("--jwt-secret={SECRET}");
    let access = format!("--access={}", Access::Open);
    let arguments: Vec<&str> = [secret.as_str(), &access].into_iter().chain(UNBOUNDED).collect();
    Processes::with(2, &arguments).await
}

/// The owner of chats, a loser, who loses access to them and has a socket on each node, and a
/// witness on the other node, who keeps it.
struct Cast {
    owner: Client,
    /// The loser's socket on the owner's node.
    near: Client,
    /// The loser's socket on the other node.
    far: Client,
    witness: Client,
}

impl Cast {
    async fn meet(nodes: &Processes) -> Cast {
        Cast {
            owner: nodes[0].user("owner").await,
            near: nodes[0].user("loser").await,
            far: nodes[1].user("loser").await,
            witness: nodes[1].user("witness").await,
        }
    }

    /// Fails if the loser is shown a message that is sent from now on, on either node.
    async fn has_lost(&mut self, chat: &str, how: &str) {
        let Cast { owner, near, far, witness } = self;
        owner.request("new-message", message(chat, "from the owner's node")).await;
        assert_eq!(witness.next_of("new-message").await["msg"], "from the owner's node");
        witness.request("new-message", message(chat, "from the other")).await;
        for client in [owner, witness] {
            while client.next_of("new-message").await["msg"] != "from the other" {}
        }
        println!("lost by {how}");
        for lost in [&mut *near, &mut *far] {
            let error = lost.refused("list-messages", of_chat(chat)).await;
            assert_error(&error, "not_found", Some("chat.id"));
        }
        near.nothing_more().await;
        assert_eq!(far.next("create-chat").await["chat"]["name"], "the last event");
    }
}

#[tokio::test]
async fn a_member_removed_on_one_node_gets_no_messages_on_another() {
    let Some(nodes) = start().await else { return };
    let mut cast = Cast::meet(&nodes).await;
    let (loser, witness) = (cast.far.id.clone(), cast.witness.id.clone());

    let chat = cast.private().await;
    cast.owner.done("remove-member", of_chat_and(&chat, &loser)).await;
    for lost in [&mut cast.near, &mut cast.far] {
        lost.next("remove-member").await;
    }
    cast.has_lost(&chat, "being removed").await;

    let chat = cast.private().await;
    cast.near.done("leave-chat", of_chat(&chat)).await;
    cast.has_lost(&chat, "leaving").await;

    let open = json!({ "name": "open", "private": false });
    let chat = cast.owner.make(open, &mut [&mut cast.witness]).await;
    cast.near.done("subscribe", channel(&chat)).await;
    cast.near.next("participant-join").await;
    // Otherwise the socket that subscribes next might see that event, too.
    cast.witness.next_of("participant-join").await;
    cast.far.done("subscribe", channel(&chat)).await;
    let change = json!({ "chat": { "id": chat, "private": true } });
    cast.owner.done("update-chat", change).await;
    cast.has_lost(&chat, "its becoming private").await;

    let team = cast.owner.make_team("crew", &[&loser, &witness]).await;
    let of_team = json!({ "name": "crew's", "private": false, "team_id": team });
    let chat = cast.owner.make(of_team, &mut [&mut cast.witness]).await;
    for lost in [&mut cast.near, &mut cast.far] {
        lost.done("join-chat", of_chat(&chat)).await;
    }
    let body = json!({ "team": { "id": team }, "user": { "id": loser } });
    cast.owner.done("remove-from-team", body).await;
    cast.has_lost(&chat, "leaving the team").await;
    nodes.assert_no_defect();
}

impl Cast {
    async fn private(&mut self) -> String {
        let Cast { owner, near, far, witness } = self;
        let users = [&near.id, &witness.id];
        let body = json!({ "chat": { "name": "private" }, "users": users });
        let made = owner.done("create-chat", body).await;
        for client in [owner, near, far, witness] {
            client.next_of("create-chat").await;
        }
        made["chat"]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn protecting_a_user_cuts_off_tokenless_sockets_on_all_nodes() {
    let Some(nodes) = start().await else { return };
    let mut cast = Cast::meet(&nodes).await;
    let chat = cast.private().await;
    let mut own = nodes[0].connect_with(&token("loser")).await;
    // From its first answer on it is shown the messages of its user's chats.
    own.done("list-chats", json!({})).await;
    cast.owner.request("new-message", message(&chat, "hello")).await;
    assert_eq!(own.next_of("new-message").await["msg"], "hello");
    assert_eq!(cast.witness.next_of("new-message").await["msg"], "hello");
    for (lost, name) in [(&mut cast.near, "one"), (&mut cast.far, "other")] {
        let error = lost.refused("new-message", message(&chat, "I am still here")).await;
        assert_error(&error, "unauthenticated", None);
        let user = json!({ "external_id": name, "name": name, "photo": "" });
        lost.done("create-user", json!({ "user": user })).await;
        lost.nothing_more().await;
    }
    nodes.assert_no_defect();
}

/// Connects with a token, and waits until the connection is refused or closed.
async fn socket(server: &TestServer, token: &str) {
    let address = server.address();
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket&access_token={token}");
    let mut client = Client::open_url(url).await;
    client.frame().await;
    client.send("40").await;
    while let Some(frame) = client.try_frame().await {
        if frame.starts_with("44") {
            return;
        }
    }
}

async fn live(server: &TestServer, token: &str) {
    if let Ok(mut live) = Live::open(server.address(), token).await {
        live.closed().await;
    }
}

async fn chatter(server: &TestServer, token: &str, nick: &str) {
    let address = server.channels(format!("{nick}?access_token={token}"));
    Chatter::open(address).await.closed_at_last().await;
}

#[tokio::test]
async fn a_token_revoked_on_one_node_closes_connections_on_another() {
    let Some(nodes) = start().await else { return };
    let bob = nodes[0].sign_up("bob").await;
    let mut socket = nodes[1].connect_with(bob.access()).await;
    let mut live = Live::connect(&nodes[1], bob.access()).await;
    let address = nodes[1].channels(format!("bob?access_token={}", bob.access()));
    let mut chatter = Chatter::open(address).await;
    chatter.next().await;
    let ended = nodes[0].request("DELETE", "/api/auth_token").bearer(bob.access());
    ended.send().await.data();
    socket.closed().await;
    assert_eq!(live.closed().await, 4401);
    assert_eq!(chatter.closed_at_last().await, 4401);
    nodes.assert_no_defect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_made_while_its_token_is_revoked_is_closed() {
    let Some(nodes) = start().await else { return };
    let mut current = nodes[0].sign_up("bob").await.token;
    for round in 0..50 {
        let access = current["access_token"].as_str().unwrap().to_owned();
        let refresh = json!({ "refresh_token": current["refresh_token"] });
        // The rounds alternate in which of the two begins first.
        let head_start = |early| Duration::from_micros(if early { round * 150 } else { 0 });
        let (come, end) = (head_start(round % 2 == 0), head_start(round % 2 == 1));
        let come = async {
            sleep(come).await;
            tokio::join!(
                socket(&nodes[1], &access),
                live(&nodes[1], &access),
                chatter(&nodes[1], &access, "bob"),
            );
        };
        let end = async {
            sleep(end).await;
            nodes[0].post("/api/auth_token/refresh", refresh).await.data()
        };
        let ((), fresh): ((), Value) = tokio::join!(come, end);
        current = fresh[0].clone();
    }
    nodes.assert_no_defect();
}
