//! `chinwag health`: asks a server whether it is [ready](super::ready), for images that have no
//! shell.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::Config;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes of an answer are read.
const MAX_ANSWER: usize = 64 << 10;

/// Why a server is not ready.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    #[error("--url must be http:// and an address, such as http://127.0.0.1:3000")]
    Url,
    #[error("{url} does not answer: {source}")]
    Unreachable { url: Uri, source: io::Error },
    #[error("{url} says {status}: {why}")]
    NotReady { url: Uri, status: StatusCode, why: String },
}

/// Asks the server at `url`, or the one that these settings start on this machine, for `/readyz`.
/// Errors: `url` is not valid, or the server does not answer 200 within 5 seconds.
pub async fn health(url: Option<&str>, config: &Config) -> Result<(), Unhealthy> {
    let own = format!("http://{}", own_address(config));
    let asked = format!("{}/readyz", url.unwrap_or(&own).trim_end_matches('/'));
    let server: Uri = asked.parse().map_err(|_| Unhealthy::Url)?;
    let is_whole = server.query().is_none() && server.path().ends_with("/readyz");
    let (Some("http"), Some(authority), true) =
        (server.scheme_str(), server.authority().cloned(), is_whole)
    else {
        return Err(Unhealthy::Url);
    };
    // A server accepts requests to `localhost` whatever its --allow-host says.
    let name = if url.is_some() { authority.as_str() } else { "localhost" };
    let asking = async {
        let port = authority.port_u16().unwrap_or(80);
        let address = authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((address, port)).await?;
        let (mut requests, connection) =
            handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = server.path().parse().map_err(io::Error::other)?;
        let name = HeaderValue::from_str(name).map_err(io::Error::other)?;
        request.headers_mut().insert(header::HOST, name);
        let answer = requests.send_request(request).await.map_err(io::Error::other)?;
        let status = answer.status();
        let body = axum::body::to_bytes(Body::new(answer.into_body()), MAX_ANSWER).await;
        Ok((status, String::from_utf8_lossy(&body.unwrap_or_default()).trim().to_owned()))
    };
    let late = || Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 seconds"));
    match timeout(ANSWER_TIMEOUT, asking).await.unwrap_or_else(|_| late()) {
        Ok((StatusCode::OK, _)) => Ok(()),
        Ok((status, why)) => Err(Unhealthy::NotReady { url: server, status, why }),
        Err(source) => Err(Unhealthy::Unreachable { url: server, source }),
    }
}

/// Where a server with these settings can be reached from its own machine.
fn own_address(config: &Config) -> String {
    let listen = config.listen.first().map_or("localhost:3000", String::as_str);
    match listen.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => listen.to_owned(),
    }
}
