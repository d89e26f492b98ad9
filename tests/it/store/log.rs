//! Checkpoints of SQLite's log continue after the database has failed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::{Instant, timeout_at};

use crate::support::database::sqlite_in;
use crate::support::{TestServer, assert_error, message};

const PATIENCE: Duration = Duration::from_secs(60);

/// How often the log has begun anew, by the counter in its header.
fn beginnings(server: &TestServer) -> u32 {
    let log = File::open(server.directory.path().join("chat.db-wal")).unwrap();
    let mut count = [0; 4];
    log.read_exact_at(&mut count, 12).unwrap();
    u32::from_be_bytes(count)
}

async fn another(server: &TestServer) -> SqliteConnection {
    let file = server.directory.path().join("chat.db");
    SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

#[tokio::test]
async fn the_log_begins_anew_after_a_temporary_failure() {
    let directory = TempDir::new().unwrap();
    let url = sqlite_in(directory.path());
    let server = TestServer::on(directory, |config| {
        config.database_url = url.into();
        config.limits.written_bytes_per_user = 0;
        config.limits.written_bytes_per_address = 0;
    })
    .await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    // SQLite cannot begin its log anew while a reader uses an older state.
    let mut reader = another(&server).await;
    let mut reading = reader.begin().await.unwrap();
    sqlx::query("select count(*) from messages").execute(&mut *reading).await.unwrap();
    for _ in 0..200 {
        ann.say(&chat, &"x".repeat(100_000)).await;
    }
    let mut writer = another(&server).await;
    let writing = writer.begin_with("begin immediate").await.unwrap();
    let refused = ann.ask("new-message", message(&chat, "not now")).await;
    assert_error(&refused["error"], "unavailable", None);
    writing.rollback().await.unwrap();
    reading.rollback().await.unwrap();
    let (before, until) = (beginnings(&server), Instant::now() + PATIENCE);
    while beginnings(&server) == before {
        let said = timeout_at(until, ann.say(&chat, &"x".repeat(100_000))).await;
        said.expect("the log goes on and on");
    }
}
