//! The patience of clients who try again and again, while faults come.

use std::time::Duration;

use tokio::sync::watch;

use crate::support::patience::now;

/// Nothing takes this long unless it never happens.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// While somebody wants it, no further fault comes.
#[derive(Default)]
pub struct Truce(watch::Sender<usize>);

impl Truce {
    /// Waits until nobody wants it.
    pub async fn ends(&self) {
        // This keeps the sender.
        let _ = self.0.subscribe().wait_for(|wanted| *wanted == 0).await;
    }
}

/// The patience of somebody who tries again and again. Faults may keep it from them for half of
/// it; then they want a truce.
pub struct Patience<'a> {
    began: Duration,
    truce: &'a Truce,
    wants: bool,
}

impl Patience<'_> {
    pub fn new(truce: &Truce) -> Patience<'_> {
        Patience { began: now(), truce, wants: false }
    }

    pub fn lasts(&mut self) -> bool {
        let waited = now() - self.began;
        if waited > PATIENCE / 2 && !self.wants {
            self.wants = true;
            self.truce.0.send_modify(|wanted| *wanted += 1);
        }
        waited < PATIENCE
    }
}

impl Drop for Patience<'_> {
    fn drop(&mut self) {
        if self.wants {
            self.truce.0.send_modify(|wanted| *wanted -= 1);
        }
    }
}
