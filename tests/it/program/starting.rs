//! Settings that say who may connect: they are required where it matters, and somebody must be able
//! to connect.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use chinwag::{Config, Secret, Server, StartError};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::store::backup::{new_file, on_file};
use crate::support::program::{Running, output, program};
use crate::support::signing::jwk;
use crate::support::{database, services};

/// Fails unless the program refuses to start, and its output contains all of these texts.
#[track_caller]
fn assert_refused(arguments: &[&str], said: &[&str]) {
    let directory = TempDir::new().unwrap();
    let database = database::sqlite_in(directory.path());
    let (output, text) = output(&[arguments, &["--database-url", &database]].concat());
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    for said in said {
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
    assert!(!text.contains("my secret"), "{text}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "{arguments:?}: it made something");
}

/// Fails unless the program starts on this host, and logs this access mode.
fn assert_starts(arguments: &[&str], host: &str, access: &str) {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(arguments);
    });
    let port = running.address.port();
    let line = format!("chinwag listening on http://{host}:{port} (access: {access})\n");
    assert_eq!(running.first_line, line, "{arguments:?}");
    let (status, log) = running.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
}

/// The output of the program in this directory, on this database, when it does not start.
fn output_in(directory: &Path, database: &str) -> (Output, String) {
    let arguments = ["--listen", "127.0.0.1:0", "--database-url", database];
    let output = program().current_dir(directory).args(arguments).output().unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output, String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_database_that_keeps_nothing_on_disk_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:x.db?mode=memory", "sqlite://"] {
        let directory = TempDir::new().unwrap();
        let (output, text) = output_in(directory.path(), url);
        assert_eq!(output.status.code(), Some(2), "{url}: {text}");
        assert!(text.contains("the name of a file, such as sqlite:chinwag.db"), "{text}");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "{url}: it made something");
        let listen = vec!["127.0.0.1:0".into()];
        let config = Config { listen, database_url: url.into(), ..Config::default() };
        let error = Server::start(config).await.err();
        assert!(matches!(error, Some(StartError::NamelessDatabase(_))), "{error:?}");
    }
    // With this kind of lock SQLite has no shared memory and so no log, as on some file systems.
    let directory = TempDir::new().unwrap();
    let url = format!("{}?vfs=unix-dotfile", database::sqlite_in(directory.path()));
    let (output, text) = output_in(directory.path(), &url);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("no write-ahead log") && text.contains("local disk"), "{text}");
}

#[test]
fn a_server_that_others_can_reach_needs_an_access_mode() {
    for (listen, host) in [("0.0.0.0:0", "0.0.0.0"), ("[::]:0", "[::]")] {
        let address = listen.trim_end_matches('0');
        assert_refused(&["--listen", listen], &["--access token", "--access open", address]);
        assert_starts(&["--listen", listen, "--access", "open"], host, "open");
        assert_starts(&["--listen", listen, "--access", "token"], host, "token");
    }
    assert_starts(&["--listen", "127.0.0.1:0"], "127.0.0.1", "open");
    assert_starts(&["--listen", "127.0.0.1:0", "--access", "token"], "127.0.0.1", "token");
    // One address that others can reach is enough.
    let several = ["--listen", "127.0.0.1:0", "--listen", "0.0.0.0:0"];
    assert_refused(&several, &["--access token", "--access open", "0.0.0.0:"]);
    // Through a proxy others can reach a loopback address, too.
    let proxied = ["--listen", "127.0.0.1:0", "--trusted-proxies", "1"];
    assert_refused(&proxied, &["--access token", "--access open", "--trusted-proxies"]);
    assert_starts(&[&proxied[..], &["--access", "token"]].concat(), "127.0.0.1", "token");
}

#[test]
fn an_allowed_host_with_a_port_is_refused() {
    for host in ["chat.example.com:3000", "*", "*.example.com", "https://example.com", "a b", "a@b"]
    {
        assert_refused(&["--listen", "127.0.0.1:0", "--allow-host", host], &["chat.example.com"]);
    }
    let hosts =
        ["--listen", "127.0.0.1:0", "--allow-host", "chat.example.com, 192.0.2.1,[::2],::2"];
    assert_starts(&hosts, "127.0.0.1", "open");
}

#[test]
fn settings_that_let_nobody_connect_are_refused() {
    let closed =
        ["--listen", "127.0.0.1:0", "--access", "token", "--registration", "closed"].as_slice();
    assert_refused(closed, &["--api-key", "--jwt-secret", "--jwt-jwks"]);
    let directory = TempDir::new().unwrap();
    let keys = json!({ "keys": [jwk(Algorithm::EdDSA, "1")] });
    let file = key_file(&directory, keys.to_string().as_bytes());
    for key in [["--api-key", "x"], ["--jwt-secret", "x"], ["--jwt-jwks", &file]] {
        assert_starts(&[closed, &key].concat(), "127.0.0.1", "token");
    }
    let open = ["--listen", "127.0.0.1:0", "--access", "open", "--registration", "closed"];
    assert_starts(&open, "127.0.0.1", "open");
}

#[tokio::test]
async fn an_empty_secret_is_refused() {
    for flag in ["--api-key", "--jwt-secret"] {
        let setting = flag.trim_start_matches('-').replace('-', "_");
        assert_refused(&["--listen", "127.0.0.1:0", flag, ""], &[&setting]);
    }
    let empty = || Some(Secret::from(""));
    for config in [
        Config { api_key: empty(), ..Config::default() },
        Config { jwt_secret: empty(), ..Config::default() },
    ] {
        let error = Server::start(config).await.err();
        assert!(matches!(error, Some(StartError::EmptySecret(_))), "{error:?}");
    }
}

#[test]
fn an_origin_that_no_page_can_have_is_refused() {
    for origin in [
        "example.com",
        "*",
        "https://*.example.com",
        "https://example.com/chat",
        "https://example.com?x",
        "https://",
        "://",
        "https://a@example.com",
        "https://example.com,example.org",
    ] {
        let arguments = ["--listen", "127.0.0.1:0", "--allow-origin", origin];
        assert_refused(&arguments, &["https://example.com", "there is no wildcard"]);
    }
    for origin in [
        "https://example.com/",
        "http://[::1]:80, https://a.example",
        "app://localhost",
        "null",
        "file://",
    ] {
        assert_starts(&["--listen", "127.0.0.1:0", "--allow-origin", origin], "127.0.0.1", "open");
    }
}

#[cfg(feature = "kafka")]
#[test]
fn wrong_kafka_brokers_and_topics_are_refused() {
    for brokers in ["", " ", "kafka", "kafka:", ":9092", "kafka:0", "kafka:x", "a:1,", "a:1,,b:2"] {
        let arguments = ["--listen", "127.0.0.1:0", "--kafka-brokers", brokers];
        assert_refused(&arguments, &["kafka-brokers", "host:port"]);
    }
    for topic in ["", "..", "a topic", "a/b", &"x".repeat(250)] {
        let arguments = ["--kafka-brokers", "127.0.0.1:1", "--kafka-topic", topic];
        assert_refused(&arguments, &["kafka-topic"]);
    }
    assert_starts(
        &["--listen", "127.0.0.1:0", "--kafka-brokers", "127.0.0.1:1,[::1]:1"],
        "127.0.0.1",
        "open",
    );
}

#[cfg(not(feature = "kafka"))]
#[test]
fn without_kafka_built_in_there_is_no_event_log() {
    let arguments = ["--listen", "127.0.0.1:0", "--kafka-brokers", "127.0.0.1:9092"];
    assert_refused(&arguments, &["kafka-brokers", "--features kafka"]);
}

/// A file with this text.
fn key_file(directory: &TempDir, text: &[u8]) -> String {
    let file = directory.path().join("keys.json");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[track_caller]
fn assert_bad_keys(file: &str, why: &str) {
    assert_refused(&["--listen", "127.0.0.1:0", "--jwt-jwks", file], &[file, why]);
}

#[test]
fn unusable_keys_are_refused_with_the_name_of_their_file() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing.json");
    assert_bad_keys(&missing.display().to_string(), "No such file");
    assert_bad_keys(&directory.path().display().to_string(), "directory");
    assert_bad_keys(&key_file(&directory, b"\xff"), "UTF-8");
    for text in [
        "",
        "my secret",
        r#""my secret""#,
        r#"["my secret"]"#,
        r#"{"keys": "my secret"}"#,
        r#"{"keys": ["my secret"]}"#,
        r#"{"keys": [{"kid": ["my secret"], "kty": "RSA"}]}"#,
        r#"{"my secret": []}"#,
    ] {
        assert_bad_keys(&key_file(&directory, text.as_bytes()), "line");
    }
}

#[test]
fn a_key_needs_a_name_and_a_known_algorithm() {
    let directory = TempDir::new().unwrap();
    let with = |algorithm, field: &str, value: Value| {
        let mut jwk = jwk(algorithm, "one");
        jwk[field] = value;
        jwk
    };
    for key in [
        with(Algorithm::EdDSA, "kid", Value::Null),
        with(Algorithm::RS256, "alg", json!("RS512")),
        with(Algorithm::RS256, "alg", json!("PS256")),
        with(Algorithm::RS256, "alg", json!("RSA-OAEP")),
        with(Algorithm::ES256, "alg", json!("ES384")),
        with(Algorithm::ES256, "crv", json!("P-384")),
        json!({ "kty": "oct", "k": "bXkgc2VjcmV0", "kid": "one", "alg": "HS256" }),
    ] {
        let keys = json!({ "keys": [key] }).to_string();
        assert_bad_keys(&key_file(&directory, keys.as_bytes()), "no key");
        // A key for another use does not prevent the others from being used.
        let keys = json!({ "keys": [key, jwk(Algorithm::RS256, "good")] }).to_string();
        let file = key_file(&directory, keys.as_bytes());
        assert_starts(&["--listen", "127.0.0.1:0", "--jwt-jwks", &file], "127.0.0.1", "open");
    }
    let broken = with(Algorithm::EdDSA, "x", json!("my secret"));
    let keys = json!({ "keys": [jwk(Algorithm::RS256, "good"), broken] }).to_string();
    assert_bad_keys(&key_file(&directory, keys.as_bytes()), "");
    assert_bad_keys(&key_file(&directory, br#"{"keys": []}"#), "no key");
    let named = with(Algorithm::RS256, "use", json!("sig"));
    let file = key_file(&directory, json!({ "keys": [named] }).to_string().as_bytes());
    assert_starts(&["--listen", "127.0.0.1:0", "--jwt-jwks", &file], "127.0.0.1", "open");
}

#[tokio::test]
async fn nodes_without_redis_do_not_share_a_database() {
    let Some(postgres) = services::postgres() else { return };
    let Some(redis) = services::redis() else { return };
    let database = services::database(&postgres).await;
    let config = |redis_url: Option<&str>| Config {
        listen: vec!["127.0.0.1:0".into()],
        database_url: database.as_str().into(),
        redis_url: redis_url.map(Into::into),
        ..Config::default()
    };
    let refused = async |config: Config| match Server::start(config).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it started"),
    };
    let alone = Server::start(config(None)).await.unwrap();
    assert!(refused(config(None)).await.contains("--redis-url"));
    assert!(refused(config(Some(&redis))).await.contains("--redis-url"));
    alone.shutdown().await;
    let one = Server::start(config(Some(&redis))).await.unwrap();
    let other = Server::start(config(Some(&redis))).await.unwrap();
    assert!(refused(config(None)).await.contains("--redis-url"));
    one.shutdown().await;
    other.shutdown().await;
    Server::start(config(None)).await.unwrap().shutdown().await;
}

#[test]
fn nodes_cannot_share_a_sqlite_file() {
    assert_refused(
        &["--listen", "127.0.0.1:0", "--redis-url", "redis://127.0.0.1"],
        &["--database-url postgres://"],
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused_with_the_cause() {
    let directory = new_file().await;
    let url = database::sqlite_in(directory.path());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("begin immediate").execute(&mut other).await.unwrap();
    for (url, why) in [
        (format!("{url}?mode=ro"), "attempt to write a readonly database"),
        (url, "database is locked"),
    ] {
        let (output, text) = output(&["--listen", "127.0.0.1:0", "--database-url", &url]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

#[tokio::test]
async fn only_its_owner_can_read_a_new_database_file() {
    let server = on_file(TempDir::new().unwrap()).await;
    for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
        let file = fs::metadata(server.directory.path().join(name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
