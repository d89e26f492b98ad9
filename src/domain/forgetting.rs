//! Forgetting committed events: they are kept until the other nodes and the event log have long
//! had them.

use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock;
use crate::store::Backlog;

/// For how long an event is kept at least.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

const EVERY: Duration = Duration::from_secs(5 * 60);

/// Goes on until it is dropped.
pub(super) struct Forgetting {
    _running: DropGuard,
}

impl Forgetting {
    pub fn start(backlog: Backlog) -> Forgetting {
        let running = CancellationToken::new();
        tokio::spawn(run(backlog, running.clone()));
        Forgetting { _running: running.drop_guard() }
    }
}

async fn run(backlog: Backlog, running: CancellationToken) {
    while running.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        while !running.is_cancelled() {
            match backlog.forget_events(clock::before(KEPT_FOR)).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "old events could not be forgotten");
                    break;
                }
            }
        }
    }
}
