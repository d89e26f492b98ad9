//! The inbox and the threads, which are the direct chats of Socket.IO.

use chinwag::Config;
use serde_json::{Value, json};

use crate::support::http::{Account, PASSWORD};
use crate::support::live::Live;
use crate::support::{TestServer, message};

const API_KEY: &str = "the service's key";

fn with_key(config: &mut Config) {
    config.api_key = Some(API_KEY.into());
}

/// Two users who have signed up, and a connection of each.
async fn bob_and_alice(server: &TestServer) -> [(Account, Live); 2] {
    let (bob, alice) = (server.sign_up("bob").await, server.sign_up("alice").await);
    let of_bob = Live::connect(server, bob.access()).await;
    let of_alice = Live::connect(server, alice.access()).await;
    [(bob, of_bob), (alice, of_alice)]
}

/// Sends so many messages and waits until all have arrived.
async fn send_many(from: &mut (Account, Live), to: &mut (Account, Live), count: usize) {
    for at in 1..=count {
        from.1.say(&from.0.username, &to.0.username, &at.to_string()).await;
        assert_eq!(to.1.next().await["message"], at.to_string());
    }
}

fn values<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap()).collect()
}

#[tokio::test]
async fn inbox_and_thread_are_as_the_origin_document_shows() {
    let server = TestServer::start().await;
    let [mut bob, mut alice] = bob_and_alice(&server).await;
    bob.1.say("bob", "alice", "Hi \"alice\"").await;
    let hi = alice.1.frame().await;
    alice.1.say("alice", "bob", "hello").await;
    let hello = bob.1.frame().await;
    let times = [&hi, &hello].map(|frame| {
        let packet: Value = serde_json::from_str(frame).unwrap();
        packet["created_at"].as_str().unwrap().to_owned()
    });
    let [at_hi, at_hello] = &times;
    let pushed = |author, recipient, message, at| {
        format!(
            "{{\"author\":\"{author}\",\"recipient\":\"{recipient}\",\"message\":\"{message}\",\
             \"message_type\":0,\"created_at\":\"{at}\"}}"
        )
    };
    assert_eq!(hi, pushed("bob", "alice", "Hi \\\"alice\\\"", at_hi));
    assert_eq!(hello, pushed("alice", "bob", "hello", at_hello));
    let shown = |author, recipient, message, at| {
        format!(
            "{{\"author\":\"{author}\",\"created_at\":\"{at}\",\"message\":\"{message}\",\
             \"message_type\":0,\"recipient\":\"{recipient}\"}}"
        )
    };
    let hi_shown = shown("bob", "alice", "Hi \\\"alice\\\"", at_hi);
    let hello_shown = shown("alice", "bob", "hello", at_hello);
    assert!(at_hi < at_hello && at_hi.len() == 27 && at_hi.ends_with('Z'), "{at_hi}");
    let enveloped = |items: &str, count: usize| {
        format!(
            "{{\"status\":\"success\",\"data\":[{items}],\
             \"error\":{{\"code\":200,\"errors\":null,\"message\":\"\"}},\
             \"page\":1,\"per_page\":10,\"current_page\":{count}}}"
        )
    };
    for (account, other) in [(&bob.0, "alice"), (&alice.0, "bob")] {
        let path = format!("/api/thread/{other}");
        let answer = server.request("GET", &path).bearer(account.access()).send().await;
        assert_eq!(answer.text, enveloped(&format!("{hello_shown},{hi_shown}"), 2));
        let answer = server.request("GET", "/api/inbox").bearer(account.access()).send().await;
        let thread = format!(
            "{{\"author_username\":\"alice\",\"created_at\":\"{at_hello}\",\
             \"latest_message\":\"hello\",\"with_username\":\"{other}\"}}"
        );
        assert_eq!(answer.text, enveloped(&thread, 1));
    }
}

#[tokio::test]
async fn an_empty_inbox_or_thread_is_an_empty_list() {
    let server = TestServer::start().await;
    let (bob, _) = (server.sign_up("bob").await, server.sign_up("alice").await);
    let mut socket = server.connect_with(bob.access()).await;
    for path in ["/api/inbox", "/api/thread/alice"] {
        assert_eq!(server.fetch(path, bob.access()).await, json!([]));
    }
    // A chat without messages is not listed as a thread.
    let alice = server.log_in("alice", PASSWORD).await.data();
    let user = json!({ "user": { "id": alice[0]["user_id"] } });
    assert!(socket.ask("open-direct", user).await.get("error").is_none());
    for path in ["/api/inbox", "/api/thread/alice"] {
        assert_eq!(server.fetch(path, bob.access()).await, json!([]));
    }
}

#[tokio::test]
async fn a_thread_has_pages() {
    let server = TestServer::start().await;
    let [mut bob, mut alice] = bob_and_alice(&server).await;
    send_many(&mut bob, &mut alice, 23).await;
    let numbers = |from: usize, to: usize| -> Vec<String> {
        (to..=from).rev().map(|number| number.to_string()).collect()
    };
    for (query, page, expected) in [
        ("", 1, numbers(23, 14)),
        ("?page=1", 1, numbers(23, 14)),
        ("?page=2", 2, numbers(13, 4)),
        ("?page=3", 3, numbers(3, 1)),
        ("?page=4", 4, vec![]),
        ("?page=9223372036854775807", i64::MAX, vec![]),
        ("?page=9223372036854775808", 1, numbers(23, 14)),
        ("?page=0", 1, numbers(23, 14)),
        ("?page=-2", 1, numbers(23, 14)),
        ("?page=two", 1, numbers(23, 14)),
        ("?page=", 1, numbers(23, 14)),
        ("?page=2.5", 1, numbers(23, 14)),
        ("?other=3&page=%32", 2, numbers(13, 4)),
    ] {
        let path = format!("/api/thread/bob{query}");
        let answer = server.request("GET", &path).bearer(alice.0.access()).send().await;
        assert_eq!(answer.json["page"], page, "{query}");
        assert_eq!(values(&answer.data(), "message"), expected, "{query}");
    }
}

#[tokio::test]
async fn an_inbox_has_pages_and_the_latest_thread_is_first() {
    let server = TestServer::with_limits(|limits| limits.requests_per_user = 0).await;
    let bob = server.sign_up("bob").await;
    let mut live = Live::connect(&server, bob.access()).await;
    let names: Vec<_> = (10..23).map(|at| format!("user{at}")).collect();
    let mut sockets = server.connect().await;
    for name in &names {
        let user = json!({ "id": name, "name": name, "photo": "" });
        sockets.ask("create-user", json!({ "user": user })).await;
        live.say("bob", name, "hello").await;
        assert_eq!(sockets.next_of("new-message").await["msg"], "hello");
    }
    live.say("bob", "user10", "again").await;
    sockets.next_of("new-message").await;
    let first: Vec<_> = [&names[0]].into_iter().chain(names[4..].iter().rev()).collect();
    let second: Vec<_> = names[1..4].iter().rev().collect();
    let none: Vec<&String> = Vec::new();
    for (query, page, expected) in
        [("", 1, &first), ("?page=2", 2, &second), ("?page=3", 3, &none), ("?page=-1", 1, &first)]
    {
        let path = format!("/api/inbox{query}");
        let answer = server.request("GET", &path).bearer(bob.access()).send().await;
        assert_eq!(answer.json["page"], page);
        assert_eq!(values(&answer.data(), "with_username"), *expected, "{query}");
    }
}

#[tokio::test]
async fn only_its_two_users_see_a_thread() {
    let server = TestServer::with(with_key).await;
    let [mut bob, mut alice] = bob_and_alice(&server).await;
    send_many(&mut bob, &mut alice, 2).await;
    let eve = server.sign_up("eve").await;
    let mut of_eve = Live::connect(&server, eve.access()).await;
    assert_eq!(server.fetch("/api/inbox", eve.access()).await, json!([]));
    for name in ["bob", "alice"] {
        let path = format!("/api/thread/{name}");
        assert_eq!(server.fetch(&path, eve.access()).await, json!([]));
    }
    for (path, token, status, message) in [
        ("/api/thread/alice?user=bob", eve.access(), 403, "Access error"),
        ("/api/inbox?user=bob", eve.access(), 403, "Access error"),
        ("/api/inbox?user=nobody", API_KEY, 404, "Not found"),
        ("/api/inbox", API_KEY, 400, "Form error"),
        ("/api/thread/nobody", eve.access(), 400, "User error"),
        ("/api/thread/eve", eve.access(), 409, "Conflict"),
    ] {
        let answer = server.request("GET", path).bearer(token).send().await;
        answer.refused(status, message);
    }
    let unknown = server.request("GET", "/api/thread/%C3%A4").bearer(eve.access()).send().await;
    assert_eq!(unknown.refused(400, "User error"), &json!({ "error": "unknown username" }));
    for (path, token) in [("/api/inbox?user=bob", API_KEY), ("/api/inbox?user=bob", bob.0.access())]
    {
        assert_eq!(values(&server.fetch(path, token).await, "with_username"), ["alice"]);
    }
    let thread = server.fetch("/api/thread/alice?user=bob", API_KEY).await;
    assert_eq!(values(&thread, "message"), ["2", "1"]);
    of_eve.is_open().await;
}

#[tokio::test]
async fn a_thread_is_a_direct_chat_of_socket_io() {
    let server = TestServer::start().await;
    let [mut bob, mut alice] = bob_and_alice(&server).await;
    let mut socket = server.connect_with(bob.0.access()).await;
    let mut of_alice = server.connect_with(alice.0.access()).await;
    socket.ask("list-chats", json!({})).await;
    of_alice.ask("list-chats", json!({})).await;

    // A message from the WebSocket is shown on Socket.IO.
    alice.1.say("alice", "bob", "hello").await;
    let packet = bob.1.next().await;
    let chat = socket.next_of("create-chat").await["chat"].clone();
    let pushed = socket.next_of("new-message").await;
    assert_eq!(chat["private"], true);
    assert_eq!((&pushed["msg"], &pushed["type"]), (&json!("hello"), &json!("text")));
    assert_eq!(of_alice.next_of("new-message").await, pushed);
    let user = json!({ "user": { "id": alice.0.id() } });
    assert_eq!(socket.ask("open-direct", user).await["chat"]["id"], chat["id"]);

    // And the other way round, with the same time everywhere.
    let chat_id = chat["id"].as_str().unwrap();
    let mut body = message(chat_id, "a picture");
    body["message"]["type"] = "img".into();
    let sent = socket.ask("new-message", body).await;
    for live in [&mut bob.1, &mut alice.1] {
        let seen = live.next().await;
        let expected = json!({ "author": "bob", "created_at": sent["created_at"],
            "message": "a picture", "message_type": 1, "recipient": "alice" });
        assert_eq!(seen, expected);
        let thread = server.fetch("/api/thread/bob", alice.0.access()).await;
        assert_eq!(thread, json!([expected, packet]));
    }
    let inbox = server.fetch("/api/inbox", alice.0.access()).await;
    assert_eq!(inbox[0]["created_at"], sent["created_at"]);
    let listed = socket.ask("list-messages", json!({ "chat": { "id": chat_id } })).await;
    assert_eq!(listed["messages"], json!([pushed, sent]));
    assert_eq!(pushed["created_at"], packet["created_at"]);
}

#[tokio::test]
async fn chats_that_are_not_direct_are_no_threads() {
    let server = TestServer::start().await;
    let [mut bob, mut alice] = bob_and_alice(&server).await;
    let mut socket = server.connect_with(bob.0.access()).await;
    let chat = socket.chat("just us", true, &[alice.0.id()]).await;
    socket.say(&chat, "not direct").await;
    assert_eq!(server.fetch("/api/inbox", bob.0.access()).await, json!([]));
    assert_eq!(server.fetch("/api/thread/alice", bob.0.access()).await, json!([]));
    bob.1.is_open().await;
    alice.1.is_open().await;
}

/// A thread shows messages as they were edited on Socket.IO, and leaves out those deleted there.
#[tokio::test]
async fn a_thread_shows_edits_and_leaves_out_deleted_messages() {
    let server = TestServer::with(with_key).await;
    let [mut bob, mut alice] = bob_and_alice(&server).await;
    send_many(&mut bob, &mut alice, 25).await;
    let mut client = server.connect_with(bob.0.access()).await;
    let chats = client.done("list-chats", json!({})).await;
    let chat = chats["chats"][0]["id"].clone();
    let said = client.done("list-messages", json!({ "chat": { "id": chat } })).await;
    for at in [24, 22, 20, 3] {
        let deleted = json!({ "id": said["messages"][at]["id"] });
        client.done("delete-message", json!({ "chat": { "id": chat }, "message": deleted })).await;
    }
    let edited = json!({ "id": said["messages"][23]["id"], "value": "edited" });
    client.done("edit-message", json!({ "chat": { "id": chat }, "message": edited })).await;
    let mut pages = Vec::new();
    for page in 1..=3 {
        let path = format!("/api/thread/alice?page={page}");
        let answer = server.request("GET", &path).bearer(bob.0.access()).send().await;
        pages.extend(values(&answer.data(), "message").into_iter().map(str::to_owned));
    }
    let expected = (1..=25).rev().filter(|number| ![25, 23, 21, 4].contains(number));
    let expected = expected.map(|at: i32| match at {
        24 => "edited".to_owned(),
        at => at.to_string(),
    });
    assert_eq!(pages, Vec::from_iter(expected));
    let inbox = server.request("GET", "/api/inbox").bearer(bob.0.access()).send().await;
    assert_eq!(values(&inbox.data(), "latest_message"), [""]);
    // Nothing of this was pushed.
    alice.1.say("alice", "bob", "and you?").await;
    assert_eq!(bob.1.next().await["message"], "and you?");
}
