//! Tokens of a host application: how clients bring them, which users they make, which are refused,
//! and when they end.

use chinwag::Access;
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::support::forgeries::wrong;
use crate::support::signing::{
    SECRET, claims, header, jwk, now, private_key, sign, signed, token, with_credentials,
};
use crate::support::steps::{channel, of_chat_and, sorted};
use crate::support::transports::{Opening, Transport};
use crate::support::{Client, TestServer};

/// Fails unless a packet refuses a client and says why; returns the reason.
#[track_caller]
pub fn assert_kept_out(packet: &str) -> String {
    let error: Value = serde_json::from_str(packet.strip_prefix("44").expect(packet)).unwrap();
    let data = &error["data"];
    assert_eq!([&error["message"], &data["code"]], ["unauthenticated", "unauthenticated"]);
    assert!(data["message"].as_str().is_some_and(|message| !message.is_empty()), "{packet}");
    let reason = data["reason"].as_str().expect(packet);
    assert!(["expired", "revoked", "invalid"].contains(&reason), "{packet}");
    reason.to_owned()
}

/// Old clients get only the message.
const REFUSED_OLD: &str = r#"44"unauthenticated""#;

const PUBLIC: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// A server with a secret, and with three public keys whose `kid` is their algorithm.
async fn with_keys(access: Access) -> TestServer {
    let keys = PUBLIC.map(|algorithm| jwk(algorithm, &format!("{algorithm:?}")));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({ "keys": keys }).to_string()).unwrap();
    TestServer::with(|config| {
        with_credentials(access)(config);
        config.jwt_jwks = Some(file.path().into());
    })
    .await
}

#[tokio::test]
async fn a_socket_acts_as_its_tokens_user_however_it_is_sent() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut ann = server.token_user("ann").await;
    let bob = server.token_user("bob").await.id;
    let chat = ann.chat("of both", true, &[&bob]).await;
    let room = ann.make_private(&mut []).await;
    ann.invite(&room, &bob).await;

    let (token, chats) = (token("bob"), json!([chat]));
    let (query, bearer) = (format!("&access_token={token}"), format!("Bearer {token}"));
    let loose = format!("bearer   {token} ");
    let ways = [("", "", true), (&query, "", false), ("", &bearer, false), ("", &loose, false)];
    for (protocol, polling) in [(4, false), (4, true), (3, false), (3, true)] {
        for (query, authorization, in_packet) in ways {
            if in_packet && protocol == 3 {
                continue;
            }
            let opening = Opening { protocol, polling, query, authorization };
            let mut bob = Transport::open(&server, opening).await;
            match (protocol, in_packet) {
                (3, _) => {}
                (_, true) => bob.send(&format!("40{}", json!({ "token": token }))).await,
                (_, false) => bob.send("40").await,
            }
            assert!(bob.packet().await.starts_with("40"), "{opening:?}");
            bob.send(r#"427["list-chats",{}]"#).await;
            let (before, answer) = bob.until("437").await;
            assert_eq!(json!(sorted(&answer[0]["chats"], "id")), chats, "{opening:?}");
            assert!(before[0].starts_with(r#"42["invitation","#), "{before:?}");
            let said = ann.say(&chat, "hello").await;
            assert_eq!(bob.until("42").await.1, json!(["new-message", said]), "{opening:?}");
        }
    }
}

#[tokio::test]
async fn the_token_of_the_packet_overrides_that_of_the_handshake() {
    let server = TestServer::with_credentials(Access::Open).await;
    let query = format!("&access_token={}", token("bob"));
    let opening =
        Opening { protocol: 4, polling: false, query: &query, authorization: "Basic eDp5" };
    for (packet, sub) in [(json!({ "token": token("ann") }), "ann"), (json!({}), "bob")] {
        let mut client = Transport::open(&server, opening).await;
        client.send(&format!("40{packet}")).await;
        assert!(client.packet().await.starts_with("40"));
        client
            .send(r#"427["create-chat",{"chat":{"name":"own","private":false},"users":[]}]"#)
            .await;
        let id = client.until("437").await.1[0]["chat"]["user"].take();
        assert_eq!(id, server.token_user(sub).await.id.as_str());
    }
}

/// The user with this token, as others see them.
async fn profile(server: &TestServer, token: &str) -> Value {
    let mut client = server.connect_with(token).await;
    let body = json!({ "chat": { "name": "own" }, "users": [] });
    let made = client.done("create-chat", body).await;
    let chat = made["chat"]["id"].as_str().unwrap();
    client.done("subscribe", channel(chat)).await["users"][0].take()
}

#[tokio::test]
async fn the_user_of_a_token_is_made_and_later_updated() {
    let server = TestServer::with_credentials(Access::Token).await;
    let with = |more: Value| {
        let mut claims = claims("user 7");
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signed(&claims)
    };
    let mut expected = profile(&server, &with(json!({}))).await;
    assert_eq!((&expected["name"], &expected["photo"]), (&json!("user 7"), &json!("")));
    // The newer of two tokens counts.
    for (at, (more, field, value)) in [
        (json!({ "name": "Ann" }), "name", "Ann"),
        (json!({ "photo": "ann.png", "name": null }), "photo", "ann.png"),
        (json!({}), "name", "Ann"),
        (json!({ "name": "Anna", "photo": "ann.png" }), "name", "Anna"),
        (json!({ "photo": "", "name": "", "aud": "whoever", "role": 1 }), "photo", ""),
    ]
    .into_iter()
    .enumerate()
    {
        expected[field] = json!(value);
        let mut newer = more;
        newer["iat"] = json!(now() + 10 * (at as i64 + 1));
        assert_eq!(profile(&server, &with(newer)).await, expected);
    }
    for older in [json!({ "name": "Old" }), json!({ "name": "Old", "iat": now() - 10 })] {
        assert_eq!(profile(&server, &with(older)).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_first_connections_make_one_user() {
    let server = TestServer::with_credentials(Access::Token).await;
    let (server, token) = (&server, &token("ann"));
    let profiles = join_all((0..8).map(|_| profile(server, token))).await;
    assert!(profiles.iter().all(|profile| *profile == profiles[0]), "{profiles:?}");
}

#[tokio::test]
async fn tokens_signed_with_public_keys_are_accepted() {
    let server = with_keys(Access::Token).await;
    for algorithm in PUBLIC {
        let header = header(algorithm, &format!("{algorithm:?}"));
        let token = sign(&header, &claims("ann"), &private_key(algorithm));
        assert_eq!(profile(&server, &token).await["name"], "ann", "{algorithm:?}");
    }
    // Tokens that the secret has signed may have a `kid`, too.
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let token = sign(&header(Algorithm::HS256, "2026-01"), &claims("ann"), &secret);
    assert_eq!(profile(&server, &token).await["name"], "ann");
}

/// Fails unless a client with this handshake is refused, and let in with a right token.
async fn is_refused(server: &TestServer, why: &str, query: &str, authorization: &str) {
    for polling in [false, true] {
        let opening = Opening { protocol: 4, polling, query, authorization };
        let mut client = Transport::open(server, opening).await;
        for _ in 0..2 {
            client.send("40").await;
            assert_kept_out(&client.packet().await);
        }
        client.send(&format!("40{}", json!({ "token": token("ann") }))).await;
        assert!(client.packet().await.starts_with("40{\"sid\":"), "{why}, {opening:?}");
        let mut old = Transport::open(server, Opening { protocol: 3, ..opening }).await;
        assert_eq!(old.packet().await, REFUSED_OLD, "{why}, {opening:?}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_in_the_packet() {
    for access in [Access::Token, Access::Open] {
        let server = with_keys(access).await;
        let mut tokens: Vec<(&str, Value)> =
            wrong().into_iter().map(|(why, token)| (why, token.into())).collect();
        tokens.extend([
            ("a number", json!(7)),
            ("an object", json!({ "token": token("mallory") })),
            ("a list", json!([token("mallory")])),
            ("false", json!(false)),
            ("a megabyte", json!("x".repeat(1_000_000))),
            (
                "a megabyte, signed",
                json!(signed(&json!({ "sub": "mallory", "exp": now() + 3600,
                "x": "x".repeat(700_000) }))),
            ),
        ]);
        for (why, token) in tokens {
            let mut client = Client::open(server.address()).await;
            assert!(client.frame().await.starts_with('0'));
            assert_kept_out(&client.enter_with(token).await);
            // A request before entering is ignored.
            client.send(r#"421["list-chats",{}]"#).await;
            let again = client.enter_with(json!(self::token("ann"))).await;
            assert!(again.starts_with("40{\"sid\":"), "{why}, {access}: {again}");
        }
        assert!(!server.knows("mallory").await, "{access}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_refused_in_the_handshake() {
    for access in [Access::Token, Access::Open] {
        let server = with_keys(access).await;
        for (why, token) in wrong() {
            let encoded: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
            // A long token in this encoding does not fit into a URL.
            if encoded.len() < 10_000 {
                is_refused(&server, why, &format!("&access_token={encoded}"), "").await;
            }
            is_refused(&server, why, "", &format!("Bearer {token}")).await;
        }
        is_refused(&server, "two", "&access_token=x&access_token=y", "").await;
        assert!(!server.knows("mallory").await, "{access}");
    }
}

#[tokio::test]
async fn an_unreadable_token_does_not_count_as_no_token() {
    let server = TestServer::with_credentials(Access::Open).await;
    for packet in [r#"40{"token":"\ud800"}"#, &format!(r#"40{{"token":{}"#, "[".repeat(1000))] {
        let mut client = Client::open(server.address()).await;
        assert!(client.frame().await.starts_with('0'));
        client.send(packet).await;
        assert_kept_out(&client.frame().await);
    }
    // These packets bring no token.
    for packet in ["40", "40{}", r#"40{"token":null}"#, r#"40{"name":"ann"}"#] {
        let mut client = Client::open(server.address()).await;
        assert!(client.frame().await.starts_with('0'));
        client.send(packet).await;
        assert!(client.frame().await.starts_with("40{\"sid\":"), "{packet}");
    }
}

#[tokio::test]
async fn nobody_connects_without_a_token_if_one_is_needed() {
    let server = TestServer::with_credentials(Access::Token).await;
    for (query, authorization) in [("", ""), ("&token=x", ""), ("", "Basic eDp5"), ("&b", "")] {
        is_refused(&server, "none", query, authorization).await;
    }
}

#[tokio::test]
async fn a_token_too_large_for_any_request_is_refused() {
    let server = TestServer::with_credentials(Access::Open).await;
    let (long, path) = ("x".repeat(1 << 20), "/socket.io/?EIO=4&transport=polling");
    let in_header = server.get(path, &format!("Authorization: Bearer {long}\r\n")).await;
    let in_query = server.get(&format!("{path}&access_token={long}"), "").await;
    for answer in [in_header, in_query] {
        // The server may close before it has read everything: then the answer is lost.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
}

#[tokio::test]
async fn a_token_is_accepted_if_clocks_differ_a_little() {
    let server = TestServer::with_credentials(Access::Token).await;
    let expired = signed(&json!({ "sub": "ann", "exp": now() - 10 }));
    assert_eq!(profile(&server, &expired).await["name"], "ann");
    let early = signed(&json!({ "sub": "ann", "exp": now() + 60, "nbf": now() + 10 }));
    assert_eq!(profile(&server, &early).await["name"], "ann");
}

#[tokio::test]
async fn connections_end_with_their_token() {
    let server = TestServer::with_credentials(Access::Token).await;
    let mut bob = server.token_user("bob").await;
    let mut lasting = server.token_user("ann").await;
    let chat = lasting.make_private(&mut [&mut bob]).await;
    // Its time to end, with the half minute by which clocks may differ, is in a few seconds.
    let short = signed(&json!({ "sub": "ann", "exp": now() - 26 }));
    let mut ending = server.connect_with(&short).await;
    ending.done("subscribe", channel(&chat)).await;
    ending.closed().await;
    for client in [&mut bob, &mut lasting] {
        client.sees_join(&chat, "ann", 1).await;
        client.sees_leave(&chat, "ann", 0).await;
    }
    let mut again = Client::open(server.address()).await;
    assert!(again.frame().await.starts_with('0'));
    assert_kept_out(&again.enter_with(json!(short)).await);
    lasting.nothing_more().await;
    lasting.done("remove-member", of_chat_and(&chat, &bob.id)).await;
}

#[tokio::test]
async fn a_token_that_never_ends_is_accepted() {
    let server = TestServer::with_credentials(Access::Token).await;
    for exp in [json!(1e18), json!(u64::MAX), json!(now() as f64 + 60.5)] {
        let token = signed(&json!({ "sub": "ann", "exp": exp }));
        let mut ann = server.connect_with(&token).await;
        ann.nothing_more().await;
    }
}
