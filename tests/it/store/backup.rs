//! `chinwag backup`: the copy is complete or not there, whatever is written meanwhile.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::support::database::sqlite_in;
use crate::support::patience::now;
use crate::support::program::{Running, output};
use crate::support::{Client, TestServer, message};

/// A server on the SQLite file of a directory, even when the tests run on PostgreSQL.
pub async fn on_file(directory: TempDir) -> TestServer {
    let url = sqlite_in(directory.path());
    TestServer::on(directory, |config| config.database_url = url.into()).await
}

/// A directory with the database of a server that has ended.
pub async fn new_file() -> TempDir {
    on_file(TempDir::new().unwrap()).await.shutdown().await
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Backs a directory's database up into another directory; returns the output.
async fn back_up(from: &Path, to: &Path) -> String {
    let (from, to) = (sqlite_in(from), to.join("chat.db"));
    let done = move || output(&["backup", "--database-url", &from, to.to_str().unwrap()]);
    let (output, text) = tokio::task::spawn_blocking(done).await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

#[tokio::test]
async fn a_backup_has_everything_acknowledged_before_it() {
    let (directory, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]);
        command.env("CHINWAG_DATABASE_URL", sqlite_in(directory.path()));
    });
    let address = running.address;
    let mut ann = Client::connect(address).await;
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    ann.ask("create-user", user.clone()).await;
    let chat = ann.chat("x", true, &[]).await;

    let acknowledged = Arc::<Mutex<Vec<Value>>>::default();
    for sender in 0..4 {
        let (chat, acknowledged) = (chat.clone(), acknowledged.clone());
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            for at in 0.. {
                let mut body = message(&chat, &format!("{sender}-{at}"));
                body["user"] = json!({ "id": "ann" });
                match client.try_ask("new-message", body).await {
                    Some(answer) if answer["seq"].is_u64() => {
                        acknowledged.lock().unwrap().push(answer);
                    }
                    _ => break,
                }
            }
        });
    }
    for _ in 0..200 {
        ann.next_of("new-message").await;
    }
    let before = acknowledged.lock().unwrap().clone();
    let said = back_up(directory.path(), copies.path()).await;
    let after = acknowledged.lock().unwrap().len();
    assert!(before.len() > 100 && after > before.len(), "nothing was written meanwhile");
    drop(running);

    let server = on_file(copies).await;
    let mut ann = server.connect().await;
    ann.ask("create-user", user).await;
    let mut stored = Vec::new();
    loop {
        let query = json!({ "after_seq": stored.len() });
        let page =
            ann.ask("list-messages", json!({ "chat": { "id": chat }, "query": query })).await;
        stored.extend(page["messages"].as_array().unwrap().iter().cloned());
        if page.get("next").is_none() {
            break;
        }
    }
    assert!(said.ends_with(&format!(" bytes, 1 chats, {} messages\n", stored.len())), "{said}");
    for (at, message) in stored.iter().enumerate() {
        assert_eq!(message["seq"], at + 1, "there is a gap");
    }
    for message in before {
        let seq = message["seq"].as_u64().unwrap() as usize;
        assert_eq!(stored.get(seq - 1), Some(&message), "an acknowledged message is lost");
    }
    let next = ann.say(&chat, "and on").await;
    assert_eq!(next["seq"], stored.len() + 1);
}

#[tokio::test]
async fn only_its_owner_can_read_a_backup_and_no_other_file_is_left() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, copies) = (new_file().await, TempDir::new().unwrap());
    let said = back_up(directory.path(), copies.path()).await;
    let copy = fs::metadata(copies.path().join("chat.db")).unwrap();
    assert!(said.contains(&format!(": {} bytes, ", copy.len())), "{said}");
    assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    assert_eq!(names(copies.path()), ["chat.db"]);
}

#[tokio::test]
async fn an_impossible_backup_is_refused_and_makes_no_file() {
    let directory = new_file().await;
    let url = sqlite_in(directory.path());
    let copies = TempDir::new().unwrap();
    let path = |name: &str| copies.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("there"), "what was there").unwrap();
    fs::write(path("text"), "no database at all, but a text of some length").unwrap();
    fs::write(path("empty"), "").unwrap();
    let (text, empty) = (format!("sqlite:{}", path("text")), format!("sqlite:{}", path("empty")));
    let missing = format!("sqlite:{}", path("missing"));
    for (url, file, code, why) in [
        (url.as_str(), "there", 1, "there: already there"),
        (&url, "no/folder/new", 1, "No such file or directory"),
        (&missing, "new", 1, "missing: no such database"),
        (&text, "new", 1, "not a database"),
        (&empty, "new", 1, "no such table"),
        ("postgres://ann:psst@127.0.0.1:1/x", "new", 2, "pg_dump"),
        ("mysql://ann:psst@127.0.0.1:1/x", "new", 2, "sqlite:"),
    ] {
        let (output, text) = output(&["backup", "--database-url", url, &path(file)]);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(
            text.contains(why) && (!text.contains("psst") || url.starts_with("mysql")),
            "{text}"
        );
    }
    let (output, text) = output(&["--listen", "127.0.0.1:0", "backup", &path("new")]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(fs::read_to_string(path("there")).unwrap(), "what was there");
    let mut left = names(copies.path());
    left.sort();
    assert_eq!(left, ["empty", "text", "there"]);
}

#[tokio::test]
async fn a_backup_without_enough_room_names_its_file() {
    let directory = new_file().await;
    let copies = TempDir::new().unwrap();
    let file = copies.path().join("copy.db");
    // A limit for the length of files stands for a full disk. There is room for the other files.
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 100; exec "$0" "$@""#])
        .args([env!("CARGO_BIN_EXE_chinwag"), "backup", "--database-url"])
        .arg(sqlite_in(directory.path()))
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with(&format!("chinwag: {}: ", file.display())), "{text}");
    assert!(names(copies.path()).is_empty());
}

#[tokio::test]
async fn a_backup_ended_in_the_middle_leaves_no_file() {
    let directory = new_file().await;
    pad(&sqlite_in(directory.path())).await;
    for after in [0, 10, 30, 100] {
        let copies = TempDir::new().unwrap();
        let mut backup = Command::new(env!("CARGO_BIN_EXE_chinwag"))
            .args(["backup", "--database-url", &sqlite_in(directory.path())])
            .arg(copies.path().join("chat.db"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while names(copies.path()).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(after)).await;
        let id = backup.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        // The backup may have ended before the signal.
        let expected: &[&str] = if backup.wait().unwrap().success() { &["chat.db"] } else { &[] };
        assert_eq!(names(copies.path()), expected);
    }
}

#[tokio::test]
async fn the_next_backup_deletes_the_rest_of_a_killed_one() {
    let directory = new_file().await;
    pad(&sqlite_in(directory.path())).await;
    let copies = TempDir::new().unwrap();
    let start = |file: &str| {
        Command::new(env!("CARGO_BIN_EXE_chinwag"))
            .args(["backup", "--database-url", &sqlite_in(directory.path())])
            .arg(copies.path().join(file))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut killed = start("yesterday.db");
    while names(copies.path()).is_empty() {}
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(names(copies.path())[0].ends_with(".part"), "it was faster than the kill");
    // A folder that has such a name but holds something else is left alone.
    let other = "mine.01982d5e-6b5a-7c4e-9a51-3f1f0c7f4a10.part";
    fs::create_dir(copies.path().join(other)).unwrap();
    fs::write(copies.path().join(other).join("notes"), "").unwrap();
    // A backup that is still running is left alone, too.
    let (mut one, mut another) = (start("one.db"), start("another.db"));
    assert!(one.wait().unwrap().success() && another.wait().unwrap().success());
    let mut left = names(copies.path());
    left.sort();
    assert_eq!(left, ["another.db", other, "one.db"]);
}

/// Writes 80 MB into a database, more than its log may keep.
async fn pad(url: &str) {
    let sql = "create table padding (x blob); insert into padding values (zeroblob(80000000))";
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn a_backup_uses_the_servers_database_setting() {
    let (directory, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let run = |file: &str| {
        let mut command = crate::support::program::program();
        command.arg("backup").arg(copies.path().join(file));
        command.env("CHINWAG_DATABASE_URL", sqlite_in(directory.path())).output().unwrap()
    };
    let text = String::from_utf8(run("x").stderr).unwrap();
    assert!(text.contains("chat.db: no such database"), "{text}");
}

#[tokio::test]
async fn a_long_read_does_not_delay_the_server() {
    let server = on_file(TempDir::new().unwrap()).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    let url = sqlite_in(server.directory.path());
    let mut reader = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("begin; select count(*) from chats").execute(&mut reader).await.unwrap();
    pad(&url).await;
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(4) {
        let asked = now();
        ann.ask("new-message", message(&chat, "small")).await;
        slowest = slowest.max(now() - asked);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(slowest < Duration::from_secs(1), "a message waited for {slowest:?}");
}
