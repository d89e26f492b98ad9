//! Reads of one user who asks for much, and of others at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::patience::now;
use crate::support::services;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, assert_error};

/// How many long reads wait at the same time.
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

/// While nothing can be read, the waiting reads are all refused after the same time, and not one
/// after the other.
#[tokio::test]
async fn a_read_waits_only_so_long_for_earlier_reads() {
    let Some(postgres) = services::postgres() else { return };
    let url = services::database(&postgres).await;
    let server = TestServer::with(|config| config.database_url = url.clone().into()).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    let lock = "begin; lock table messages in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    // If they were refused three at a time after 5 s each, the last would be refused after 35 s.
    let readers = join_all((0..20).map(|_| server.user("ann"))).await;
    let asked = now();
    let refused = readers.into_iter().map(async |mut client| {
        let ack = client.request("list-messages", of_chat(&chat)).await;
        assert_error(&client.answer(ack).await["error"], "unavailable", None);
    });
    join_all(refused).await;
    let waited = now() - asked;
    assert!(waited < Duration::from_secs(18), "the last one has waited for {waited:?}");
}

/// Makes all these clients read the history at the same time, and then the asker send a request.
/// Returns how many reads were answered before that request, and the request's answer.
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
            // On a slow machine the last reads may be refused, as they have waited too long.
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

/// Fails if bob's read of his own chat has to wait for most of these clients.
async fn bob_does_not_wait_for(clients: Vec<Client>, server: &TestServer, history: &str) {
    let mut bob = server.user("bob").await;
    let asked = of_chat(&bob.chat("short", true, &[]).await);
    let (before, page) =
        answered_before(clients, history, (&mut bob, "list-messages", asked)).await;
    assert_eq!(page["messages"], json!([]));
    assert!(before < FLOOD / 3, "{before} long reads were answered before bob's short one");
}

#[tokio::test]
async fn a_user_who_reads_much_does_not_delay_others() {
    let (server, chat) = with_history().await;
    let mut clients = Vec::new();
    for _ in 0..FLOOD {
        clients.push(server.user("ann").await);
    }
    bob_does_not_wait_for(clients, &server, &chat).await;
}

#[tokio::test]
async fn sockets_without_a_user_that_read_much_do_not_delay_others() {
    let (server, chat) = with_history().await;
    let mut clients = Vec::new();
    for _ in 0..FLOOD {
        clients.push(server.connect().await);
    }
    bob_does_not_wait_for(clients, &server, &chat).await;
}

/// A signal looks the chat up in the database each time, however often signals are sent.
#[tokio::test]
async fn a_signal_waits_for_the_reads_of_its_user() {
    let (server, chat) = with_history().await;
    let mut clients = Vec::new();
    for _ in 0..FLOOD {
        clients.push(server.user("ann").await);
    }
    let mut ann = server.user("ann").await;
    let mut signal = of_chat(&chat);
    signal["data"] = json!(1);
    let (before, answer) = answered_before(clients, &chat, (&mut ann, "signal", signal)).await;
    // On a slow machine the signal may be refused, too, as it has waited too long.
    let has_waited = before > FLOOD / 2 || answer["error"]["code"] == "unavailable";
    assert!(has_waited, "{before} long reads were answered before a signal: {answer}");
}
