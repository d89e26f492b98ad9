//! How tokens are issued, signed, refreshed and ended, and how often a password may be wrong.

use chinwag::{Access, Config};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::http::{Account, Answer, FORM, JSON, PASSWORD, registration};
use crate::support::live::Live;

const HOST_SECRET: &str = "what the host application signs with";
const API_KEY: &str = "the service's key";

fn with_credentials(config: &mut Config) {
    config.api_key = Some(API_KEY.into());
    config.jwt_secret = Some(HOST_SECRET.into());
}

/// The Unix time so many seconds from now.
fn seconds_from_now(seconds: i64) -> i64 {
    chrono::Utc::now().timestamp() + seconds
}

/// A token signed by HS256.
fn sign(header: Value, claims: Value, secret: &str) -> String {
    let mut full = Header::new(Algorithm::HS256);
    full.kid = header["kid"].as_str().map(str::to_owned);
    if let Some(key) = header["access_key"].as_str() {
        let extra = serde_json::from_value(json!({ "alg": "HS256", "access_key": key }));
        full = extra.unwrap();
    }
    encode(&full, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A token of the host application for a user of its own.
fn host_token(external_id: &str, exp: i64) -> String {
    sign(json!({}), json!({ "sub": external_id, "exp": exp }), HOST_SECRET)
}

/// The answer of the inbox to a request with this token.
async fn inbox(server: &TestServer, token: &str) -> Answer {
    server.request("GET", "/api/inbox").bearer(token).send().await
}

#[track_caller]
fn assert_unauthenticated(answer: &Answer) {
    answer.refused(401, "Authentication error");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

impl Account {
    fn text(&self, key: &str) -> &str {
        self.token[key].as_str().unwrap()
    }

    fn sign(&self, claims: Value) -> String {
        let header = json!({ "kid": self.text("access_key_id") });
        sign(header, claims, self.text("secret_access_key"))
    }
}

#[tokio::test]
async fn a_token_may_be_signed_by_the_client_itself() {
    let server = TestServer::start().await;
    let (bob, eve) = (server.sign_up("bob").await, server.sign_up("eve").await);
    let (key, secret) = (bob.text("access_key_id"), bob.text("secret_access_key"));
    for token in [
        bob.sign(json!({})),
        bob.sign(json!({ "exp": seconds_from_now(60) })),
        bob.sign(json!({ "exp": seconds_from_now(1_000_000_000), "sub": "eve", "aud": "x" })),
        sign(json!({ "access_key": key }), json!({}), secret),
    ] {
        inbox(&server, &token).await.data();
    }
    let unsigned = |algorithm: &str, signature: &str| {
        let header =
            BASE64URL_NOPAD.encode(json!({ "alg": algorithm, "kid": key }).to_string().as_bytes());
        format!("{header}.{}.{signature}", BASE64URL_NOPAD.encode(b"{}"))
    };
    for token in [
        bob.sign(json!({ "exp": seconds_from_now(-60) })),
        bob.sign(json!({ "exp": "tomorrow" })),
        bob.sign(json!({ "nbf": seconds_from_now(600) })),
        sign(json!({ "kid": key }), json!({}), eve.text("secret_access_key")),
        sign(json!({ "kid": eve.text("access_key_id") }), json!({}), secret),
        sign(json!({ "kid": "X" }), json!({}), secret),
        sign(json!({}), json!({}), secret),
        unsigned("none", ""),
        unsigned("None", "x"),
        unsigned("HS512", "x"),
        key.to_owned(),
        secret.to_owned(),
        bob.text("refresh_token").to_owned(),
        format!("{}x", bob.access()),
        "x".repeat(20_000),
        "..".into(),
        String::new(),
    ] {
        assert_unauthenticated(&inbox(&server, &token).await);
    }
}

#[tokio::test]
async fn a_token_comes_in_the_header_or_the_query() {
    for access in [Access::Open, Access::Token] {
        let server = TestServer::with(|config| config.access = Some(access)).await;
        let bob = server.sign_up("bob").await;
        let token = bob.access();
        let in_query = format!("/api/inbox?access_token={token}");
        for (path, header, status) in [
            ("/api/inbox", format!("Authorization: Bearer {token}\r\n"), 200),
            ("/api/inbox", format!("authorization: bearer   {token}\r\n"), 200),
            (&in_query, String::new(), 200),
            (&in_query, "Authorization: Basic Ym9iOngK\r\n".into(), 200),
            ("/api/inbox", "Authorization: Basic Ym9iOngK\r\n".into(), 401),
            ("/api/inbox", format!("Authorization: {token}\r\n"), 401),
            ("/api/inbox", format!("Cookie: access_token={token}\r\n"), 401),
            (&in_query, "Authorization: Bearer x\r\n".into(), 401),
            ("/api/inbox", String::new(), 401),
        ] {
            let answer = server.request("GET", path).header(&header).send().await;
            assert_eq!(answer.status, status, "{path} {header}");
            if status == 401 {
                assert_unauthenticated(&answer);
            }
        }
    }
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_ends_the_old_token() {
    let server = TestServer::start().await;
    let bob = server.sign_up("bob").await;
    let other = server.log_in("bob", PASSWORD).await.data()[0].clone();
    let mut live = Live::connect(&server, bob.access()).await;
    let mut socket = server.connect_with(bob.access()).await;
    let mut others = Live::connect(&server, other["access_token"].as_str().unwrap()).await;
    let refresh = json!({ "refresh_token": format!(" {} ", bob.text("refresh_token")) });

    let new = server.post("/api/auth_token/refresh", refresh.clone()).await.data()[0].clone();
    assert_eq!(new["user_id"], bob.id());
    assert_eq!(live.closed().await, 4401);
    socket.closed().await;
    assert_unauthenticated(&inbox(&server, bob.access()).await);
    assert_unauthenticated(&inbox(&server, &bob.sign(json!({}))).await);
    server.fetch("/api/inbox", new["access_token"].as_str().unwrap()).await;

    let again = server.post("/api/auth_token/refresh", refresh).await;
    let errors = json!({ "error": "this refresh token is not valid" });
    assert_eq!(again.refused(401, "Authentication error"), &errors);
    for wrong in [other["access_key_id"].clone(), other["secret_access_key"].clone(), "x".into()] {
        let body = json!({ "refresh_token": wrong });
        assert_unauthenticated(&server.post("/api/auth_token/refresh", body).await);
    }
    // The user's other token stays valid.
    others.is_open().await;
}

#[tokio::test]
async fn logging_out_ends_the_token_of_the_request() {
    let server = TestServer::start().await;
    server.sign_up("bob").await;
    let log_out = async |path: &str, header: String, body: String| {
        let request = server.request("DELETE", path).header(&header);
        let request = if body.is_empty() { request } else { request.body(body) };
        request.send().await
    };
    for way in ["header", "query", "form", "json"] {
        let token = server.log_in("bob", PASSWORD).await.data()[0].clone();
        let token = token["access_token"].as_str().unwrap();
        let kept = server.log_in("bob", PASSWORD).await.data()[0].clone();
        let mut live = Live::connect(&server, token).await;
        let mut socket = server.connect_with(token).await;
        let path = format!("/api/auth_token?access_token={token}");
        let (path, header, body) = match way {
            "header" => {
                ("/api/auth_token", format!("Authorization: Bearer {token}\r\n"), String::new())
            }
            "query" => (path.as_str(), String::new(), String::new()),
            "form" => ("/api/auth_token", FORM.into(), format!("access_token={token}")),
            _ => ("/api/auth_token", JSON.into(), json!({ "access_token": token }).to_string()),
        };
        let answer = log_out(path, header.clone(), body.clone()).await;
        assert_eq!(answer.data(), json!([]), "{way}");
        assert_eq!(live.closed().await, 4401);
        socket.closed().await;
        assert_unauthenticated(&log_out(path, header, body).await);
        assert_unauthenticated(&inbox(&server, token).await);
        server.fetch("/api/inbox", kept["access_token"].as_str().unwrap()).await;
    }
    assert_unauthenticated(&log_out("/api/auth_token", String::new(), String::new()).await);
    let megabyte = format!("access_token={}", "x".repeat(1_000_000));
    assert_unauthenticated(&log_out("/api/auth_token", FORM.into(), megabyte).await);
}

#[tokio::test]
async fn only_a_token_of_this_server_can_be_ended() {
    let server = TestServer::with(with_credentials).await;
    let errors = json!({ "error": "only a token that was given out here can be ended" });
    for token in [API_KEY.to_owned(), host_token("7", seconds_from_now(60))] {
        let answer = server.request("DELETE", "/api/auth_token").bearer(&token).send().await;
        assert_eq!(answer.refused(403, "Access error"), &errors);
    }
}

#[tokio::test]
async fn the_host_applications_tokens_make_users() {
    let server = TestServer::with(with_credentials).await;
    let claims = json!({ "sub": "7", "exp": seconds_from_now(60), "name": "Ann" });
    for header in [json!({}), json!({ "kid": "of the host's own" })] {
        inbox(&server, &sign(header, claims.clone(), HOST_SECRET)).await.data();
    }
    for claims in [
        json!({ "sub": "7" }),
        json!({ "exp": seconds_from_now(60) }),
        json!({ "sub": "7", "exp": seconds_from_now(-60) }),
        json!({ "sub": "", "exp": seconds_from_now(60) }),
        json!({ "sub": "7", "exp": seconds_from_now(60), "name": " " }),
    ] {
        assert_unauthenticated(&inbox(&server, &sign(json!({}), claims, HOST_SECRET)).await);
    }
    assert_unauthenticated(&inbox(&server, &sign(json!({}), claims, "another secret")).await);
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let server = TestServer::with(with_credentials).await;
    let bob = server.sign_up("bob").await;
    // Clocks may differ by 30 seconds, so that this token is valid for two more seconds.
    for own in [false, true] {
        let exp = seconds_from_now(-28);
        let token = if own { bob.sign(json!({ "exp": exp })) } else { host_token("7", exp) };
        let mut live = Live::connect(&server, &token).await;
        assert_eq!(live.closed().await, 4401);
        assert_unauthenticated(&inbox(&server, &token).await);
    }
}

#[tokio::test]
async fn wrong_passwords_are_limited_for_each_account() {
    let server = TestServer::with_limits(|limits| limits.failed_logins_per_account = 3).await;
    server.sign_up("bob").await;
    server.sign_up("rob").await;
    for _ in 0..5 {
        server.log_in("bob", PASSWORD).await.data();
    }
    for _ in 0..3 {
        server.log_in("bob", "wrong").await.refused(401, "Authentication error");
    }
    server.log_in("bob", "wrong").await.limited(20_000);
    server.log_in("bob", PASSWORD).await.limited(20_000);
    server.log_in("rob", PASSWORD).await.data();
    // A name that no user has is limited in the same way, so that the limit reveals nothing.
    for _ in 0..3 {
        server.log_in("nobody", "wrong").await.refused(401, "Authentication error");
    }
    server.log_in("nobody", "wrong").await.limited(20_000);
}

#[tokio::test]
async fn wrong_passwords_are_limited_for_each_address() {
    let server = TestServer::with(|config| {
        config.access = Some(Access::Open);
        config.trusted_proxies = 1;
        config.limits.failed_logins_per_address = 3;
    })
    .await;
    server.post("/api/register", registration("bob")).await.data();
    let log_in = async |address: &str, username: &str, password: &str| {
        let body = json!({ "username": username, "password": password });
        let header = format!("X-Forwarded-For: {address}\r\n");
        server.request("POST", "/api/auth_token").header(&header).json(&body).send().await
    };
    for _ in 0..5 {
        log_in("203.0.113.1", "bob", PASSWORD).await.data();
    }
    for name in ["bob", "ann", "eve"] {
        log_in("203.0.113.1", name, "wrong").await.refused(401, "Authentication error");
    }
    log_in("203.0.113.1", "bob", PASSWORD).await.limited(20_000);
    log_in("203.0.113.2", "bob", PASSWORD).await.data();
}
