//! `POST /api/events/{event}`, and `actor` in every request.

use serde_json::{Value, json};

use crate::support::http::Answer;
use crate::support::{Client, TestServer};

const API_KEY: &str = "an API key of the tests, long enough";

async fn post(server: &TestServer, event: &str, token: Option<&str>, body: Value) -> Answer {
    let path = format!("/api/events/{event}");
    let request = server.request("POST", &path).json(&body);
    match token {
        Some(token) => request.bearer(token).send().await,
        None => request.send().await,
    }
}

/// A socket of a user with this id.
async fn user(server: &TestServer, id: &str) -> Client {
    let mut client = server.connect().await;
    client.ask("create-user", json!({ "user": { "id": id, "name": id } })).await;
    client.ask("unsubscribe", json!({ "channel": "system" })).await;
    client
}

#[tokio::test]
async fn a_request_over_http_is_answered_as_on_a_socket() {
    let server = TestServer::start().await;
    let mut ann = user(&server, "ann").await;
    let user = json!({ "user": { "id": "bob", "name": "Bob" } });
    let answer = post(&server, "create-user", None, user).await;
    assert_eq!((answer.status, &answer.json["user"]["id"]), (200, &json!("bob")));
    let chat = ann.chat("tea", true, &["bob"]).await;
    let body = json!({ "actor": { "id": "bob" }, "chat": { "id": chat },
                       "message": { "type": "text", "value": "hi" } });
    let sent = post(&server, "new-message", None, body).await.json;
    assert_eq!(sent["user_id"], "bob");
    let pushed = ann.next_of("new-message").await;
    assert_eq!(pushed, sent);
    let body = json!({ "user": { "id": "bob" }, "chat": { "id": chat } });
    let page = post(&server, "list-messages", None, body).await.json;
    assert_eq!(page["messages"], json!([sent]));
}

#[tokio::test]
async fn a_refused_request_has_a_status_and_a_code() {
    let server = TestServer::start().await;
    let mut ann = user(&server, "ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    let other = json!({ "actor": { "id": "nobody" }, "chat": { "id": chat } });
    let leave = json!({ "actor": { "id": "ann" }, "chat": {} });
    let long = "x".repeat(300);
    let named = json!({ "actor": { "id": "ann" }, "users": [], "chat": { "name": long } });
    for (event, body, status, code, field) in [
        ("list-messages", json!([]), 400, "invalid", None),
        ("leave-chat", leave, 400, "invalid", Some("chat.id")),
        ("create-chat", named, 413, "too_large", Some("chat.name")),
        ("list-messages", json!({ "chat": { "id": chat } }), 404, "not_found", Some("chat.id")),
        ("mark-read", other, 404, "not_found", Some("user.id")),
        ("leave-chat", json!({ "chat": { "id": chat } }), 401, "unauthenticated", None),
        ("subscribe", json!({}), 404, "not_found", Some("event")),
        ("lst-chats", json!({}), 400, "invalid", None),
    ] {
        let answer = post(&server, event, None, body).await;
        let error = &answer.json["error"];
        assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{event} {error}");
        assert_eq!(error["field"].as_str(), field, "{event}");
        assert_eq!(answer.json.as_object().unwrap().len(), 1);
    }
    for (request, status) in [
        (server.request("GET", "/api/events/list-chats"), 405),
        (server.request("POST", "/api/events/list-chats").body("{}"), 415),
        (server.request("POST", "/api/events/list-chats").json(&json!("x".repeat(2 << 20))), 413),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, status);
        let code = if status == 413 { "too_large" } else { "invalid" };
        assert_eq!(answer.json["error"]["code"], code);
    }
}

#[tokio::test]
async fn the_credential_decides_who_acts() {
    let server = TestServer::with(|config| {
        config.access = Some(chinwag::Access::Token);
        config.api_key = Some(API_KEY.into());
    })
    .await;
    let refused = post(&server, "list-chats", None, json!({})).await;
    assert_eq!((refused.status, &refused.json["error"]["code"]), (401, &json!("unauthenticated")));
    let (ann, bob) = (server.sign_up("ann").await, server.sign_up("bob").await);
    let chat = json!({ "chat": { "name": "tea" }, "users": [bob.id()] });
    let made = post(&server, "create-chat", Some(ann.access()), chat).await.json;
    assert_eq!(made["chat"]["user"], ann.id());
    // A token does not let its user act as another user.
    let as_ann = json!({ "actor": { "id": ann.id() } });
    let refused = post(&server, "list-chats", Some(bob.access()), as_ann.clone()).await;
    assert_eq!(refused.status, 403);
    // The service may act as any user, but must say which.
    let chats = post(&server, "list-chats", Some(API_KEY), as_ann).await.json;
    assert_eq!(chats["chats"][0]["id"], made["chat"]["id"]);
    assert_eq!(post(&server, "list-chats", Some(API_KEY), json!({})).await.status, 401);
}

#[tokio::test]
async fn every_event_that_needs_no_socket_is_described_and_answered() {
    let server = TestServer::start().await;
    user(&server, "ann").await;
    let description = server.request("GET", "/openapi.json").send().await.json;
    let paths = description["paths"].as_object().unwrap().iter();
    let events: Vec<_> =
        paths.filter_map(|(path, it)| Some((path.strip_prefix("/api/events/")?, it))).collect();
    assert!(events.len() > 20);
    for (event, described) in events {
        assert!(described["post"]["summary"].is_string(), "{event}");
        let content = &described["post"]["responses"]["200"]["content"]["application/json"];
        assert!(content["schema"]["allOf"].is_array(), "{event}");
        let answer = post(&server, event, None, json!({ "actor": { "id": "ann" } })).await;
        let error = &answer.json["error"];
        // Some events need nothing but an actor.
        let done = answer.status == 200 && error.is_null();
        assert!(done || error["code"] == "invalid", "{event}: {}", answer.text);
        assert_ne!(error["message"], format!("there is no event {event}"));
    }
}

#[tokio::test]
async fn a_loopback_server_warns_of_unknown_fields() {
    let server = TestServer::start().await;
    user(&server, "ann").await;
    let body = json!({ "actor": { "id": "ann" }, "lmit": 3 });
    let answer = post(&server, "list-chats", None, body).await.json;
    let why = "lmit is not known here and was ignored; did you mean limit?";
    assert_eq!(answer, json!({ "chats": [], "warnings": [why] }));
    let body = json!({ "actor": { "id": "ann" }, "chat_id": "x" });
    let refused = post(&server, "join-chat", None, body).await.json;
    assert_eq!(refused["error"]["field"], "chat");
    let why = "chat_id is not known here and was ignored; did you mean chat.id?";
    assert_eq!(refused["warnings"], json!([why]));
}

#[tokio::test]
async fn a_request_over_the_limit_is_told_when_to_come_back() {
    let server = TestServer::with_limits(|limits| limits.requests_per_address = 10).await;
    let mut answer = post(&server, "list-chats", None, json!({})).await;
    for _ in 0..20 {
        answer = post(&server, "list-chats", None, json!({})).await;
    }
    assert_eq!((answer.status, &answer.json["error"]["code"]), (429, &json!("rate_limited")));
    assert!(answer.header("retry-after").is_some());
    assert!(answer.json["error"]["retry_after_ms"].is_u64());
}

#[tokio::test]
async fn an_actor_holds_for_one_request_and_is_not_claimed() {
    let server = TestServer::start().await;
    let mut ann = user(&server, "ann").await;
    let mut bob = user(&server, "bob").await;
    let chat = bob.chat("tea", true, &[]).await;
    let body = json!({ "actor": { "id": "bob" }, "chat": { "id": chat },
                       "message": { "type": "text", "value": "hi" } });
    let sent = ann.ask("new-message", body.clone()).await;
    assert_eq!(sent["user_id"], "bob");
    assert_eq!(bob.next_of("new-message").await, sent);
    // The socket still acts as ann, who is not in the chat and is shown nothing of it.
    assert_eq!(ann.ask("list-chats", json!({})).await["chats"], json!([]));
    let refused = ann.refused("leave-chat", json!({ "chat": { "id": chat } })).await;
    assert_eq!(refused["code"], "not_found");
    // `actor` overrides `user`. Without an acknowledgement the answer comes as an event.
    let mut body = body;
    body["user"] = json!({ "id": "ann" });
    ann.tell("new-message", body).await;
    assert_eq!(ann.next("new-message").await["user_id"], "bob");
    ann.nothing_more().await;
    let made = ann.ask(
        "create-user",
        json!({ "actor": { "id": "ann" },
                                              "user": { "id": "eve", "name": "Eve" } }),
    );
    assert_eq!(made.await["user"]["id"], "eve");
    let chat = ann.chat("mine", true, &[]).await;
    assert_eq!(ann.say(&chat, "me").await["user_id"], "ann");
}

#[tokio::test]
async fn a_stranger_cannot_act_as_a_protected_user() {
    let server = TestServer::start().await;
    let ann = server.sign_up("ann").await;
    let mut eve = user(&server, "eve").await;
    let body = json!({ "actor": { "id": ann.id() }, "users": [], "chat": { "name": "mine" } });
    assert_eq!(eve.refused("create-chat", body.clone()).await["code"], "unauthenticated");
    assert_eq!(post(&server, "create-chat", None, body).await.status, 401);
}
