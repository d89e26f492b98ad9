//! `/metrics`, in the text form that Prometheus reads.

use std::sync::LazyLock;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The process's recorder: servers in one process share it. None if the host application has
/// installed its own, which then receives what Chinwag counts.
static RECORDER: LazyLock<Option<PrometheusHandle>> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().ok());

/// Serves `/metrics`. What happened before the first call in a process is not counted.
pub fn routes() -> Router {
    LazyLock::force(&RECORDER);
    Router::new().route("/metrics", get(render))
}

async fn render() -> Result<String, StatusCode> {
    RECORDER.as_ref().map(PrometheusHandle::render).ok_or(StatusCode::NOT_FOUND)
}
