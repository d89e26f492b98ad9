//! Wrong inputs, one for each valid one: every request is refused with the code and the path.

use serde_json::{Value, json};

use crate::support::{TestServer, assert_error};

#[tokio::test]
async fn wrong_input_is_refused_and_changes_nothing() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("plans", true, &[]).await;
    ann.say(&chat, "one").await;
    let before = ann.ask("list-chats", json!({})).await;

    let user =
        |fields: Value| merged("user", json!({ "id": "x", "name": "n", "photo": "" }), fields);
    let make = |fields: Value| {
        let mut body = merged("chat", json!({ "name": "n" }), fields);
        body["users"] = json!([]);
        body
    };
    let of_chat = |field: &str, value: Value| json!({ "chat": { "id": chat }, field: value });
    let query = |query: Value| of_chat("query", query);
    let send = |fields: Value| {
        let message = merged("message", json!({ "value": "v", "type": "text" }), fields);
        of_chat("message", message["message"].clone())
    };
    let long = "x".repeat(256);
    let invalid = [
        ("create-user", json!({}), "user"),
        ("create-user", json!({ "user": "ann" }), "user"),
        ("create-user", user(json!({ "name": null })), "user.name"),
        ("create-user", user(json!({ "name": 7 })), "user.name"),
        ("create-user", user(json!({ "name": "  " })), "user.name"),
        ("create-user", user(json!({ "name": "a\u{7}" })), "user.name"),
        ("create-user", user(json!({ "photo": [] })), "user.photo"),
        ("create-user", user(json!({ "id": null })), "user.external_id"),
        ("create-user", user(json!({ "id": "" })), "user.id"),
        ("create-user", user(json!({ "id": 7.5 })), "user.id"),
        ("create-user", user(json!({ "external_id": {} })), "user.external_id"),
        ("create-user", user(json!({ "handle": "no spaces" })), "user.handle"),
        ("create-chat", json!({ "users": [] }), "chat"),
        ("create-chat", json!({ "chat": { "name": "n" } }), "users"),
        ("create-chat", json!({ "chat": { "name": "n" }, "users": "ann" }), "users"),
        ("create-chat", json!({ "chat": { "name": "n" }, "users": ["a", true] }), "users.1"),
        ("create-chat", make(json!({ "name": null })), "chat.name"),
        ("create-chat", make(json!({ "name": "" })), "chat.name"),
        ("create-chat", make(json!({ "description": 1 })), "chat.description"),
        ("create-chat", make(json!({ "private": "yes" })), "chat.private"),
        ("create-chat", make(json!({ "team_id": 1 })), "chat.team_id"),
        ("list-chats", json!({ "user": "ann" }), "user"),
        ("list-chats", json!({ "user": {} }), "user.id"),
        ("list-chats", json!({ "limit": 0 }), "limit"),
        ("list-chats", json!({ "limit": -3 }), "limit"),
        ("list-chats", json!({ "limit": "10" }), "limit"),
        ("list-chats", json!({ "before": "yesterday" }), "before"),
        ("list-chats", json!({ "before": 3 }), "before"),
        ("list-messages", json!({}), "chat"),
        ("list-messages", json!({ "chat": {} }), "chat.id"),
        ("list-messages", json!({ "chat": { "id": 5 } }), "chat.id"),
        ("list-messages", of_chat("query", json!([])), "query"),
        ("list-messages", query(json!({ "limit": 0 })), "query.limit"),
        ("list-messages", query(json!({ "from": "today" })), "query.from"),
        ("list-messages", query(json!({ "to": 1700000000 })), "query.to"),
        ("list-messages", query(json!({ "after_seq": -1 })), "query.after_seq"),
        ("list-messages", query(json!({ "before_seq": "9" })), "query.before_seq"),
        ("new-message", of_chat("message", Value::Null), "message"),
        ("new-message", json!({ "message": { "value": "v", "type": "text" } }), "chat"),
        ("new-message", send(json!({ "value": null })), "message.value"),
        ("new-message", send(json!({ "value": { "text": "v" } })), "message.value"),
        ("new-message", send(json!({ "type": null })), "message.type"),
        ("new-message", send(json!({ "type": "video" })), "message.type"),
        ("new-message", send(json!({ "client_id": true })), "message.client_id"),
        ("mark-read", json!({}), "chat"),
        ("mark-read", of_chat("seq", json!(-1)), "seq"),
        ("mark-read", of_chat("seq", json!("1")), "seq"),
        ("join-chat", json!({ "chat": "x" }), "chat"),
        ("leave-chat", json!({ "chat": { "id": null } }), "chat.id"),
    ];
    for (event, body, field) in invalid {
        assert_error(&ann.refused(event, body).await, "invalid", Some(field));
    }
    let too_large = [
        ("create-user", user(json!({ "name": long })), "user.name"),
        ("create-user", user(json!({ "id": long })), "user.id"),
        ("create-user", user(json!({ "external_id": long })), "user.external_id"),
        ("create-user", user(json!({ "photo": "x".repeat(8193) })), "user.photo"),
        ("create-chat", make(json!({ "name": long })), "chat.name"),
        ("create-chat", make(json!({ "description": "x".repeat(4097) })), "chat.description"),
        ("create-chat", json!({ "chat": { "name": "n" }, "users": vec!["x"; 1001] }), "users"),
        ("new-message", send(json!({ "client_id": long })), "message.client_id"),
    ];
    for (event, body, field) in too_large {
        assert_error(&ann.refused(event, body).await, "too_large", Some(field));
    }
    let not_found = [
        ("create-chat", make(json!({ "team_id": "t" })), "chat.team_id"),
        ("list-messages", json!({ "chat": { "id": "no-uuid" } }), "chat.id"),
        ("list-messages", json!({ "chat": { "id": "" } }), "chat.id"),
        ("join-chat", json!({ "chat": { "id": long } }), "chat.id"),
    ];
    for (event, body, field) in not_found {
        assert_error(&ann.refused(event, body).await, "not_found", Some(field));
    }
    assert_eq!(ann.ask("list-chats", json!({})).await, before);
    ann.nothing_more().await;
}

#[tokio::test]
async fn the_largest_valid_input_is_accepted() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let user = json!({ "id": "é".repeat(255), "name": "é".repeat(255), "photo": "x".repeat(8192) });
    ann.ask("create-user", json!({ "user": user })).await["user"]["id"].as_str().unwrap();
    let mut ids = vec![ann.id.clone()];
    for at in 1..1000 {
        let user = json!({ "id": format!("u{at}"), "name": "n", "photo": "" });
        ann.request("create-user", json!({ "user": user })).await;
        ids.push(format!("u{at}"));
    }
    let chat = json!({ "name": "é".repeat(255), "description": "é".repeat(4096) });
    let answer = ann.ask("create-chat", json!({ "chat": chat, "users": ids })).await;
    assert_eq!(answer["chat"]["users"].as_array().unwrap().len(), 1000);
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let requests = ["create-user", "create-chat", "list-chats", "list-messages", "new-message"];
    for event in requests.into_iter().chain(["mark-read", "join-chat", "leave-chat"]) {
        for body in [json!(null), json!([]), json!("x"), json!(1), json!(true)] {
            assert_error(&ann.refused(event, body).await, "invalid", None);
        }
        ann.send(format!("42{}", json!([event]))).await;
        assert_eq!(ann.next("exception").await["event"], event);
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let body = json!({ "chat": { "name": "n", "colour": "red" }, "users": [], "more": [1] });
    assert_eq!(ann.ask("create-chat", body).await["chat"]["name"], "n");
}

#[tokio::test]
async fn an_error_without_an_ack_is_an_exception() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    ann.tell("new-message", json!({ "chat": { "id": "x" } })).await;
    let exception = ann.next("exception").await;
    assert_eq!(exception["event"], "new-message");
    assert_error(&exception["error"], "invalid", Some("message"));
    ann.tell("dance", json!({})).await;
    let exception = ann.next("exception").await;
    assert_eq!(exception["event"], "dance");
    assert_error(&exception["error"], "invalid", None);
    let error = ann.refused("dance", json!({})).await;
    assert_error(&error, "invalid", None);
    assert!(error["message"].as_str().unwrap().contains("dance"), "{error}");
}

#[tokio::test]
async fn an_unknown_event_is_refused_with_the_likely_one() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    // Both have 64 characters, of which punctuation makes no difference; one has more bytes.
    let (long, longer) = (format!("{:-<64}", "create-chat"), format!("{:—<64}", "create-chat"));
    for (event, meant) in [
        ("create-usr", Some("create-user")),
        ("createChat", Some("create-chat")),
        ("list_messages", Some("list-messages")),
        ("send-message", Some("new-message")),
        ("Typing", Some("typing")),
        (&long, Some("create-chat")),
        (&longer, None),
        ("delete-everything", None),
        ("", None),
    ] {
        let error = ann.refused(event, json!({})).await;
        assert_error(&error, "invalid", None);
        let said = match meant {
            Some(meant) => format!("there is no event {event}; did you mean {meant}?"),
            None => format!("there is no event {event}"),
        };
        assert_eq!(error["message"], said);
    }
}

/// `{key: object}` with some fields replaced; `null` counts as absent.
fn merged(key: &str, mut object: Value, fields: Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        object[name] = value.clone();
    }
    json!({ key: object })
}
