//! `/readyz`: whether requests can be served.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::domain::App;

/// For how long an answer holds: anyone may ask, and each check is work for the ledger.
const HOLDS: Duration = Duration::from_secs(1);
/// A store that takes longer to answer is not ready.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of the last check; only one check runs at a time.
#[derive(Clone)]
pub(super) struct Readiness {
    app: Arc<App>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    pub fn of(app: &Arc<App>) -> Readiness {
        Readiness { app: app.clone(), last: Arc::default() }
    }

    async fn check(self) -> bool {
        let mut last = self.last.lock_owned().await;
        if let Some((since, ready)) = *last
            && since.elapsed() < HOLDS
        {
            return ready;
        }
        // In a task of its own, because a client that goes away cancels its handler.
        let found = tokio::spawn(async move {
            let ready = match self.app.ready().await {
                Ok(()) => true,
                Err(error) => {
                    error.warn("not ready");
                    false
                }
            };
            *last = Some((Instant::now(), ready));
            ready
        });
        found.await.unwrap_or(false)
    }
}

/// `GET /readyz`
pub(super) async fn answer(
    State(readiness): State<Readiness>,
) -> Result<&'static str, (StatusCode, &'static str)> {
    match timeout(CHECK_TIMEOUT, readiness.check()).await {
        Ok(true) => Ok("ready\n"),
        Ok(false) | Err(_) => {
            Err((StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n"))
        }
    }
}
