//! `/readyz`: whether requests can be served.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::domain::App;

/// For how long an answer holds: anyone may ask, and to find out takes a turn of those who write.
const HOLDS: Duration = Duration::from_secs(1);

/// What was found out last, by one check at a time.
#[derive(Clone)]
pub(super) struct Readiness {
    app: Arc<App>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    pub fn of(app: &Arc<App>) -> Readiness {
        Readiness { app: app.clone(), last: Arc::default() }
    }

    async fn is_ready(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((since, ready)) = *last
            && since.elapsed() < HOLDS
        {
            return ready;
        }
        let ready = match self.app.ready().await {
            Ok(()) => true,
            Err(error) => {
                error.warn("not ready");
                false
            }
        };
        *last = Some((Instant::now(), ready));
        ready
    }
}

/// `GET /readyz`
pub(super) async fn answer(
    State(readiness): State<Readiness>,
) -> Result<&'static str, (StatusCode, &'static str)> {
    // In a task of its own, as a client that goes away cancels its handler.
    let asked = tokio::spawn(async move { readiness.is_ready().await });
    match asked.await {
        Ok(true) => Ok("ready\n"),
        Ok(false) | Err(_) => {
            Err((StatusCode::SERVICE_UNAVAILABLE, "not ready; the log says why\n"))
        }
    }
}
