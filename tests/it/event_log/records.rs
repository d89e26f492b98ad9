//! The event log, in a real Kafka.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use crate::event_log::schema::{assert_valid, make_everything_happen};
use crate::program::housekeeping::run;
use crate::support::database;
use crate::support::kafka::{PATIENCE, Topic, assert_log, committed, committed_in, count_unlogged};
use crate::support::patience::{now, within};
use crate::support::program::Running;
use crate::support::services::{self, Services};
use crate::support::signing::with_credentials;
use crate::support::{Client, TestServer, get, message, soon};

const PARTITIONS: i32 = 12;
/// The metric of the messages that a node has stored.
const SENT: &str = "chinwag_messages_total";

/// Eight sockets that send to four chats, each a message after every answer, until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<(usize, Duration)>>,
}

impl Load {
    async fn start(address: SocketAddr) -> Load {
        let mut client = Client::connect(address).await;
        client.ask("create-user", ann()).await;
        let mut chats = Vec::new();
        for name in 0..4 {
            let chat = json!({ "chat": { "name": name.to_string() }, "users": [] });
            let made = client.ask("create-chat", chat).await;
            chats.push(made["chat"]["id"].as_str().unwrap().to_owned());
        }
        let stop = Arc::<AtomicBool>::default();
        let senders =
            (0..8).map(|_| tokio::spawn(Load::send(address, chats.clone(), stop.clone())));
        Load { senders: senders.collect(), stop }
    }

    /// How many messages were acknowledged, and how long the slowest answer took.
    async fn send(
        address: SocketAddr,
        chats: Vec<String>,
        stop: Arc<AtomicBool>,
    ) -> (usize, Duration) {
        let (mut client, mut slowest) = (Client::connect(address).await, Duration::ZERO);
        client.ask("create-user", ann()).await;
        for at in 0.. {
            let start = now();
            let body = message(&chats[at % chats.len()], &format!("text {at}"));
            let answer = client.try_ask("new-message", body).await;
            slowest = slowest.max(now() - start);
            match answer {
                Some(answer) => assert!(answer.get("error").is_none(), "{answer}"),
                None => return (at, slowest),
            }
            if stop.load(Ordering::Relaxed) {
                return (at + 1, slowest);
            }
            sleep(Duration::from_millis(2)).await;
        }
        unreachable!()
    }

    async fn stop(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut count, mut slowest) = (0, Duration::ZERO);
        for sender in self.senders {
            let (sent, took) = soon("a sender ends", sender).await.unwrap();
            count += sent;
            slowest = slowest.max(took);
        }
        (count, slowest)
    }
}

fn ann() -> Value {
    json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } })
}

/// A program that writes its log to a topic, with the database in a directory or, as one of several
/// nodes, with PostgreSQL and Redis.
fn program(directory: &Path, of_many: Option<[&str; 2]>, topic: &Topic) -> Running {
    Running::with(directory, |command| {
        command.args(["--listen", "127.0.0.1:0"]);
        command.args(["--kafka-brokers", &topic.brokers, "--kafka-topic", &topic.name]);
        command.args(["--messages-per-user", "0", "--requests-per-user", "0"]);
        command.args(["--requests-per-address", "0"]);
        if let Some([postgres, redis]) = of_many {
            command.args(["--database-url", postgres, "--redis-url", redis]);
        }
    })
}

/// The value of a metric; NaN if it is not there yet.
async fn metric(running: &Running, name: &str) -> f64 {
    let text = get(running.address, "/metrics", "").await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(f64::NAN, |value| value.trim().parse().unwrap())
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(within(PATIENCE, wait).await.is_some(), "did not happen: {what}");
}

async fn until_logged(running: &Running) {
    for lag in ["chinwag_event_log_lag_events", "chinwag_event_log_lag_seconds"] {
        until("there is no lag", async || metric(running, lag).await == 0.0).await;
    }
}

async fn end(running: Running, signal: &'static str) -> (Option<i32>, String) {
    let (status, log) = spawn_blocking(move || running.end(signal)).await.unwrap();
    (status.code(), log)
}

#[tokio::test]
async fn every_committed_event_arrives_once_and_in_order() {
    let Some(brokers) = services::kafka() else { return };
    let topic = Topic::new(&brokers);
    let server = TestServer::with(|config| {
        with_credentials(chinwag::Access::Open)(config);
        config.kafka_brokers = Some(topic.brokers.clone());
        config.kafka_topic = topic.name.clone();
    })
    .await;
    // Else what was edited would be taken out of the events after a while, and the log has it.
    let keep = match database::is_postgres() {
        true => "create rule keep as on insert to erasures do instead nothing",
        false => "create trigger keep before insert on erasures begin select raise(ignore); end",
    };
    run(&database::url_in(server.directory.path()), keep).await;
    make_everything_happen(&server).await;
    let committed = committed(&server.directory).await;
    let records = topic.read(&committed).await;
    assert_eq!(topic.partitions().await, PARTITIONS, "it was made here");
    assert_eq!(records.len(), committed.len(), "some came twice");
    assert_log(&records, &committed);
    assert_valid(&Vec::from_iter(records.into_iter().map(|record| record.value)));
    let directory = server.shutdown().await;
    assert_eq!(count_unlogged(&directory).await, 0);
}

#[tokio::test]
async fn clients_do_not_notice_an_outage_of_kafka() {
    let Some(kafka) = Services::start(&["kafka"]).await else { return };
    let topic = Topic::new(&kafka.url("kafka"));
    let directory = TempDir::new().unwrap();
    let running = program(directory.path(), None, &topic);
    let load = Load::start(running.address).await;
    let written = async || metric(&running, "chinwag_event_log_written_total").await;
    until("some is written", async || written().await > 100.0).await;
    for kill in [false, true] {
        match kill {
            true => kafka.kill("kafka").await,
            false => kafka.stop("kafka").await,
        }
        let lag = async || metric(&running, "chinwag_event_log_lag_events").await;
        until("the lag rises", async || lag().await > 2000.0).await;
        let age = async || metric(&running, "chinwag_event_log_lag_seconds").await;
        until("the lag has an age", async || age().await > 1.0).await;
        kafka.start_again("kafka").await;
        // The load goes on, so that some events are always waiting.
        until("the lag falls", async || lag().await < 1000.0).await;
    }
    let (sent, slowest) = load.stop().await;
    assert!(sent > 500 && slowest < Duration::from_secs(5), "{sent}, {slowest:?}");
    until_logged(&running).await;
    let committed = committed(&directory).await;
    assert!(committed.len() > sent);
    assert_log(&topic.read(&committed).await, &committed);
    let (status, log) = end(running, "TERM").await;
    assert_eq!(status, Some(0), "{log}");
}

#[tokio::test]
async fn a_killed_server_continues_the_log_where_it_stopped() {
    let Some(brokers) = services::kafka() else { return };
    let topic = Topic::new(&brokers);
    topic.make(3, "1000000").await;
    let directory = TempDir::new().unwrap();
    let mut sent = 0;
    for _ in 0..3 {
        let running = program(directory.path(), None, &topic);
        let load = Load::start(running.address).await;
        let written = async || metric(&running, "chinwag_event_log_written_total").await;
        until("some is written", async || written().await > 100.0).await;
        let (status, _) = end(running, "KILL").await;
        assert_eq!(status, None);
        sent += load.stop().await.0;
    }
    let running = program(directory.path(), None, &topic);
    until_logged(&running).await;
    let committed = committed(&directory).await;
    assert!(committed.len() > sent);
    assert_log(&topic.read(&committed).await, &committed);
    assert_eq!(topic.partitions().await, 3, "a topic that is there stays as it is");
    end(running, "TERM").await;
}

#[tokio::test]
async fn a_server_that_ends_writes_all_and_ends_without_kafka_too() {
    let Some(brokers) = services::kafka() else { return };
    let (topic, away) = (Topic::new(&brokers), Topic::new("127.0.0.1:1"));
    let directory = TempDir::new().unwrap();
    let mut unlogged = 0;
    for topic in [&away, &topic] {
        let running = program(directory.path(), None, topic);
        let load = Load::start(running.address).await;
        let sent = async || metric(&running, SENT).await;
        until("something is sent", async || sent().await > 100.0).await;
        load.stop().await;
        let start = now();
        let (status, log) = end(running, "TERM").await;
        assert_eq!(status, Some(0), "{log}");
        assert!(now() - start < Duration::from_secs(10), "{log}");
        let before = std::mem::replace(&mut unlogged, count_unlogged(&directory).await);
        assert!(before == 0 || unlogged == 0, "{log}");
    }
    let committed = committed(&directory).await;
    assert_log(&topic.read(&committed).await, &committed);
}

#[tokio::test]
async fn one_of_two_nodes_writes_and_the_other_takes_over() {
    let Some(brokers) = services::kafka() else { return };
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let url = services::database(&postgres).await;
    let (topic, directory) = (Topic::new(&brokers), TempDir::new().unwrap());
    let mut database = PgConnection::connect(&url).await.unwrap();
    let node = || program(directory.path(), Some([&url, &redis]), &topic);
    let mut nodes = vec![node(), node()];
    let loads = [Load::start(nodes[0].address).await, Load::start(nodes[1].address).await];
    let sent = async |node: &Running| metric(node, SENT).await;
    for node in &nodes {
        until("something is sent", async || sent(node).await > 200.0).await;
    }
    for load in loads {
        load.stop().await;
    }
    until_logged(&nodes[0]).await;
    let healthy = committed_in(&mut database).await;
    let records = topic.read(&healthy).await;
    assert_eq!(records.len(), healthy.len(), "some came twice");
    assert_log(&records, &healthy);
    let written = async |node: &Running| metric(node, "chinwag_event_log_written_total").await;
    let counts = [written(&nodes[0]).await, written(&nodes[1]).await];
    assert!(counts.contains(&0.0) && counts.contains(&(healthy.len() as f64)), "{counts:?}");

    // The writing node is killed while the other is under load.
    let writer = nodes.remove(if counts[0] > 0.0 { 0 } else { 1 });
    let before = sent(&nodes[0]).await;
    let load = Load::start(nodes[0].address).await;
    until("something is sent", async || sent(&nodes[0]).await > before + 50.0).await;
    end(writer, "KILL").await;
    until("the other writes", async || written(&nodes[0]).await > 0.0).await;
    // The connection that holds the lock is ended.
    let kill = "select count(pg_terminate_backend(pid)) from pg_locks
        where locktype = 'advisory' and granted and classid::bigint << 32 | objid::bigint = $1
            and database = (select oid from pg_database where datname = current_database())";
    let kill = sqlx::query_scalar(kill).bind(i64::from_be_bytes(*b"eventlog"));
    let killed: i64 = kill.fetch_one(&mut database).await.unwrap();
    assert_eq!(killed, 1);
    let before = written(&nodes[0]).await;
    until("it goes on", async || written(&nodes[0]).await > before + 100.0).await;
    load.stop().await;
    until_logged(&nodes[0]).await;
    let all = committed_in(&mut database).await;
    assert!(all.len() > healthy.len());
    assert_log(&topic.read(&all).await, &all);
    for node in nodes {
        end(node, "TERM").await;
    }
}

#[tokio::test]
async fn an_event_too_large_for_the_topic_holds_up_the_log() {
    let Some(brokers) = services::kafka() else { return };
    let topic = Topic::new(&brokers);
    topic.make(1, "300000").await;
    let directory = TempDir::new().unwrap();
    let running = program(directory.path(), None, &topic);
    let mut client = Client::connect(running.address).await;
    client.ask("create-user", ann()).await;
    let chat = client.chat("large", true, &[]).await;
    client.say(&chat, "before").await;
    until_logged(&running).await;
    // A text that cannot be compressed.
    let noise = |at: u32| BASE64_NOPAD.encode(&Sha256::digest(at.to_le_bytes()));
    let large: String = (0..10_000).map(noise).collect();
    for text in [&large, "after", "long after"] {
        client.say(&chat, text).await;
    }
    let lag = async || metric(&running, "chinwag_event_log_lag_events").await;
    until("it is held up", async || lag().await == 3.0).await;
    topic.raise_max_batch().await;
    until_logged(&running).await;
    let committed = committed(&directory).await;
    assert_log(&topic.read(&committed).await, &committed);
    let (_, log) = end(running, "TERM").await;
    assert!(log.contains("too large") && log.contains("written again"), "{log}");
}

#[tokio::test]
async fn the_log_continues_after_a_copy_to_postgres() {
    let (Some(postgres), Some(brokers)) = (services::postgres(), services::kafka()) else { return };
    let (url, topic) = (services::database(&postgres).await, Topic::new(&brokers));
    let logged = |config: &mut chinwag::Config| {
        config.kafka_brokers = Some(topic.brokers.clone());
        config.kafka_topic = topic.name.clone();
    };
    let directory = TempDir::new().unwrap();
    let file = database::sqlite_in(directory.path());
    let server = TestServer::on(directory, |config| {
        config.database_url = file.into();
        logged(config);
    })
    .await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    ann.say(&chat, "one").await;
    let stream = format!("chat/{chat}");
    topic.read(&[json!({ "stream": stream, "number": 2 })]).await;
    let directory = server.shutdown().await;
    let (code, text) = crate::store::copy::copy(&directory, &url).await;
    assert_eq!(code, Some(0), "{text}");
    let server = TestServer::with(|config| {
        config.database_url = url.as_str().into();
        logged(config);
    })
    .await;
    server.user("ann").await.say(&chat, "two").await;
    let mut records = topic.read(&[json!({ "stream": stream, "number": 3 })]).await;
    records.retain(|record| record.value["stream"] == stream);
    let numbers = records.iter().map(|record| &record.value["number"]);
    assert_eq!(Vec::from_iter(numbers), [1, 2, 3]);
    let texts = records[1..].iter().map(|record| &record.value["data"]["message"]["body"]);
    assert_eq!(Vec::from_iter(texts), ["one", "two"]);
}
