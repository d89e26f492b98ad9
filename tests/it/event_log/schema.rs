//! The records of the event log, checked against `docs/events.schema.json`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, slice};

use chinwag::Access;
use serde_json::{Value, json};

use crate::socketio::changes::of_message;
use crate::support::chatter::{Chatter, PASSWORD, of_nick, with_password};
use crate::support::http::PASSWORD as OWN_PASSWORD;
use crate::support::kafka::committed;
use crate::support::rpc::room_of;
use crate::support::signing::{API_KEY, with_credentials};
use crate::support::steps::{of_chat, of_chat_and};
use crate::support::{TestServer, message};

/// A server that keeps its events for a Kafka that does not exist.
async fn without_kafka() -> TestServer {
    TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.kafka_brokers = Some("127.0.0.1:1".into());
    })
    .await
}

/// Makes each kind of event happen.
pub async fn make_everything_happen(server: &TestServer) {
    chats_and_members(server).await;
    messages(server).await;
    users_and_tokens(server).await;
    roles_and_reports(server).await;
    nicks(server).await;
    ephemeral_rooms(server).await;
}

async fn chats_and_members(server: &TestServer) {
    let (mut bob, mut cat) = (server.user("bob").await, server.user("cat").await);
    let mut ann = server.user("ann").await;
    let chat =
        json!({ "name": "\"plans\" \u{1f600}", "private": false, "description": "all\nof it" });
    let chat = json!({ "chat": chat, "users": [bob.id] });
    let public = ann.done("create-chat", chat).await["chat"]["id"].as_str().unwrap().to_owned();
    cat.done("join-chat", of_chat(&public)).await;
    cat.done("leave-chat", of_chat(&public)).await;
    let changed = json!({ "chat": { "id": public, "name": "other plans", "private": true } });
    ann.done("update-chat", changed).await;
    ann.done("remove-member", of_chat_and(&public, &bob.id)).await;
    let private = ann.make_private(&mut []).await;
    let invitation = ann.invite(&private, &bob.id).await;
    bob.done("accept-invitation", json!({ "invitation": { "id": invitation["id"] } })).await;
    let team = ann.make_team("crew", &[&bob.id]).await;
    let chat = json!({ "name": "of the crew", "private": true, "team_id": team });
    ann.done("create-chat", json!({ "chat": chat, "users": [bob.id] })).await;
    let of_bob = json!({ "team": { "id": team }, "user": { "id": bob.id } });
    ann.done("remove-from-team", of_bob).await;
}

async fn messages(server: &TestServer) {
    let mut bob = server.user("bob").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("talk", true, &[&bob.id]).await;
    let mut said = message(&chat, "a \"quoted\" \\ text\n\u{7f} \u{1f600}");
    said["message"]["client_id"] = json!("a client's id");
    said["message"]["mentions"] = json!([bob.id]);
    said["message"]["data"] = json!({ "a": ["b"] });
    let said = ann.done("new-message", said).await;
    let of_said = json!({ "chat": { "id": chat }, "message": { "id": said["id"] } });
    let mut answer = message(&chat, "indeed");
    answer["message"]["reply_to"] = json!({ "id": said["id"] });
    ann.done("new-message", answer).await;
    let mut reaction = of_said.clone();
    reaction["reaction"] = json!("\u{1f600}");
    ann.done("react", reaction).await;
    ann.done("pin-message", of_said.clone()).await;
    let mut edit = of_said.clone();
    edit["message"]["value"] = json!("other words");
    ann.done("edit-message", edit).await;
    ann.done("delete-message", of_said).await;
    let image = json!({ "value": "https://example.com/1.png", "type": "img" });
    ann.done("new-message", json!({ "chat": { "id": chat }, "message": image })).await;
    bob.done("mark-read", json!({ "chat": { "id": chat }, "seq": 1 })).await;
    bob.done("update-membership", json!({ "chat": { "id": chat }, "archived": true })).await;
    let body = json!({ "user": { "id": bob.id } });
    let direct = ann.done("open-direct", body).await["chat"]["id"].as_str().unwrap().to_owned();
    ann.done("new-message", message(&direct, "between us")).await;
}

async fn users_and_tokens(server: &TestServer) {
    let mut ann = server.user("ann").await;
    let seen = json!({ "name": "Ann", "data": { "status": "here" } });
    ann.done("update-user", json!({ "user": seen })).await;
    let mut zoe = server.user("zoe").await;
    zoe.done("delete-user", json!({ "messages": "keep" })).await;
    let account = server.sign_up("dora").await;
    server.sign_up("emil").await;
    let refresh = json!({ "refresh_token": account.token["refresh_token"] });
    server.post("/api/auth_token/refresh", refresh).await.data();
    let token = server.log_in("dora", OWN_PASSWORD).await.data()[0].clone();
    let token = token["access_token"].as_str().unwrap();
    let ended = server.request("DELETE", "/api/auth_token").bearer(token).send().await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    // Until now bob has connected without a token.
    server.token_user("bob").await;
}

async fn roles_and_reports(server: &TestServer) {
    let (mut ann, mut kim) = (server.user("ann").await, server.user("kim").await);
    let chat = ann.chat("ruled", true, &[&kim.id]).await;
    let mut muted = of_chat_and(&chat, &kim.id);
    muted["until"] = json!("2999-01-01T00:00:00Z");
    ann.done("mute-member", muted).await;
    let since = json!({ "chat": { "id": chat, "history": "since-joining", "data": { "a": 1 } } });
    ann.done("update-chat", since).await;
    let said = ann.done("new-message", message(&chat, "rude")).await;
    let report =
        json!({ "chat": { "id": chat }, "message": { "id": said["id"] }, "reason": "rude" });
    kim.done("report-message", report).await;
    ann.done("pin-message", of_message(&chat, &said)).await;
}

async fn nicks(server: &TestServer) {
    let mut fay = server.chatter("fay").await;
    fay.join("django", "fay").await;
    fay.say("django", "hello world", "fay").await;
    fay.ask(json!({ "type": 5, "channel": "django" })).await;
    fay.join("django", "fay").await;
    assert_eq!(fay.ask(with_password(1, "fay", PASSWORD)).await, of_nick(1, "fay"));
    let mut gus = Chatter::open(server.channels("gus")).await;
    gus.next().await;
    gus.join("django", "gus").await;
    gus.tell(json!({ "type": 2, "user": "hal" })).await;
    while gus.next().await != of_nick(2, "hal") {}
}

async fn ephemeral_rooms(server: &TestServer) {
    let ian = server.in_new_room("ian").await;
    let joe = server.in_room("joe", room_of(&ian)).await;
    server.call("SendMessage", json!(["in passing", ian])).await;
    server.call("LeaveRoom", json!([joe])).await;
    server.call("LeaveRoom", json!([ian])).await;
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Fails unless all records are valid by the schema.
#[track_caller]
pub fn assert_valid(records: &[Value]) {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for record in records {
        let errors = Vec::from_iter(schema.iter_errors(record).map(|error| error.to_string()));
        assert!(errors.is_empty(), "{record:#}: {errors:#?}");
    }
}

/// The names of the events in the schema.
fn described() -> BTreeSet<String> {
    let schema = schema();
    let name = |event: &Value| event["properties"]["event"]["const"].as_str().unwrap().to_owned();
    schema["oneOf"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn every_committed_event_matches_the_schema() {
    let server = without_kafka().await;
    make_everything_happen(&server).await;
    let directory = server.shutdown().await;
    let records = committed(&directory).await;
    assert_valid(&records);
    let happened = records.iter().map(|record| record["event"].as_str().unwrap().to_owned());
    assert_eq!(described(), happened.collect());
    let text = json!(records).to_string();
    for secret in [PASSWORD, OWN_PASSWORD, API_KEY, "$argon2", "secret", "refresh", "password\":"] {
        assert!(!text.contains(secret), "{secret} is in the log: {text}");
    }
    let keys = ["by", "connection", "connection_id", "password_hash"];
    for record in &records {
        assert!(keys.iter().all(|key| !has_key(record, key)), "{record:#}");
    }
}

fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(fields) => {
            fields.contains_key(key) || fields.values().any(|field| has_key(field, key))
        }
        Value::Array(items) => items.iter().any(|item| has_key(item, key)),
        _ => false,
    }
}

#[test]
fn every_event_is_described() {
    /// Events that are not stored.
    const EPHEMERAL: [&str; 8] = [
        "participant-joined",
        "participant-left",
        "participants-moved",
        "chat-announced",
        "presence-changed",
        "typing",
        "member-read",
        "signalled",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join("src/model/event.rs")).unwrap();
    let (_, variants) = source.split_once("pub enum Event {\n").unwrap();
    let (variants, _) = variants.split_once("\n}").unwrap();
    let variant = |line: &str| {
        let name = line.strip_prefix("    ")?.split([' ', '(', ',']).next()?;
        name.starts_with(|c: char| c.is_ascii_uppercase()).then(|| kebab(name))
    };
    let mut named: BTreeSet<_> = variants.lines().filter_map(variant).collect();
    assert!(EPHEMERAL.iter().all(|name| named.remove(*name)), "{named:?}");
    assert_eq!(described(), named);
    let page = fs::read_to_string(root.join("docs/events.md")).unwrap();
    for name in &named {
        assert!(page.contains(&format!("| [`{name}`](")), "{name} is not in docs/events.md");
    }
    let (_, example) = page.split_once("```json\n").unwrap();
    let example = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    assert_valid(slice::from_ref(&example));
}

/// `chat-created` for `ChatCreated`.
fn kebab(name: &str) -> String {
    let dashed =
        name.chars().flat_map(|c| c.is_ascii_uppercase().then_some('-').into_iter().chain([c]));
    dashed.collect::<String>().to_lowercase().trim_start_matches('-').to_owned()
}
