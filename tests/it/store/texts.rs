//! Texts in the store, on SQLite and on PostgreSQL alike: each is returned as it was stored, and
//! texts that differ stay different.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::promises::{Place, on_both, page, seqs, user};
use crate::support::http::{PASSWORD, registration};
use crate::support::rpc::state;
use crate::support::steps::of_chat_and;
use crate::support::{assert_error, message};

on_both! {
    names_differ_by_every_byte
    texts_come_back_as_they_were
    no_text_has_a_nul
    large_messages_come_back_as_they_were
}

async fn names_differ_by_every_byte(place: Place) {
    let server = place.start().await;
    let names = ["tea", "Tea", "TEA", "te", "tée", "te\u{301}e", "teа"];
    // Ids, and ids of the host application.
    let mut ids = HashSet::new();
    let mut client = server.connect().await;
    for name in names {
        let new = json!({ "external_id": name, "name": "x", "photo": "" });
        let made = client.done("create-user", json!({ "user": new })).await;
        assert!(ids.insert(made["user"]["id"].to_string()), "{made}");
        assert_eq!(client.done("create-user", json!({ "user": new })).await, made);
        let made = json!({ "user": { "id": format!("id {name}"), "name": name, "photo": "" } });
        client.done("create-user", made).await;
    }
    // Handles differ, except those that are spellings of the same name.
    for handle in ["tea", "te", "tée", "te_e", "teа"] {
        let name = handle.replace('_', "\u{301}");
        let taker =
            json!({ "id": format!("id {name}"), "handle": handle, "name": "x", "photo": "" });
        client.done("create-user", json!({ "user": taker })).await;
        let thief = json!({ "external_id": "thief", "handle": handle, "name": "x", "photo": "" });
        let error = client.refused("create-user", json!({ "user": thief })).await;
        assert_error(&error, "conflict", Some("user.handle"));
    }
    let mut chatter = server.chatter("chatter").await;
    for name in names {
        let name = name.replace('\u{301}', "_");
        chatter.join(&name, "chatter").await;
        let list = chatter.ask(json!({ "type": 6, "channel": name })).await;
        assert_eq!(list["users"], json!(["chatter"]));
        chatter.refused(json!({ "type": 4, "channel": name }), "conflict", Some("channel")).await;
    }
    // E-mail addresses do not differ by the case of ASCII letters.
    server.sign_up("ann").await;
    let mut taken = registration("bob");
    taken["email"] = json!("ANN@Example.com");
    let answer = server.request("POST", "/api/register").json(&taken).send().await;
    assert!(answer.refused(400, "User error").to_string().contains("email"), "{}", answer.text);
}

/// Every kind of character that a text can have.
const TEXTS: [&str; 12] = [
    "plain",
    " spaces \t tabs ",
    "two\nlines\r\nand three\u{2028}",
    "'single' \"double\" `back` ''",
    r"\ \\ \n \x00 \u0000 \0",
    "$1 ? :name @name %s {} ; -- /* */ null",
    "{\"json\":[1,\"2\"]}",
    "é e\u{301} ß İ ı ﬀ",
    "日本語 עברית العربية \u{202e}",
    "🦊 👩\u{200d}👩\u{200d}👧 \u{1f1ef}\u{1f1f5}",
    "\u{1}\u{7f}\u{80}\u{9f}\u{feff}\u{fffd}\u{fffe}\u{ffff}",
    "\u{10000}\u{10fffe}\u{10ffff}",
];

async fn texts_come_back_as_they_were(place: Place) {
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let chat = ann.make_private(&mut []).await;
    for text in TEXTS {
        let said = ann.done("new-message", message(&chat, text)).await;
        assert_eq!(said["msg"], text);
        assert_eq!(page(&mut ann, &chat, json!({ "limit": 1 })).await["messages"][0], said);
        // A name is a single line.
        let name: String = text.chars().filter(|c| !c.is_control()).collect();
        let name = name.trim();
        let change = json!({ "chat": { "id": chat, "name": name, "description": text } });
        let changed = ann.ask("update-chat", change).await;
        if changed.get("error").is_none() {
            assert_eq!(changed["chat"]["name"], name);
            assert_eq!(changed["chat"]["description"], text);
            let listed = ann.done("list-chats", json!({})).await;
            assert_eq!(listed["chats"][0]["name"], name);
            assert_eq!(listed["chats"][0]["description"], text);
        }
        let photo = json!({ "user": { "id": "ann", "name": name, "photo": text } });
        let error = ann.ask("create-user", photo).await["error"].take();
        assert!(error.is_null() || error["code"] == "invalid", "{text:?}: {error}");
        assert!(!changed.to_string().contains("internal"), "{text:?}: {changed}");
    }
}

async fn no_text_has_a_nul(place: Place) {
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let chat = ann.make_private(&mut []).await;
    let with = |path: &str, mut body: Value| {
        *body.pointer_mut(path).unwrap() = json!("a\0b");
        body
    };
    let new = json!({ "user": { "external_id": "x", "id": "x", "handle": "x", "name": "x",
        "photo": "" } });
    let said = json!({ "chat": { "id": chat }, "user": { "id": "ann" },
        "message": { "value": "x", "type": "text", "client_id": "x" } });
    let changed = json!({ "chat": { "id": chat, "name": "x", "description": "x" } });
    for (event, body, paths) in [
        ("create-user", new, &["external_id", "id", "handle", "name", "photo"][..]),
        ("update-chat", changed, &["name", "description"]),
        ("new-message", said, &["value", "client_id"]),
    ] {
        let object =
            if event == "update-chat" { "chat" } else { &event[event.find('-').unwrap() + 1..] };
        for field in paths {
            let path = format!("/{object}/{field}");
            let error = ann.refused(event, with(&path, body.clone())).await;
            assert_error(&error, "invalid", Some(&format!("{object}.{field}")));
        }
    }
    // No user has such an id.
    for (event, body) in [
        ("open-direct", json!({ "user": { "id": "a\0b" } })),
        ("invite", of_chat_and(&chat, "a\0b")),
        ("create-chat", json!({ "chat": { "name": "x" }, "users": ["a\0b"] })),
        ("create-team", json!({ "team": { "name": "x" }, "users": ["a\0b"] })),
        ("list-chats", json!({ "user": { "id": "a\0b" } })),
    ] {
        let error = ann.refused(event, body).await;
        assert!(["invalid", "not_found"].contains(&error["code"].as_str().unwrap()), "{error}");
    }
    let account = server.sign_up("bob").await;
    let thread = server.request("GET", "/api/thread/a%00b").bearer(account.access()).send().await;
    assert_eq!(thread.status, 400, "{}", thread.text);
    assert_eq!(server.log_in("a\0b", PASSWORD).await.status, 401);
    let refresh = json!({ "refresh_token": "a\0b" });
    assert_eq!(server.post("/api/auth_token/refresh", refresh).await.status, 401);
    let nul = jsonwebtoken::Header { kid: Some("a\0b".into()), ..Default::default() };
    let key = jsonwebtoken::EncodingKey::from_secret(b"x");
    let token = jsonwebtoken::encode(&nul, &json!({ "sub": "a\0b" }), &key).unwrap();
    let inbox = server.request("GET", "/api/inbox").bearer(&token).send().await;
    assert_eq!(inbox.status, 401, "{}", inbox.text);
    for (method, params) in [
        ("NewUser", json!(["a\0b"])),
        ("NewRoom", json!([state("a\0b", "0")])),
        ("EnterRoom", json!([state("bob", "0"), "a\0b"])),
        ("UsersCount", json!(["a\0b"])),
    ] {
        let fault = server.fault(method, params).await;
        assert_ne!(fault["code"], -32603, "{method}: {fault}");
        assert_ne!(fault["data"]["code"], "internal", "{method}: {fault}");
    }
    let mut live = crate::support::live::Live::connect(&server, account.access()).await;
    let packet = json!({ "author": "bob", "recipient": "a\0b", "message": "x" });
    assert_ne!(live.refused(packet.to_string()).await["code"], "internal");
    let mut chatter = server.chatter("chatter").await;
    let error = chatter.ask(json!({ "type": 6, "channel": "a\0b" })).await;
    assert_ne!(error["code"], "internal", "{error}");
    let error = chatter.ask(json!({ "type": 2, "user": "a\0b", "password": "a\0b" })).await;
    assert_ne!(error["code"], "internal", "{error}");
}

async fn large_messages_come_back_as_they_were(place: Place) {
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let chat = ann.make_private(&mut []).await;
    let full = 512 << 10;
    let texts = ["x".repeat(full), "é".repeat(full / 2), "🦊".repeat(full / 4)];
    for (number, text) in texts.iter().enumerate() {
        let said = ann.done("new-message", message(&chat, text)).await;
        assert!(said["msg"] == text.as_str());
        let page = page(&mut ann, &chat, json!({ "after_seq": number })).await;
        assert!(page["messages"] == json!([said]));
        let error = ann.refused("new-message", message(&chat, &format!("{text}x"))).await;
        assert_error(&error, "too_large", Some("message.value"));
    }
    // A page ends before it becomes too large.
    let first = page(&mut ann, &chat, json!({ "after_seq": 0 })).await;
    assert_eq!((seqs(&first), &first["next"]["after_seq"]), (vec![1], &json!(1)));
    let latest = page(&mut ann, &chat, json!({})).await;
    assert_eq!((seqs(&latest), &latest["previous"]["before_seq"]), (vec![3], &json!(3)));
}
