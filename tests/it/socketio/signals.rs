//! `signal`, and what it has in common with `typing`: neither leaves a trace.

use serde_json::{Value, json};

use crate::socketio::typing::{seen, typing};
use crate::support::nodes::Nodes;
use crate::support::steps::{channel, of_chat};
use crate::support::{TestServer, assert_error};

fn signal(chat: &str, data: Value) -> Value {
    json!({ "chat": { "id": chat }, "data": data })
}

#[tokio::test]
async fn signals_reach_all_other_sockets_of_the_members() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let (mut tab, mut cat) = (server.user("ann").await, server.user("cat").await);
    let chat = ann.make_private(&mut [&mut bob, &mut cat, &mut tab]).await;
    bob.done("subscribe", channel(&chat)).await;
    for client in [&mut ann, &mut bob, &mut tab, &mut cat] {
        client.next("participant-join").await;
    }

    let data = json!({ "x": 1.50, "deep": [[{}]], "text": "\u{0}é" });
    assert_eq!(ann.done("signal", signal(&chat, data.clone())).await, json!({}));
    let told = json!({ "chat": { "id": chat }, "user": { "id": ann.id }, "data": data });
    for client in [&mut bob, &mut tab, &mut cat] {
        assert_eq!(client.next("signal").await, told);
    }
    for data in [json!(null), json!(0), json!("x"), json!([])] {
        let mut to_bob = signal(&chat, data.clone());
        to_bob["to"] = json!([bob.id, "nobody"]);
        ann.done("signal", to_bob).await;
        assert_eq!(bob.next("signal").await["data"], data);
        assert_eq!(tab.next("signal").await["data"], data, "one's own other sockets get it");
    }
    for client in [&mut ann, &mut bob, &mut tab, &mut cat] {
        client.nothing_more().await;
    }
}

#[tokio::test]
async fn a_user_who_may_not_send_messages_may_not_signal() {
    let server = TestServer::with_limits(|limits| limits.max_data = 100).await;
    let (mut ann, mut eve) = (server.user("ann").await, server.user("eve").await);
    let public = ann.chat("public", false, &[]).await;
    let private = ann.chat("private", true, &[]).await;
    for (chat, code) in [(&public, "forbidden"), (&private, "not_found")] {
        for body in [signal(chat, json!(1)), typing(chat, true)] {
            let event = if body.get("data").is_some() { "signal" } else { "typing" };
            assert_eq!(eve.refused(event, body).await["code"], code);
        }
    }
    ann.nothing_more().await;

    let error = ann.refused("signal", of_chat(&public)).await;
    assert_error(&error, "invalid", Some("data"));
    let error = ann.refused("signal", signal(&public, json!("x".repeat(100)))).await;
    assert_error(&error, "too_large", Some("data"));
    let error = ann.refused("typing", json!({ "chat": { "id": public }, "on": 1 })).await;
    assert_error(&error, "invalid", Some("on"));
    let error =
        ann.refused("signal", json!({ "chat": { "id": public }, "data": 1, "to": 1 })).await;
    assert_error(&error, "invalid", Some("to"));
    let mut nobody = server.connect().await;
    let error = nobody.refused("typing", of_chat(&public)).await;
    assert_error(&error, "unauthenticated", None);
}

#[tokio::test]
async fn signals_and_typing_have_their_own_limit() {
    let server = TestServer::with_limits(|limits| limits.signals_per_user = 2).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("chat", true, &[]).await;
    ann.done("typing", of_chat(&chat)).await;
    ann.done("signal", signal(&chat, json!(1))).await;
    assert_error(&ann.refused("typing", of_chat(&chat)).await, "rate_limited", None);
    assert_error(&ann.refused("signal", signal(&chat, json!(1))).await, "rate_limited", None);
    ann.say(&chat, "messages have another").await;
}

#[tokio::test]
async fn signals_and_typing_reach_other_nodes() {
    let Some(nodes) = Nodes::start(2).await else {
        return;
    };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    ann.done("typing", of_chat(&chat)).await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", true));
    ann.done("signal", signal(&chat, json!("from afar"))).await;
    assert_eq!(bob.next("signal").await["data"], "from afar");
    ann.done("typing", typing(&chat, false)).await;
    assert_eq!(bob.next("typing").await, seen(&chat, &ann, "ann", false));
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_muted_member_is_not_shown_as_typing() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    bob.done("typing", of_chat(&chat)).await;
    assert_eq!(ann.next("typing").await, seen(&chat, &bob, "bob", true));
    let of_bob = json!({ "chat": { "id": chat }, "user": { "id": bob.id } });
    ann.done("mute-member", of_bob.clone()).await;
    assert_error(&bob.refused("typing", of_chat(&chat)).await, "forbidden", None);
    assert_eq!(ann.next_of("typing").await, seen(&chat, &bob, "bob", false));
    assert_error(&bob.refused("signal", signal(&chat, json!(1))).await, "forbidden", None);
    ann.done("unmute-member", of_bob).await;
    bob.done("signal", signal(&chat, json!(1))).await;
    assert_eq!(ann.next_of("signal").await["data"], 1);
    bob.done("typing", of_chat(&chat)).await;
    ann.done("update-chat", json!({ "chat": { "id": chat, "frozen": true } })).await;
    assert_error(&bob.refused("typing", of_chat(&chat)).await, "forbidden", None);
}
