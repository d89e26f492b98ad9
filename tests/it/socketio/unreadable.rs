//! Packets that cannot be read, those that are not read, and those that are read as they are meant.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::Running;
use crate::support::{Client, TestServer, assert_error, chatter, message};

/// Higher than the numbers that the client counts itself.
const ACK: u64 = 1000;

#[tokio::test]
async fn a_packet_that_cannot_be_read_is_refused_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("calm", true, &[]).await;
    let deep = format!("[\"list-chats\",{}", "[".repeat(100_000));
    for (at, (data, field)) in [
        ("garbage", None),
        ("{", None),
        ("{}", None),
        ("[]", None),
        ("[5]", None),
        ("[\"list-chats\"", None),
        ("[\"list-chats\",{\"limit\":}]", None),
        ("[\"list-chats\",{\"limit\":1}]]", None),
        ("[\"list-chats\",{\"limit\":1e999}]", Some("limit")),
        ("[\"list-chats\",{\"user\":{\"id\":1e999}}]", Some("user.id")),
        ("[\"list-chats\",1e999]", None),
        (deep.as_str(), None),
    ]
    .into_iter()
    .enumerate()
    {
        let ack = ACK + at as u64;
        ann.send(format!("42{ack}{data}")).await;
        // A request sent after it is answered as usual.
        let beside = ann.request("new-message", message(&chat, "beside")).await;
        assert_error(&ann.answer(ack).await["error"], "invalid", field);
        assert!(ann.answer(beside).await["seq"].is_i64(), "{data:.40}");
        ann.next("new-message").await;
    }
    for (frame, event) in [
        ("42", ""),
        ("42garbage", ""),
        ("42[\"list-chats\",{", "list-chats"),
        ("4299999999999999999999[\"list-chats\",{", "list-chats"),
    ] {
        ann.send(frame).await;
        let exception = ann.next("exception").await;
        assert_eq!(exception["event"], event, "{frame}");
        assert_error(&exception["error"], "invalid", None);
    }
    ann.nothing_more().await;
}

#[tokio::test]
async fn the_refusal_of_an_unreadable_binary_packet_has_its_ack() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    for (at, data) in ["garbage", "", " 5", "{", "[\"list-chats\",{"].into_iter().enumerate() {
        let ack = ACK + at as u64;
        for attachments in 0..3 {
            ann.send(format!("45{attachments}-{ack}{data}")).await;
            for _ in 0..attachments {
                ann.send_binary(vec![1, 2, 3]).await;
            }
            assert_error(&ann.answer(ack).await["error"], "invalid", None);
        }
    }
    ann.send("451-garbage").await;
    ann.send_binary(vec![1, 2, 3]).await;
    assert_error(&ann.next("exception").await["error"], "invalid", None);
    ann.nothing_more().await;
}

/// Two halves of surrogate pairs and a whole one, and the text that is stored for these.
const HALVES: (&str, &str) = (r"a\ud83d b\ude00 \ud83d\ude00", "a\u{fffd} b\u{fffd} 😀");

#[tokio::test]
async fn half_a_surrogate_pair_becomes_a_replacement_character() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("emoji", true, &[]).await;
    let (sent, stored) = HALVES;
    let body =
        format!(r#"{{"chat":{{"id":"{chat}"}},"message":{{"value":"{sent}","type":"text"}}}}"#);
    ann.send(format!(r#"42{ACK}["new-message",{body}]"#)).await;
    assert_eq!(ann.answer(ACK).await["msg"], stored);
    let page = ann.ask("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(page["messages"][0]["msg"], stored);

    let mut bob = server.chatter("bob").await;
    bob.join("emoji", "bob").await;
    let say = format!(r##"{{"type":0,"dest":"#emoji","message":"{sent}"}}"##);
    bob.send(tokio_tungstenite::tungstenite::Message::text(say)).await;
    assert_eq!(bob.next().await, chatter::message("emoji", stored, "bob"));
}

#[tokio::test]
async fn unknown_members_take_no_memory() {
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]);
    });
    let status = format!("/proc/{}/status", running.id());
    let server = TestServer::apart(directory, running);
    let mut ann = server.user("ann").await;
    let before = peak(&status);
    let members: String = (0..100_000).map(|at| format!(r#""{at:x}":0,"#)).collect();
    let items = "[],".repeat(300_000);
    for body in [
        format!(r#"{{"users":[],{members}"chat":{{"name":"many"}}}}"#),
        format!(r#"{{"users":[],"chat":{{{members}"name":"many"}}}}"#),
        format!(r#"{{"users":[],"chat":{{"name":"many"}},"more":[{items}0]}}"#),
        format!(r#"{{"users":[],"chat":{{"name":"many","name2":{{{members}"z":0}}}}}}"#),
    ] {
        ann.send(format!(r#"42{ACK}["create-chat",{body}]"#)).await;
        assert_eq!(ann.answer(ACK).await["chat"]["name"], "many");
        ann.next("create-chat").await;
    }
    let list = format!(r#"{{"users":[{items}0],"chat":{{"name":"many"}}}}"#);
    ann.send(format!(r#"42{ACK}["create-chat",{list}]"#)).await;
    assert_error(&ann.answer(ACK).await["error"], "too_large", Some("users"));
    let grown = peak(&status) - before;
    assert!(grown < 40_000, "it took {grown} KiB");
}

/// The most memory that the process has had so far, in KiB.
fn peak(status: &str) -> u64 {
    let status = fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_last_of_two_members_with_one_name_counts() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let more = |members| (0..members).map(|at| format!(r#""{at}":0,"#)).collect::<String>();
    for more in [0, 97, 98, 99, 100, 101, 102, 200, 1000].map(more) {
        let chat = format!(r#"{{"name":"first",{more}"name":"last"}}"#);
        ann.send(format!(r#"42{ACK}["create-chat",{{"chat":{chat},"users":[]}}]"#)).await;
        assert_eq!(ann.answer(ACK).await["chat"]["name"], "last");
        ann.next("create-chat").await;
        // Unknown fields of all kinds, repeated fields, and names with escapes.
        let body = format!(
            r#"{{{more}"users" : ["nobody"],"chat":{{"name":1,{more}"n\u0061me": "\u006eew","private":true,
                "description":{{}},"description":null,"private" : false}},"users":[],"limit":5}}"#
        );
        ann.send(format!(r#"42{ACK}["create-chat",{body}]"#)).await;
        let chat = ann.answer(ACK).await["chat"].take();
        assert_eq!((&chat["name"], &chat["private"]), (&json!("new"), &json!(false)));
        ann.next("create-chat").await;
        ann.send(format!(r#"42{ACK}["list-chats",{{{more}"limit":1}}]"#)).await;
        assert_eq!(ann.answer(ACK).await["chats"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn a_client_that_goes_on_over_the_limit_is_disconnected() {
    let server = TestServer::with_limits(|limits| {
        limits.requests_per_user = 5;
        limits.max_pending = 10;
    })
    .await;
    let mut ann = server.user("ann").await;
    let mut limited = 0;
    while let Some(answer) = ann.try_ask("list-chats", json!({})).await {
        limited += usize::from(answer["error"]["code"] == "rate_limited");
    }
    assert_eq!(limited, 10);
    // Other clients are not affected.
    server.user("bob").await.chat("calm", true, &[]).await;
}

#[tokio::test]
async fn a_request_over_the_limit_is_not_read() {
    let server = TestServer::with_limits(|limits| limits.requests_per_user = 1).await;
    let mut ann = server.user("ann").await;
    ann.ask("list-chats", json!({})).await;
    ann.send(format!(r#"42{ACK}["list-chats",{{"#)).await;
    assert_eq!(ann.answer(ACK).await["error"]["code"], "rate_limited");
}

#[tokio::test]
async fn a_number_is_accepted_as_an_id() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    let user = json!({ "external_id": 12345678901234567890_u64, "id": 7.0, "name": "Ann" });
    let answer = ann.ask("create-user", json!({ "user": user })).await["user"].take();
    assert_eq!(answer["external_id"], "12345678901234567890");
    assert_eq!(answer["id"], "7");
    assert_eq!(answer["photo"], "");
    let chat = json!({ "name": "numbers" });
    let made = ann.ask("create-chat", json!({ "chat": chat, "users": [7] })).await;
    assert_eq!(made["chat"]["users"], json!(["7"]));
    ann.next("create-chat").await;
    let chat = made["chat"]["id"].as_str().unwrap().to_owned();
    for text in ["one", "two"] {
        let mut body = message(&chat, text);
        body["message"]["client_id"] = json!(text.len());
        body["user"] = json!({ "id": 7 });
        ann.ask("new-message", body).await;
    }
    let query = json!({ "limit": 5.0, "after_seq": 0.0 });
    let page = ann.ask("list-messages", json!({ "chat": { "id": chat }, "query": query })).await;
    let ids: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|m| &m["client_id"]).collect();
    assert_eq!(ids, ["3"]);
}

#[tokio::test]
async fn an_omitted_photo_stays_unchanged() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    let with = |user: Value| json!({ "user": user });
    let user = json!({ "external_id": "ann", "name": "Ann", "photo": "a.png" });
    ann.ask("create-user", with(user)).await;
    let user = json!({ "external_id": "ann", "name": "Anna" });
    let answer = ann.ask("create-user", with(user)).await["user"].take();
    assert_eq!((&answer["name"], &answer["photo"]), (&json!("Anna"), &json!("a.png")));
    let user = json!({ "external_id": "ann", "name": "Anna", "photo": "" });
    assert_eq!(ann.ask("create-user", with(user)).await["user"]["photo"], "");
}

async fn sentence(client: &mut Client, event: &str, body: Value) -> String {
    let error = client.refused(event, body).await;
    assert_eq!(error["code"], "invalid");
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_likely_mistake_is_named() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let twice = "not a text that holds JSON: send it without encoding it twice";
    let made = json!({ "chat": { "name": "n" }, "users": [] });
    let said = sentence(&mut ann, "create-chat", json!(made.to_string())).await;
    assert_eq!(said, format!("the body must be an object, {twice}"));
    let body = json!({ "chat": made["chat"].to_string(), "users": [] });
    let said = sentence(&mut ann, "create-chat", body).await;
    assert!(said.ends_with(&format!("must be an object, {twice}")), "{said}");
    let body = json!({ "chat": made["chat"], "users": "[\"bob\"]" });
    let said = sentence(&mut ann, "create-chat", body).await;
    assert!(said.ends_with(&format!("must be a list, {twice}")), "{said}");
    let body = json!({ "chat": { "name": 5 }, "users": [] });
    let said = sentence(&mut ann, "create-chat", body).await;
    assert!(said.ends_with("must be a text, not a number"), "{said}");
}
