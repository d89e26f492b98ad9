//! Servers of the previous version are replaced under load, one after the other. `CHINWAG_PREVIOUS`
//! names the program of the previous version.

use std::env;
use std::io::{Write, stderr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::load::World;
use crate::site::Site;
use crate::support::services::Services;
use crate::{Load, SERVICES, judge};

/// How long the load goes on before each replacement, and after the last.
const BETWEEN: Duration = Duration::from_secs(8);

/// The program of the previous version. None: the test cannot run.
fn previous() -> Option<String> {
    let program = env::var("CHINWAG_PREVIOUS").ok();
    if program.is_none() {
        // Not with eprintln, as the output of a test that passes is not shown.
        let line = "The tests of upgrades were SKIPPED: set CHINWAG_PREVIOUS to an older program\n";
        stderr().write_all(line.as_bytes()).unwrap();
    }
    program
}

async fn replace_all(site: Site, what: &str) {
    let world = Arc::new(World::make(site).await);
    let load = Load::start(&world, 1);
    for node in &world.site.nodes {
        sleep(BETWEEN).await;
        if let Err(why) = node.replace().await {
            world.wrong(why);
        }
    }
    sleep(BETWEEN).await;
    load.end(&world).await;
    judge(&world, Vec::new()).await.must_be_right(what, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_replaced_by_the_next_version() {
    let Some(previous) = previous() else { return };
    replace_all(Site::of_one(&[("PROGRAM", &previous)]).await, "an upgrade of one node").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_are_replaced_one_after_the_other() {
    let Some(previous) = previous() else { return };
    let Some(services) = Services::start(&["postgres", "redis"]).await else { return };
    let variables = [("PROGRAM", &*previous)];
    let site = Site::of_many(3, Arc::new(services), &variables, &SERVICES).await;
    replace_all(site, "an upgrade of three nodes").await;
}
