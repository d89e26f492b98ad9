//! The gates that every HTTP request passes, and the pages for people and operators: the demo, the
//! contract, health, metrics.

mod bound;
mod head;
mod health;
mod host;
mod metrics;
mod origin;
mod pace;
mod pages;
mod ready;
mod serve;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::config::Config;
use crate::domain::App;
use crate::error::StartError;
use host::Hosts;
use origin::Origins;
use ready::Readiness;

pub use bound::{Bound, ListenAddress};
pub use health::{Unhealthy, health};
pub use serve::Listener;

/// For how long a browser may keep the answer to a preflight request. Browsers keep it for a few
/// hours at most.
const PREFLIGHT_AGE: Duration = Duration::from_secs(7200);

/// The gates before all doors: which origins requests may come from, and which names they may go
/// to.
pub struct Gates {
    hosts: Hosts,
    origins: Origins,
    loopback: bool,
}

impl Gates {
    /// The gates that the settings ask for; `loopback` says whether the server listens on loopback
    /// addresses only. Errors: an origin or a host name in the settings is not valid.
    pub fn of(config: &Config, loopback: bool) -> Result<Gates, StartError> {
        let origins = Origins::of(config, loopback)?;
        let hosts = Hosts::of(config, origins.hosts(), loopback)?;
        Ok(Gates { hosts, origins, loopback })
    }

    /// Whether the server listens on loopback addresses only.
    pub fn loopback(&self) -> bool {
        self.loopback
    }
}

/// The demo page, the contract, `/healthz`, `/readyz`, and `/metrics` if it has no address of its
/// own.
pub fn routes(app: &Arc<App>, config: &Config) -> Router {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready::answer))
        .with_state(Readiness::of(app))
        .merge(pages::routes());
    match config.metrics_listen {
        Some(_) => router,
        None => router.merge(metrics::routes()),
    }
}

/// `/metrics` on an address of its own.
pub fn metrics_routes(gates: &Gates) -> Router {
    metrics::routes().layer(middleware::from_fn_with_state(gates.hosts.clone(), host::check))
}

/// Puts the gates before all routes: host, origin, CORS, the size of a request and its head, its
/// pace, the number of open requests. Requests to the routes of `files` may be larger and take
/// longer, as long as their bytes keep coming.
pub fn guarded(router: Router, files: Router, config: &Config, gates: Gates) -> Router {
    let limits = &config.limits;
    let cors = CorsLayer::new()
        // Origins that may not connect are refused before they come here.
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .allow_credentials(true)
        .max_age(PREFLIGHT_AGE);
    router
        .layer(RequestBodyLimitLayer::new(limits.max_frame))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_timeout))
        .merge(files)
        .layer(middleware::from_fn_with_state(limits.body_timeout, pace::check))
        .layer(middleware::from_fn(head::check))
        .layer(middleware::from_fn(slots::check))
        .layer(cors)
        .layer(middleware::from_fn_with_state(gates.origins, origin::check))
        .layer(middleware::from_fn_with_state(gates.hosts, host::check))
        .layer(middleware::map_response(not_kept))
}

/// Forbids browsers and proxies to cache an answer, unless it says itself that they may: answers
/// hold tokens, sessions and what users have asked for.
async fn not_kept(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
