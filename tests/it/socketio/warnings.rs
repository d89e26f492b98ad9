//! The warnings about unknown fields, which clients of a server on a loopback address get.

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::{Client, TestServer, assert_error, message};

/// The warnings in the answer to a request.
async fn warnings(client: &mut Client, event: &str, body: Value) -> Vec<String> {
    let answer = client.ask(event, body).await;
    let warnings = answer.get("warnings").unwrap_or(&Value::Null);
    serde_json::from_value(warnings.clone()).unwrap_or_default()
}

fn unknown(path: &str) -> String {
    format!("{path} is not known here and was ignored")
}

fn meant(path: &str, meant: &str) -> String {
    format!("{}; did you mean {meant}?", unknown(path))
}

#[tokio::test]
async fn an_answer_names_unknown_fields_and_the_likely_ones() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let id = ann.id.clone();
    let chat = ann.chat("talk", false, &[]).await;
    for (event, body, said) in [
        ("list-chats", json!({}), vec![]),
        ("list-chats", json!({ "limit": 1, "user": { "id": id }, "before": null }), vec![]),
        ("list-chats", json!({ "Limit": 1 }), vec![meant("Limit", "limit")]),
        (
            "list-chats",
            json!({ "limt": null, "colour": 1 }),
            vec![unknown("colour"), meant("limt", "limit")],
        ),
        // Objects may be sent back as they came, with fields that the request does not have.
        ("list-chats", json!({ "user": { "id": id, "name": "Ann", "chat": 1 } }), vec![]),
        (
            "list-chats",
            json!({ "user": { "Id": id, "name": "Ann" } }),
            vec![meant("user.Id", "user.id")],
        ),
        (
            "mark-read",
            json!({ "chat": { "id": chat, "seq": 1, "idd": 1 } }),
            vec![meant("chat.idd", "chat.id")],
        ),
        ("list-chats", json!({ "user.id": id }), vec![unknown("user.id")]),
        (
            "list-messages",
            json!({ "chat": { "id": chat }, "query": { "afterSeq": 1, "form": 2, "x": {} } }),
            vec![
                meant("query.afterSeq", "query.after_seq"),
                meant("query.form", "query.from"),
                unknown("query.x"),
            ],
        ),
        (
            "list-messages",
            json!({ "chat": { "id": chat }, "chat_id": 1, "after_seq": 1 }),
            vec![meant("after_seq", "query.after_seq"), meant("chat_id", "chat.id")],
        ),
        (
            "join-chat",
            json!({ "chat": { "id": chat, "id2": 1, "id ": 2 } }),
            vec![meant("chat.id ", "chat.id"), meant("chat.id2", "chat.id")],
        ),
    ] {
        let case = format!("{event} {body}");
        assert_eq!(warnings(&mut ann, event, body).await, said, "{case}");
    }
    // The push goes to everyone, and has no warnings.
    let mut body = message(&chat, "hello");
    body["message"]["client-id"] = json!("1");
    let said = warnings(&mut ann, "new-message", body).await;
    assert_eq!(said, [meant("message.client-id", "message.client_id")]);
    assert!(ann.next("new-message").await.get("warnings").is_none());
}

#[tokio::test]
async fn a_refusal_names_a_likely_misspelling_of_the_missing_field() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    for (event, body, field, said) in [
        (
            "create-user",
            json!({ "user": { "name": "B", "externalId": 1, "colour": 1 } }),
            Some("user.external_id"),
            vec![meant("user.externalId", "user.external_id")],
        ),
        (
            "create-chat",
            json!({ "chta": { "name": "n" }, "users": [], "colour": 1 }),
            Some("chat"),
            vec![meant("chta", "chat")],
        ),
        // A field that would only have been read later is not reported as unknown.
        (
            "create-chat",
            json!({ "chat": { "name": 5, "private": true }, "user": { "id": "x" } }),
            Some("chat.name"),
            vec![],
        ),
        (
            "create-chat",
            json!({ "chat": { "name": "n" }, "user": { "id": "x" } }),
            Some("users"),
            vec![],
        ),
        ("join-chat", json!({ "chat_id": "x" }), Some("chat"), vec![meant("chat_id", "chat.id")]),
    ] {
        let case = format!("{event} {body}");
        let answer = ann.ask(event, body).await;
        assert_error(&answer["error"], "invalid", field);
        let warnings = answer.get("warnings").cloned().unwrap_or(json!([]));
        assert_eq!(warnings, json!(said), "{case}");
    }
    // If the whole request was read, all unknown fields are reported.
    let body = json!({ "chat": { "id": uuid() }, "colour": 1 });
    let answer = ann.ask("join-chat", body).await;
    assert_error(&answer["error"], "not_found", Some("chat.id"));
    assert_eq!(answer["warnings"], json!([unknown("colour")]));
    // For an unknown event none is reported.
    let answer = ann.ask("no-event", json!({ "colour": 1 })).await;
    assert!(answer.get("warnings").is_none(), "{answer}");
}

fn uuid() -> &'static str {
    "01890000-0000-7000-8000-000000000000"
}

#[tokio::test]
async fn warnings_name_few_fields_and_cut_long_names() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut body = json!({});
    for at in 0..1000 {
        body[format!("{}{at:03}", "é".repeat(100))] = json!({ "deep": [at] });
    }
    let said = warnings(&mut ann, "list-chats", body.clone()).await;
    assert_eq!(said, [unknown(&format!("{}…", "é".repeat(40)))]);
    for at in 0..1000 {
        body[format!("é{at:03}")] = json!(at);
    }
    assert_eq!(warnings(&mut ann, "list-chats", body).await.len(), 5);
}

#[tokio::test]
async fn clients_of_other_machines_get_no_warnings() {
    let server = TestServer::with(|config| {
        config.listen = vec!["0.0.0.0:0".into()];
        config.access = Some(Access::Open);
    })
    .await;
    let mut ann = server.user("ann").await;
    let answer = ann.ask("list-chats", json!({ "limt": 1 })).await;
    assert_eq!(answer, json!({ "chats": [] }));
}
