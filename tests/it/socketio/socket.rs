//! The protocol below the events: packets, namespaces, old clients, invalid frames.

use std::time::Duration;

use futures_util::future::join;
use serde_json::json;

use crate::support::transports::{Opening, Transport};
use crate::support::{Client, TestServer, message, soon};

#[tokio::test]
async fn a_connection_that_enters_no_namespace_is_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.handshake_timeout = Duration::from_millis(100);
    })
    .await;
    let mut client = Client::open(server.address()).await;
    assert!(client.frame().await.starts_with('0'));
    client.closed().await;
    // A client that has entered the namespace stays connected.
    let mut ann = loop {
        // On a slow machine she enters too late at first.
        if let Some(client) = Client::try_connect(server.address()).await {
            break client;
        }
    };
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    ann.done("create-user", user).await;
    let mut idle = Client::open(server.address()).await;
    while idle.try_frame().await.is_some() {}
    ann.nothing_more().await;
}

#[tokio::test]
async fn an_old_client_that_says_nothing_is_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.silence_timeout = Duration::from_secs(2);
    })
    .await;
    let opening = |polling| Opening { protocol: 3, polling, query: "", authorization: "" };
    // These clients send nothing but pings.
    let mut pinging = Vec::new();
    for polling in [false, true] {
        let mut client = Transport::open(&server, opening(polling)).await;
        assert_eq!(client.packet().await, "40");
        client.send("2").await;
        pinging.push(client);
    }
    let url = format!("ws://{}/socket.io/?EIO=3&transport=websocket", server.address());
    let (mut silent, mut speaking) = (Client::open_url(&url).await, Client::open_url(&url).await);
    let user = json!({ "user": { "id": "ann", "name": "Ann", "photo": "" } });
    assert!(speaking.frame().await.starts_with('0'));
    assert_eq!(speaking.frame().await, "40");
    speaking.ask("create-user", user).await;
    silent.closed().await;
    speaking.nothing_more().await;
    for mut pinging in pinging {
        assert_eq!(pinging.packet().await, "3");
        pinging.send("2").await;
        assert_eq!(pinging.packet().await, "3");
    }
}

/// Acts ten times a second for this many seconds.
async fn meanwhile(seconds: u64, mut act: impl AsyncFnMut(u64)) {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    for tick in 0..seconds * 10 {
        ticks.tick().await;
        act(tick).await;
    }
}

#[tokio::test]
async fn an_old_client_that_is_busy_is_alive_without_a_ping() {
    let server = TestServer::with_limits(|limits| {
        limits.ping_interval = Duration::from_secs(1);
        limits.ping_timeout = Duration::from_secs(1);
    })
    .await;
    let opening = |polling| Opening { protocol: 3, polling, query: "", authorization: "" };
    let user = json!({ "user": { "id": "ann", "name": "Ann" } });
    let busy = async |polling: bool| {
        let mut client = Transport::open(&server, opening(polling)).await;
        meanwhile(5, async |tick| {
            client.send(&format!("42{tick}{}", json!(["create-user", user]))).await;
            let answer = client.until(&format!("43{tick}")).await.1;
            assert_eq!(answer[0]["user"]["id"], "ann", "{answer}");
        })
        .await;
        client
    };
    let (websocket, _polling) = join(busy(false), busy(true)).await;
    // After that it sends nothing more.
    match websocket {
        Transport::WebSocket(mut client) => client.closed().await,
        Transport::Polling(_) => unreachable!(),
    }
}

#[tokio::test]
async fn an_old_client_can_upgrade_from_polling_to_a_websocket() {
    let server = TestServer::start().await;
    let opened = server.get("/socket.io/?EIO=3&transport=polling", "").await;
    let sid = opened.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/socket.io/?EIO=3&sid={sid}&transport=");
    let polled = server.get(&format!("{path}polling"), "").await;
    assert!(polled.ends_with("2:40"), "{polled}");
    let mut client = Client::open_url(&format!("ws://{}{path}websocket", server.address())).await;
    client.send("2probe").await;
    assert_eq!(client.frame().await, "3probe");
    client.send("5").await;
    let user = json!({ "user": { "id": "ann", "name": "Ann" } });
    assert_eq!(client.ask("create-user", user).await["user"]["id"], "ann");
    // A frame of each kind of length.
    for length in [1, 200, 100_000] {
        let chat = json!({ "chat": { "name": "n" }, "users": [], "more": "x".repeat(length) });
        assert_eq!(client.ask("create-chat", chat).await["chat"]["name"], "n");
    }
}

#[tokio::test]
async fn a_client_whose_upgrade_fails_is_disconnected() {
    let server = TestServer::start().await;
    // The packets that it sends before the WebSocket ends.
    for (protocol, sent) in
        [(3, &[][..]), (3, &["x"]), (3, &["2probe"]), (3, &["2probe", "x"]), (4, &["2probe"])]
    {
        let path = format!("/socket.io/?EIO={protocol}&transport=");
        let opened = server.get(&format!("{path}polling"), "").await;
        let sid = opened.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
        let url = format!("ws://{}{path}websocket&sid={sid}", server.address());
        let mut client = Client::open_url(&url).await;
        for packet in sent {
            client.send(*packet).await;
        }
        drop(client);
        // The polls must not go on for ever without anything to bring.
        let polls = async {
            while server.get(&format!("{path}polling&sid={sid}"), "").await.contains(" 200 ") {}
        };
        soon(&format!("the session ends: {protocol}, {sent:?}"), polls).await;
    }
}

#[tokio::test]
async fn a_polling_client_that_vanishes_leaves_its_room() {
    let server = TestServer::with_limits(|limits| {
        limits.ping_interval = Duration::from_millis(100);
        limits.ping_timeout = Duration::from_secs(3);
    })
    .await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("open", false, &[]).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = server.get(path, "").await;
    let sid = opened.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let user = json!(["create-user", { "user": { "id": "bob", "name": "Bob", "photo": "" } }]);
    let room = json!(["subscribe", { "channel": format!("room-{chat}") }]);
    let body = format!("40\u{1e}42{user}\u{1e}42{room}");
    let length = body.len();
    server
        .exchange(&format!(
            "POST {path}&sid={sid} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await;
    assert_eq!(ann.next("participant-join").await["user"]["name"], "Bob");
    assert_eq!(ann.next("participant-leave").await["participants"], 0);
}

#[tokio::test]
async fn a_client_may_leave_and_enter_the_namespace_again() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    let chat = ann.chat("talk", true, &[&bob.id]).await;
    bob.next("create-chat").await;
    bob.ask("subscribe", json!({ "channel": format!("room-{chat}") })).await;
    ann.next("participant-join").await;
    bob.next("participant-join").await;
    // Requests before leaving are done, and requests after it are ignored.
    let last = |text| format!("42{}", json!(["new-message", message(&chat, text)]));
    bob.send_many([last("bye"), "41".into(), last("too late")].into_iter()).await;
    assert_eq!(ann.next("new-message").await["msg"], "bye");
    assert_eq!(ann.next("participant-leave").await["participants"], 0);
    ann.say(&chat, "is he gone?").await;
    // Until it enters again, it is shown nothing; then it acts as nobody.
    bob.send("40").await;
    loop {
        let frame = bob.frame().await;
        assert!(!frame.contains("gone") && !frame.contains("too late"), "{frame}");
        if frame.starts_with("40{\"sid\":") {
            break;
        }
    }
    let error = bob.refused("list-chats", json!({})).await;
    assert_eq!(error["code"], "unauthenticated");
    let user = json!({ "user": { "id": bob.id } });
    let chats = bob.ask("list-chats", user).await;
    assert_eq!(chats["chats"][0]["last_seq"], 2);
    ann.tell("new-message", message(&chat, "back")).await;
    assert_eq!(bob.next("new-message").await["msg"], "back");
}

#[tokio::test]
async fn invalid_frames_do_no_harm() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("calm", true, &[]).await;
    let deep = format!("42[\"new-message\",{}]", "[".repeat(100_000));
    for frame in [
        "",
        "4",
        "9",
        "42",
        "42[",
        "42{}",
        "42[]",
        "42[5]",
        "42null",
        "4x",
        "45",
        "451-",
        "43[]",
        "4399999999999999999999[]",
        "42-1[\"list-chats\",{}]",
        "44\"x\"",
        "451-[\"a\"]",
        "6",
        "0",
        "42[\"list-chats\"",
        "42[\"create-user\",{\"user\":\"\\ud800\"}]",
        &deep,
    ] {
        let mut client = server.connect().await;
        client.send(frame).await;
        // Such a frame may be answered, ignored, or close the connection, but not end the server.
        drop(client);
        assert!(ann.say(&chat, frame.get(..9).unwrap_or("x")).await["seq"].is_i64());
    }
    let mut client = server.connect().await;
    client.send_binary(vec![1, 2, 3]).await;
    client.closed().await;
}

#[tokio::test]
async fn an_attachment_is_not_accepted_as_a_text() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("binary", true, &[]).await;
    let mut body = message(&chat, "x");
    body["message"]["value"] = json!({ "_placeholder": true, "num": 0 });
    ann.send(format!("451-7{}", json!(["new-message", body]))).await;
    ann.send_binary(vec![1, 2, 3]).await;
    assert_eq!(ann.answer(7).await["error"]["field"], "message.value");
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_connection() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 10_000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("big", true, &[]).await;
    ann.say(&chat, &"x".repeat(9_000)).await;
    let frame = json!(["new-message", message(&chat, &"x".repeat(10_000))]);
    ann.send(format!("42{frame}")).await;
    ann.closed().await;
    server.user("bob").await.nothing_more().await;
}
