//! How long clients try again while faults strike, and the truce that lets them succeed.

use std::time::Duration;

use tokio::sync::watch;

use crate::support::patience::now;

/// What takes longer than this counts as never happening.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// While a client wants a truce, no further fault strikes.
#[derive(Default)]
pub struct Truce(watch::Sender<usize>);

impl Truce {
    /// Waits until no client wants a truce.
    pub async fn ends(&self) {
        // This cannot fail, since `self` keeps the sender.
        let _ = self.0.subscribe().wait_for(|wanted| *wanted == 0).await;
    }
}

/// How long a client tries again and again. Faults may keep it from success for half of that time;
/// then it wants a truce.
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
