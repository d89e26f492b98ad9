//! How many requests come through each door, and how long each takes.

use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

/// A request that is being carried out. Its time is recorded when this is dropped.
pub struct Measured {
    door: &'static str,
    begun: Instant,
}

impl Measured {
    /// Counts a request through this door, and begins to measure it.
    pub fn begin(door: &'static str) -> Measured {
        metrics::counter!("chinwag_requests_total").increment(1);
        Measured { door, begun: Instant::now() }
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let taken = self.begun.elapsed();
        metrics::histogram!("chinwag_request_seconds", "door" => self.door).record(taken);
    }
}

/// Measures each HTTP request of a door.
pub async fn requests(State(door): State<&'static str>, request: Request, next: Next) -> Response {
    let _measured = Measured::begin(door);
    next.run(request).await
}
