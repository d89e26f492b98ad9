//! How far the log lags behind what is committed, as metrics.

use std::convert::Infallible;
use std::time::Duration;

use crate::clock;
use crate::store::Backlog;

const EVERY: Duration = Duration::from_secs(1);

/// Keeps the metrics current, whether or not the log can be written, and whichever node writes it.
pub(super) async fn measure(backlog: Backlog) -> Infallible {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // So that the counter exists before the first event is written.
        metrics::counter!("chinwag_event_log_written_total").increment(0);
        match backlog.find_log_lag().await {
            Ok(lag) => {
                let age = lag.oldest.map_or(0, |oldest| oldest.until(clock::now()));
                metrics::gauge!("chinwag_event_log_lag_events").set(lag.events as f64);
                metrics::gauge!("chinwag_event_log_lag_seconds").set(age as f64 / 1e6);
            }
            Err(error) => tracing::debug!(%error, "the lag of the event log cannot be measured"),
        }
    }
}
