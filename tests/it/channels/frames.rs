//! The wire of the channels: all forms of frames, sizes, silent connections, the end.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::support::chatter::{assert_refused, message, said_by};
use crate::support::steps::of_chat;
use crate::support::{TestServer, soon};

#[tokio::test]
async fn an_unreadable_frame_is_answered_with_an_error() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let no_object = ["", " ", "nonsense", "{", "[]", "null", "7", "\"4\"", "{\"type\":4}x", "[4]"];
    for text in no_object {
        ann.send(Message::text(text)).await;
        assert_refused(&ann.next().await, "invalid", None, Value::Null);
    }
    for packet in [
        json!({}),
        json!({ "type": null }),
        json!({ "type": "4", "channel": "here" }),
        json!({ "type": 4.5, "channel": "here" }),
        json!({ "type": [4] }),
        json!({ "type": true }),
        json!({ "type": u64::MAX }),
    ] {
        assert_refused(&ann.ask(packet).await, "invalid", Some("type"), Value::Null);
    }
    for kind in [-2, -1, 7, 99] {
        ann.refused(json!({ "type": kind }), "invalid", Some("type")).await;
    }
    let nested = format!("{}{}", "[".repeat(500), "]".repeat(500));
    ann.send(Message::text(format!("{{\"type\":6.0,\"x\":{nested}}}"))).await;
    assert_eq!(ann.next().await["users"], json!(["ann"]));
    ann.send(Message::binary(json!({ "type": 6 }).to_string().into_bytes())).await;
    assert_refused(&ann.next().await, "invalid", None, Value::Null);
    assert_eq!(ann.ask(json!({ "type": 6, "more": [1, 2] })).await["users"], json!(["ann"]));
}

#[tokio::test]
async fn fields_are_checked() {
    let server = TestServer::with_limits(|limits| limits.max_message = 10).await;
    let mut ann = server.chatter("ann").await;
    for kind in [4, 5] {
        for channel in [json!(null), json!(7), json!(""), json!("#"), json!("-a"), json!("a b")] {
            let packet = json!({ "type": kind, "channel": channel });
            ann.refused(packet, "invalid", Some("channel")).await;
        }
        let long = json!({ "type": kind, "channel": "c".repeat(65) });
        ann.refused(long, "too_large", Some("channel")).await;
    }
    for channel in ["a.b-c", "_", "каналъ", "7"] {
        ann.join(channel, "ann").await;
    }
    ann.join(&format!("##{}", "c".repeat(64)), "ann").await;
    ann.refused(json!({ "type": 0, "message": "hello" }), "invalid", Some("dest")).await;
    ann.refused(json!({ "type": 0, "dest": "7" }), "invalid", Some("message")).await;
    ann.refused(json!({ "type": 0, "dest": "7", "message": 1 }), "invalid", Some("message")).await;
    ann.refused(said_by("7", ""), "invalid", Some("message")).await;
    ann.refused(said_by("7", "a\0b"), "invalid", Some("message")).await;
    ann.refused(said_by("7", &"x".repeat(11)), "too_large", Some("message")).await;
    ann.say("7", &"x".repeat(10), "ann").await;
    ann.refused(json!({ "type": 6, "channel": "a b" }), "invalid", Some("channel")).await;
}

/// A client's frame, masked with zeros.
fn frame(first_byte: u8, text: &str) -> Vec<u8> {
    assert!(text.len() < 126);
    let mut frame = vec![first_byte, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    frame
}

#[tokio::test]
async fn a_fragmented_request_is_put_together() {
    const TEXT: u8 = 1;
    const LAST: u8 = 0x80;
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    for part in [frame(TEXT, "{\"type\":"), frame(0, "6"), frame(LAST, "}")] {
        ann.raw().write_all(&part).await.unwrap();
    }
    assert_eq!(ann.next().await["users"], json!(["ann"]));
    // Reserved bits have no meaning here.
    ann.raw().write_all(&frame(0x71 | LAST, "{}")).await.unwrap();
    assert_ne!(ann.closed_at_last().await, 1000);
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_connection() {
    let server = TestServer::with_limits(|limits| limits.max_frame = 1000).await;
    let mut bob = server.chatter("bob").await;
    let mut ann = server.chatter("ann").await;
    bob.next().await;
    ann.send(Message::text("x".repeat(1000))).await;
    assert_refused(&ann.next().await, "invalid", None, Value::Null);
    ann.send(Message::text("x".repeat(1001))).await;
    assert_eq!(ann.closed().await, 1009);
    assert_eq!(bob.next().await, json!({ "type": 3, "user": "ann" }));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_closed_and_others_get_all() {
    const MESSAGES: usize = 60;
    let server = TestServer::with_limits(|limits| {
        limits.max_unsent = 8;
        limits.max_unsent_bytes = 4 << 20;
        // Long enough for the kernel not to end the connection before.
        limits.unacked_timeout = Duration::from_secs(300);
    })
    .await;
    let mut slow = server.chatter("slow").await;
    slow.join("here", "slow").await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    let text = "x".repeat(400 << 10);
    let mut gone = false;
    for _ in 0..MESSAGES {
        ann.tell(said_by("here", &text)).await;
        loop {
            let frame = ann.next().await;
            match frame["type"].as_i64() {
                Some(0) => break assert_eq!(frame["user"], "ann"),
                _ => gone |= frame == json!({ "type": 3, "user": "slow" }),
            }
        }
    }
    if !gone {
        assert_eq!(ann.next().await, json!({ "type": 3, "user": "slow" }));
    }
    // The frames that it was sent before that have no gap.
    slow.next().await;
    assert_eq!(slow.next().await, json!({ "type": 4, "channel": "here", "user": "ann" }));
    assert_eq!(slow.next().await, message("here", &text, "ann"));
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_closed() {
    let server = TestServer::with_limits(|limits| {
        limits.ping_interval = Duration::from_millis(100);
        limits.ping_timeout = Duration::from_secs(2);
    })
    .await;
    let mut bob = server.chatter("bob").await;
    // Bob reads on. The other reads nothing from now on, and therefore answers no ping.
    let (_silent, heard) = join(server.chatter("silent"), bob.next()).await;
    assert_eq!(heard, json!({ "type": 2, "user": "silent" }));
    assert_eq!(bob.next().await, json!({ "type": 3, "user": "silent" }));
    bob.nothing_more().await;
}

#[tokio::test]
async fn a_shutdown_closes_everybody_and_finishes_what_was_asked() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    ann.say("here", "for later", "ann").await;
    let directory = soon("the server is down", server.shutdown()).await;
    assert_eq!(ann.closed().await, 1001);

    let server = TestServer::on(directory, |_| {}).await;
    let mut eve = server.connect().await;
    let history = eve.done("list-messages", of_chat(&chat)).await;
    assert_eq!(history["messages"][0]["msg"], "for later");
    let mut ann = server.chatter("ann").await;
    assert_eq!(ann.nicks().await, json!(["ann"]));
    let list = ann.ask(json!({ "type": 6, "channel": "here" })).await;
    assert_eq!(list["users"], json!([]), "the channel is kept, who is in it is not");
    ann.join("here", "ann").await;
}
