//! Signing up, logging in, and the tokens that these give.

use chinwag::{Config, Registration};
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::http::{Account, FORM, PASSWORD, registration};

/// Fails unless the key is 52 characters of base32.
#[track_caller]
fn assert_key(key: &Value) {
    let key = key.as_str().unwrap();
    let base32 = |byte: u8| matches!(byte, b'A'..=b'Z' | b'2'..=b'7');
    assert!(key.len() == 52 && key.bytes().all(base32), "{key}");
}

/// The microseconds of an RFC 3339 time in UTC.
#[track_caller]
fn micros(time: &Value) -> i64 {
    let text = time.as_str().unwrap();
    assert!(text.len() == 27 && text.ends_with('Z') && text.as_bytes()[19] == b'.', "{text}");
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

/// The token as the origin document prints it, followed by `access_token` and `user_id`.
#[track_caller]
fn token_text(token: &Value) -> String {
    for key in ["access_key_id", "secret_access_key", "refresh_token"] {
        assert_key(&token[key]);
    }
    let life = micros(&token["expires_at"]) - micros(&token["created_at"]);
    assert_eq!(life, 30 * 24 * 60 * 60 * 1_000_000);
    assert_eq!(token["modified_at"], token["created_at"]);
    let fields = [
        "access_key_id",
        "access_token",
        "created_at",
        "expires_at",
        "is_refreshable",
        "modified_at",
        "refresh_token",
        "secret_access_key",
        "user_id",
    ];
    assert_eq!(token["is_refreshable"], true);
    let fields: Vec<_> = fields.iter().map(|name| format!("\"{name}\":{}", token[name])).collect();
    format!("{{{}}}", fields.join(","))
}

fn enveloped(item: &str) -> String {
    format!(
        "{{\"status\":\"success\",\"data\":[{item}],\
         \"error\":{{\"code\":200,\"errors\":null,\"message\":\"\"}},\
         \"page\":1,\"per_page\":10,\"current_page\":1}}"
    )
}

#[tokio::test]
async fn signing_up_and_logging_in_answer_as_the_origin_document_shows() {
    let server = TestServer::start().await;
    let answer = server.post("/api/register", registration("bob")).await;
    let token = token_text(&answer.json["data"][0]["token"]);
    let account = format!(
        "{{\"email\":\"bob@example.com\",\"first_name\":\"Bob\",\"last_name\":\"Bobson\",\
         \"phone_number\":\"098111098\",\"token\":{token},\"username\":\"bob\"}}"
    );
    assert_eq!(answer.text, enveloped(&account));
    assert_eq!(answer.header("content-type"), Some("application/json"));

    let again = server.log_in("bob", PASSWORD).await;
    assert_eq!(again.text, enveloped(&token_text(&again.json["data"][0])));
    let (first, second) = (&answer.json["data"][0]["token"], &again.json["data"][0]);
    for key in ["access_key_id", "secret_access_key", "refresh_token", "access_token"] {
        assert_ne!(first[key], second[key]);
    }
    for token in [first, second] {
        server.fetch("/api/inbox", token["access_token"].as_str().unwrap()).await;
    }
}

#[tokio::test]
async fn a_form_is_taken_and_its_fields_are_trimmed() {
    let server = TestServer::start().await;
    let form = "first_name=+Bob&last_name=Bobson%20&username=+bob+&password=+correct+horse+\
                &email=%0Abob%40example.com&phone=%2B98";
    let charset = FORM.replace("\r\n", "; charset=UTF-8\r\n");
    let answer = server.request("POST", "/api/register").header(&charset).body(form).send().await;
    let data = answer.data();
    assert_eq!(
        (&data[0]["username"], &data[0]["email"], &data[0]["phone_number"], &data[0]["first_name"]),
        (&json!("bob"), &json!("bob@example.com"), &json!("+98"), &json!("Bob"))
    );
    for password in [PASSWORD, "  correct horse\t"] {
        server.log_in(" bob ", password).await.data();
    }
}

#[tokio::test]
async fn every_field_has_its_rule() {
    let server = TestServer::start().await;
    let long = |length| "x".repeat(length);
    for (at, (field, right, wrong)) in [
        ("first_name", "Ünal".into(), "".into()),
        ("first_name", "Bob".into(), "Bo\nb".into()),
        ("first_name", long(200), long(256)),
        ("last_name", "O'Hara-Smith 3rd".into(), " ".into()),
        ("username", "Bo".into(), "b".into()),
        ("username", format!("a{}", long(31)), format!("a{}", long(32))),
        ("username", "b_9".into(), "9b".into()),
        ("username", "robert".into(), "bö".into()),
        ("username", "roberta".into(), "_rob".into()),
        ("username", "robertino".into(), "rob bob".into()),
        ("password", long(10), long(9)),
        ("password", "ääääääääää".into(), "äääääääää".into()),
        ("password", long(1024), long(1025)),
        ("email", "a@b".into(), "ab".into()),
        ("email", "a+b@c.example".into(), "@b".into()),
        ("email", "ä@ö".into(), "a@".into()),
        ("email", "a.b@c".into(), "a@b@c".into()),
        ("email", format!("{}@c", long(252)), format!("{}@c", long(253))),
        ("email", "b@c.d".into(), "a b@c".into()),
        ("phone", "+4712345".into(), "+".into()),
        ("phone", "0".into(), "12 34".into()),
        ("phone", "1".repeat(32), "1".repeat(33)),
        ("phone", "+0".into(), "++0".into()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = registration(&format!("user{at}"));
        for wrong in [Value::String(wrong), json!(7), json!(null), json!([])] {
            body[field] = wrong;
            let answer = server.post("/api/register", body.clone()).await;
            let errors = answer.refused(400, "Form error").as_object().unwrap();
            assert_eq!(errors.keys().collect::<Vec<_>>(), [field], "{body}");
        }
        body.as_object_mut().unwrap().remove(field);
        let answer = server.post("/api/register", body.clone()).await;
        assert_eq!(answer.refused(400, "Form error"), &json!({ field: "is required" }));
        body[field] = right.into();
        server.post("/api/register", body).await.data();
    }
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once() {
    let server = TestServer::start().await;
    let answer = server.post("/api/register", json!({ "username": "9", "email": "a" })).await;
    let errors = json!({
        "email": "must be an email address",
        "first_name": "is required",
        "last_name": "is required",
        "password": "is required",
        "phone": "is required",
        "username": "must be 2 to 32 letters, digits and underscores, a letter first",
    });
    assert_eq!(answer.refused(400, "Form error"), &errors);
    for path in ["/api/register", "/api/auth_token", "/api/auth_token/refresh"] {
        for answer in [
            server.post(path, json!({})).await,
            server.request("POST", path).send().await,
            server.request("POST", path).header(FORM).body("x=1&%ff=%00").send().await,
        ] {
            assert_ne!(answer.refused(400, "Form error"), &json!({}));
        }
    }
    // Each name is short enough; combined into the one name that others see, they are cut.
    let mut long = registration("long");
    long["first_name"] = "x".repeat(200).into();
    long["last_name"] = "y".repeat(55).into();
    server.post("/api/register", long).await.data();
}

#[tokio::test]
async fn fields_that_another_user_has_are_named() {
    let server = TestServer::start().await;
    server.sign_up("bob").await;
    for (fields, taken) in [
        (&["username"][..], "another user has this username"),
        (&["email"], "another user has this email"),
        (&["phone"], "another user has this phone"),
        (&["username", "phone"], "another user has this username, this phone"),
        (&["username", "email", "phone"], "another user has this username, this email, this phone"),
    ] {
        let (mut body, bob) = (registration("rob"), registration("bob"));
        fields.iter().for_each(|field| body[*field] = bob[*field].clone());
        let answer = server.post("/api/register", body).await;
        assert_eq!(answer.refused(400, "User error"), &json!({ "error": taken }));
    }
    let mut body = registration("rob");
    body["email"] = "BOB@Example.Com".into();
    let answer = server.post("/api/register", body.clone()).await;
    answer.refused(400, "User error");
    server.sign_up("rob").await;
    body["email"] = "other@example.com".into();
    body["username"] = "BOB".into();
    body["phone"] = "1".into();
    server.post("/api/register", body).await.refused(400, "User error");
}

#[tokio::test]
async fn the_handle_or_id_of_another_user_is_no_username() {
    let server = TestServer::start().await;
    let mut client = server.connect().await;
    let user = json!({ "external_id": "1", "name": "x", "photo": "", "handle": "carl" });
    client.ask("create-user", json!({ "user": user })).await;
    let user = json!({ "id": "dora", "name": "x", "photo": "" });
    client.ask("create-user", json!({ "user": user })).await;
    for name in ["carl", "dora"] {
        let answer = server.post("/api/register", registration(name)).await;
        let taken = json!({ "error": "another user has this username" });
        assert_eq!(answer.refused(400, "User error"), &taken);
    }
    // A user of Socket.IO cannot take the name of an account either.
    let bob = server.sign_up("bob").await;
    for user in [json!({ "external_id": "2", "handle": "bob" }), json!({ "id": "bob" })] {
        let mut user = user;
        (user["name"], user["photo"]) = ("x".into(), "".into());
        let error = client.refused("create-user", json!({ "user": user })).await;
        assert_eq!(error["code"], "conflict", "{user} {error}");
    }
    let user = json!({ "id": bob.id(), "name": "mine", "photo": "" });
    let error = client.refused("create-user", json!({ "user": user })).await;
    assert_eq!(error["code"], "unauthenticated", "{error}");
}

#[tokio::test]
async fn nobody_signs_up_where_registration_is_closed() {
    let closed = |config: &mut Config| config.registration = Registration::Closed;
    let server = TestServer::start().await;
    let Account { username, .. } = server.sign_up("bob").await;
    let server = TestServer::on(server.shutdown().await, closed).await;
    let answer = server.post("/api/register", registration("rob")).await;
    assert_eq!(answer.refused(403, "Access error"), &json!({ "error": "nobody can sign up here" }));
    server.log_in(&username, PASSWORD).await.data();
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_error() {
    let server = TestServer::start().await;
    server.sign_up("bob").await;
    let errors = json!({ "error": "wrong username or password" });
    let long = "x".repeat(100_000);
    for (username, password) in [
        ("bob", "correct horses"),
        ("bob", "x"),
        ("rob", PASSWORD),
        ("bob", long.as_str()),
        (long.as_str(), PASSWORD),
    ] {
        let answer = server.log_in(username, password).await;
        assert_eq!(answer.refused(401, "Authentication error"), &errors);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn an_account_needs_only_a_username_and_a_password() {
    let server = TestServer::start().await;
    let account = json!({ "username": "ann", "password": PASSWORD, "email": " " });
    let made = server.post("/api/accounts", account.clone()).await.data();
    let fields = ["email", "first_name", "last_name", "phone_number"];
    assert!(fields.iter().all(|field| made[0][field].is_null()), "{made}");
    assert_eq!(made[0]["username"], "ann");
    // Fields that are not given cannot be taken by another.
    let body = json!({ "username": "bob", "password": PASSWORD, "first_name": "Bob" });
    let bob = server.post("/api/accounts", body).await.data();
    assert_eq!(bob[0]["first_name"], "Bob");
    let taken = server.post("/api/accounts", account).await;
    assert_eq!(taken.refused(400, "User error")["error"], "another user has this username");
    let body = json!({ "username": "1", "email": "nonsense" });
    let wrong = server.post("/api/accounts", body).await;
    let errors = wrong.refused(400, "Form error");
    let wrong: Vec<_> = errors.as_object().unwrap().keys().collect();
    assert_eq!(wrong, ["email", "password", "username"]);
    let token = server.log_in("ann", PASSWORD).await.data()[0]["access_token"].clone();
    let users = server.request("POST", "/api/events/list-chats").bearer(token.as_str().unwrap());
    assert_eq!(users.json(&json!({})).send().await.status, 200);
}
