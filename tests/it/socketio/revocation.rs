//! A token ends at once, even for requests that its connections have sent already.

use serde_json::json;

use crate::support::http::Account;
use crate::support::{Client, TestServer};

const MANY: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
async fn queued_requests_of_a_revoked_token_are_not_done() {
    let server = TestServer::start().await;
    let (bob, eve) = (server.sign_up("bob").await, server.sign_up("eve").await);
    let mut sender = server.connect_with(bob.access()).await;
    let mut reader = server.connect_with(eve.access()).await;
    let opened = sender.done("open-direct", json!({ "user": { "id": eve.id() } })).await;
    let chat = opened["chat"]["id"].as_str().unwrap();
    let request = json!({ "chat": { "id": chat }, "message": { "value": "x", "type": "text" } });
    let packet = format!("42{}", json!(["new-message", request]));
    sender.send_many((0..MANY).map(|_| packet.clone())).await;
    reader.next_of("new-message").await;

    end_token(&server, &bob).await;
    let at_the_end = latest(&mut reader, chat).await;
    sender.closed().await;
    assert!(at_the_end < MANY as u64, "it was too late to tell");
    // One more may have been in progress.
    assert!(latest(&mut reader, chat).await <= at_the_end + 1);
    server.shutdown().await;
}

async fn end_token(server: &TestServer, account: &Account) {
    server.request("DELETE", "/api/auth_token").bearer(account.access()).send().await.data();
}

async fn latest(reader: &mut Client, chat: &str) -> u64 {
    let query = json!({ "chat": { "id": chat }, "query": { "limit": 1 } });
    let page = reader.done("list-messages", query).await;
    page["messages"][0]["seq"].as_u64().unwrap()
}
