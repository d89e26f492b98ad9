//! Which web pages may connect. A browser says where a page comes from and sends it wherever the
//! page asks, WebSockets included; who sends no `Origin` is no browser.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Config;
use crate::error::StartError;

/// The origins that may connect.
#[derive(Clone)]
pub struct Origins {
    allowed: Arc<[Origin]>,
    loopback: bool,
}

/// Where a page comes from.
#[derive(PartialEq)]
struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origins {
    /// Errors: an origin in the settings that no page has.
    pub fn of(config: &Config) -> Result<Origins, StartError> {
        let read = |text: &String| Origin::read(text).ok_or(StartError::Origin(text.clone()));
        let listed = config.allow_origin.iter().filter(|text| !text.trim().is_empty());
        let allowed = listed.map(read).collect::<Result<_, _>>()?;
        Ok(Origins { allowed, loopback: config.listen.ip().is_loopback() })
    }

    /// Whether a page of `origin` may make a request with these headers.
    fn allow(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(Origin::read) else {
            return false;
        };
        self.allowed.contains(&origin)
            || origin.is_that_of(headers)
            || (self.loopback && origin.is_loopback())
    }
}

impl Origin {
    fn read(text: &str) -> Option<Origin> {
        let uri: Uri = text.trim().trim_end_matches('/').parse().ok()?;
        if uri.path() != "/" || uri.query().is_some() || uri.host()?.contains('*') {
            return None;
        }
        let scheme = uri.scheme_str()?.to_lowercase();
        let port = uri.port_u16().unwrap_or(default_port(&scheme));
        Some(Origin { host: uri.host()?.to_lowercase(), scheme, port })
    }

    /// Whether the page comes from the address that the request goes to. The scheme is not
    /// compared: behind a proxy the server does not know its own.
    fn is_that_of(&self, headers: &HeaderMap) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else {
            return false;
        };
        self.host.eq_ignore_ascii_case(host.host())
            && self.port == host.port_u16().unwrap_or(default_port(&self.scheme))
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// Refuses requests of other pages with 403.
pub async fn check(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if !origins.allow(origin, request.headers()) => {
            let why =
                "this page's origin may not connect; the server can allow it by --allow-origin\n";
            (StatusCode::FORBIDDEN, why).into_response()
        }
        _ => next.run(request).await,
    }
}
