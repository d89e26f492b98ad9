//! Public keys of a host application: which are used, for which tokens, and from when on.

use std::fs::{self, File};

use chinwag::Config;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::Running;
use crate::support::signing::{SECRET, claims, header, jwk, now, private_key, sign, signed};
use crate::support::{TestServer, soon};

const RS: Algorithm = Algorithm::RS256;
const ES: Algorithm = Algorithm::ES256;
const ED: Algorithm = Algorithm::EdDSA;

/// A token that this key has signed.
fn by(algorithm: Algorithm, kid: &str) -> String {
    sign(&header(algorithm, kid), &claims("ann"), &private_key(algorithm))
}

/// A key with one more field.
fn with(algorithm: Algorithm, kid: &str, field: &str, value: Value) -> Value {
    let mut key = jwk(algorithm, kid);
    key[field] = value;
    key
}

fn write(directory: &TempDir, keys: &[Value]) {
    fs::write(directory.path().join("keys.json"), json!({ "keys": keys }).to_string()).unwrap();
}

async fn server(directory: &TempDir, change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.jwt_jwks = Some(directory.path().join("keys.json"));
        change(config);
    })
    .await
}

async fn lets_in(server: &TestServer, token: &str) -> bool {
    match server.request("GET", "/api/inbox").bearer(token).send().await.status {
        200 => true,
        401 => false,
        status => panic!("answered with {status}"),
    }
}

#[tokio::test]
async fn a_key_is_used_only_for_its_algorithm_and_purpose() {
    let directory = TempDir::new().unwrap();
    write(
        &directory,
        &[
            with(RS, "mixed", "use", json!("enc")),
            jwk(ES, "mixed"),
            with(RS, "hash", "alg", json!("RS512")),
            with(ED, "wraps", "key_ops", json!(["wrapKey"])),
            with(ED, "verifies", "key_ops", json!(["sign", "verify"])),
            with(ES, "other", "use", json!("sig")),
            json!({ "kid": "later", "kty": "AKP", "alg": "ML-DSA-44", "pub": "x" }),
            json!({ "kid": "later", "kty": "EC", "crv": "secp256k1", "x": "x", "y": "y" }),
        ],
    );
    let server = server(&directory, |_| {}).await;
    for (algorithm, kid, used) in [
        (RS, "mixed", false),
        (ES, "mixed", true),
        (RS, "hash", false),
        (ED, "wraps", false),
        (ED, "verifies", true),
        (ES, "other", true),
        (RS, "other", false),
        (ES, "later", false),
    ] {
        assert_eq!(lets_in(&server, &by(algorithm, kid)).await, used, "{algorithm:?} {kid}");
    }
}

#[tokio::test]
async fn a_token_needs_the_right_issuer_and_audience() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[jwk(ED, "one")]);
    let server = server(&directory, |config| {
        config.jwt_secret = Some(SECRET.into());
        config.jwt_audience = vec!["chat".into(), "old chat".into()];
        config.jwt_issuer = vec!["https://id.example".into()];
    })
    .await;
    let issuer = json!("https://id.example");
    for (aud, iss, right) in [
        (json!("chat"), issuer.clone(), true),
        (json!("old chat"), issuer.clone(), true),
        (json!(["mail", "chat"]), issuer.clone(), true),
        (json!(["mail"]), issuer.clone(), false),
        (json!([]), issuer.clone(), false),
        (json!("mail"), issuer.clone(), false),
        (json!("Chat"), issuer.clone(), false),
        (Value::Null, issuer.clone(), false),
        (json!({ "chat": 1 }), issuer, false),
        (json!("chat"), json!("https://id.example/"), false),
        (json!("chat"), Value::Null, false),
    ] {
        let claims = json!({ "sub": "ann", "exp": now() + 60, "aud": aud, "iss": iss });
        let public = sign(&header(ED, "one"), &claims, &private_key(ED));
        for token in [signed(&claims), public] {
            assert_eq!(lets_in(&server, &token).await, right, "{claims}");
        }
    }
    assert!(!lets_in(&server, &by(ED, "one")).await, "it says neither");
    // The server also accepts its own tokens.
    assert!(lets_in(&server, server.sign_up("bob").await.access()).await);
}

#[tokio::test]
async fn an_unknown_key_makes_the_server_read_the_file_once() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[jwk(ED, "old")]);
    let server = server(&directory, |_| {}).await;
    assert!(lets_in(&server, &by(ED, "old")).await);
    write(&directory, &[jwk(ED, "old"), jwk(ES, "new")]);
    assert!(lets_in(&server, &by(ES, "new")).await, "at once");
}

#[tokio::test]
async fn a_changed_key_file_is_read_again() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[jwk(ED, "old")]);
    let server = server(&directory, |_| {}).await;
    // For a minute from now on, an unknown key does not make the server read the file.
    assert!(!lets_in(&server, &by(ES, "new")).await);
    write(&directory, &[jwk(ES, "new")]);
    soon("the new key is known", async { while !lets_in(&server, &by(ES, "new")).await {} }).await;
    assert!(!lets_in(&server, &by(ED, "old")).await, "it is not in the file any more");
    // The file is replaced by another, as deployments do.
    let next = directory.path().join("next.json");
    fs::write(&next, json!({ "keys": [jwk(RS, "next")] }).to_string()).unwrap();
    fs::rename(next, directory.path().join("keys.json")).unwrap();
    soon("the next key is known", async { while !lets_in(&server, &by(RS, "next")).await {} })
        .await;
}

/// Waits until the log has this message so many times.
async fn says(log: impl Fn() -> String, message: &str, times: usize) {
    soon(message, async {
        while lines(&log(), message) < times {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_key_file_is_read_again_at_sighup() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[jwk(ED, "one")]);
    let (file, log) = (directory.path().join("keys.json"), directory.path().join("log"));
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--jwt-jwks"]).arg(&file);
        command.stderr(File::create(&log).unwrap());
    });
    // The file has not changed.
    for times in 1..=2 {
        running.signal("HUP");
        says(|| fs::read_to_string(&log).unwrap(), "the keys were read again", times).await;
    }
}

/// How many lines have this message.
fn lines(log: &str, message: &str) -> usize {
    log.lines().filter(|line| line.contains(message)).count()
}

#[tokio::test]
async fn an_unusable_key_file_leaves_the_keys_as_they_are() {
    let directory = TempDir::new().unwrap();
    write(&directory, &[jwk(ED, "one")]);
    let (file, log) = (directory.path().join("keys.json"), directory.path().join("log"));
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--jwt-jwks"]).arg(&file);
        command.stderr(File::create(&log).unwrap());
    });
    let server = TestServer::apart(directory, running);
    let log = || fs::read_to_string(&log).unwrap();
    for setting in ["--jwt-audience", "--jwt-issuer"] {
        assert_eq!(lines(&log(), &format!("--jwt-jwks without {setting}")), 1, "{}", log());
    }
    let stay = "the keys stay as they are";
    fs::write(&file, "half of it").unwrap();
    says(log, stay, 1).await;
    assert!(lets_in(&server, &by(ED, "one")).await);
    fs::remove_file(&file).unwrap();
    says(log, stay, 2).await;
    assert!(lets_in(&server, &by(ED, "one")).await);
    server.shutdown().await;
}
