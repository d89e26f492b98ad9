//! `/metrics`, in the text form that Prometheus reads.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;

/// The process's recorder: servers in one process share it. None if the host application has
/// installed its own, which then receives what Chinwag counts.
static RECORDER: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    let all = Matcher::Suffix("_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(all, &BUCKETS).ok()?;
    let recorder = builder.install_recorder().ok();
    describe();
    if let Some(recorder) = recorder.clone() {
        let upkeep = move || {
            loop {
                thread::sleep(UPKEEP_EVERY);
                recorder.run_upkeep();
            }
        };
        thread::Builder::new().name("chinwag-metrics".into()).spawn(upkeep).ok()?;
    }
    recorder
});

/// The counters of every node.
const COUNTERS: [(&str, &str); 6] = [
    ("chinwag_requests_total", "Requests through all doors"),
    ("chinwag_unavailable_total", "Requests that were answered `unavailable`"),
    ("chinwag_messages_total", "Messages stored by this node"),
    ("chinwag_message_batches_total", "Commits that the messages took"),
    ("chinwag_sockets_cut_total", "Sockets disconnected as all of them left too much unread"),
    ("chinwag_events_fetched_total", "Events of other nodes that did not come through Redis"),
];

/// The histograms of times, and the upper bounds of their buckets in seconds.
const HISTOGRAMS: [(&str, &str); 3] = [
    ("chinwag_request_seconds", "From a request's arrival until its answer is ready, by door"),
    ("chinwag_commit_seconds", "From a transaction's begin until it is durable"),
    ("chinwag_delivery_seconds", "From a commit until its events are with this node's sockets"),
];
const BUCKETS: [f64; 13] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How often times are added to the buckets; until then they are kept one by one.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

/// The gauges of a node with Redis or Kafka.
const GAUGES: [(&str, &str); 3] = [
    ("chinwag_redis_up", "Whether Redis answered a moment ago"),
    ("chinwag_event_log_lag_events", "Committed events that are not in the event log yet"),
    ("chinwag_event_log_lag_seconds", "The age of the oldest of them"),
];

/// Serves `/metrics`. What happened before the first call in a process is not counted.
pub fn routes() -> Router {
    LazyLock::force(&RECORDER);
    Router::new().route("/metrics", get(render))
}

/// Describes the metrics, and makes those appear as 0 that have not been counted yet.
fn describe() {
    for (name, help) in COUNTERS {
        metrics::describe_counter!(name, help);
        metrics::counter!(name).increment(0);
    }
    for (name, help) in HISTOGRAMS {
        metrics::describe_histogram!(name, Unit::Seconds, help);
    }
    for (name, help) in GAUGES {
        metrics::describe_gauge!(name, help);
    }
    metrics::describe_counter!("chinwag_event_log_written_total", "Events written to the log");
    metrics::describe_gauge!("chinwag_sockets", "Open Socket.IO connections and WebSockets");
    metrics::gauge!("chinwag_sockets").increment(0.0);
    metrics::describe_gauge!("chinwag_unsent_bytes", "What sockets have not read yet, in bytes");
    metrics::gauge!("chinwag_unsent_bytes").increment(0.0);
    metrics::describe_gauge!("chinwag_tasks", "Tasks of the runtime that have not ended");
    metrics::describe_gauge!("chinwag_build_info", "1, with the version of the program");
    metrics::gauge!("chinwag_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

async fn render() -> Result<String, StatusCode> {
    let tasks = Handle::current().metrics().num_alive_tasks();
    metrics::gauge!("chinwag_tasks").set(tasks as f64);
    RECORDER.as_ref().map(PrometheusHandle::render).ok_or(StatusCode::NOT_FOUND)
}
