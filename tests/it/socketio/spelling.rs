//! Handles and e-mail addresses: all spellings of one are the same, and it is shown as stored.

use std::fs::{self, File};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::support::chatter::{Chatter, PASSWORD, of_nick, with_password};
use crate::support::credentials::protect;
use crate::support::http::{self, registration};
use crate::support::program::Running;
use crate::support::{TestServer, assert_error, database};

/// Handles, each with other spellings of it.
const SPELLINGS: [(&str, &[&str]); 6] = [
    ("Ann", &["ann", "ANN", "aNN"]),
    ("Straße", &["STRASSE", "strasse", "STRAẞE"]),
    ("Zo\u{eb}", &["ZO\u{cb}", "zoe\u{308}", "ZOE\u{308}"]),
    ("Σίσυφος", &["ΣΊΣΥΦΟΣ", "σίσυφοσ"]),
    ("Жан", &["жАН"]),
    ("ﬁn", &["FIN", "fin"]),
];

fn user(external_id: &str, handle: &str) -> Value {
    json!({ "user": { "external_id": external_id, "name": "x", "photo": "", "handle": handle } })
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn all_spellings_of_a_handle_are_one_handle() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    for (number, (handle, others)) in SPELLINGS.iter().enumerate() {
        let owner = format!("owner {number}");
        client.done("create-user", user(&owner, handle)).await;
        for other in *others {
            let error = client.refused("create-user", user("another", other)).await;
            assert_eq!(
                (&error["code"], &error["field"]),
                (&json!("conflict"), &json!("user.handle"))
            );
            // Its owner may change the spelling, and is found by every spelling.
            let answer = client.done("create-user", user(&owner, other)).await;
            assert_eq!(answer["user"]["handle"], *other);
        }
        client.done("create-user", user(&owner, handle)).await;
        for spelling in others.iter().chain([handle]) {
            let mut chatter = Chatter::open(server.channels(percent(spelling))).await;
            assert_eq!(chatter.next().await, of_nick(2, handle), "{spelling}");
            assert_eq!(server.turned_away(&percent(others[0])).await.1, 4409, "it is connected");
            assert_eq!(chatter.nicks().await, json!([handle]));
            chatter.tell(json!({ "type": 2, "user": others[0] })).await;
            chatter.join("here", handle).await;
            chatter.tell(json!({ "type": 3 })).await;
            chatter.closed().await;
        }
        let state = server.call("NewUser", json!([others[0]])).await;
        assert_eq!(state["UserId"], *handle);
    }
}

#[tokio::test]
async fn all_spellings_of_a_username_or_email_are_one_account() {
    let server = TestServer::start().await;
    let mut bob = registration("Bob");
    bob["email"] = "\u{c9}lan@Example.com".into();
    server.post("/api/register", bob).await.data();
    for (field, value, taken) in [
        ("username", "bOB", "this username"),
        ("email", "\u{e9}lan@example.COM", "this email"),
        ("email", "E\u{301}LAN@EXAMPLE.COM", "this email"),
    ] {
        let mut other = registration("carl");
        other[field] = value.into();
        let answer = server.post("/api/register", other).await;
        let why = json!({ "error": format!("another user has {taken}") });
        assert_eq!(answer.refused(400, "User error"), &why, "{value}");
    }
    server.log_in("BOB", http::PASSWORD).await.data();
    let eve = server.sign_up("eve").await;
    assert_eq!(server.fetch("/api/thread/boB", eve.access()).await, json!([]));
    // Attempts with a wrong password count for all spellings together.
    let mut refused = 0;
    for number in 0..30_u32 {
        let spelling: String = "bobby"
            .char_indices()
            .map(|(at, c)| match number >> at & 1 {
                0 => c.to_ascii_lowercase(),
                _ => c.to_ascii_uppercase(),
            })
            .collect();
        refused += u32::from(server.log_in(&spelling, "a wrong password").await.status == 429);
    }
    assert!(refused >= 19, "{refused}");
}

#[tokio::test]
async fn a_handle_that_a_protected_user_gives_up_is_kept_for_them() {
    let server = TestServer::start().await;
    let account = server.sign_up("ann").await;
    let mut ann = server.connect_with(account.access()).await;
    let named = |id: &str, handle: &str| json!({ "user": { "id": id, "name": "x", "photo": "", "handle": handle } });
    ann.done("create-user", named(account.id(), "anna")).await;
    let mut bob = server.user("bob").await;
    // It is refused through every door by which a handle is given.
    assert_eq!(bob.refused("create-user", named(&bob.id.clone(), "Ann")).await["code"], "conflict");
    assert_eq!(server.turned_away("ANN").await.1, 4409);
    let mut other = registration("ANN");
    (other["email"], other["phone"]) = ("other@example.com".into(), "7".into());
    server.post("/api/register", other).await.refused(400, "User error");
    let mut chatter = server.chatter("eve").await;
    chatter.refused(with_password(1, "ann", PASSWORD), "conflict", Some("user")).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "NewUser", "params": ["Ann"] });
    assert_eq!(server.rpc(&call).await["error"]["data"]["code"], "conflict");
    // This still holds after a restart.
    let server = TestServer::on(server.shutdown().await, |_| {}).await;
    assert_eq!(server.turned_away("ann").await.1, 4409);
    let mut ann = server.connect_with(account.access()).await;
    ann.done("create-user", named(account.id(), "Ann")).await;
    ann.done("create-user", named(account.id(), "anna")).await;
    // After a month another user may have it.
    let directory = server.shutdown().await;
    let month = 30_i64 * 24 * 60 * 60 * 1_000_000;
    execute(&directory, &format!("update released_handles set until = until - {month}")).await;
    let server = TestServer::on(directory, |_| {}).await;
    server.chatter("ann").await;
}

#[tokio::test]
async fn a_handle_that_anybody_else_gives_up_is_free_at_once() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.done("create-user", user("1", "ann")).await;
    client.done("create-user", user("1", "anna")).await;
    client.done("create-user", user("2", "Ann")).await;
    server.chatter("Ann").await;
}

#[tokio::test]
async fn a_name_that_is_invalid_now_still_lets_its_user_in() {
    let server = TestServer::start().await;
    let named = |name: &str, photo: &str| json!({ "user": { "external_id": "1", "name": name, "photo": photo } });
    server.connect().await.done("create-user", named("before", "")).await;
    let directory = server.shutdown().await;
    execute(&directory, "update users set name = 'x\u{200f}'").await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut client = server.connect().await;
    for photo in ["", "new"] {
        let answer = client.done("create-user", named("x\u{200f}", photo)).await;
        assert_eq!(answer["user"]["name"], "x\u{200f}");
    }
    // But nobody can take such a name any more.
    let refused = client.refused("create-user", named("y\u{200f}", "")).await;
    assert_error(&refused, "invalid", Some("user.name"));
}

#[tokio::test]
async fn an_id_cannot_be_a_spelling_of_another_users_handle() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    client.done("create-user", user("1", "ann")).await;
    let other = json!({ "user": { "id": "ANN", "name": "x", "photo": "" } });
    let refused = client.refused("create-user", other).await;
    assert_error(&refused, "conflict", Some("user.id"));
}

#[tokio::test]
async fn different_spellings_are_different_channels() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    ann.next().await;
    ann.join("Rust", "ann").await;
    bob.join("rust", "bob").await;
    ann.nothing_more().await;
}

/// Runs SQL on a database that no server uses.
pub async fn execute(directory: &TempDir, sql: &str) {
    let url = database::url_in(directory.path());
    let sql = AssertSqlSafe(sql.to_owned());
    match database::is_postgres() {
        true => {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.map(drop).unwrap();
        }
        false => {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.map(drop).unwrap();
        }
    }
}

#[tokio::test]
async fn handles_of_an_older_version_stay_as_they_are() {
    let server = TestServer::start().await;
    for name in ["first", "second", "third"] {
        protect(&server, name).await;
    }
    let directory = server.shutdown().await;
    // As an older version of the server has left them.
    let before = "update users set handle = 'Ann', name = 'x\u{202e}y' where handle = 'first';
                  update users set handle = 'ANN' where handle = 'second';
                  update users set handle = 'Zo\u{eb}' where handle = 'third';
                  update users set handle_folded = null;
                  delete from unchecked; insert into unchecked (what) values ('names')";
    execute(&directory, before).await;
    for (start, refused) in [(1, Some(1)), (2, None)] {
        let log = directory.path().join(format!("log {start}"));
        let running = Running::with(directory.path(), |command| {
            command.args(["--listen", "127.0.0.1:0"]).stderr(File::create(&log).unwrap());
        });
        let said = fs::read_to_string(&log).unwrap();
        let count = |field: &str| {
            let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.filter_map(|line| line["fields"][field].as_i64()).next_back()
        };
        assert_eq!((count("alike"), count("refused")), (Some(1), refused), "{said}");
        running.end("TERM");
    }
    let server = TestServer::on(directory, |_| {}).await;
    // Each is found by its own spelling, and the first by all other spellings.
    for (spelling, handle) in
        [("Ann", "Ann"), ("ANN", "ANN"), ("ann", "Ann"), ("ZO\u{cb}", "Zo\u{eb}")]
    {
        server.log_in(spelling, PASSWORD).await.data();
        let mut chatter = Chatter::open(server.channels("waiting")).await;
        chatter.next().await;
        chatter.tell(with_password(2, spelling, PASSWORD)).await;
        assert_eq!(chatter.next().await, of_nick(3, "waiting"));
        assert_eq!(chatter.next().await, of_nick(2, handle));
        chatter.tell(json!({ "type": 3 })).await;
        chatter.closed().await;
    }
    // The user of the second handle can still be changed.
    let answer = server.log_in("ANN", PASSWORD).await.data();
    let mut client = server.connect_with(answer[0]["access_token"].as_str().unwrap()).await;
    let id = answer[0]["user_id"].clone();
    let user = json!({ "user": { "id": id, "name": "Second", "photo": "" } });
    assert_eq!(client.done("create-user", user).await["user"]["handle"], "ANN");
}
