//! Transactions on PostgreSQL that run at the same time: none waits for another's chat, and events
//! are shown in the order of their commits.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::held::Held;
use crate::support::steps::{of_chat, of_chat_and};
use crate::support::{TestServer, message, services};

const ROUNDS: usize = 25;

/// A single node on a PostgreSQL; none if there is none to test with.
async fn alone() -> Option<(TestServer, String)> {
    let url = services::database(&services::postgres()?).await;
    let on_it = TestServer::on(TempDir::new().unwrap(), |config| {
        config.database_url = url.as_str().into();
        config.limits.messages_per_user = 0;
        config.limits.requests_per_user = 0;
    });
    Some((on_it.await, url))
}

#[tokio::test]
async fn a_locked_chat_does_not_delay_other_chats() {
    let Some((server, url)) = alone().await else { return };
    let mut ann = server.user("ann").await;
    let (locked, free) = (ann.make_private(&mut []).await, ann.make_private(&mut []).await);
    let (mut speaker, mut changer) = (server.user("ann").await, server.user("ann").await);
    let mut held = Held::on(&url).await;
    held.hold(&locked).await;
    let said = speaker.request("new-message", message(&locked, "wait")).await;
    let update = json!({ "chat": { "id": locked, "name": "wait" } });
    let changed = changer.request("update-chat", update).await;
    let waiting = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    while held.count(waiting).await < 2 {}
    for seq in 1..=3 {
        assert_eq!(ann.say(&free, "at once").await["seq"], seq);
        ann.done("mark-read", of_chat(&free)).await;
        ann.chat("at once", true, &[]).await;
    }
    assert_eq!(held.count(waiting).await, 2, "they did not wait");
    held.let_go().await;
    assert_eq!(speaker.answer(said).await["seq"], 1);
    assert_eq!(changer.answer(changed).await["chat"]["name"], "wait");
    server.shutdown().await;
}

#[tokio::test]
async fn pushes_do_not_wait_for_the_answer_to_a_later_request() {
    let Some((server, url)) = alone().await else { return };
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let locked = ann.make_private(&mut []).await;
    let shared = ann.make_private(&mut [&mut bob]).await;
    let mut held = Held::on(&url).await;
    held.hold(&locked).await;
    let first = ann.request("new-message", message(&shared, "mine")).await;
    let stuck = ann.request("new-message", message(&locked, "stuck")).await;
    assert_eq!(ann.answer(first).await["seq"], 1);
    for seq in 2..=20 {
        let said = bob.done("new-message", message(&shared, "theirs")).await;
        assert_eq!(said["seq"], seq);
    }
    for seq in 1..=20 {
        let (event, body) = ann.next_event().await;
        assert_eq!((event.as_str(), &body["seq"]), ("new-message", &json!(seq)));
    }
    held.let_go().await;
    assert_eq!(ann.answer(stuck).await["seq"], 1);
    server.shutdown().await;
}

#[tokio::test]
async fn a_member_gets_all_messages_of_their_membership() {
    let Some((server, _)) = alone().await else { return };
    let mut owner = server.user("owner").await;
    let chat = owner.chat("open", false, &[]).await;
    let mut mia = server.user("mia").await;
    let mut speakers = Vec::new();
    for _ in 0..4 {
        speakers.push(server.user("owner").await);
    }
    let over = AtomicBool::new(false);
    let speaking = join_all(speakers.iter_mut().map(async |speaker| {
        while !over.load(Relaxed) {
            speaker.done("new-message", message(&chat, "on and on")).await;
        }
    }));
    let moving = async {
        let (mut last, mut heard) = (0, 0);
        for _ in 0..ROUNDS {
            mia.done("join-chat", of_chat(&chat)).await;
            sleep(Duration::from_millis(15)).await;
            owner.done("remove-member", of_chat_and(&chat, &mia.id)).await;
            let mut next = None;
            loop {
                let (event, body) = mia.next_event().await;
                match event.as_str() {
                    "remove-member" => break,
                    "new-message" => {
                        let seq = body["seq"].as_i64().unwrap();
                        assert!(seq > last && next.is_none_or(|next| next == seq), "{seq}");
                        (last, next, heard) = (seq, Some(seq + 1), heard + 1);
                    }
                    _ => {}
                }
            }
        }
        over.store(true, Relaxed);
        heard
    };
    let (_, heard) = tokio::join!(speaking, moving);
    assert!(heard > ROUNDS, "only {heard} messages were heard");
    server.shutdown().await;
}
