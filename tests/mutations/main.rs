//! Mutated frames and bodies through all doors of a real server: nothing that a stranger sends may
//! make it panic, hang or grow. README.md says how to run it.

mod corpus;
mod exchange;
mod http;
mod mutate;
mod random;
mod server;
mod socketio;
mod websocket;
mod world;

use std::env;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exchange::{ROUND, Tally, Worker};
use http::Http;
use server::Server;
use tokio::task::JoinSet;

/// Nothing takes this long unless it never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many send at the same time.
const WORKERS: u64 = 8;

/// How much more memory the server may hold at the end than after the first fifth of the cases.
const GROWTH: u64 = 64 << 20;

/// A number that the environment says, or another.
fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().expect(variable))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_frames_and_bodies_stop_nothing() {
    let cases = number("CHINWAG_MUTATIONS", 20_000);
    let seed = number("CHINWAG_MUTATIONS_SEED", 1);
    println!("{cases} cases of the seed {seed}");
    let server = Server::start();
    let watching = tokio::spawn(watch(server.address));
    let rounds = cases.div_ceil(ROUND);
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        workers.push(Worker::new(server.address, number).await.unwrap());
    }
    let begun = Arc::new(AtomicU64::new(0));
    let workers = run(workers, seed, &begun, rounds / 5).await;
    let before = server.memory();
    let workers = run(workers, seed, &begun, rounds).await;
    let (took, door) = workers.iter().map(|worker| worker.slowest).max().unwrap();
    println!("the slowest answer over HTTP took {took:?}, by {door:?}");
    let metrics = Http::new(server.address).get("/metrics").await.unwrap().text();
    println!("{} requests of all took more than 0.1 s", slow_requests(&metrics));
    for ((door, end), count) in end(workers).await {
        println!("{door:?} {end}: {count}");
    }
    all_closed(server.address).await;
    watching.abort();
    assert!(watching.await.unwrap_err().is_cancelled(), "the server did not answer meanwhile");
    let after = server.memory();
    println!("memory: {} KiB, at the end {} KiB", before >> 10, after >> 10);
    assert!(after < before + GROWTH, "it has grown");
    assert_eq!(server.defects(), Vec::<String>::new());
    server.end();
}

#[test]
fn each_request_is_sent() {
    let table = include_str!("../../src/doors/requests/mod.rs");
    let (_, table) = table.split_once("\nevents! {").unwrap();
    let events = table.split("\n        \"").skip(1).filter_map(|rest| rest.split('"').next());
    let events = Vec::from_iter(events);
    assert!(events.len() > 40);
    let missing = |event: &&str| {
        let named = format!("[\"{event}\",");
        !corpus::PACKETS.iter().any(|packet| packet.contains(&named))
    };
    assert_eq!(Vec::from_iter(events.into_iter().filter(missing)), Vec::<&str>::new());
}

/// Does the rounds up to one of them.
async fn run(workers: Vec<Worker>, seed: u64, begun: &Arc<AtomicU64>, until: u64) -> Vec<Worker> {
    let mut tasks = JoinSet::new();
    for mut worker in workers {
        let begun = begun.clone();
        tasks.spawn(async move {
            loop {
                let round = begun.fetch_add(1, Ordering::Relaxed);
                if round >= until {
                    return worker;
                }
                let done = tokio::time::timeout(PATIENCE, worker.round(seed, round)).await;
                let done = done.unwrap_or_else(|_| Err("it hangs".to_owned()));
                if let Err(why) = done {
                    report(&worker, seed, round, &why);
                }
            }
        });
    }
    let mut workers = Vec::new();
    while let Some(worker) = tasks.join_next().await {
        // A panic in a worker ends the others.
        workers.push(worker.unwrap());
    }
    begun.store(until, Ordering::Relaxed);
    workers
}

/// How many requests took the server more than 0.1 s, by its histograms of all doors.
fn slow_requests(metrics: &str) -> u64 {
    let sum = |start: &str, part: &str| -> u64 {
        let lines = metrics.lines().filter(|line| line.starts_with(start) && line.contains(part));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    let quick = sum("chinwag_request_seconds_bucket", "le=\"0.1\"");
    sum("chinwag_request_seconds_count", "") - quick
}

/// Fails, and says by what.
fn report(worker: &Worker, seed: u64, round: u64, why: &str) -> ! {
    let door = Worker::door(round);
    for case in &worker.sent {
        let shown = &case[..case.len().min(2000)];
        println!("{} bytes: {}", case.len(), shown.escape_ascii());
    }
    panic!("round {round} of the seed {seed}, {door:?}: {why}; the last of the cases above");
}

async fn end(workers: Vec<Worker>) -> Tally {
    let mut all = Tally::new();
    for worker in workers {
        for (end, count) in worker.end().await {
            *all.entry(end).or_default() += count;
        }
    }
    all
}

/// Fails unless the server goes on to answer.
async fn watch(address: SocketAddr) {
    loop {
        let answer = tokio::time::timeout(PATIENCE, async {
            Http::new(address).get("/healthz").await.unwrap().status
        });
        assert_eq!(answer.await.expect("the server hangs"), 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the server knows of no connection any more.
async fn all_closed(address: SocketAddr) {
    let closed = async {
        loop {
            let metrics = Http::new(address).get("/metrics").await.unwrap().text();
            if metrics.contains("\nchinwag_sockets 0\n") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let closed = tokio::time::timeout(PATIENCE, closed).await;
    closed.expect("the server keeps sockets that are closed");
}
