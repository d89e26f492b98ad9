//! Settings: flags, and the `CHINWAG_*` variables behind them.

mod limits;
mod program;
mod secret;
mod url;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Parser, ValueEnum};

pub use limits::Limits;
pub use program::{Check, Command, Program, Webhooks, Which};
pub use secret::Secret;
pub use url::Url;

/// Everything that can be set. Each flag has a variable of the same name: `--listen` is
/// `CHINWAG_LISTEN`.
#[derive(Clone, Debug, Parser)]
#[command(name = "chinwag", version, about)]
pub struct Config {
    /// A name or an address, and a port, to serve on; repeat it or separate several by commas. Port
    /// 0 is a free one, the same for all. `localhost` is both 127.0.0.1 and `[::1]`. Without it, if
    /// the variable PORT is set, the server is on that port of 0.0.0.0
    #[arg(long, env = "CHINWAG_LISTEN", default_values_t = Config::default().listen,
        value_delimiter = ',', value_parser = listen_address)]
    pub listen: Vec<String>,

    /// Where everything is kept: sqlite:FILE, made at the first start, or
    /// postgres://USER:PASSWORD@HOST/DATABASE, which several nodes can share
    #[arg(long, env = "CHINWAG_DATABASE_URL", default_value_t = Config::default().database_url,
        value_parser = database, hide_env_values = true)]
    pub database_url: Url,

    /// Where the files are kept that users send: file:FOLDER, or s3://BUCKET/PREFIX for a store
    /// that speaks S3, with its key and endpoint in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    /// AWS_REGION and AWS_ENDPOINT_URL. Without it, in a folder beside the SQLite database, named
    /// as that with .files after it; with PostgreSQL, no files are taken
    #[arg(long, env = "CHINWAG_FILES_URL", value_parser = files, hide_env_values = true)]
    pub files_url: Option<Url>,

    /// The address that clients reach the server at, such as `https://chat.example.com`. With it
    /// the addresses of files are absolute, and else paths
    #[arg(long, env = "CHINWAG_PUBLIC_URL", value_parser = public_url)]
    pub public_url: Option<String>,

    /// Redis, through which the nodes that share a PostgreSQL database hear of each other:
    /// redis://HOST, or rediss://HOST for TLS. Without it there is one node
    #[arg(long, env = "CHINWAG_REDIS_URL", value_parser = redis, hide_env_values = true)]
    pub redis_url: Option<Url>,

    /// Kafka brokers to write every committed event to: HOST:PORT, or several of these with commas
    /// between them. All nodes must be told the same
    #[arg(long, env = "CHINWAG_KAFKA_BROKERS")]
    pub kafka_brokers: Option<String>,

    /// The topic that the events are written to; it is made if there is none
    #[arg(long, env = "CHINWAG_KAFKA_TOPIC", default_value_t = Config::default().kafka_topic)]
    pub kafka_topic: String,

    /// Where every committed event is sent to by HTTP: the URL of a webhook, signed with
    /// --webhook-secret. All nodes must be told the same
    #[arg(long, env = "CHINWAG_WEBHOOK_URL", value_parser = webhook, hide_env_values = true)]
    pub webhook_url: Option<Url>,

    /// What webhooks are signed with: `whsec_` and the base64 of 24 to 64 random bytes
    #[arg(long, env = "CHINWAG_WEBHOOK_SECRET", hide_env_values = true)]
    pub webhook_secret: Option<Secret>,

    /// Send webhooks to this machine and to private networks, too
    #[arg(long, env = "CHINWAG_WEBHOOK_PRIVATE", value_parser = BoolishValueParser::new())]
    pub webhook_private: bool,

    /// Who may connect. It must be said for an address that other machines can reach, and behind
    /// --trusted-proxies
    #[arg(long, env = "CHINWAG_ACCESS")]
    pub access: Option<Access>,

    /// Who may sign up with a password
    #[arg(long, env = "CHINWAG_REGISTRATION", default_value_t = Config::default().registration)]
    pub registration: Registration,

    /// Whether messages can be searched: that takes about as much of the database again as the
    /// messages do. Off deletes what there is for it; all nodes must be told the same
    #[arg(long, env = "CHINWAG_SEARCH", default_value_t = Config::default().search)]
    pub search: Search,

    /// The key of your own services: with it they may act as anyone, and read and do everything
    #[arg(long, env = "CHINWAG_API_KEY", hide_env_values = true)]
    pub api_key: Option<Secret>,

    /// What the host application signs its users' tokens with (JWT, HS256): `sub`, `exp`, and
    /// perhaps `name` and `photo`
    #[arg(long, env = "CHINWAG_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<Secret>,

    /// A file with public keys (a JSON Web Key Set) for such tokens that are signed by RS256, ES256
    /// or EdDSA; each key has a `kid`. The file is read again when it changes
    #[arg(long, env = "CHINWAG_JWT_JWKS")]
    pub jwt_jwks: Option<PathBuf>,

    /// The audience (`aud`) that the host application's tokens must have; repeat it or separate
    /// several by commas: one of them is enough. Without it, any or none
    #[arg(long, env = "CHINWAG_JWT_AUDIENCE", value_delimiter = ',')]
    pub jwt_audience: Vec<String>,

    /// The issuer (`iss`) that the host application's tokens must have; repeat it or separate
    /// several by commas: one of them is enough. Without it, any or none
    #[arg(long, env = "CHINWAG_JWT_ISSUER", value_delimiter = ',')]
    pub jwt_issuer: Vec<String>,

    /// A web origin that browsers may connect from, such as `https://example.com`, or that of an
    /// app's page: `null`, `file://`, `capacitor://localhost`; repeat it or separate several by
    /// commas. The server's own origin is always allowed, and so is every loopback origin while the
    /// server listens on loopback addresses only
    #[arg(long, env = "CHINWAG_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,

    /// A name that the server is served under, such as `chat.example.com`; repeat it or separate
    /// several by commas. Loopback names and the names of --allow-origin are served too; requests
    /// to any other name are refused. Without it every name is served, unless the server listens on
    /// loopback addresses only
    #[arg(long, env = "CHINWAG_ALLOW_HOST", value_delimiter = ',')]
    pub allow_host: Vec<String>,

    /// Serve /metrics on this address instead of beside the chat
    #[arg(long, env = "CHINWAG_METRICS_LISTEN", value_parser = address)]
    pub metrics_listen: Option<SocketAddr>,

    /// How many proxies stand in front of the server, each of which appends its client's address to
    /// X-Forwarded-For. With 0 the header is ignored; with more, --access must be said
    #[arg(long, env = "CHINWAG_TRUSTED_PROXIES", default_value_t = Config::default().trusted_proxies)]
    pub trusted_proxies: usize,

    /// For how many days messages are kept; 0 for ever. A chat can keep them for fewer
    #[arg(long, env = "CHINWAG_RETENTION", value_name = "DAYS", default_value_t = Config::default().retention)]
    pub retention: u32,

    #[command(flatten)]
    pub limits: Limits,
}

/// Who may connect, and as whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Access {
    /// Anyone may connect, and act as any user who has neither a password nor a token
    Open,
    /// Every connection brings a token, or the key of --api-key
    Token,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Open => f.write_str("open"),
            Access::Token => f.write_str("token"),
        }
    }
}

/// Who may sign up with a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Anyone
    Open,
    /// Nobody
    Closed,
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Registration::Open => f.write_str("open"),
            Registration::Closed => f.write_str("closed"),
        }
    }
}

/// Whether messages can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Search {
    /// By `search-messages`
    On,
    /// Not at all
    Off,
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Search::On => f.write_str("on"),
            Search::Off => f.write_str("off"),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: vec!["localhost:3000".into()],
            database_url: "sqlite:chinwag.db".into(),
            files_url: None,
            public_url: None,
            redis_url: None,
            kafka_brokers: None,
            kafka_topic: "chinwag.events".into(),
            webhook_url: None,
            webhook_secret: None,
            webhook_private: false,
            access: None,
            registration: Registration::Open,
            retention: 0,
            search: Search::On,
            api_key: None,
            jwt_secret: None,
            jwt_jwks: None,
            jwt_audience: Vec::new(),
            jwt_issuer: Vec::new(),
            allow_origin: Vec::new(),
            allow_host: Vec::new(),
            metrics_listen: None,
            trusted_proxies: 0,
            limits: Limits::default(),
        }
    }
}

fn listen_address(text: &str) -> Result<String, String> {
    let why = "must be a name or an address, and a port, such as localhost:3000 or 127.0.0.1:3000";
    match text.trim().rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(text.trim().into())
        }
        _ => Err(why.into()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let why = "must be an IP address and a port, such as 127.0.0.1:3000";
    text.parse().map_err(|_| why.into())
}

fn files(url: &str) -> Result<Url, String> {
    let of = |scheme: &str| url.strip_prefix(scheme).is_some_and(|place| !place.is_empty());
    match of("file:") || of("s3://") {
        true => Ok(url.into()),
        false => Err("must be file: and a folder, or s3:// and a bucket".into()),
    }
}

fn public_url(url: &str) -> Result<String, String> {
    let url = url.trim().trim_end_matches('/');
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#', ' '])) {
        true => Ok(url.to_owned()),
        false => Err("must begin with https:// or http://, and have no query".into()),
    }
}

fn redis(url: &str) -> Result<Url, String> {
    match ["redis://", "rediss://", "redis+unix://"].iter().any(|scheme| url.starts_with(scheme)) {
        true => Ok(url.into()),
        false => Err("must begin with redis:// or, for TLS, with rediss://".into()),
    }
}

fn webhook(url: &str) -> Result<Url, String> {
    match url.starts_with("https://") || url.starts_with("http://") {
        true => Ok(url.into()),
        false => Err("must begin with https:// or http://".into()),
    }
}

fn database(url: &str) -> Result<Url, String> {
    let is_server = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let url = Url::from(url);
    match is_server || (url.is_file() && !url.is_nameless()) {
        true => Ok(url),
        false => {
            Err("must be sqlite: and the name of a file, such as sqlite:chinwag.db, or begin \
                      with postgres://"
                .into())
        }
    }
}
