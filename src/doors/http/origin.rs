//! Checks which web pages may connect. A browser sends the requests of a page to any server,
//! WebSockets included, and says in `Origin` where the page comes from. A client that sends no
//! `Origin` is not a browser.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::host::is_loopback;
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
    /// `null` for a page that has no origin.
    scheme: String,
    /// Empty for a page that comes from no host, such as one of a file.
    host: String,
    port: u16,
}

impl Origins {
    /// Allows the server's own origin, those in the settings and, while the server listens on
    /// `loopback` addresses only, those of loopback addresses. Errors: an origin in the settings is
    /// not valid.
    pub(super) fn of(config: &Config, loopback: bool) -> Result<Origins, StartError> {
        let read = |text: &String| Origin::read(text).ok_or(StartError::Origin(text.clone()));
        let listed = config.allow_origin.iter().filter(|text| !text.trim().is_empty());
        let allowed = listed.map(read).collect::<Result<_, _>>()?;
        Ok(Origins { allowed, loopback })
    }

    /// The hosts of the origins in the settings; an empty text for an origin without a host.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(|origin| origin.host.as_str())
    }

    /// Whether a page of `origin` may make a request with these headers.
    fn allow(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(Origin::read) else {
            return false;
        };
        self.allowed.contains(&origin)
            || (origin.is_of_web() && origin.is_that_of(headers))
            || (origin.is_of_web() && self.loopback && is_loopback(&origin.host))
    }
}

impl Origin {
    fn read(text: &str) -> Option<Origin> {
        let text = text.trim();
        let opaque = |scheme: &str| Origin { scheme: scheme.into(), host: String::new(), port: 0 };
        if text.eq_ignore_ascii_case("null") {
            return Some(opaque("null"));
        }
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.parse::<Scheme>().ok()?.as_str().to_lowercase();
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.is_empty() {
            return Some(opaque(&scheme)).filter(|origin| !origin.is_of_web());
        }
        let authority: Authority = authority.parse().ok()?;
        if authority.as_str().contains(['*', '@']) {
            return None;
        }
        let port = authority.port_u16().unwrap_or(default_port(&scheme));
        Some(Origin { host: authority.host().to_lowercase(), scheme, port })
    }

    /// Whether a browser has loaded the page over HTTP; pages inside apps have other schemes.
    fn is_of_web(&self) -> bool {
        self.scheme == "http" || self.scheme == "https"
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
}

fn default_port(scheme: &str) -> u16 {
    if scheme == "https" { 443 } else { 80 }
}

/// Refuses requests of other pages with 403.
pub(super) async fn check(
    State(origins): State<Origins>,
    request: Request,
    next: Next,
) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if !origins.allow(origin, request.headers()) => refusal(origin),
        _ => next.run(request).await,
    }
}

fn refusal(origin: &HeaderValue) -> Response {
    let why = match origin.to_str().ok().filter(|text| Origin::read(text).is_some()) {
        Some(origin) => format!(
            "a page of the origin {origin} may not connect; the server can allow it by \
             --allow-origin {origin}\n"
        ),
        None => "the Origin of this request is not a valid origin: it may not connect\n".to_owned(),
    };
    (StatusCode::FORBIDDEN, why).into_response()
}
