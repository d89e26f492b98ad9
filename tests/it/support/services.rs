//! PostgreSQL, Redis, Kafka and S3 for the tests that need them; `tests/services/README.md` says
//! how to get them.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, fs, io};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

use crate::support::soon;

/// The URL of a database of the test PostgreSQL, as its superuser. None: the test cannot run.
pub fn postgres() -> Option<String> {
    given("postgres")
}

/// The URL of the test Redis, which other tests use too. None: the test cannot run.
pub fn redis() -> Option<String> {
    given("redis")
}

/// The address of the test Kafka's broker. None: the test cannot run.
pub fn kafka() -> Option<String> {
    given("kafka")
}

/// The URL of a place in a store that speaks S3; the AWS variables configure access to it. None:
/// the test cannot run.
#[cfg(feature = "s3")]
pub fn s3() -> Option<String> {
    given("s3")
}

/// The URL of a new empty database on the PostgreSQL at `url`.
pub async fn database(url: &str) -> String {
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(url).await.unwrap();
    // Such a database sorts texts by language and not by bytes, as most do in production.
    let sorted = "template template0 locale_provider icu icu_locale 'en'";
    let statement = sqlx::AssertSqlSafe(format!("create database {name} {sorted}"));
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

fn given(service: &'static str) -> Option<String> {
    let url = env::var(variable(service)).ok();
    if url.is_none() {
        skip(service, &format!("{} is not set", variable(service)));
    }
    url
}

fn variable(service: &str) -> &'static str {
    match service {
        "postgres" => "CHINWAG_TEST_POSTGRES_URL",
        "redis" => "CHINWAG_TEST_REDIS_URL",
        "kafka" => "CHINWAG_TEST_KAFKA_BROKERS",
        "s3" => "CHINWAG_TEST_S3_URL",
        _ => panic!("no such service: {service}"),
    }
}

/// Prints once for each service that its tests are skipped; in CI it panics instead.
fn skip(service: &'static str, why: &str) {
    static SAID: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let how = "run the tests with: tests/services/services run cargo test";
    assert!(env::var_os("CI").is_none(), "the tests with {service} cannot run: {why}; {how}");
    let mut said = SAID.lock().unwrap();
    if !said.contains(&service) {
        said.push(service);
        // Not with eprintln, as the output of a test that passes is not shown.
        let line = format!("The tests with {service} were SKIPPED: {why}; {how}\n");
        io::stderr().write_all(line.as_bytes()).unwrap();
    }
}

/// Services that one test has for itself, to stop and to start. They end with this value.
pub struct Services {
    directory: TempDir,
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = script("stop", self.directory.path(), &["--kill"]);
    }
}

impl Services {
    /// None if they are not installed: the test cannot run.
    pub async fn start(names: &[&'static str]) -> Option<Services> {
        Services::start_with(&[], names).await
    }

    /// PostgreSQL and Redis that accept connections only with TLS.
    pub async fn start_with_tls() -> Option<Services> {
        Services::start_with(&["--tls"], &["postgres", "redis"]).await
    }

    async fn start_with(options: &[&'static str], names: &[&'static str]) -> Option<Services> {
        let services = Services { directory: TempDir::new().unwrap() };
        let (directory, arguments) =
            (services.directory.path().to_owned(), [options, names].concat());
        let done = spawn_blocking(move || script("start", &directory, &arguments)).await.unwrap();
        match done {
            Ok(()) => Some(services),
            Err((Some(3), why)) => {
                skip(names[0], why.trim_end());
                None
            }
            Err((_, why)) => panic!("{why}"),
        }
    }

    /// The URL of one of these services. It stays the same when the service is started again.
    pub fn url(&self, name: &str) -> String {
        let variables = fs::read_to_string(self.directory.path().join("env")).unwrap();
        let variables: HashMap<&str, &str> = variables
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .collect();
        variables[variable(name)].to_owned()
    }

    /// The certificate of the authority that has signed those of the services.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join("tls/ca.pem")
    }

    /// Ends a service as an administrator does.
    pub async fn stop(&self, name: &'static str) {
        self.done("stop", &[name]).await;
    }

    /// Ends a service as a crash does.
    pub async fn kill(&self, name: &'static str) {
        self.done("stop", &["--kill", name]).await;
    }

    /// Pauses a service until it is thawed.
    #[allow(dead_code, reason = "tests/faults does it")]
    pub async fn freeze(&self, name: &'static str) {
        self.done("stop", &["--freeze", name]).await;
    }

    #[allow(dead_code, reason = "tests/faults does it")]
    pub async fn thaw(&self, name: &'static str) {
        self.done("stop", &["--thaw", name]).await;
    }

    /// Starts a service again on the same port. All but Redis have the data that they had.
    pub async fn start_again(&self, name: &'static str) {
        self.done("start", &[name]).await;
    }

    async fn done(&self, action: &'static str, arguments: &[&'static str]) {
        let (directory, arguments) = (self.directory.path().to_owned(), arguments.to_vec());
        let done = spawn_blocking(move || script(action, &directory, &arguments)).await.unwrap();
        done.unwrap();
    }
}

/// Runs the script. Errors: its status and what it printed to stderr.
fn script(action: &str, directory: &Path, arguments: &[&str]) -> Result<(), (Option<i32>, String)> {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/services/services"].iter().collect();
    let mut command = Command::new(script);
    command.arg(action).arg(directory).args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err((output.status.code(), String::from_utf8(output.stderr).unwrap())),
    }
}

/// The host and port in the URL of a Redis.
pub fn address(url: &str) -> &str {
    url.strip_prefix("redis://").unwrap()
}

/// The first line of the answer to a command.
pub async fn ask_redis(url: &str, command: &str) -> String {
    let mut stream = TcpStream::connect(address(url)).await.unwrap();
    stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
    let (mut answer, mut part) = (String::new(), [0; 64]);
    while !answer.contains("\r\n") {
        let length = soon("an answer", stream.read(&mut part)).await.unwrap();
        assert_ne!(length, 0, "no answer");
        answer.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    answer.split("\r\n").next().unwrap().to_owned()
}
