//! The users that calls of the webhook name as offline; and several nodes, of which one delivers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::program::housekeeping::run;
use crate::store::copy::copy;
use crate::support::database::sqlite_in;
use crate::support::hooks::{Call, Receiver, hooked, until_count};
use crate::support::nodes::Nodes;
use crate::support::proxy::Proxy;
use crate::support::{Client, TestServer, services};

/// Sends messages until a call of the webhook names exactly these users as offline.
async fn says_until_offline(
    ann: &mut Client,
    chat: &str,
    receiver: &mut Receiver,
    offline: &[&str],
    online: &str,
) -> usize {
    for said in 1.. {
        ann.say(chat, "hello").await;
        let call = receiver.next_message().await;
        let named = call.json["offline"].as_array().expect("a list");
        assert!(!named.contains(&json!(online)), "{}", call.body);
        if Value::from(offline) == call.json["offline"] {
            return said;
        }
        sleep(Duration::from_millis(50)).await;
    }
    unreachable!()
}

#[tokio::test]
async fn a_call_names_the_members_that_are_offline() {
    let mut receiver = Receiver::start(|_| 200).await;
    let server = TestServer::with(hooked(receiver.url())).await;
    let (mut ann, bob) = (server.user("ann").await, server.user("bob").await);
    let cat = server.user("cat").await;
    let ids = [bob.id.clone(), cat.id.clone()];
    let chat = ann.chat("x", true, &[&bob.id, &cat.id]).await;
    drop(cat);
    says_until_offline(&mut ann, &chat, &mut receiver, &[&ids[1]], &ids[0]).await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_delivering_node_knows_who_is_connected_elsewhere() {
    let mut receiver = Receiver::start(|_| 200).await;
    let Some(nodes) = Nodes::with(2, hooked(receiver.url())).await else { return };
    let (mut ann, bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let mut dan = nodes[1].user("dan").await;
    let cat = nodes[1].user("cat").await;
    let ids = [bob.id.clone(), cat.id.clone()];
    let chat = ann.chat("x", true, &[&bob.id, &cat.id]).await;
    drop(cat);
    let mut said = says_until_offline(&mut ann, &chat, &mut receiver, &[&ids[1]], &ids[0]).await;
    let other = dan.chat("y", true, &[]).await;
    let mut seen = Vec::new();
    for _ in 0..20 {
        ann.say(&chat, "hello").await;
        dan.say(&other, "hello").await;
        for _ in 0..2 {
            seen.push(receiver.next_message().await.json["data"].clone());
        }
    }
    said += 20;
    let of_chat = seen.iter().filter(|data| data["message"]["chat_id"] == json!(chat));
    let seqs = Vec::from_iter(of_chat.map(|data| data["message"]["seq"].as_u64().unwrap()));
    assert_eq!(seqs, Vec::from_iter(said as u64 - 19..=said as u64));
}

#[tokio::test]
async fn nobody_is_named_as_offline_while_redis_is_down() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let mut receiver = Receiver::start(|_| 200).await;
    let (database, proxy) = (services::database(&postgres).await, Proxy::to(&redis).await);
    let nodes = Nodes::on(&database, &proxy.url(&redis), 2, hooked(receiver.url())).await;
    let (mut ann, bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let chat = ann.chat("x", true, &[&bob.id]).await;
    says_until_offline(&mut ann, &chat, &mut receiver, &[], &bob.id).await;
    proxy.cut();
    ann.say(&chat, "while it is away").await;
    // Other events do not wait for Redis.
    ann.chat("the other", true, &[]).await;
    loop {
        let call = receiver.next().await;
        assert_eq!(call.text(), "", "it was sent by a guess");
        if call.json["data"]["name"] == "the other" {
            break;
        }
    }
    proxy.mend();
    let call = receiver.next_message().await;
    assert_eq!((call.text(), &call.json["offline"]), ("while it is away", &json!([])));
}

#[tokio::test]
async fn a_node_without_redis_leaves_delivering_to_another() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let mut receiver = Receiver::start(|_| 200).await;
    let (database, proxy) = (services::database(&postgres).await, Proxy::to(&redis).await);
    let (url, is_first) = (receiver.url(), AtomicBool::new(true));
    let nodes = Nodes::on(&database, &redis, 2, |config| {
        hooked(url.clone())(config);
        if is_first.swap(false, Ordering::Relaxed) {
            config.redis_url = Some(proxy.url(&redis).into());
        }
    });
    let nodes = nodes.await;
    let mut ann = nodes[1].user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    let id = ann.id.clone();
    says_until_offline(&mut ann, &chat, &mut receiver, &[], &id).await;
    proxy.cut();
    ann.say(&chat, "while it is away").await;
    assert_eq!(receiver.next_message().await.text(), "while it is away");
}

#[tokio::test]
async fn a_node_that_cannot_reach_the_endpoint_leaves_delivering() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let mut receiver = Receiver::start(|_| 200).await;
    let database = services::database(&postgres).await;
    let (url, is_first) = (receiver.url(), AtomicBool::new(true));
    let nodes = Nodes::on(&database, &redis, 2, |config| {
        let nowhere = "http://127.0.0.1:1/".to_owned();
        let is_first = is_first.swap(false, Ordering::Relaxed);
        hooked(if is_first { nowhere } else { url.clone() })(config);
    });
    let nodes = nodes.await;
    let mut ann = nodes[0].user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    ann.say(&chat, "hello").await;
    assert_eq!(receiver.next_message().await.text(), "hello");
}

/// Ends the connection that holds the lock for delivering.
const TAKE_LOCK_AWAY: &str = "select pg_terminate_backend(pid) from pg_locks
    where locktype = 'advisory' and (classid::bigint << 32) + objid::bigint = x'776562686f6f6b73'::bigint
        and database = (select oid from pg_database where datname = current_database())";

#[tokio::test]
async fn no_event_is_lost_when_another_node_takes_over_delivering() {
    let mut receiver = Receiver::start(|_| 200).await;
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let nodes = Nodes::on(&database, &redis, 2, hooked(receiver.url())).await;
    let mut ann = nodes[0].user("ann").await;
    let mut chats = Vec::new();
    for name in ["one", "two", "three"] {
        chats.push(ann.chat(name, true, &[]).await);
    }
    for round in 0..4 {
        for at in 0..10 {
            for chat in &chats {
                ann.say(chat, &(10 * round + at).to_string()).await;
            }
        }
        run(&database, TAKE_LOCK_AWAY).await;
    }
    let mut next: HashMap<String, usize> =
        HashMap::from_iter(chats.iter().map(|chat| (chat.clone(), 0)));
    while next.values().any(|next| *next < 40) {
        let call = receiver.next_message().await;
        let number: usize = call.text().parse().unwrap();
        let chat = call.json["data"]["message"]["chat_id"].as_str().unwrap();
        let next = next.get_mut(chat).unwrap();
        assert!(number <= *next, "{number} comes before {next}");
        *next = number + 1;
    }
    until_count(&database, "select count(*) from webhooks", 0).await;
}

#[tokio::test]
async fn an_event_that_waits_for_no_other_is_delivered() {
    let mut receiver = Receiver::start(|_| 200).await;
    let url = receiver.url();
    let server = TestServer::with(hooked("http://127.0.0.1:1/".to_owned())).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    for text in ["one", "two"] {
        ann.say(&chat, text).await;
    }
    let directory = server.shutdown().await;
    let database = crate::support::database::url_in(directory.path());
    run(&database, "update webhooks set next_at = null").await;
    let server = TestServer::on(directory, hooked(url)).await;
    for text in ["one", "two"] {
        assert_eq!(receiver.next_message().await.text(), text);
    }
    server.shutdown().await;
}

#[tokio::test]
async fn undelivered_events_are_copied_and_delivered_from_the_copy() {
    let Some(postgres) = services::postgres() else { return };
    let directory = TempDir::new().unwrap();
    let file = sqlite_in(directory.path());
    let mut rejecting = Receiver::start(|_| 500).await;
    let rejected = rejecting.url();
    let server = TestServer::on(directory, |config| {
        hooked(rejected)(config);
        config.database_url = file.into();
    })
    .await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    ann.say(&chat, "before").await;
    let first: Call = loop {
        let call = rejecting.next().await;
        if call.json["stream"] == format!("chat/{chat}") {
            break call;
        }
    };
    let directory = server.shutdown().await;
    let url = services::database(&postgres).await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(0), "{text}");
    let mut receiver = Receiver::start(|_| 200).await;
    let there = receiver.url();
    let server = TestServer::on(TempDir::new().unwrap(), |config| {
        hooked(there)(config);
        config.database_url = url.as_str().into();
    })
    .await;
    let mut ann = server.user("ann").await;
    ann.say(&chat, "after").await;
    let again = loop {
        let call = receiver.next().await;
        if call.json["stream"] == first.json["stream"] {
            break call;
        }
    };
    assert_eq!((again.id, again.body), (first.id, first.body));
    for text in ["before", "after"] {
        assert_eq!(receiver.next_message().await.text(), text);
    }
}
