//! `/readyz`: whether a node can serve clients.

use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::support::program::Running;
use crate::support::services::{self, Services, ask_redis};
use crate::support::{database, get, soon};

impl Running {
    async fn is_ready(&self) -> bool {
        let answer = get(self.address, "/readyz", "").await;
        assert!(["200", "503"].contains(&&answer[9..12]), "{answer}");
        &answer[9..12] == "200"
    }

    /// Waits until the node says so, which may take a while as answers are cached.
    async fn becomes_ready(&self, ready: bool) {
        let becomes = async { while self.is_ready().await != ready {} };
        soon(if ready { "it is ready" } else { "it is not ready" }, becomes).await;
    }

    /// Limits how long the files of the process may become.
    fn limit_files(&self, bytes: &str) {
        let (id, limit) = (self.id().to_string(), format!("--fsize={bytes}:unlimited"));
        assert!(Command::new("prlimit").args(["--pid", &id, &limit]).status().unwrap().success());
    }
}

fn start(directory: &TempDir) -> Running {
    Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--max-connections", "100"]);
    })
}

#[tokio::test]
async fn a_node_with_a_full_disk_is_not_ready() {
    if database::is_no_file("a full disk") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let running = start(&directory);
    assert!(running.is_ready().await);
    running.limit_files("1000");
    running.becomes_ready(false).await;
    running.limit_files("unlimited");
    running.becomes_ready(true).await;
}

#[tokio::test]
async fn frequent_checks_get_the_latest_result_again() {
    if database::is_no_file("a full disk") {
        return;
    }
    let directory = TempDir::new().unwrap();
    let running = start(&directory);
    running.limit_files("1000");
    running.becomes_ready(false).await;
    let begun = Instant::now();
    for _ in 0..20 {
        futures_util::future::join_all((0..10).map(|_| running.is_ready())).await;
    }
    let at_most = begun.elapsed().as_secs() + 3;
    let (_, log) = tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
    let found = log.lines().filter(|line| line.contains("\"not ready\"")).count() as u64;
    assert!((1..=at_most).contains(&found), "{found} of {at_most}: {log}");
}

#[tokio::test]
async fn a_node_with_a_wrong_redis_password_is_not_ready() {
    let Some(postgres) = services::postgres() else { return };
    let Some(services) = Services::start(&["redis"]).await else { return };
    let (url, database) = (services.url("redis"), services::database(&postgres).await);
    let node = |redis: String| {
        let directory = TempDir::new().unwrap();
        Running::with(directory.path(), |command| {
            command.args(["--listen", "127.0.0.1:0", "--redis-url", &redis]);
            command.args(["--database-url", &database]);
        })
    };
    let with = |password: &str| url.replace("redis://", &format!("redis://:{password}@"));
    assert_eq!(ask_redis(&url, "CONFIG SET requirepass right").await, "+OK");
    node(with("right")).becomes_ready(true).await;
    node(with("wrong")).becomes_ready(false).await;
    let without = node(url.clone());
    without.becomes_ready(false).await;
    // A Redis that is down does not make a node unready.
    services.kill("redis").await;
    without.becomes_ready(true).await;
}
