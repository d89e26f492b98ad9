//! Reads of one who asks for much, and of the others beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::steps::of_chat;
use crate::support::{Client, TestServer};

/// How many long reads are asked for at the same time.
const FLOOD: usize = 60;

/// A server with a public chat of a long history, and the chat's id.
async fn with_history() -> (TestServer, String) {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("long", false, &[]).await;
    for _ in 0..200 {
        ann.say(&chat, &"x".repeat(2000)).await;
    }
    (server, chat)
}

/// Has all these clients read the history at the same time, and then bob look at a chat of his;
/// fails if he waits for most of them.
async fn bob_does_not_wait_for(clients: Vec<Client>, server: &TestServer, history: &str) {
    let mut bob = server.user("bob").await;
    let own = bob.chat("short", true, &[]).await;
    let answered = Arc::<AtomicUsize>::default();
    let mut readers = Vec::new();
    for mut client in clients {
        let ack = client.request("list-messages", of_chat(history)).await;
        let answered = answered.clone();
        readers.push(tokio::spawn(async move {
            let page = client.answer(ack).await;
            // On a slow machine the last ones have waited too long.
            let is_read = page["messages"].as_array().is_some_and(|it| it.len() == 200);
            assert!(is_read || page["error"]["code"] == "unavailable", "{page}");
            answered.fetch_add(1, Ordering::AcqRel);
        }));
    }
    let page = bob.ask("list-messages", of_chat(&own)).await;
    let before_bob = answered.load(Ordering::Acquire);
    assert_eq!(page["messages"], json!([]));
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(before_bob < FLOOD / 3, "{before_bob} long reads were answered before bob's short one");
}

#[tokio::test]
async fn a_user_who_reads_much_holds_nobody_up() {
    let (server, chat) = with_history().await;
    let mut clients = Vec::new();
    for _ in 0..FLOOD {
        clients.push(server.user("ann").await);
    }
    bob_does_not_wait_for(clients, &server, &chat).await;
}

#[tokio::test]
async fn nobody_in_particular_who_reads_much_holds_nobody_up() {
    let (server, chat) = with_history().await;
    let mut clients = Vec::new();
    for _ in 0..FLOOD {
        clients.push(server.connect().await);
    }
    bob_does_not_wait_for(clients, &server, &chat).await;
}
