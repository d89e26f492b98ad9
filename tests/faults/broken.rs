//! Shows that these tests find servers that are broken on purpose.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::load::{PAUSE, World};
use crate::patience::PATIENCE;
use crate::site::Site;
use crate::support::patience::{now, within};
use crate::{Load, play};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_acknowledges_before_it_commits_is_found() {
    is_found("acknowledge before commit", "stored is").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_client_ids_is_found() {
    is_found("forget client ids", "sent again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_skips_pushes_is_found() {
    is_found("skip pushes", "was shown").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_found() {
    let world = Arc::new(World::make(Site::of_one(&[]).await).await);
    let _load = Load::start(&world, 1);
    sleep(Duration::from_secs(2)).await;
    world.site.nodes[0].signal("STOP").await;
    let found = async {
        while !world.is_wrong() {
            sleep(PAUSE).await;
        }
    };
    assert!(within(PATIENCE, found).await.is_some(), "the hanging server is not found");
    println!("found: {}", world.history().wrong[0]);
}

/// Fails unless a schedule finds the defect within a minute, with an error that contains `said`.
async fn is_found(defect: &str, said: &str) {
    let began = now();
    for seed in 1.. {
        let site = Site::of_one(&[("CHINWAG_BROKEN", defect)]).await;
        let outcome = play(site, seed, Duration::from_secs(10)).await;
        let elapsed = now() - began;
        if outcome.wrong.iter().any(|wrong| wrong.contains(said)) {
            println!("{defect}: found after {elapsed:?}: {}", outcome.wrong[0]);
            return;
        }
        assert!(elapsed < Duration::from_secs(60), "{defect}: not found in {elapsed:?}");
    }
}
