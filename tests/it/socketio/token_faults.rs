//! The reason why a token is refused: what its client is told, and what is logged.

use std::fs::{self, File};

use chinwag::Access;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::logs::fields;
use crate::support::program::Running;
use crate::support::signing::{SECRET, claims, header, jwk, now, private_key, sign, signed};
use crate::support::{TestServer, soon};

/// The `data` of the error with which a token is refused.
async fn refusal(server: &TestServer, token: &str) -> Value {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "WhoAmI", "params": [] });
    let answer = server.request("POST", "/rpc").bearer(token).json(&call).send().await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    answer.json["error"]["data"].clone()
}

#[tokio::test]
async fn a_refused_client_learns_whether_to_get_a_new_token() {
    let server = TestServer::with_credentials(Access::Token).await;
    let bob = server.sign_up("bob").await;
    let own = |exp: i64| {
        let key =
            EncodingKey::from_secret(bob.token["secret_access_key"].as_str().unwrap().as_bytes());
        let kid = bob.token["access_key_id"].as_str().unwrap();
        sign(&header(Algorithm::HS256, kid), &json!({ "exp": exp }), &key)
    };
    for (token, reason) in [
        (signed(&json!({ "sub": "ann", "exp": now() - 60 })), "expired"),
        (own(now() - 60), "expired"),
        (signed(&json!({ "sub": "ann", "exp": now() - 60 })) + "x", "invalid"),
        (signed(&json!({ "sub": "ann" })), "invalid"),
        ("nonsense".into(), "invalid"),
    ] {
        let data = refusal(&server, &token).await;
        assert_eq!((&data["code"], &data["reason"]), (&json!("unauthenticated"), &json!(reason)));
    }
    let (fresh, stale) = (own(now() + 60), own(now() - 60));
    server.request("DELETE", "/api/auth_token").bearer(bob.access()).send().await.data();
    for (token, reason) in [(bob.access(), "revoked"), (&fresh, "revoked"), (&stale, "expired")] {
        assert_eq!(refusal(&server, token).await["reason"], reason);
    }
    let none = server.request("POST", "/rpc").json(&json!([])).send().await;
    assert_eq!(none.json["error"]["data"].get("reason"), None, "there was no token");
}

#[tokio::test]
async fn the_log_says_why_and_how_often_tokens_are_refused() {
    let directory = TempDir::new().unwrap();
    let (keys, log) = (directory.path().join("keys.json"), directory.path().join("log"));
    fs::write(&keys, json!({ "keys": [jwk(Algorithm::EdDSA, "one")] }).to_string()).unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--access", "token"]);
        command.args(["--jwt-audience", "chat", "--jwt-issuer", "us", "--jwt-jwks"]).arg(&keys);
        command.env("CHINWAG_JWT_SECRET", SECRET).stderr(File::create(&log).unwrap());
    });
    let server = TestServer::apart(directory, running);
    let claims = |field: &str, value: Value| {
        let mut claims = json!({ "sub": "ann", "exp": now() + 60, "aud": "chat", "iss": "us" });
        claims[field] = value;
        claims
    };
    let right = claims("name", json!("Ann"));
    let guess = EncodingKey::from_secret(b"a guess");
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let public = |algorithm, kid| sign(&header(algorithm, kid), &right, &private_key(algorithm));
    let cases = [
        ("has expired", signed(&claims("exp", json!(now() - 60)))),
        ("signature", sign(&Header::default(), &right, &guess)),
        ("its algorithm is", sign(&Header::new(Algorithm::HS512), &right, &secret)),
        ("its algorithm is", public(Algorithm::ES256, "one")),
        (
            "its algorithm is",
            format!("eyJhbGciOiJub25lIn0.{}.", signed(&right).split('.').nth(1).unwrap()),
        ),
        ("exp is missing", signed(&claims("exp", Value::Null))),
        ("exp is missing", signed(&claims("exp", json!("tomorrow")))),
        ("key is unknown", public(Algorithm::EdDSA, "two")),
        ("(aud)", signed(&claims("aud", json!("mail")))),
        ("(iss)", signed(&claims("iss", Value::Null))),
        ("(nbf)", signed(&claims("nbf", json!(now() + 600)))),
        ("sub is a number", signed(&claims("sub", json!(1.5)))),
        ("neither", "nonsense".into()),
    ];
    let said = |why: &str| {
        let lines = fields(&fs::read_to_string(&log).unwrap(), "a token was refused");
        let of_cause = lines.iter().filter(|fields| fields["why"].as_str().unwrap().contains(why));
        let times = of_cause.map(|fields| fields["times"].as_u64().unwrap());
        (times.clone().count(), times.sum::<u64>())
    };
    let mut expected = std::collections::HashMap::new();
    for (why, token) in &cases {
        for _ in 0..20 {
            refusal(&server, token).await;
        }
        *expected.entry(*why).or_default() += 20;
    }
    for (why, times) in expected {
        soon(why, async {
            while said(why).1 < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(said(why).1, times, "{why}");
        assert!(said(why).0 < times as usize, "{why}: one line for each");
    }
    let log = fs::read_to_string(&log).unwrap();
    for (why, token) in &cases {
        assert!(!log.contains(token.as_str()), "{why}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_numeric_sub_is_read_as_its_digits() {
    let server = TestServer::with_credentials(Access::Token).await;
    let who = async |token: &str| {
        let mut client = server.connect_with(token).await;
        let made =
            client.done("create-chat", json!({ "chat": { "name": "x" }, "users": [] })).await;
        made["chat"]["user"].clone()
    };
    let seven = who(&signed(&claims("7"))).await;
    for number in [json!(7), json!(7.0)] {
        let mut claims = claims("");
        claims["sub"] = number;
        assert_eq!(who(&signed(&claims)).await, seven);
    }
    for number in [json!(7.5), json!(1e300), json!(true)] {
        let mut claims = claims("");
        claims["sub"] = number;
        assert_eq!(refusal(&server, &signed(&claims)).await["reason"], "invalid", "{claims}");
    }
    let mut claims = claims("");
    claims["sub"] = json!(u64::MAX);
    assert_eq!(
        who(&signed(&claims)).await,
        who(&signed(&self::claims("18446744073709551615"))).await
    );
}
