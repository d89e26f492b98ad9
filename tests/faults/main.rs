//! Plays random faults against real servers while clients of all doors put them under load, and
//! compares what each client was told with what the database has at the end. README.md says how to
//! run it.

#[cfg(feature = "broken")]
mod broken;
mod channels;
mod direct;
mod disk;
#[cfg(feature = "kafka")]
mod event_log;
mod history;
#[path = "../mutations/http.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod http;
mod load;
mod malice;
mod node;
mod patience;
mod plain;
#[path = "../mutations/random.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod random;
mod rooms;
mod schedule;
mod site;
mod soak;
mod socketio;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;
mod upgrade;

use std::env;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use history::{Figures, Stored};
use load::World;
use node::Node;
use patience::PATIENCE;
use schedule::{Lane, Service, plan};
use site::Site;
use support::patience::within;
use support::services::Services;
use tokio::task::JoinHandle;

/// The services that all nodes share.
const SERVICES: [Service; 2] = [Service::Postgres, Service::Redis];

/// Which schedules to play: `CHINWAG_FAULTS=20x120` plays 20 schedules of 120 seconds each, and
/// `CHINWAG_FAULTS_SEED` is the seed of the first.
struct Schedules {
    seeds: Range<u64>,
    lasting: Duration,
}

impl Schedules {
    fn wanted() -> Schedules {
        let number = |text: &str| text.parse::<u64>().expect("CHINWAG_FAULTS is like 20x120");
        let wanted = env::var("CHINWAG_FAULTS").unwrap_or_else(|_| "1x25".to_owned());
        let (count, seconds) = wanted.split_once('x').expect("CHINWAG_FAULTS is like 20x120");
        let first = env::var("CHINWAG_FAULTS_SEED").map_or(1, |text| number(&text));
        Schedules {
            seeds: first..first + number(count),
            lasting: Duration::from_secs(number(seconds)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_keeps_its_promises() {
    let Schedules { seeds, lasting } = Schedules::wanted();
    for seed in seeds {
        let outcome = play(Site::of_one(&[]).await, seed, lasting).await;
        outcome.must_be_right("one node", seed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_keep_their_promises() {
    let Some(services) = Services::start(&["postgres", "redis"]).await else { return };
    let services = Arc::new(services);
    let Schedules { seeds, lasting } = Schedules::wanted();
    for seed in seeds {
        let outcome =
            play(Site::of_many(3, services.clone(), &[], &SERVICES).await, seed, lasting).await;
        outcome.must_be_right("three nodes", seed);
    }
}

struct Outcome {
    wrong: Vec<String>,
    figures: Figures,
    plan: Vec<Lane>,
    warnings: String,
}

/// Plays a schedule against servers under load, ends the servers and judges what happened.
async fn play(site: Site, seed: u64, lasting: Duration) -> Outcome {
    let (world, plan) = act(site, seed, lasting).await;
    judge(&world, plan).await
}

/// Plays a schedule against servers under load, and leaves the servers running.
async fn act(site: Site, seed: u64, lasting: Duration) -> (Arc<World>, Vec<Lane>) {
    let plan = plan(seed, site.nodes.len(), &site.struck, lasting);
    let world = Arc::new(World::make(site).await);
    let load = Load::start(&world, seed);
    let lanes = plan.iter().map(|lane| world.site.play(lane, || !world.is_wrong()));
    for struck in join_all(lanes).await {
        match struck {
            Ok(count) => world.history().figures.faults += count,
            Err(why) => world.wrong(why),
        }
    }
    load.end(&world).await;
    (world, plan)
}

/// The tasks of all clients.
struct Load {
    talk: Vec<JoinHandle<()>>,
    hearers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(world: &Arc<World>, seed: u64) -> Load {
        Load { talk: world.start_talk(seed), hearers: world.start_hearers(seed) }
    }

    async fn end(mut self, world: &World) {
        world.stop();
        if !world.is_wrong() {
            all_end(world, "clients that speak", &mut self.talk).await;
        }
        if !world.is_wrong() {
            world.say_end().await;
            all_end(world, "clients that listen", &mut self.hearers).await;
        }
        // After an error, a client may wait forever.
        self.talk.iter().chain(&self.hearers).for_each(JoinHandle::abort);
    }
}

/// Ends the servers, and compares what clients were told with what is stored.
async fn judge(world: &World, plan: Vec<Lane>) -> Outcome {
    if let Err(why) = world.site.end().await {
        world.wrong(why);
    }
    let stored = Stored::read(&world.site.database).await;
    let mut history = world.history();
    history.judge(&stored);
    let wrong = mem::take(&mut history.wrong);
    let warnings = Vec::from_iter(world.site.nodes.iter().map(Node::warnings));
    Outcome { wrong, figures: history.figures, plan, warnings: warnings.join("\n\n") }
}

/// Waits until the clients have ended. It is an error if one does not end in time, or has panicked.
async fn all_end(world: &World, who: &str, clients: &mut Vec<JoinHandle<()>>) {
    match within(PATIENCE, join_all(clients.iter_mut())).await {
        Some(ended) => {
            for panic in ended.into_iter().filter_map(Result::err) {
                world.wrong(format!("one of the {who} has panicked: {panic}"));
            }
            clients.clear();
        }
        None => world.wrong(format!("the {who} have not ended in time")),
    }
}

impl Outcome {
    /// Panics if anything was wrong, and prints how to play the schedule again.
    fn must_be_right(&self, site: &str, seed: u64) {
        if self.wrong.is_empty() {
            println!("{site}, seed {seed}: {:?}", self.figures);
            return;
        }
        self.plan.iter().for_each(|lane| println!("{lane}"));
        println!("{}", self.warnings);
        let shown = self.wrong.iter().take(20).cloned();
        let shown = Vec::from_iter(shown).join("\n");
        panic!(
            "{site}: {} errors; CHINWAG_FAULTS_SEED={seed} plays these faults again\n{shown}",
            self.wrong.len()
        );
    }
}
