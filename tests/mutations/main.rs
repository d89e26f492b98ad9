//! Sends mutated frames and bodies through all doors of a real server: nothing that a client sends
//! may make it panic, hang or grow. README.md says how to run it.

mod corpus;
mod exchange;
mod http;
mod mutate;
#[path = "../it/support/patience.rs"]
mod patience;
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

use exchange::{Door, ROUND, Tally, Worker};
use http::Http;
use patience::within;
use server::Server;
use tokio::sync::RwLock;
use tokio::task::JoinSet;

/// What takes longer than this counts as never ending.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many workers send at the same time.
const WORKERS: u64 = 8;

/// The processor time that the server may use for a case.
const SLOW: Duration = Duration::from_millis(100);

/// How much more memory the server may hold at the end than after the first fifth of the cases.
const GROWTH: u64 = 64 << 20;

/// The number in an environment variable, or `otherwise` if it is not set.
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
        workers.push(Worker::new(server.address, server.meter(), number).await.unwrap());
    }
    let begun = Arc::new(AtomicU64::new(0));
    let workers = run(workers, seed, &begun, rounds / 5).await;
    let before = server.memory();
    let workers = run(workers, seed, &begun, rounds).await;
    let used = Vec::from_iter(workers.iter().flat_map(|worker| &worker.used));
    let is_slow = |(used, _, _): &&&(Duration, Door, Vec<u8>)| *used > SLOW;
    let slow = used.iter().filter(is_slow).count();
    println!("{} cases were done again alone; {slow} took more than {SLOW:?}", used.len());
    if let Some((used, door, case)) = used.iter().max() {
        println!("the slowest took {used:?}, by {door:?}: {}", shown(case));
    }
    for ((door, end), count) in end(workers).await {
        println!("{door:?} {end}: {count}");
    }
    all_closed(server.address).await;
    watching.abort();
    assert!(watching.await.unwrap_err().is_cancelled(), "the server did not answer meanwhile");
    let after = server.memory();
    println!("memory: {} KiB, at the end {} KiB", before >> 10, after >> 10);
    assert!(after < before + GROWTH, "the server holds too much memory");
    // An unoptimized server takes many times as long for everything.
    assert!(slow == 0 || cfg!(debug_assertions), "{slow} cases were slow");
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

/// Plays all rounds up to, and not including, `until`.
async fn run(workers: Vec<Worker>, seed: u64, begun: &Arc<AtomicU64>, until: u64) -> Vec<Worker> {
    let (mut tasks, working) = (JoinSet::new(), Arc::<RwLock<()>>::default());
    for mut worker in workers {
        let (begun, working) = (begun.clone(), working.clone());
        tasks.spawn(async move {
            loop {
                let round = begun.fetch_add(1, Ordering::Relaxed);
                if round >= until {
                    return worker;
                }
                if let Err(why) = round_of(&mut worker, seed, round, &working).await {
                    report(&worker, seed, round, &why);
                }
            }
        });
    }
    let mut workers = Vec::new();
    while let Some(worker) = tasks.join_next().await {
        // A panic in one worker ends the whole test.
        workers.push(worker.unwrap());
    }
    begun.store(until, Ordering::Relaxed);
    workers
}

/// Plays a round at the same time as other workers. The server's processor time is known to a
/// hundredth of a second: if it used so much meanwhile that one of the cases may be slow, the round
/// is played again alone, case by case.
async fn round_of(
    worker: &mut Worker,
    seed: u64,
    round: u64,
    working: &RwLock<()>,
) -> Result<(), String> {
    let beside = working.read().await;
    in_time(worker.turn(round)).await?;
    let before = worker.meter.used();
    in_time(worker.round(seed, round, false)).await?;
    let used = worker.meter.used() - before;
    drop(beside);
    if used >= SLOW.mul_f64(0.8) {
        let _alone = working.write().await;
        in_time(worker.round(seed, round, true)).await?;
    }
    Ok(())
}

async fn in_time(done: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    within(PATIENCE, done).await.unwrap_or_else(|| Err("the server hangs".to_owned()))
}

/// Formats a case for the failure report.
fn shown(case: &[u8]) -> String {
    format!("{} bytes: {}", case.len(), case[..case.len().min(2000)].escape_ascii())
}

/// Panics with the cases of the round that failed.
fn report(worker: &Worker, seed: u64, round: u64, why: &str) -> ! {
    let door = Worker::door(round);
    worker.sent.iter().for_each(|case| println!("{}", shown(case)));
    panic!("round {round} of the seed {seed}, {door:?}: {why}; the last case above caused it");
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

/// Panics unless the server keeps answering.
async fn watch(address: SocketAddr) {
    loop {
        let answer =
            within(PATIENCE, async { Http::new(address).get("/healthz").await.unwrap().status });
        assert_eq!(answer.await.expect("the server hangs"), 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until the server has no connections left.
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
    let closed = within(PATIENCE, closed).await;
    closed.expect("the server keeps sockets that are closed");
}
