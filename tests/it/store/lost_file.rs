//! A SQLite file that is taken away while the server uses it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::database::sqlite_in;
use crate::support::program::Running;
use crate::support::{Client, assert_error, message};

async fn ends_when(taken: impl FnOnce(&Path)) {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]);
        command.env("CHINWAG_DATABASE_URL", sqlite_in(directory.path()));
    });
    let mut ann = Client::connect(running.address).await;
    let user = serde_json::json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    ann.ask("create-user", user).await;
    let chat = ann.chat("ours", true, &[]).await;
    ann.say(&chat, "kept").await;
    taken(directory.path());
    // The server ends by itself soon.
    while let Some(answer) = ann.try_ask("new-message", message(&chat, "lost")).await {
        assert_error(&answer["error"], "unavailable", None);
    }
    let (status, log) = spawn_blocking(move || running.wait()).await.unwrap();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("the database file was deleted or replaced"), "{log}");
    // A log that is left would be taken for that of the file which is there now.
    let log = fs::metadata(directory.path().join("chat.db-wal"));
    assert_eq!(log.map_or(0, |log| log.len()), 0);
}

#[tokio::test]
async fn a_server_whose_file_is_deleted_acknowledges_nothing_and_ends() {
    ends_when(|directory| {
        for name in ["chat.db", "chat.db-wal", "chat.db-shm"] {
            fs::remove_file(directory.join(name)).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_whose_log_is_deleted_acknowledges_nothing_and_ends() {
    ends_when(|directory| fs::remove_file(directory.join("chat.db-wal")).unwrap()).await;
}

#[tokio::test]
async fn a_server_whose_file_is_replaced_acknowledges_nothing_and_ends() {
    ends_when(|directory| {
        let other = directory.join("other.db");
        fs::copy(directory.join("chat.db"), &other).unwrap();
        fs::rename(other, directory.join("chat.db")).unwrap();
    })
    .await;
}
