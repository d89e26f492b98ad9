//! Why a server does not start.

use std::path::PathBuf;

use super::Error;
use crate::config::{Config, Url};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: String, source: std::io::Error },
    #[error("the setting listen names no address: say --listen localhost:3000")]
    ListensNowhere,
    #[error("cannot use Redis at {url}: {why}")]
    Redis { url: Url, why: String },
    #[error(
        "nodes that hear of each other through Redis share a PostgreSQL database: \
         say --database-url postgres://…, or leave --redis-url out"
    )]
    NodesWithoutServer,
    #[error(
        "the database {0} would have no file, and all of it would be lost when the server ends: \
         say --database-url sqlite:chinwag.db"
    )]
    NamelessDatabase(Url),
    #[error("cannot open the database {url}: {source}")]
    Store { url: Url, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "{0} can be reached from other machines, where anyone could act as any user: \
         say --access token, or --access open if that is what you want, or --listen localhost:3000"
    )]
    Exposed(String),
    #[error(
        "behind the proxy of --trusted-proxies others reach this server, and anyone could act as \
         any user: say --access token, or --access open if that is what you want"
    )]
    ExposedByProxy,
    #[error(
        "with --access token and --registration closed nobody could ever connect: set --api-key, \
         --jwt-secret or --jwt-jwks"
    )]
    NoCredentials,
    #[error("cannot use the keys in {file}: {why}")]
    Keys { file: PathBuf, why: String },
    #[error("the setting {0} must not be empty")]
    EmptySecret(&'static str),
    #[error(
        "the origin {0:?} must be like https://example.com, null, file:// or \
         capacitor://localhost; there is no wildcard"
    )]
    Origin(String),
    #[error("the host {0:?} must be a name like chat.example.com, without a port or a wildcard")]
    Host(String),
    #[error("the setting {setting} {why}")]
    Kafka { setting: &'static str, why: String },
    #[error("the setting {setting} {why}")]
    Webhook { setting: &'static str, why: String },
    #[error(
        "this program was built without Kafka (cargo build --features kafka): unset kafka-brokers"
    )]
    NoKafka,
    #[error("files cannot be kept in {url}: {why}")]
    Files { url: Url, why: String },
    #[error(
        "this program was built without S3 (cargo build --features s3): let files-url name a folder"
    )]
    NoS3,
    #[error("the limit {0} must be above zero and below 2^32")]
    Limit(&'static str),
}

impl StartError {
    /// Shows the database's own message, not the message that a client would get.
    pub(crate) fn store(config: &Config, error: impl Into<Error>) -> StartError {
        let error = error.into();
        let source = match error.cause() {
            Some(sqlx::Error::Configuration(why)) => why.to_string().into(),
            Some(cause) => cause.to_string().into(),
            None => error.into(),
        };
        StartError::Store { url: config.database_url.clone(), source }
    }
}
