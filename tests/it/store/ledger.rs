//! Writes at the same time share a commit, and each succeeds or fails by itself.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{TestServer, message};

const ROUNDS: usize = 40;

#[tokio::test]
async fn a_failed_job_changes_nothing_and_fails_no_other_job() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    assert_eq!(ann.next().await["user"], "bob");
    let mut owner = server.user("owner").await;
    let chat = owner.chat("ours", true, &[]).await;
    // These messages share transactions with the jobs below.
    let mut speakers = Vec::new();
    for _ in 0..8 {
        speakers.push(server.user("owner").await);
    }
    let speaking = join_all(speakers.iter_mut().map(async |speaker| {
        for _ in 0..ROUNDS {
            let sent = speaker.ask("new-message", message(&chat, "beside it")).await;
            assert!(sent.get("error").is_none(), "{sent}");
        }
    }));
    // The job gives up bob's nick, finds that the other is taken, and is undone.
    let failing = async {
        for _ in 0..ROUNDS {
            bob.refused(json!({ "type": 2, "user": "ann" }), "conflict", Some("user")).await;
        }
    };
    tokio::join!(speaking, failing);
    assert_eq!(bob.nicks().await, json!(["ann", "bob"]));
    let request = json!({ "chat": { "id": chat }, "query": { "limit": 1 } });
    let latest = owner.ask("list-messages", request).await;
    assert_eq!(latest["messages"][0]["seq"], 8 * ROUNDS, "{latest}");
    server.shutdown().await;
}
