//! The bounds of requests and of users' fields, at the bound and one beyond it.

use chinwag::Access;
use serde_json::json;

use crate::support::http::registration;
use crate::support::steps::of_chat;
use crate::support::transports::{Opening, Transport};
use crate::support::{TestServer, assert_error, message};

#[tokio::test]
async fn the_length_of_a_reason_is_limited() {
    let server = TestServer::with_limits(|limits| limits.max_description = 5).await;
    let (mut ann, bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.chat("tea", true, &[&bob.id]).await;
    let said = ann.say(&chat, "rude").await;
    let report = |reason: &str| {
        let mut body = of_chat(&chat);
        body["message"] = json!({ "id": said["id"] });
        body["reason"] = reason.into();
        body
    };
    let error = ann.refused("report-message", report("äöüßéx")).await;
    assert_error(&error, "too_large", Some("reason"));
    ann.done("report-message", report("äöüßé")).await;
}

#[tokio::test]
async fn a_duration_over_its_maximum_is_lowered_to_it() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    for (field, bound) in [("slow_mode", 86_400), ("retention_days", 36_500)] {
        for set in [bound, bound + 1, i64::MAX] {
            let change = json!({ "chat": { "id": chat, field: set } });
            let changed = ann.ask("update-chat", change).await;
            assert_eq!(changed["chat"][field], bound, "{set}: {changed}");
        }
    }
}

#[tokio::test]
async fn the_users_of_a_signal_and_of_a_team_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_chat_users = 2).await;
    let mut ann = server.user("ann").await;
    let mut others = Vec::new();
    for name in ["bob", "eve", "kim"] {
        others.push(server.user(name).await.id);
    }
    let chat = ann.chat("tea", true, &[&others[0], &others[1]]).await;
    let signal = |to: &[String]| {
        let mut body = of_chat(&chat);
        (body["data"], body["to"]) = (json!(1), json!(to));
        body
    };
    assert_error(&ann.refused("signal", signal(&others)).await, "too_large", Some("to"));
    ann.done("signal", signal(&others[..2])).await;

    let team = ann.make_team("crew", &[&others[0]]).await;
    let add = |user: &str| json!({ "team": { "id": team }, "user": { "id": user } });
    ann.done("add-to-team", add(&others[1])).await;
    assert_eq!(ann.refused("add-to-team", add(&others[2])).await["code"], "conflict");
}

#[tokio::test]
async fn a_polling_client_that_fetches_nothing_is_disconnected() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let bob = Opening { protocol: 4, polling: true, query: "", authorization: "" };
    let mut bob = Transport::open(&server, bob).await;
    bob.send("40").await;
    bob.until("40").await;
    let user = json!({ "user": { "id": "bob", "name": "Bob" } });
    bob.send(&format!("421{}", json!(["create-user", user]))).await;
    bob.until("431").await;
    let chat = ann.chat("tea", true, &["bob"]).await;
    let Transport::Polling(bob) = bob else { unreachable!() };
    for _ in 0..16 {
        ann.done("new-message", message(&chat, &"x".repeat(60_000))).await;
    }
    assert!(bob.is_open().await, "there was room for it");
    for _ in 0..20 {
        ann.done("new-message", message(&chat, &"x".repeat(60_000))).await;
    }
    assert!(!bob.is_open().await, "it was not disconnected");
}

#[tokio::test]
async fn wrong_passwords_are_limited_over_all_addresses() {
    let server = TestServer::with(|config| {
        config.access = Some(Access::Open);
        config.trusted_proxies = 1;
        config.limits.failed_logins_per_account = 1;
    })
    .await;
    server.post("/api/register", registration("bob")).await.data();
    let guess = async |address: u8| {
        let body = json!({ "username": "bob", "password": "wrong" });
        let header = format!("X-Forwarded-For: 203.0.113.{address}\r\n");
        server.request("POST", "/api/auth_token").header(&header).json(&body).send().await
    };
    guess(1).await.refused(401, "Authentication error");
    guess(1).await.limited(60_000);
    for address in 2..=10 {
        guess(address).await.refused(401, "Authentication error");
    }
    guess(11).await.limited(60_000);
}
