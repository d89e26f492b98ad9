//! Nicks: how they are changed and registered, and who may use a registered one.

use chinwag::{Access, Registration};
use serde_json::json;

use crate::support::chatter::{Chatter, PASSWORD, of_channel, of_nick, said_by, with_password};
use crate::support::credentials::{by_token, protect, waiting};
use crate::support::{TestServer, assert_error};

#[tokio::test]
async fn a_nick_can_be_changed() {
    let server = TestServer::start().await;
    protect(&server, "rose").await;
    let mut bob = server.chatter("bob").await;
    let mut ann = server.chatter("ann").await;
    bob.next().await;
    ann.join("here", "ann").await;
    bob.join("here", "bob").await;
    ann.next().await;

    // Some clients announce their nick after connecting.
    for packet in [json!({ "type": 2, "user": "ann" }), with_password(2, "ann", PASSWORD)] {
        ann.tell(packet).await;
        bob.nothing_more().await;
        ann.say("here", "nothing has changed", "ann").await;
        bob.next().await;
    }
    ann.refused(json!({ "type": 2, "user": "bob" }), "conflict", Some("user")).await;
    ann.refused(json!({ "type": 2, "user": "a-b" }), "invalid", Some("user")).await;
    ann.refused(json!({ "type": 2, "user": "rose" }), "unauthenticated", None).await;
    ann.refused(with_password(2, "rose", "a wrong password"), "unauthenticated", None).await;
    ann.say("here", "still who I was", "ann").await;
    bob.next().await;

    for (packet, old, new) in [
        (json!({ "type": 2, "user": "anna" }), "ann", "anna"),
        (with_password(2, "rose", PASSWORD), "anna", "rose"),
        (json!({ "type": 2, "user": "ann" }), "rose", "ann"),
    ] {
        ann.tell(packet).await;
        for client in [&mut ann, &mut bob] {
            if old == "ann" {
                assert_eq!(client.next().await, of_channel(5, "here", "ann"));
            }
            assert_eq!(client.next().await, of_nick(3, old));
            assert_eq!(client.next().await, of_nick(2, new));
        }
        assert_eq!(ann.nicks().await, {
            let mut nicks = [new, "bob"];
            nicks.sort();
            json!(nicks)
        });
        ann.refused(said_by("here", "hello"), "forbidden", None).await;
    }
    server.chatter("anna").await;
}

#[tokio::test]
async fn a_token_does_not_let_its_user_take_another_nick() {
    let server = TestServer::with_credentials(Access::Open).await;
    protect(&server, "rose").await;
    let mut ann = Chatter::open(server.channels(by_token("ann", "7"))).await;
    assert_eq!(ann.next().await, of_nick(2, "ann"));
    for nick in ["free", "rose"] {
        ann.refused(json!({ "type": 2, "user": nick }), "forbidden", None).await;
    }
    ann.refused(with_password(1, "ann", PASSWORD), "conflict", Some("user")).await;
    assert_eq!(ann.ask(with_password(2, "rose", PASSWORD)).await, of_nick(3, "ann"));
    assert_eq!(ann.next().await, of_nick(2, "rose"));
}

#[tokio::test]
async fn registering_protects_a_nick() {
    let server = TestServer::start().await;
    let mut ann = server.chatter("ann").await;
    let mut bob = server.chatter("bob").await;
    ann.next().await;
    bob.refused(with_password(1, "ann", PASSWORD), "conflict", Some("user")).await;
    bob.refused(with_password(1, "bob", "short"), "invalid", Some("password")).await;
    bob.refused(json!({ "type": 1, "user": "bob" }), "invalid", Some("password")).await;
    bob.refused(with_password(1, "a-b", PASSWORD), "invalid", Some("user")).await;
    assert_eq!(ann.ask(with_password(1, "ann", PASSWORD)).await, of_nick(1, "ann"));
    ann.refused(with_password(1, "ann", PASSWORD), "conflict", Some("user")).await;
    ann.join("here", "ann").await;
    assert_eq!(ann.ask(with_password(1, "free", PASSWORD)).await, of_nick(1, "free"));
    assert_eq!(ann.nicks().await, json!(["ann", "bob"]), "a nick is registered, not connected");
    bob.nothing_more().await;
    waiting(&server, "free").await;

    let mut socket = server.connect().await;
    let user = json!({ "user": { "handle": "ann", "id": "7", "name": "Ann", "photo": "" } });
    assert_error(&socket.refused("create-user", user).await, "conflict", Some("user.handle"));
}

#[tokio::test]
async fn without_sign_ups_no_nick_is_registered() {
    let server = TestServer::with(|config| config.registration = Registration::Closed).await;
    let mut ann = server.chatter("ann").await;
    ann.refused(with_password(1, "ann", PASSWORD), "forbidden", None).await;
    ann.join("here", "ann").await;
}
