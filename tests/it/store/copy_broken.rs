//! `chinwag copy` when something goes wrong: it is refused, or killed, or the copy differs.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use chinwag::{Config, Server};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::store::backup::{new_file, on_file};
use crate::store::copy::{change, copy, on};
use crate::support::database::sqlite_in;
use crate::support::program::output;
use crate::support::{TestServer, services};

const MESSAGES: usize = 60_000;

/// A database with a chat of many messages, some of them large; returns the chat's id, too.
async fn many_messages() -> (TempDir, String) {
    let server = on_file(TempDir::new().unwrap()).await;
    let chat = server.user("ann").await.chat("x", true, &[]).await;
    let directory = server.shutdown().await;
    let sql = format!(
        "with recursive n (i) as (select 1 union all select i + 1 from n where i < {MESSAGES})
         insert into messages
             (chat_id, seq, id, user_id, kind, body, created_at, modified_at)
         select c.id, i, randomblob(16), c.creator_id, 0,
             case when i % 5000 = 0 then printf('%.*c', 500000, 'x') else 'message ' || i end,
             c.created_at, c.created_at
         from n, chats c;
         update chats set last_seq = {MESSAGES};"
    );
    change(&directory, sql).await;
    (directory, chat)
}

/// Runs a statement on the target.
async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    assert_eq!(sqlx::query(sql).execute(&mut connection).await.unwrap().rows_affected(), 1);
    connection.close().await.unwrap();
}

/// Begins a copy, and kills it when some of the messages are copied.
fn kill_in_the_middle(from: &TempDir, to: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_chinwag"))
        .args(["copy", "--from", &sqlite_in(from.path()), "--to", to])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("copied messages: "));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!line.unwrap().starts_with(&format!("copied messages: {MESSAGES} ")));
}

#[tokio::test]
async fn a_killed_copy_continues_where_it_was() {
    let Some(url) = services::postgres() else { return };
    let url = services::database(&url).await;
    let (directory, chat) = many_messages().await;
    kill_in_the_middle(&directory, &url);

    let refused = Server::start(config(&url)).await.err().unwrap().to_string();
    assert!(refused.contains("unfinished copy"), "{refused}");
    change(&directory, "update users set name = 'Bob'").await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("before it changed"), "{text}");
    change(&directory, "update users set name = 'ann'").await;

    // It finds what was changed in the copy.
    execute(&url, "update messages set body = 'message 6' where seq = 5").await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("DIFFERENT") && text.contains("copied, in: messages;"), "{text}");
    let begun = text.lines().find_map(|line| line.strip_prefix("copied messages: ")).unwrap();
    assert!(begun.split(' ').next().unwrap().parse::<usize>().unwrap() > 0, "{text}");
    assert!(Server::start(config(&url)).await.is_err());

    execute(&url, "update messages set body = 'message 5' where seq = 5").await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("DIFFERENT"), "{text}");

    let server = TestServer::with(on(&url)).await;
    let mut ann = server.user("ann").await;
    assert_eq!(ann.say(&chat, "and on").await["seq"], MESSAGES + 1);
    let query = json!({ "after_seq": MESSAGES - 3, "limit": 3 });
    let page = ann.done("list-messages", json!({ "chat": { "id": chat }, "query": query })).await;
    assert_eq!(page["messages"][0]["msg"], format!("message {}", MESSAGES - 2), "{page}");
}

fn config(url: &str) -> Config {
    let listen = vec!["127.0.0.1:0".into()];
    Config { listen, database_url: url.into(), ..Config::default() }
}

#[tokio::test]
async fn a_copy_does_not_change_a_target_with_other_data() {
    let Some(url) = services::postgres() else { return };
    let url = services::database(&url).await;
    let server = TestServer::with(on(&url)).await;
    server.user("eve").await;
    let directory = new_file().await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is in use"), "{text}");
    server.user("eve").await;
    server.shutdown().await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("holds data already"), "{text}");
    TestServer::with(on(&url)).await.user("eve").await;
}

#[tokio::test]
async fn a_copy_does_not_change_tables_of_another_program() {
    let Some(url) = services::postgres() else { return };
    let directory = new_file().await;
    let migrated =
        "create table _sqlx_migrations (version bigint, checksum bytea, success boolean);
                    insert into _sqlx_migrations values (1, 'x', true)";
    for tables in ["create table users (name text)", "create table x (x text)"] {
        for tables in [tables.to_owned(), format!("{tables}; {migrated}")] {
            let url = services::database(&url).await;
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(tables)).execute(&mut connection).await.unwrap();
            let count = "select count(*) from pg_tables where schemaname = 'public'";
            let before: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
            let (code, text) = copy(&directory, &url).await;
            assert_eq!(code, Some(1), "{text}");
            assert!(text.contains("holds data already") && !text.contains("read users"), "{text}");
            let after: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
            assert_eq!(after, before);
        }
    }
}

#[tokio::test]
async fn only_a_file_of_this_version_is_copied() {
    let Some(url) = services::postgres() else { return };
    let url = services::database(&url).await;
    for (sql, why) in [
        ("drop table _sqlx_migrations", "is no database of Chinwag's"),
        ("update _sqlx_migrations set checksum = x'00'", "is no database of Chinwag's"),
        ("delete from _sqlx_migrations where version > 1", "older version"),
        ("insert into _sqlx_migrations values (9999, '', 0, true, x'', 0)", "newer version"),
    ] {
        let directory = new_file().await;
        change(&directory, sql).await;
        let (code, text) = copy(&directory, &url).await;
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

#[tokio::test]
async fn a_database_in_use_is_not_copied() {
    let Some(url) = services::postgres() else { return };
    let url = services::database(&url).await;
    let server = on_file(TempDir::new().unwrap()).await;
    let from = sqlite_in(server.directory.path());
    let done = move || output(&["copy", "--from", &from, "--to", &url]);
    let (output, text) = tokio::task::spawn_blocking(done).await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is in use"), "{text}");
    server.user("ann").await;
}

#[tokio::test]
async fn an_impossible_copy_is_refused() {
    let directory = new_file().await;
    let from = sqlite_in(directory.path());
    let nowhere = "postgres://ann:psst@127.0.0.1:1/x";
    for (arguments, code, why) in [
        (vec!["copy", "--from", &from], 2, "--to"),
        (vec!["copy", "--to", nowhere], 2, "--from"),
        (vec!["copy", "--from", &from, "--to", "sqlite:x.db"], 2, "PostgreSQL"),
        (vec!["copy", "--from", nowhere, "--to", nowhere], 2, "SQLite"),
        (vec!["copy", "--from", "sqlite:/no/such.db", "--to", nowhere], 1, "no such database"),
        (vec!["copy", "--from", &from, "--to", nowhere], 1, "ann:…@127.0.0.1:1/x"),
        (vec!["--listen", "127.0.0.1:0", "copy", "--from", &from, "--to", nowhere], 2, "copy"),
        (vec!["restore"], 2, "restore"),
    ] {
        let (output, text) = output(&arguments);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(why) && !text.contains("psst"), "{text}");
    }
}
