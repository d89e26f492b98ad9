//! `chinwag export` and `chinwag import`: an export can be read by people and by a database.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::store::backup::on_file;
use crate::store::copy::{fill, on, view};
use crate::support::database::{sqlite_in, url_in};
use crate::support::http::PASSWORD;
use crate::support::program::output;
use crate::support::{TestServer, message, services};

/// Runs a command on a database; returns the exit code, the standard output and all output.
async fn run(command: &str, url: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut all = vec![command.to_owned(), "--database-url".to_owned(), url.to_owned()];
    all.extend(arguments.iter().map(|it| (*it).to_owned()));
    let done = move || output(&Vec::from_iter(all.iter().map(String::as_str)));
    let (output, text) = tokio::task::spawn_blocking(done).await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), text)
}

async fn export(url: &str, arguments: &[&str]) -> String {
    let (code, lines, text) = run("export", url, arguments).await;
    assert_eq!(code, Some(0), "{text}");
    assert_valid(&lines);
    lines
}

async fn import(url: &str, lines: &str) -> (Option<i32>, String) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("export.ndjson");
    fs::write(&file, lines).unwrap();
    let (code, _, text) = run("import", url, &[file.to_str().unwrap()]).await;
    (code, text)
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Fails unless all lines are valid by the schema.
fn assert_valid(lines: &str) {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(schema.is_valid(&line), "{line}");
    }
}

/// An export of these lines.
fn of_lines(lines: &[&str]) -> String {
    let rows = json!({ "rows": lines.len() });
    let ends = |lines: String, line: &&str| lines + line + "\n";
    lines.iter().fold("{\"chinwag_export\":1}\n".into(), ends) + &rows.to_string() + "\n"
}

/// The rows of a table.
fn rows(lines: &str, table: &str) -> Vec<Value> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["table"] == table).map(|mut line| line["row"].take()).collect()
}

#[tokio::test]
async fn a_server_goes_on_with_what_was_imported_into_a_new_file() {
    let to = TempDir::new().unwrap();
    goes_on_with(&sqlite_in(to.path())).await;
}

#[tokio::test]
async fn a_server_goes_on_with_what_was_imported_into_postgres() {
    let Some(postgres) = services::postgres() else { return };
    goes_on_with(&services::database(&postgres).await).await;
}

async fn goes_on_with(to: &str) {
    let server = on_file(TempDir::new().unwrap()).await;
    fill(&server).await;
    let (mut ann, mut cat) = (server.user("ann").await, server.user("cat").await);
    let chats = ann.done("list-chats", json!({})).await["chats"].as_array().unwrap().clone();
    let chat = chats.iter().find(|chat| chat["last_seq"] == 6).unwrap()["id"].as_str().unwrap();
    let for_good = json!({ "chat": { "id": chat }, "user": { "id": cat.id } });
    ann.done("mute-member", for_good).await;
    let before = [view(&mut ann).await, view(&mut cat).await];
    let directory = server.shutdown().await;
    let lines = export(&sqlite_in(directory.path()), &["--all"]).await;

    let (code, text) = import(to, &lines).await;
    assert_eq!(code, Some(0), "{text}");
    // Exported again, it is the same.
    assert_eq!(export(to, &["--all"]).await, lines);
    // Imported again, it changes nothing.
    let (code, text) = import(to, &lines).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("messages: 8 read, 0 written"), "{text}");

    let server = TestServer::with(on(to)).await;
    let (mut ann, mut cat) = (server.user("ann").await, server.user("cat").await);
    assert_eq!([view(&mut ann).await, view(&mut cat).await], before);
    assert_eq!(server.log_in("bob", PASSWORD).await.status, 200);
    assert_eq!(cat.refused("new-message", message(chat, "not yet")).await["code"], "forbidden");
    // Imported messages are found by their words, and new ones follow them.
    assert_eq!(ann.done("new-message", message(chat, "after it")).await["seq"], 7);
    let found = json!({ "query": { "text": "after", "chat_id": chat } });
    while ann.done("search-messages", found.clone()).await["messages"] == json!([]) {}
    let found = json!({ "query": { "text": "number", "chat_id": chat } });
    assert_eq!(ann.done("search-messages", found).await["messages"].as_array().unwrap().len(), 5);
    server.shutdown().await;
}

#[tokio::test]
async fn an_export_of_a_chat_or_user_omits_private_data_of_others() {
    let server = TestServer::start().await;
    let url = url_in(server.directory.path());
    fill(&server).await;
    let mut ann = server.user("ann").await;
    let chats = ann.done("list-chats", json!({})).await;
    let chats = chats["chats"].as_array().unwrap().clone();
    let chat = chats.iter().find(|chat| chat["last_seq"] == 6).unwrap()["id"].as_str().unwrap();

    // This export is made while the server runs.
    let lines = export(&url, &["--chat", chat]).await;
    assert_eq!(rows(&lines, "chats").len(), 1);
    assert_eq!(rows(&lines, "messages").len(), 6);
    assert_eq!(rows(&lines, "members").len(), 2);
    assert_eq!(rows(&lines, "reactions").len(), 1);
    assert_eq!(rows(&lines, "users").len(), 2);
    for private in ["external_id", "email", "password_hash"] {
        assert!(rows(&lines, "users").iter().all(|user| user.get(private).is_none()));
    }

    let lines = export(&url, &["--user", &ann.id]).await;
    assert!(rows(&lines, "messages").iter().all(|message| message["user_id"] == *ann.id));
    assert_eq!(rows(&lines, "messages").len(), 5);
    let everybody = rows(&export(&url, &["--all"]).await, "users");
    assert!(everybody.iter().any(|user| user.get("password_hash").is_some()));
    let bob =
        everybody.iter().find(|user| user["handle"] == "bob").unwrap()["id"].as_str().unwrap();
    let lines = export(&url, &["--user", bob]).await;
    assert_eq!(rows(&lines, "messages").len(), 1);
    let users = rows(&lines, "users");
    assert!(users.iter().any(|user| user["id"] == bob && user["email"].is_string()), "{users:?}");
    assert!(users.iter().all(|user| user["id"] == bob || user.get("email").is_none()), "{users:?}");
    assert!(!lines.contains("password_hash"));
    // It can be imported by itself.
    let to = TempDir::new().unwrap();
    let (code, text) = import(&sqlite_in(to.path()), &lines).await;
    assert_eq!(code, Some(0), "{text}");

    let (code, lines, text) = run("export", &url, &["--user", "nobody"]).await;
    assert_eq!((code, &*lines), (Some(1), ""), "{text}");
    assert!(text.contains("there is no chat or user of this id"), "{text}");
    let (code, _, text) = run("export", &url, &[]).await;
    assert_eq!(code, Some(2), "{text}");
    let (code, _, text) = run("export", &url, &["--all", "--user", "ann"]).await;
    assert_eq!(code, Some(2), "{text}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_refused_import_changes_nothing() {
    let server = on_file(TempDir::new().unwrap()).await;
    fill(&server).await;
    let directory = server.shutdown().await;
    let lines = export(&sqlite_in(directory.path()), &["--all"]).await;
    let to = TempDir::new().unwrap();
    let url = sqlite_in(to.path());
    let all = Vec::from_iter(lines.lines());
    let (header, rows, end) = (all[0], &all[1..all.len() - 1], all[all.len() - 1]);
    let without_one = [&all[..all.len() - 2], &[end, ""]].concat().join("\n");
    let wrong = [
        (String::new(), "line 1: this is no export"),
        ("{}\n".to_owned(), "line 1: this is no export"),
        (rows.join("\n"), "line 1: this is no export"),
        (lines.replace("export\":1", "export\":2"), "line 1: this was made by another version"),
        (of_lines(&[r#"{"table":"secrets","row":{}}"#]), "line 2: this version of Chinwag has no"),
        (of_lines(&[r#"{"table":"users","row":{"x":1}}"#]), "line 2: users have no x"),
        (of_lines(&[r#"{"table":"members","row":{}}"#]), "members: "),
        (of_lines(&[r#"{"table":"members","row":{"read_seq":1.5}}"#]), "1.5 is not a whole number"),
        (format!("{header}\n{}\n", rows.join("\n")), "the export is not whole"),
        (lines[..lines.len() / 2].to_owned(), "line "),
        (without_one, "a part of the export is missing"),
        (format!("{lines}{}\n", rows[0]), "a part of the export is missing"),
    ];
    for (lines, why) in wrong {
        let (code, text) = import(&url, &lines).await;
        assert_eq!(code, Some(1), "{why}: {text}");
        assert!(text.contains(why) && text.contains("nothing was imported"), "{text}");
    }
    assert_eq!(export(&url, &["--all"]).await, of_lines(&[]));

    // A local user has the handle of a user in the export.
    let server = on_file(to).await;
    server.sign_up("bob").await;
    let (code, text) = import(&url, &lines).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("another server uses it"), "{text}");
    let to = server.shutdown().await;
    let (code, text) = import(&sqlite_in(to.path()), &lines).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("users: UNIQUE constraint failed: users."), "{text}");
}

/// The columns that no export has, since they are computed or belong to a running server.
const LEFT_OUT: [&str; 3] = ["chats.ephemeral", "chats.ended", "chats.member_count"];

#[tokio::test]
async fn every_column_is_exported_or_left_out_on_purpose() {
    let directory = on_file(TempDir::new().unwrap()).await.shutdown().await;
    let mut connection = SqliteConnection::connect(&sqlite_in(directory.path())).await.unwrap();
    let schema = schema();
    for record in schema["oneOf"].as_array().unwrap() {
        let record = &record["properties"];
        if record["table"].is_null() {
            continue;
        }
        let table = record["table"]["const"].as_str().unwrap();
        let sql = "select $1 || '.' || name from pragma_table_info($1)";
        let columns: Vec<String> =
            sqlx::query_scalar(sql).bind(table).fetch_all(&mut connection).await.unwrap();
        let exported = record["row"]["properties"].as_object().unwrap().keys();
        let exported = HashSet::<String>::from_iter(exported.map(|it| format!("{table}.{it}")));
        let kept = columns.into_iter().filter(|it| !LEFT_OUT.contains(&&**it));
        assert_eq!(HashSet::from_iter(kept), exported);
    }
}
