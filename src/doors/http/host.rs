//! Checks under which names the server is served. The owner of a page can point its name to the
//! address of this server (DNS rebinding). A request of that page then looks like one of the
//! server's own page; only `Host` still holds the other page's name.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::Config;
use crate::error::StartError;

/// The names that the server is served under.
#[derive(Clone)]
pub struct Hosts {
    /// The names besides the loopback ones; `None` if any name is served.
    names: Option<Arc<[String]>>,
}

impl Hosts {
    /// Serves any name, unless the server listens on `loopback` addresses only or the settings list
    /// its names. The names of the origins that may connect are served then, too, as a page can be
    /// under the same name as the server. Errors: a name in the settings is not valid.
    pub(super) fn of<'a>(
        config: &Config,
        of_origins: impl Iterator<Item = &'a str>,
        loopback: bool,
    ) -> Result<Hosts, StartError> {
        let listed = config.allow_host.iter().filter(|text| !text.trim().is_empty());
        let read = |text: &String| read(text).ok_or_else(|| StartError::Host(text.clone()));
        let mut names = listed.map(read).collect::<Result<Vec<_>, _>>()?;
        let restricted = loopback || !names.is_empty();
        names.extend(of_origins.map(str::to_owned));
        Ok(Hosts { names: restricted.then(|| names.into()) })
    }

    fn serve(&self, host: &str) -> bool {
        let Some(names) = &self.names else {
            return true;
        };
        let Some(host) = host.parse::<Authority>().ok().filter(|it| !it.as_str().contains('@'))
        else {
            return false;
        };
        let host = canonical(host.host());
        is_loopback(&host) || names.contains(&host)
    }
}

/// Reads a name in a setting; it has no port.
fn read(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    // As browsers write it: an address of IPv6 has many spellings.
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Some(format!("[{address}]"));
    }
    let authority: Authority = text.parse().ok()?;
    let is_name = authority.host() == text && !text.contains(['*', '@']);
    is_name.then(|| canonical(text))
}

/// Names are the same in upper and lower case, and with the dot that may end them.
fn canonical(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_lowercase()
}

/// Whether a name in lower case always leads to the machine that looks it up.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_address = address.is_ok_and(|address| address.to_canonical().is_loopback());
    is_address || host == "localhost" || host.ends_with(".localhost")
}

/// Refuses requests to other names with 421. A request that names no host does not come from a
/// browser, and passes.
pub(super) async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let of_target = request.uri().authority().map(|authority| Some(authority.as_str()));
    let of_headers = request.headers().get_all(HOST).iter().map(|host| host.to_str().ok());
    let mut asked = of_target.into_iter().chain(of_headers);
    match asked.find(|host| !host.is_some_and(|host| hosts.serve(host))) {
        Some(host) => misdirected(host),
        None => next.run(request).await,
    }
}

fn misdirected(host: Option<&str>) -> Response {
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let why = match host.as_ref().map(|host| canonical(host.host())) {
        Some(host) => format!(
            "the name {host} is not served here; the server can serve it by --allow-host {host}\n"
        ),
        None => "the Host of this request is not a valid name\n".to_owned(),
    };
    (StatusCode::MISDIRECTED_REQUEST, why).into_response()
}
