//! `chinwag copy`: everything in SQLite is then in PostgreSQL.

use chinwag::Config;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::store::backup::on_file;
use crate::support::chatter::{Chatter, message as said};
use crate::support::database::sqlite_in;
use crate::support::http::PASSWORD;
use crate::support::program::output;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, message, services};

/// Copies a directory's database; returns the exit code and the output.
pub async fn copy(from: &TempDir, to: &str) -> (Option<i32>, String) {
    let (from, to) = (sqlite_in(from.path()), to.to_owned());
    let done = move || output(&["copy", "--from", &from, "--to", &to]);
    let (output, text) = tokio::task::spawn_blocking(done).await.unwrap();
    (output.status.code(), text)
}

/// Runs statements on a directory's database.
pub async fn change(directory: &TempDir, sql: impl Into<String>) {
    let url = sqlite_in(directory.path());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.into())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

pub fn on(url: &str) -> impl FnOnce(&mut Config) {
    |config| config.database_url = url.into()
}

/// Everything that a client can list.
pub async fn view(client: &mut Client) -> Value {
    let mut view = Vec::new();
    for list in ["list-chats", "list-teams", "list-invitations"] {
        view.push(client.done(list, json!({})).await);
    }
    for chat in view[0]["chats"].as_array().unwrap().clone() {
        let chat = chat["id"].as_str().unwrap();
        view.push(client.done("list-messages", of_chat(chat)).await);
    }
    json!(view)
}

/// Makes users of all kinds in chats of all kinds; returns an access token.
pub async fn fill(server: &TestServer) -> String {
    let (bob, alice) = (server.sign_up("bob").await, server.sign_up("alice").await);
    let mut live = crate::support::live::Live::connect(server, bob.access()).await;
    live.say("bob", "alice", "hi, \"alice\"\t\\ \u{1f600}").await;
    live.is_open().await;
    server.log_in("bob", PASSWORD).await;

    // Sorted by bytes, and in no other order, Z comes before a, and é last.
    for name in ["Zoe", "zoe", "\u{e9}mile", "z\u{e9}"] {
        let user = json!({ "id": name, "name": name, "photo": "data:," });
        server.connect().await.done("create-user", json!({ "user": user })).await;
    }
    let (mut ann, mut cat) = (server.user("ann").await, server.user("cat").await);
    let chat = ann.make_private(&mut [&mut cat]).await;
    for at in 0..5 {
        let mut body = message(&chat, &format!("number {at}"));
        body["message"]["client_id"] = at.to_string().into();
        body["message"]["mentions"] = json!([cat.id]);
        ann.done("new-message", body).await;
    }
    let long = cat.done("new-message", message(&chat, &"long ".repeat(100_000))).await;
    let of_long = json!({ "chat": { "id": chat }, "message": { "id": long["id"] } });
    let mut reaction = of_long.clone();
    reaction["reaction"] = "\u{1f600}".into();
    ann.done("react", reaction).await;
    ann.done("pin-message", of_long).await;
    cat.done("mark-read", json!({ "chat": { "id": chat }, "seq": 2 })).await;
    let muted = json!({ "chat": { "id": chat }, "muted": true, "archived": true });
    cat.done("update-membership", muted).await;
    let team = ann.make_team("Ground Crew", &[&cat.id]).await;
    let of_team = json!({ "name": "of the team", "description": "", "team": { "id": team } });
    ann.done("create-chat", json!({ "chat": of_team, "users": [] })).await;
    let secret = json!({ "chat": { "name": "secret", "private": true }, "users": [] });
    let secret = cat.done("create-chat", secret).await;
    cat.invite(secret["chat"]["id"].as_str().unwrap(), &ann.id).await;

    let mut chatter = server.chatter("dan").await;
    chatter.join("django", "dan").await;
    chatter.say("django", "in a channel", "dan").await;
    alice.access().to_owned()
}

#[tokio::test]
async fn a_server_can_go_on_with_the_copy() {
    let Some(url) = services::postgres() else { return };
    let url = services::database(&url).await;
    let server = on_file(TempDir::new().unwrap()).await;
    let token = fill(&server).await;
    let (mut ann, mut cat) = (server.user("ann").await, server.user("cat").await);
    let before = [view(&mut ann).await, view(&mut cat).await];
    let inbox = server.fetch("/api/inbox", &token).await;
    let directory = server.shutdown().await;
    change(
        &directory,
        "insert into chats (id, name, private, creator_id, last_seq, active_at, created_at,
             modified_at, ephemeral)
         select randomblob(16), 'short-lived', false, id, 1, 1, 1, 1, true from users limit 1;
         insert into members (chat_id, user_id, joined_at, read_seq, own_unread)
         select c.id, creator_id, 1, 0, 0 from chats c where ephemeral;
         insert into messages
             (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
         select c.id, 1, randomblob(16), creator_id, 0, 'gone', null, 1, 1
         from chats c where ephemeral;",
    )
    .await;

    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("all is copied\n"), "{text}");
    assert_tables(&directory, &text).await;

    let server = TestServer::with(on(&url)).await;
    let (mut ann, mut cat) = (server.user("ann").await, server.user("cat").await);
    assert_eq!([view(&mut ann).await, view(&mut cat).await], before);
    let list = ann.done("list-chats", json!({ "query": { "limit": 1000 } })).await;
    assert!(!list.to_string().contains("short-lived"), "{list}");
    assert_eq!(server.fetch("/api/inbox", &token).await, inbox);
    assert_eq!(server.log_in("bob", PASSWORD).await.status, 200);
    assert_ne!(server.log_in("bob", "not this one").await.status, 200);
    let mut dan = Chatter::open(server.channels("dan")).await;
    dan.next().await;
    dan.join("django", "dan").await;
    assert_eq!(
        dan.ask(crate::support::chatter::said_by("django", "x")).await,
        said("django", "x", "dan")
    );

    // Messages that were copied are recognized by their `client_id`, and new ones follow them.
    let mut chats = before[0][0]["chats"].as_array().unwrap().iter();
    let chat = chats.find(|chat| chat["last_seq"] == 6).unwrap()["id"].as_str().unwrap();
    let mut again = message(chat, "number 3");
    again["message"]["client_id"] = "3".into();
    assert_eq!(ann.done("new-message", again).await["seq"], 4);
    assert_eq!(ann.done("new-message", message(chat, "and on")).await["seq"], 7);

    server.shutdown().await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("holds data already"), "{text}");
}

#[tokio::test]
async fn event_numbers_continue_after_the_copy() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let url = services::database(&postgres).await;
    let server = on_file(TempDir::new().unwrap()).await;
    let chat = server.user("ann").await.chat("x", true, &[]).await;
    let directory = server.shutdown().await;
    let short_lived = "ffffffff-ffff-7fff-bfff-ffffffffffff";
    let sql = format!(
        "insert into chats (id, name, private, creator_id, last_seq, active_at, created_at,
             modified_at, ephemeral)
         select unhex('{short_lived}', '-'), 'x', false, id, 1, 1, 1, 1, true from users;
         insert into streams values ('chat/{chat}', 41), ('chat/{short_lived}', 2), ('everyone', 7),
             ('user/\u{e9}mile', 5), ('user/zoe', 4), ('user/Zoe', 3);
         insert into events (stream, number, event, committed_at, logged)
         values ('chat/{chat}', 40, '{{}}', 1, true), ('chat/{chat}', 41, '{{}}', 1, false);"
    );
    change(&directory, sql).await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not in Kafka yet"), "{text}");

    let way_out = text.split('"').nth(1).unwrap();
    change(&directory, way_out).await;
    let (code, text) = copy(&directory, &url).await;
    assert_eq!(code, Some(0), "{text}");
    let server = TestServer::with(|config| {
        config.database_url = url.as_str().into();
        config.redis_url = Some(redis.into());
    })
    .await;
    server.user("ann").await.say(&chat, "and on").await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let sql = "select stream, last_number from streams order by stream";
    let numbers: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
    let numbers = Vec::from_iter(numbers.iter().map(|(stream, number)| (stream.as_str(), *number)));
    let of_chat = format!("chat/{chat}");
    let users = [("user/Zoe", 3), ("user/zoe", 4), ("user/\u{e9}mile", 5)];
    assert_eq!(numbers[..2], [(of_chat.as_str(), 42), ("everyone", 7)]);
    assert!(users.iter().all(|user| numbers.contains(user)), "{numbers:?}");
    assert!(!numbers.iter().any(|(stream, _)| stream.ends_with(short_lived)), "{numbers:?}");
}

/// Fails unless all tables are copied but these.
async fn assert_tables(directory: &TempDir, said: &str) {
    let url = sqlite_in(directory.path());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let sql = "select name from sqlite_master where type = 'table' order by name";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
    // The other server builds its own index of words.
    let tables = tables.iter().filter(|table| !table.starts_with("search_"));
    let left = tables.filter(|table| !said.contains(&format!("read {table}: ")));
    let of_a_server =
        ["_sqlx_migrations", "file_key", "nick_channels", "nicks", "seats", "sqlite_sequence"];
    // A server checks what was copied, too.
    assert_eq!(Vec::from_iter(left), [&of_a_server[..], &["unchecked"]].concat());
}
