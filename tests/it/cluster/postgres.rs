//! PostgreSQL goes down and comes back: what was acknowledged is stored, and the nodes recover.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::crowd::{Crowd, UNBOUNDED};
use crate::support::nodes::Processes;
use crate::support::services::{self, Services};
use crate::support::steps::{channel, of_chat};
use crate::support::{assert_error, message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_crashes_and_comes_back_under_load() {
    let Some(redis) = services::redis() else { return };
    let Some(services) = Services::start(&["postgres"]).await else { return };
    let database = services::database(&services.url("postgres")).await;
    let nodes = Processes::on(vec![(database, redis); 2], &UNBOUNDED).await;
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let mut askers = Vec::new();
    for at in 0..2 * requests(&chat).len() {
        askers.push(nodes[at % 2].user("ann").await);
    }
    let crowd = Crowd::gather(&nodes, 6, 4).await;
    crowd.goes_on(150).await;
    services.kill("postgres").await;
    // At once, requests of all kinds on each node: none waits until the others have failed.
    let requests = requests(&chat).into_iter().flat_map(|request| [request.clone(), request]);
    let asked = askers.iter_mut().zip(requests);
    let refused = asked.map(async |(asker, (event, body))| asker.refused(event, body).await);
    for error in join_all(refused).await {
        assert_error(&error, "unavailable", None);
    }
    services.start_again("postgres").await;
    crowd.goes_on(150).await;
    let outcome = crowd.end().await;
    assert_eq!(Vec::from_iter(&outcome.errors), ["unavailable"]);
    assert_eq!(outcome.resumed, 0, "{outcome:?}");
    for seq in 1..=3 {
        let said = ann.say(&chat, "at last").await;
        assert_eq!(said["seq"], seq);
        assert_eq!(bob.next("new-message").await, said);
    }
    bob.nothing_more().await;
    nodes.assert_no_defect();
}

/// Requests that need PostgreSQL.
fn requests(chat: &str) -> Vec<(&'static str, serde_json::Value)> {
    let create = json!({ "chat": { "name": "x" }, "users": [] });
    let update = json!({ "chat": { "id": chat, "name": "new" } });
    vec![
        ("new-message", message(chat, "too early")),
        ("list-messages", of_chat(chat)),
        ("list-chats", json!({})),
        ("subscribe", channel(chat)),
        ("mark-read", of_chat(chat)),
        ("create-chat", create.clone()),
        ("create-chat", create),
        ("update-chat", update.clone()),
        ("update-chat", update),
    ]
}
