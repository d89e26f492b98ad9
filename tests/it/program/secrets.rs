//! Secrets are shown neither in help nor in logs nor in answers.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};

use chinwag::{Config, Url};
use clap::Parser;
use serde_json::json;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::hooks::SECRET as WEBHOOK_SECRET;
use crate::support::program::{Running, program};
use crate::support::signing::{API_KEY, SECRET, claims, sign, token};
use crate::support::{Client, get};

#[test]
fn settings_are_never_printed() {
    for arguments in [["--help"].as_slice(), &["-h"], &["--listen", "nowhere"], &["--api-key"]] {
        let output = program()
            .args(arguments)
            .env("CHINWAG_API_KEY", API_KEY)
            .env("CHINWAG_JWT_SECRET", SECRET)
            .env("CHINWAG_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .output()
            .unwrap();
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains(API_KEY) && !text.contains(SECRET), "{text}");
        assert!(!text.contains(WEBHOOK_SECRET), "{text}");
    }
    let arguments = ["chinwag", "--api-key", API_KEY, "--jwt-secret", SECRET];
    let arguments = [&arguments[..], &["--webhook-secret", WEBHOOK_SECRET]].concat();
    let config = Config::try_parse_from(arguments).unwrap();
    assert!(config.api_key.is_some() && config.jwt_secret.is_some());
    for text in [format!("{config:?}"), format!("{config:#?}")] {
        assert!(!text.contains(API_KEY) && !text.contains(SECRET), "{text}");
        assert!(!text.contains(WEBHOOK_SECRET), "{text}");
    }
}

/// A client that knows the path of a webhook may be able to call it.
#[test]
fn the_path_of_a_webhook_is_not_printed() {
    let url = "https://example.com/hidden?also=hidden";
    for arguments in [["check", "config"].as_slice(), &["--listen", "nowhere"]] {
        let mut command = program();
        command.args(arguments).env("CHINWAG_WEBHOOK_URL", url);
        let output = command.env("CHINWAG_WEBHOOK_SECRET", WEBHOOK_SECRET).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!text.contains("hidden"), "{text}");
        assert!(arguments[0] != "check" || text.contains("https://example.com/\u{2026}"), "{text}");
    }
    let arguments = ["chinwag", "--webhook-url", url];
    let config = Config::try_parse_from(arguments).unwrap();
    assert!(!format!("{config:?}").contains("hidden"));
}

/// Connects in every way with this credential; returns all answers.
async fn show(address: SocketAddr, credential: &str) -> String {
    let encoded: String = credential.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let bearer = format!("Authorization: Bearer {credential}\r\n");
    let mut answers = Vec::new();
    for path in ["/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=9", "/?x", "/nowhere?x"] {
        answers.push(get(address, &format!("{path}&access_token={encoded}"), "").await);
        answers.push(get(address, path, &bearer).await);
    }
    for (query, header) in [(encoded.as_str(), None), ("", Some(credential))] {
        for protocol in [3, 4] {
            let query = format!("EIO={protocol}&transport=websocket&access_token={query}");
            let url = format!("ws://{address}/socket.io/?{query}");
            let mut request = url.into_client_request().unwrap();
            if let Some(credential) = header {
                let value = format!("Bearer {credential}").parse().unwrap();
                request.headers_mut().insert("authorization", value);
            }
            let mut client = Client::open_url(request).await;
            answers.push(client.frame().await);
            if protocol == 4 {
                client.send("40").await;
            }
            answers.push(client.frame().await);
        }
    }
    let mut client = Client::open(address).await;
    answers.push(client.frame().await);
    answers.push(client.enter_with(json!(credential)).await);
    if answers.last().is_some_and(|answer| answer.starts_with("40")) {
        let body = json!({ "user": { "id": 7 }, "token": credential });
        answers.push(client.ask("list-chats", body).await.to_string());
    }
    answers.concat()
}

#[tokio::test]
async fn no_part_of_a_credential_is_logged_or_answered() {
    let directory = TempDir::new().unwrap();
    let log = directory.path().join("log");
    let mut running = Running::with(directory.path(), |command| {
        command
            .args(["--listen", "127.0.0.1:0", "--access", "token"])
            .env("CHINWAG_API_KEY", API_KEY)
            .env("CHINWAG_JWT_SECRET", SECRET)
            .env("RUST_LOG", "trace")
            .stderr(File::create(&log).unwrap());
    });
    let forged = sign(
        &jsonwebtoken::Header::default(),
        &claims("mallory"),
        &jsonwebtoken::EncodingKey::from_secret(b"a guess"),
    );
    let credentials = [token("ann"), forged, API_KEY.to_owned(), "a wrong service's key".into()];
    let mut seen = [running.first_line.clone(), running.hints()].concat();
    for credential in &credentials {
        seen += &show(running.address, credential).await;
    }
    seen += &get(running.address, "/metrics", "").await;
    let (status, _) = tokio::task::spawn_blocking(move || running.end("TERM")).await.unwrap();
    assert_eq!(status.code(), Some(0));
    let log = fs::read_to_string(log).unwrap();
    assert!(log.contains("DEBUG") && seen.contains("unauthenticated"), "nothing to search");
    // The parts of tokens are secrets, too, except for their heads, which are always the same.
    let parts = credentials.iter().flat_map(|credential| credential.split('.').rev().take(2));
    for secret in parts.chain([SECRET]) {
        let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for text in [secret, &encoded] {
            for (place, all) in [("answered", &seen), ("logged", &log)] {
                let line = all.lines().find(|line| line.contains(text));
                assert_eq!(line, None, "{place}");
            }
        }
    }
}

#[test]
fn no_password_in_a_url_is_printed() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let postgres = [
        format!("postgres://ann:hunter2@{free}/x"),
        format!("postgres://ann:a?hunter2@{free}/x"),
        format!("postgres://ann:a/hunter2@{free}/x"),
        format!("postgres://ann:a@hunter2@{free}/x"),
        format!("postgres://{free}/x?user=ann&password=hunter2"),
        format!("postgres://{free}/x?user=ann&password=a@hunter2"),
        format!("postgres://ann@{free}/x?password=a&hunter2=a"),
        format!("postgres://ann@{free}/x?sslkey=hunter2"),
        format!("postgres://ann@{free}/x?ssl-key=hunter2&ssl-cert=hunter2"),
        // With a spelling mistake in the name.
        format!("postgres://ann@{free}/x?pasword=hunter2"),
    ];
    let directory = TempDir::new().unwrap();
    let file = format!("sqlite:{}", directory.path().join("chat.db").display());
    let mut runs: Vec<Vec<&str>> = Vec::new();
    for url in &postgres {
        runs.push(vec!["--listen", "127.0.0.1:0", "--database-url", url]);
        runs.push(vec!["copy", "--from", &file, "--to", url]);
        runs.push(vec!["backup", "--database-url", url, "copy.db"]);
    }
    for wrong in ["mysql://ann:hunter2@x/y", "postgres//ann:hunter2@x/y", "ann:hunter2@x"] {
        runs.push(vec!["--database-url", wrong]);
        runs.push(vec!["--redis-url", wrong]);
        runs.push(vec![wrong]);
        runs.push(vec!["copy", "--from", wrong, "--to", wrong]);
        runs.push(vec!["backup", "copy.db", wrong]);
    }
    for redis in
        ["redis://:hunter2@x:y", "redis+unix:///x?pass=hunter2", "redis://x:y/?pass=hunter2"]
    {
        runs.push(vec!["--redis-url", redis, "--database-url", "postgres://x"]);
    }
    for arguments in runs {
        let output = program().args(&arguments).env("RUST_LOG", "trace").output().unwrap();
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {text}");
        assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
    }
}

#[test]
fn a_url_is_shown_without_its_secrets() {
    for (url, shown) in [
        ("sqlite:a@b.db?mode=rwc", "sqlite:a@b.db?mode=rwc"),
        ("postgres://db/chat", "postgres://db/chat"),
        ("postgres://ann@db/chat", "postgres://ann@db/chat"),
        (
            "postgres://ann:x@db:5/chat?sslmode=disable",
            "postgres://ann:…@db:5/chat?sslmode=disable",
        ),
        ("postgres://db/chat?user=ann&password=x", "postgres://db/chat?user=ann&password=…"),
        ("postgres://db/chat?x=y&sslkey=z&host=a", "postgres://db/chat?…&sslkey=…&host=a"),
        ("postgres://db/chat?password=x@y", "postgres://db/chat?…"),
        ("redis://:x@host/1", "redis://:…@host/1"),
    ] {
        assert_eq!(Url::from(url).to_string(), shown);
    }
}
