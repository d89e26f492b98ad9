//! Order: of the requests of a socket, of the messages of a chat; and clients that cannot keep up.

use chinwag::Access;
use futures_util::future::{Either, join_all, select, select_all};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::database::{self, is_no_file};
use crate::support::{Client, TestServer, message};

#[tokio::test]
async fn requests_of_one_socket_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("pipeline", true, &[]).await;
    // A mix of slow, fast and refused requests, whose answers must come in order.
    let of_chat = json!({ "chat": { "id": chat } });
    for at in 0..500 {
        let (event, body) = match at % 4 {
            0 => ("new-message", message(&chat, &at.to_string())),
            1 => ("list-chats", json!({})),
            2 => ("no-such-event", json!({})),
            _ => ("mark-read", of_chat.clone()),
        };
        ann.send(format!("42{at}{}", json!([event, body]))).await;
    }
    let mut answered = Vec::new();
    while answered.len() < 500 {
        let frame = ann.frame().await;
        if let Some(rest) = frame.strip_prefix("43") {
            answered.push(rest.split('[').next().unwrap().parse::<usize>().unwrap());
        }
    }
    assert_eq!(answered, Vec::from_iter(0..500));
}

#[tokio::test]
async fn requests_without_acks_are_answered_in_order() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("pipeline", true, &[]).await;
    for at in 0..100 {
        ann.tell("new-message", message(&chat, &at.to_string())).await;
        ann.tell("no-such-event", json!({})).await;
    }
    for at in 0..100 {
        assert_eq!(ann.next("new-message").await["msg"], at.to_string());
        ann.next("exception").await;
    }
}

#[tokio::test]
async fn a_request_sees_the_effects_of_earlier_requests() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    // No request waits for an answer: even the first is sent before the connection is confirmed.
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    client.request("create-user", user).await;
    client.request("create-chat", json!({ "chat": { "name": "x" }, "users": [] })).await;
    let listed = client.request("list-chats", json!({})).await;
    assert_eq!(client.answer(listed).await["chats"][0]["name"], "x");
}

#[tokio::test]
async fn messages_of_twenty_senders_have_no_gap_and_one_order() {
    const SENDERS: usize = 20;
    const EACH: usize = 25;
    let server = TestServer::start().await;
    let mut users = Vec::new();
    for at in 0..SENDERS {
        users.push(server.user(&at.to_string()).await);
    }
    let ids: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let chat = users[0].chat("crowd", true, &ids).await;
    for user in &mut users[1..] {
        user.next("create-chat").await;
    }
    let seen = join_all(users.iter_mut().map(async |user| {
        for at in 0..EACH {
            user.request("new-message", message(&chat, &at.to_string())).await;
        }
        let mut seen = Vec::new();
        for _ in 0..SENDERS * EACH {
            seen.push(user.next("new-message").await);
        }
        seen
    }))
    .await;
    let seqs: Vec<_> = seen[0].iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, Vec::from_iter(1..=(SENDERS * EACH) as u64));
    assert!(seen.iter().all(|other| *other == seen[0]));
}

#[tokio::test]
async fn a_socket_that_asks_too_much_at_once_is_disconnected() {
    let server = TestServer::with_limits(|limits| limits.max_pending = 10).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("flood", true, &[]).await;
    let said = json!(["new-message", message(&chat, "x")]).to_string();
    // All of them in one write, so that they arrive faster than they can be handled.
    ann.send_many((0..1000).map(|at| format!("42{at}{said}"))).await;
    ann.closed().await;
    // The others are served, and what was accepted has no gap.
    let mut ann = server.user("ann").await;
    let page = ann.ask("list-messages", json!({ "chat": { "id": chat } })).await;
    let messages = page["messages"].as_array().unwrap();
    let seqs: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, Vec::from_iter(1..=seqs.len() as u64));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_and_catches_up() {
    let server = TestServer::with_limits(|limits| limits.max_unsent = 16).await;
    let mut slow = server.user("slow").await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("much", true, &[&slow.id]).await;
    // More than the buffers of the connection hold.
    const MESSAGES: usize = 100;
    let text = "x".repeat(256 << 10);
    for _ in 0..MESSAGES {
        ann.say(&chat, &text).await;
    }
    // The client reads what the connection still held, and then its end, however much is sent
    // meanwhile: no message is missing before the end.
    let (mut last_seen, mut said) = (0, MESSAGES);
    while let Some(frame) = slow.try_frame().await {
        ann.say(&chat, &text).await;
        said += 1;
        if let Some(event) = frame.strip_prefix("42") {
            let event: Value = serde_json::from_str(event).unwrap();
            if event[0] == "new-message" {
                last_seen += 1;
                assert_eq!(event[1]["seq"], last_seen);
            }
        }
    }
    assert!(last_seen < MESSAGES as u64, "it was not disconnected");
    let mut back = server.user("slow").await;
    while last_seen < said as u64 {
        let query = json!({ "after_seq": last_seen });
        let body = json!({ "chat": { "id": chat }, "query": query });
        let page = back.ask("list-messages", body).await;
        for message in page["messages"].as_array().unwrap() {
            last_seen += 1;
            assert_eq!(message["seq"], last_seen);
        }
    }
}

#[tokio::test]
async fn a_client_gets_no_more_answers_until_it_reads() {
    const PAGES: u64 = 60;
    let server = TestServer::with_limits(|limits| limits.max_unsent_bytes = 2 << 20).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("much", true, &[]).await;
    ann.say(&chat, &"x".repeat(500_000)).await;
    let mut bob = server.user("bob").await;
    let page = json!(["list-messages", { "chat": { "id": chat } }]).to_string();
    ann.send_many((0..PAGES).map(|at| format!("42{}{page}", 1000 + at))).await;
    let last = json!({ "chat": { "name": "done" }, "users": [bob.id] });
    ann.tell("create-chat", last).await;
    // The server has not reached the last request yet, and serves others meanwhile.
    bob.nothing_more().await;
    for at in 0..PAGES {
        let page = ann.answer(1000 + at).await;
        assert_eq!(page["messages"][0]["msg"].as_str().map(str::len), Some(500_000));
    }
    bob.next("create-chat").await;
}

#[tokio::test]
async fn the_bytes_of_waiting_requests_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_pending_bytes = 100_000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("flood", true, &[]).await;
    let said = json!(["new-message", message(&chat, &"x".repeat(20_000))]).to_string();
    ann.send_many((0..100).map(|at| format!("42{at}{said}"))).await;
    ann.closed().await;
    // The closed connection's requests do not wait any more.
    let mut bob = server.user("bob").await;
    let chat = bob.chat("calm", true, &[]).await;
    for _ in 0..20 {
        bob.say(&chat, &"x".repeat(20_000)).await;
    }
}

/// A client that a proxy says is at this address.
async fn from(server: &TestServer, address: &str) -> Client {
    let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("x-forwarded-for", address.parse().unwrap());
    Client::open_url(request).await.enter().await
}

#[tokio::test]
async fn the_address_with_most_waiting_bytes_is_closed_at_the_limit() {
    if is_no_file("who has most of the requests that wait") {
        return;
    }
    let server = TestServer::with(|config| {
        config.trusted_proxies = 1;
        config.access = Some(Access::Open);
        config.limits.max_pending_bytes = 100_000;
    })
    .await;
    let user = |name: &str| json!({ "user": { "id": name, "name": name } });
    let mut modest = from(&server, "203.0.113.1").await;
    modest.ask("create-user", user("modest")).await;
    // Three sockets of one address, each with fewer bytes waiting than the modest client will have.
    let mut greedy = Vec::new();
    for _ in 0..3 {
        let mut client = from(&server, "203.0.113.2").await;
        client.ask("create-user", user("greedy")).await;
        greedy.push(client);
    }
    // Nothing can be written, so that the next requests of the greedy sockets have to wait.
    let url = database::sqlite_in(server.directory.path());
    let mut writer = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("begin immediate").execute(&mut writer).await.unwrap();
    let padded = |length: usize| json!({ "padding": "x".repeat(length) });
    for client in &mut greedy {
        client.tell("create-chat", json!({ "chat": { "name": "n" }, "users": [] })).await;
        client.tell("list-chats", padded(28_000)).await;
    }
    let mut closed = select_all(greedy.iter_mut().map(|client| Box::pin(client.closed())));
    loop {
        let asked = modest.ask("list-chats", padded(40_000));
        match select(&mut closed, Box::pin(asked)).await {
            Either::Left((_, asked)) => break assert!(asked.await["chats"].is_array()),
            Either::Right((answer, _)) => assert!(answer["chats"].is_array(), "{answer}"),
        }
    }
    sqlx::raw_sql("rollback").execute(&mut writer).await.unwrap();
    modest.chat("calm", true, &[]).await;
}

#[tokio::test]
async fn many_sockets_leave_at_once() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("crowd", false, &[]).await;
    let sockets = join_all((0..200).map(|_| Client::connect(server.address()))).await;
    let join = json!({ "chat": { "id": chat }, "user": { "id": ann.id } });
    let joined = join_all(sockets.into_iter().map(async |mut socket| {
        socket.ask("join-chat", join.clone()).await;
        socket
    }))
    .await;
    drop(joined);
    ann.say(&chat, "still here").await;
    ann.nothing_more().await;
}
