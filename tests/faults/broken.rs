//! Servers that are broken on purpose are found.

use std::time::Duration;

use tokio::time::Instant;

use crate::play;
use crate::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_acknowledges_before_it_commits_is_found() {
    is_found("acknowledge before commit", "stored is").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_forgets_client_ids_is_found() {
    is_found("forget client ids", "sent again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_skips_pushes_is_found() {
    is_found("skip pushes", "was shown").await;
}

/// Fails unless a schedule finds it within a minute, and says this.
async fn is_found(defect: &str, said: &str) {
    let began = Instant::now();
    for seed in 1.. {
        let site = Site::of_one(&[("CHINWAG_BROKEN", defect)]).await;
        let outcome = play(site, seed, Duration::from_secs(10)).await;
        let elapsed = began.elapsed();
        assert!(elapsed < Duration::from_secs(60), "{defect}: not found in {elapsed:?}");
        if outcome.wrong.iter().any(|wrong| wrong.contains(said)) {
            println!("{defect}: found after {elapsed:?}: {}", outcome.wrong[0]);
            return;
        }
    }
}
