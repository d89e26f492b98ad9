//! What every HTTP request passes, and the pages that people and operators look at: the demo,
//! the REST API's, health, metrics.

mod head;
mod metrics;
mod origin;
mod pages;
mod serve;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::middleware;
use axum::routing::get;
use tower_http::cors::{AllowMethods, AllowOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};

use crate::config::Config;
use crate::domain::App;
use crate::error::Error;

pub use metrics::routes as metrics_routes;
pub use origin::Origins;
pub use serve::{Bound, Listener};

/// The demo page, the REST API's, `/healthz`, `/readyz`, and `/metrics` if it has no address of its own.
pub fn routes(app: &Arc<App>, config: &Config) -> Router {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(app.clone())
        .merge(pages::routes());
    match config.metrics_listen {
        Some(_) => router,
        None => router.merge(metrics_routes()),
    }
}

/// Puts the gates before all routes: origin, CORS, the size of a request and its head, its pace.
pub fn guarded(router: Router, config: &Config, origins: Origins) -> Router {
    let limits = &config.limits;
    let cors = CorsLayer::new()
        // Those that may not are refused before they come here.
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .allow_credentials(true);
    router
        .layer(RequestBodyLimitLayer::new(limits.max_frame))
        .layer(RequestBodyTimeoutLayer::new(limits.handshake_timeout))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .layer(middleware::from_fn(head::check))
        .layer(cors)
        .layer(middleware::from_fn_with_state(origins, origin::check))
}

/// Whether requests can be served: the store answers.
async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, StatusCode> {
    // In a task of its own, as a client that goes away cancels its handler.
    let ready = tokio::spawn(async move { app.ready().await }).await;
    match ready.unwrap_or(Err(Error::Internal(None))) {
        Ok(()) => Ok("ready\n"),
        Err(error) => {
            tracing::warn!(%error, cause = error.cause().map(tracing::field::display), "not ready");
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}
