//! What the program reports: in its log and its metrics.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Running, program};
use crate::support::{Client, assert_error, soon};

/// Starts and ends the program with this `RUST_LOG`; returns its log.
fn log_with(filter: &str) -> String {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", filter);
    });
    running.end("TERM").1
}

#[test]
fn a_wrong_log_filter_is_named_and_not_used() {
    for (filter, word) in
        [("inof", "`inof`"), ("warn,inof", "`inof`"), ("chinwag=inof", "level filter")]
    {
        let log = log_with(filter);
        let said = log.lines().next().unwrap();
        assert!(said.starts_with("chinwag: RUST_LOG is not understood"), "{log}");
        assert!(said.contains(word) && log.contains("shutting down"), "{log}");
    }
    for (filter, ends) in [
        ("", true),
        ("info", true),
        ("WARN", false),
        ("off", false),
        ("chinwag", true),
        ("warn,chinwag=info", true),
        ("sqlx=debug", false),
    ] {
        let log = log_with(filter);
        assert!(!log.contains("understood"), "{filter}: {log}");
        assert_eq!(log.contains("shutting down"), ends, "{filter}: {log}");
    }
}

#[tokio::test]
async fn the_log_filter_can_change_while_the_server_runs() {
    let directory = TempDir::new().unwrap();
    let [log, filter] = ["log", "filter"].map(|name| directory.path().join(name));
    fs::write(&filter, "info\n").unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--log-filter-file"]).arg(&filter);
        command.env("RUST_LOG", "off").stderr(File::create(&log).unwrap());
    });
    let mut client = Client::connect(running.address).await;
    let mut says = async |wanted: &str, message: &str| {
        let logged = || fields(&fs::read_to_string(&log).unwrap(), message).len();
        let before = logged();
        fs::write(&filter, wanted).unwrap();
        running.signal("HUP");
        soon(message, async {
            while logged() == before {
                client.refused("list-chats", json!({})).await;
            }
        })
        .await;
    };
    assert_eq!(fields(&fs::read_to_string(&log).unwrap(), "starting").len(), 1);
    says("inof", "what is logged stays as it was").await;
    says("info,chinwag=debug", "request refused").await;
    says("info", "what is logged was read again").await;
    tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
}

/// As on a full disk, or when the program that reads the log has ended.
#[tokio::test]
async fn a_server_goes_on_though_its_log_cannot_be_written() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "debug").stderr(full());
    });
    let mut client = Client::connect(running.address).await;
    let error = client.refused("list-chats", json!({})).await;
    assert_error(&error, "unauthenticated", None);
    let (status, _) = tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
    assert!(status.success(), "{status}");
    // The exit code is the program's, and not that of a panic.
    let status = program().args(["--log-filter-file", "missing"]).stderr(full()).status();
    assert_eq!(status.unwrap().code(), Some(2));
}

#[test]
fn an_unusable_log_filter_file_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("filter");
    let output = || {
        let mut command = program();
        command.current_dir(directory.path()).arg("--log-filter-file").arg(&file);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(output().contains("the log filter file"));
    fs::write(&file, "inof").unwrap();
    assert!(output().contains("`inof`"));
}

#[tokio::test]
async fn durations_are_in_the_metrics_and_on_the_dashboard() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]);
    });
    let mut client = Client::connect(running.address).await;
    let user = json!({ "user": { "external_id": "ann", "name": "Ann", "photo": "" } });
    client.done("create-user", user).await;
    client.done("create-chat", json!({ "chat": { "name": "tea" }, "users": [] })).await;
    let labels = [("request", "door=\"socketio\","), ("commit", ""), ("delivery", "")];
    let wanted = labels
        .map(|(name, labels)| format!("chinwag_{name}_seconds_bucket{{{labels}le=\"+Inf\"}} "));
    let metrics = soon("all is measured", async {
        loop {
            let metrics = crate::support::get(running.address, "/metrics", "").await;
            if wanted.iter().all(|bucket| metrics.contains(bucket)) {
                break metrics;
            }
        }
    });
    let metrics = metrics.await;
    let dashboard = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations/grafana.json");
    let dashboard: Value = serde_json::from_slice(&fs::read(dashboard).unwrap()).unwrap();
    let names = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        let asked = panel["targets"].as_array().unwrap().iter();
        asked.flat_map(|asked| asked["expr"].as_str().unwrap().split(|c: char| !is_of_name(c)))
    });
    let names = Vec::from_iter(names.filter(|name| name.starts_with("chinwag_")));
    assert!(names.len() > 10);
    for name in names {
        // These are metrics of nodes with Redis, Kafka or a webhook only.
        let of_service = ["chinwag_redis_", "chinwag_event_log_", "chinwag_webhook_"];
        let known = metrics.contains(&format!("\n{name}"));
        assert!(known || of_service.iter().any(|of| name.starts_with(of)), "{name}");
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn the_first_line_of_the_log_has_the_version() {
    let log = log_with("");
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["fields"]["version"], env!("CARGO_PKG_VERSION"));
}

/// Sends a GET; the answer can be read from the stream.
fn get(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn read(mut answer: TcpStream) -> String {
    let mut text = String::new();
    answer.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn counters_begin_at_0() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]);
    });
    let metrics = read(get(running.address, "/metrics"));
    for name in ["requests_total", "unavailable_total", "messages_total", "message_batches_total"] {
        let (help, value) = (format!("# HELP chinwag_{name} "), format!("\nchinwag_{name} 0\n"));
        assert!(metrics.contains(&help) && metrics.contains(&value), "{metrics}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let build = format!("chinwag_build_info{{version=\"{version}\"}} 1\n");
    for line in ["\nchinwag_sockets 0\n", "\nchinwag_events_fetched_total 0\n", &build] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn a_lack_of_open_files_is_warned_of_and_logged_once() {
    const WARNING: &str = "the limit of open files is below --max-connections";
    let directory = TempDir::new().unwrap();
    let start = |connections: &str| {
        Running::with(directory.path(), |command| {
            command.args(["--listen", "127.0.0.1:0", "--max-connections", connections]);
        })
    };
    assert!(start("100000000").end("TERM").1.contains(WARNING));
    let (_, log) = Running::start(directory.path()).end("TERM");
    assert!(!log.contains(r#""level":"WARN""#), "{log}");

    let running = start("100");
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard, _] = *Vec::from_iter(files.split_whitespace()) else { panic!("{files}") };
    assert_eq!(soft, hard, "it may have more");
    let files = fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap().count() + 3;
    let limit = ["--pid", &running.id().to_string(), &format!("--nofile={files}:")];
    assert!(Command::new("prlimit").args(limit).status().unwrap().success());
    let mut idle: Vec<_> = (0..3).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let waiting: Vec<_> = (0..5).map(|_| get(running.address, "/healthz")).collect();
    idle.pop();
    // Each takes the place that the one before it frees, and the next has to wait for that.
    for answer in waiting {
        assert!(read(answer).ends_with("ok\n"));
    }
    let (_, log) = running.end("TERM");
    assert!(!log.contains(WARNING), "{log}");
    assert_eq!(log.matches("a connection could not be accepted").count(), 1, "{log}");
}

/// The fields of the lines with this message.
pub fn fields(log: &str, message: &str) -> Vec<Value> {
    // The last line may not be complete yet.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let fields = lines.map(|mut line| line["fields"].take());
    fields.filter(|fields| fields["message"] == message).collect()
}

#[tokio::test]
async fn refusals_of_one_cause_are_logged_once_a_second_and_counted() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let running = Running::with(directory.path(), |command| {
        command
            .args(["--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "info,chinwag=debug")
            .stderr(File::create(&log).unwrap());
    });
    let mut client = Client::connect(running.address).await;
    for number in 0..300 {
        client.refused("list-chats", json!({})).await;
        client.refused(&format!("no-such-event-{number}"), json!({})).await;
    }
    let counted = |code: &str| {
        let log = fs::read_to_string(&log).unwrap();
        let lines = fields(&log, "request refused");
        let of_cause = lines.iter().filter(|fields| fields["code"] == code);
        let times = of_cause.map(|fields| fields["times"].as_u64().unwrap());
        (times.clone().count(), times.sum::<u64>())
    };
    // Errors within the second are logged at its end, even if no more follow.
    let all = soon("the rest is logged", async {
        while counted("unauthenticated").1 < 300 || counted("invalid").1 < 300 {
            tokio::task::yield_now().await;
        }
        (counted("unauthenticated"), counted("invalid"))
    });
    let (unauthenticated, invalid) = all.await;
    assert_eq!((unauthenticated.1, invalid.1), (300, 300));
    assert!(unauthenticated.0 < 100 && invalid.0 < 100, "{unauthenticated:?} {invalid:?}");
    tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
    assert!(!fs::read_to_string(&log).unwrap().contains("no-such-event"));
}
