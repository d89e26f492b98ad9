//! The program's commands besides serving: health, tokens, the settings.

use std::path::Path;
use std::process::Command;

use chinwag::Access;
use serde_json::json;
use tempfile::TempDir;

use crate::support::database;
use crate::support::program::{Running, program};
use crate::support::signing::{API_KEY, SECRET, claims, now, signed, token, with_credentials};
use crate::support::{Client, TestServer};

/// Runs a command with these settings; returns its exit code, standard output and standard error.
fn run(arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = program();
    command.args(arguments).envs(settings.iter().copied());
    output_of(command)
}

fn output_of(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn is_healthy(arguments: &[&str], settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let (code, output, errors) = run(&[&["health"], arguments].concat(), settings);
    assert_eq!(output, "", "it says nothing if all is well");
    (code, errors)
}

#[test]
fn a_command_asks_whether_a_server_is_ready() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(directory.path());
    let (host, port) = (running.address.to_string(), running.address.port().to_string());
    let url = format!("http://{host}");
    assert_eq!(is_healthy(&["--url", &url], &[]), (Some(0), String::new()));
    let everywhere = format!("0.0.0.0:{port}");
    assert_eq!(is_healthy(&[], &[("CHINWAG_LISTEN", &everywhere)]), (Some(0), String::new()));
    assert_eq!(is_healthy(&[], &[("PORT", &port)]), (Some(0), String::new()));

    let (code, why) = is_healthy(&["--url", &format!("{url}/chat/")], &[]);
    assert_eq!((code, why.contains("404")), (Some(1), true), "{why}");
    let (code, why) = is_healthy(&["--url", "https://example.com"], &[]);
    assert_eq!((code, why.contains("--url must be http://")), (Some(1), true), "{why}");
    running.end("TERM");
    let (code, why) = is_healthy(&["--url", &url], &[]);
    assert_eq!((code, why.contains("does not answer")), (Some(1), true), "{why}");
}

#[tokio::test]
async fn a_command_makes_a_token_that_the_server_takes() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Token)(config);
        config.jwt_audience = vec!["chat".into(), "other".into()];
        config.jwt_issuer = vec!["host".into()];
    })
    .await;
    let settings = [
        ("CHINWAG_JWT_SECRET", SECRET),
        ("CHINWAG_JWT_AUDIENCE", "chat,other"),
        ("CHINWAG_JWT_ISSUER", "host"),
    ];
    let (code, token, _) = run(&["token", "--user", "app-7", "--for", "30m"], &settings);
    assert_eq!(code, Some(0));
    server.connect_with(&token).await;
    assert!(server.knows("app-7").await);
    let (code, whose, _) = run(&["check", "token", &token], &settings);
    assert_eq!(code, Some(0));
    assert!(whose.contains("app-7") && whose.contains(", until 20"), "{whose}");

    let (code, _, why) = run(&["token", "--user", "app-7"], &[]);
    assert_eq!((code, why.contains("set CHINWAG_JWT_SECRET")), (Some(2), true), "{why}");
    for wrong in [["--user", "", "--for", "1h"], ["--user", "x", "--for", "1"]] {
        let (code, _, why) = run(&[&["token"], &wrong[..]].concat(), &settings);
        assert!(code != Some(0) && why.contains("must be"), "{why}");
    }
}

#[tokio::test]
async fn a_command_says_whose_a_token_is() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let account = server.sign_up("bobby").await;
    let mut bob: Client = server.connect_with(account.access()).await;
    let database = url_of(&server);
    let settings = [
        ("CHINWAG_JWT_SECRET", SECRET),
        ("CHINWAG_API_KEY", API_KEY),
        ("CHINWAG_DATABASE_URL", database.as_str()),
    ];
    let check = |token: &str| run(&["check", "token", token], &settings);
    let (code, whose, _) = check(account.access());
    assert_eq!(code, Some(0));
    let made = bob.done("create-chat", json!({ "chat": { "name": "tea" }, "users": [] })).await;
    let id = made["chat"]["user"].as_str().unwrap();
    assert!(whose.contains(id), "{whose}");
    let (code, whose, _) = check(API_KEY);
    assert_eq!((code, whose.as_str()), (Some(0), "the API key: the service, for good"));

    let mut expired = claims("ann");
    expired["exp"] = (now() - 3600).into();
    let end = &token("ann")[..40];
    for (token, why) in [
        (signed(&expired), "it has expired"),
        (format!("{}x", token("ann")), "its signature"),
        (end.to_owned(), "neither"),
    ] {
        let (code, _, error) = check(&token);
        assert_eq!((code, error.contains(why)), (Some(1), true), "{error}");
    }
    bob.done("delete-user", json!({ "messages": "keep" })).await;
    let (code, _, error) = check(account.access());
    assert_eq!((code, error.contains("revoked")), (Some(1), true), "{error}");
}

fn url_of(server: &TestServer) -> String {
    database::url_in(server.directory.path())
}

#[test]
fn settings_are_shown_without_secrets() {
    let directory = TempDir::new().unwrap();
    let file = format!("sqlite:{}", directory.path().join("none.db").display());
    let settings = [
        ("CHINWAG_DATABASE_URL", file.as_str()),
        ("CHINWAG_API_KEY", "hush"),
        ("CHINWAG_REDIS_URL", ""),
        ("CHINWAG_PING_TIMEOUT", "7"),
        ("CHINWAG_ALLOW_ORIGIN", "https://one.example,https://two.example"),
    ];
    let (code, shown, errors) = run(&["check", "config"], &settings);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    for line in [
        &format!("database-url: {file}"),
        "api-key: (set, and not shown)",
        "ping-timeout: 7",
        "allow-origin: https://one.example,https://two.example",
        "listen: localhost:3000",
    ] {
        assert!(shown.lines().any(|it| it == line), "{line} is not in {shown}");
    }
    assert!(!shown.contains("hush") && !shown.contains("redis-url"), "{shown}");
    assert!(!Path::new(&file["sqlite:".len()..]).exists(), "nothing is made");

    let server = [("CHINWAG_DATABASE_URL", "postgres://ann:hush@db.example/chat")];
    let (code, shown, _) = run(&["check", "config"], &server);
    assert_eq!((code, shown.contains("hush")), (Some(0), false), "{shown}");
    for wrong in [
        ("CHINWAG_LISTEN", "0.0.0.0:3000"),
        ("CHINWAG_MAX_PAGE", "0"),
        ("CHINWAG_JWT_JWKS", "/no/such/file"),
    ] {
        let (code, _, why) = run(&["check", "config"], &[wrong]);
        assert_eq!((code, why.is_empty()), (Some(2), false), "{wrong:?}: {why}");
    }
}
