//! PostgreSQL and Redis over TLS, and certificates that are not trusted.

use serde_json::json;
use tempfile::TempDir;

use crate::support::message;
use crate::support::nodes::Processes;
use crate::support::program::{Running, program};
use crate::support::services::Services;

#[tokio::test]
async fn nodes_speak_tls_to_their_services() {
    let Some(services) = Services::start_with_tls().await else { return };
    let urls = (services.url("postgres"), services.url("redis"));
    let nodes = Processes::trusting(&services.authority(), vec![urls; 2]).await;
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.chat("ours", true, &[&bob.id]).await;
    bob.next("create-chat").await;
    // `participant-join` goes through Redis only.
    let room = json!({ "channel": format!("room-{chat}") });
    ann.done("subscribe", room.clone()).await;
    ann.next("participant-join").await;
    bob.done("subscribe", room).await;
    assert_eq!(ann.next("participant-join").await["user"]["id"], bob.id);
    services.kill("redis").await;
    services.start_again("redis").await;
    let said = ann.ask("new-message", message(&chat, "still there?")).await;
    assert_eq!(bob.next_of("chat-message").await["id"], said["id"]);
    nodes.assert_no_defect();
}

#[tokio::test]
async fn a_certificate_must_be_trusted() {
    let Some(services) = Services::start_with_tls().await else { return };
    let (postgres, redis) = (services.url("postgres"), services.url("redis"));
    let start = |database: &str| {
        let mut command = program();
        command
            .args(["--listen", "127.0.0.1:0", "--database-url", database])
            .env_remove("SSL_CERT_FILE");
        command
    };
    let refused = start(&postgres).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("invalid peer certificate"), "{said}");

    let refused = start(&postgres.replace("verify-full", "disable")).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "it took a connection without TLS");

    // A node without Redis goes on, and logs why it cannot connect.
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command
            .args(["--listen", "127.0.0.1:0", "--redis-url", &redis])
            .args(["--database-url", &postgres.replace("verify-full", "require")])
            .env_remove("SSL_CERT_FILE");
    });
    let (_, log) = running.end("TERM");
    assert!(log.contains("invalid peer certificate"), "{log}");
}
