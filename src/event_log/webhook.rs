//! The webhook: its address, the signature of its records, and a single call of it.

use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Uri};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use super::addresses::{Resolver, is_public};
use crate::clock;
use crate::config::Config;
use crate::error::StartError;

/// How many bytes of an answer's body are read, so that its connection can be used again.
const MAX_ANSWER: usize = 64 << 10;

/// How long an idle connection is kept. This must be shorter than the receiver keeps it: a record
/// that is sent while the receiver closes the connection counts as a failed try. Node.js closes
/// after 5 s, and other servers do not close sooner.
const MAX_IDLE: Duration = Duration::from_secs(4);

/// The receiver of the events, and what is needed to call it.
pub struct Endpoint {
    uri: Uri,
    key: Hmac<Sha256>,
    timeout: Duration,
    client: Connections,
    /// How many bodies of answers may be read at the same time.
    bodies: Arc<Semaphore>,
}

enum Connections {
    Plain(Client<HttpConnector<Resolver>, Body>),
    Tls(Client<HttpsConnector<HttpConnector<Resolver>>, Body>),
}

/// Why an event was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    #[error("it answered with {0}")]
    Status(u16),
    #[error("it did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("{0}")]
    Unreached(String),
}

impl Endpoint {
    /// Reads from the settings where events are sent; `None` if nowhere. Errors: the URL or the
    /// secret is malformed, or the address is not public.
    pub fn of(config: &Config) -> Result<Option<Endpoint>, StartError> {
        let Some(url) = &config.webhook_url else {
            return Ok(None);
        };
        let uri: Uri = url.expose().parse().map_err(|_| of_url("must be a URL"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| of_url("must name a host"))?;
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(of_url("must hold no password: the signature proves who sends"));
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        if !config.webhook_private && literal.is_ok_and(|address| !is_public(address)) {
            let why = "is an address of this machine or a private network: \
                       say --webhook-private if that is what you want";
            return Err(of_url(why));
        }
        let secret = config.webhook_secret.as_ref();
        let secret = secret.ok_or_else(|| of_secret("must be set, too"))?;
        let key = read_secret(secret.expose());
        let key =
            key.ok_or_else(|| of_secret("must be `whsec_` and the base64 of 24 to 64 bytes"))?;
        let key = Hmac::new_from_slice(&key).map_err(|error| of_secret(&error.to_string()))?;
        let mut http =
            HttpConnector::new_with_resolver(Resolver { private: config.webhook_private });
        http.enforce_http(false);
        http.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(MAX_IDLE);
        let client = match uri.scheme_str() {
            Some("https") => {
                let tls = HttpsConnectorBuilder::new().with_native_roots();
                let tls = tls.map_err(|error| of_url(&format!("needs certificates: {error}")))?;
                Connections::Tls(
                    builder.build(tls.https_only().enable_http1().wrap_connector(http)),
                )
            }
            Some("http") => Connections::Plain(builder.build(http)),
            _ => return Err(of_url("must begin with https:// or http://")),
        };
        let bodies = Arc::new(Semaphore::new(config.limits.webhook_calls));
        Ok(Some(Endpoint { uri, key, timeout: config.limits.webhook_timeout, client, bodies }))
    }

    /// Sends a record once, with `id` as its id. It is delivered if the answer is 2xx, even if the
    /// answer's body cannot be read. Redirects are not followed.
    pub async fn send(&self, id: Uuid, record: String) -> Result<(), Undelivered> {
        let sending = timeout(self.timeout, self.exchange(id, record));
        sending.await.unwrap_or(Err(Undelivered::TimedOut(self.timeout)))
    }

    async fn exchange(&self, id: Uuid, record: String) -> Result<(), Undelivered> {
        let timestamp = clock::now().as_micros() / 1_000_000;
        let request = Request::post(&self.uri)
            .header(CONTENT_TYPE, "application/json")
            .header("user-agent", concat!("chinwag/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.signature(id, timestamp, &record))
            .body(Body::from(record))
            .map_err(|error| Undelivered::Unreached(error.to_string()))?;
        let answer = match &self.client {
            Connections::Plain(client) => client.request(request).await,
            Connections::Tls(client) => client.request(request).await,
        };
        let answer = answer.map_err(|error| Undelivered::Unreached(with_causes(&error)))?;
        let status = answer.status();
        self.read_body(Body::new(answer.into_body()));
        match status.is_success() {
            true => Ok(()),
            false => Err(Undelivered::Status(status.as_u16())),
        }
    }

    /// Reads a body in a task of its own, so that nobody waits for it. Its text is not needed, but
    /// the connection of an unread body cannot be used again.
    fn read_body(&self, body: Body) {
        if let Ok(permit) = self.bodies.clone().try_acquire_owned() {
            let reading = timeout(self.timeout, to_bytes(body, MAX_ANSWER));
            tokio::spawn(async move {
                let _permit = permit;
                // If the body is too long, slow or broken, only the connection is lost.
                let _ = reading.await;
            });
        }
    }

    /// The signature, as the Standard Webhooks specification defines it.
    fn signature(&self, id: Uuid, timestamp: i64, record: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(record.as_bytes());
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }
}

/// Decodes the key of a secret; `None` if the secret is malformed.
fn read_secret(text: &str) -> Option<Vec<u8>> {
    let key = BASE64.decode(text.strip_prefix("whsec_")?.as_bytes()).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

fn with_causes(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    Vec::from_iter(causes.map(ToString::to_string)).join(": ")
}

fn of_url(why: &str) -> StartError {
    StartError::Webhook { setting: "webhook-url", why: why.to_owned() }
}

fn of_secret(why: &str) -> StartError {
    StartError::Webhook { setting: "webhook-secret", why: why.to_owned() }
}
