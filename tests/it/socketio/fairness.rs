//! Reads of one who asks for much, and of the others beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

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

/// Has all these clients read the history at the same time, and then somebody ask for something of
/// theirs. Returns how many were answered before, and the answer.
async fn answered_before(
    clients: Vec<Client>,
    history: &str,
    (asker, event, body): (&mut Client, &str, Value),
) -> (usize, Value) {
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
    let answer = asker.ask(event, body).await;
    let before = answered.load(Ordering::Acquire);
    for reader in readers {
        reader.await.unwrap();
    }
    (before, answer)
}

/// Fails if bob waits for most of these clients when he looks at a chat of his.
async fn bob_does_not_wait_for(clients: Vec<Client>, server: &TestServer, history: &str) {
    let mut bob = server.user("bob").await;
    let asked = of_chat(&bob.chat("short", true, &[]).await);
    let (before, page) =
        answered_before(clients, history, (&mut bob, "list-messages", asked)).await;
    assert_eq!(page["messages"], json!([]));
    assert!(before < FLOOD / 3, "{before} long reads were answered before bob's short one");
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

/// They look something up each time, as often as signals are sent.
#[tokio::test]
async fn signals_wait_for_what_their_user_reads() {
    let (server, chat) = with_history().await;
    let mut clients = Vec::new();
    for _ in 0..FLOOD {
        clients.push(server.user("ann").await);
    }
    let mut ann = server.user("ann").await;
    let mut signal = of_chat(&chat);
    signal["data"] = json!(1);
    let (before, _) = answered_before(clients, &chat, (&mut ann, "signal", signal)).await;
    assert!(before > FLOOD / 2, "{before} long reads were answered before a signal");
}
