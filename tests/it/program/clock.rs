//! What happens when the clock jumps.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::TestServer;
use crate::support::clock::Clock;
use crate::support::program::Running;
use crate::support::signing::{SECRET, now, signed};

fn server() -> (TestServer, Clock) {
    let directory = TempDir::new().unwrap();
    let clock = Clock::in_directory(directory.path());
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]).env("CHINWAG_JWT_SECRET", SECRET);
        clock.lay_over(command);
    });
    (TestServer::apart(directory, running), clock)
}

#[tokio::test]
async fn a_token_that_a_clock_jump_expires_closes_its_connection() {
    let (server, clock) = server();
    let token = |seconds: i64| signed(&json!({ "sub": "ann", "exp": now() + seconds }));
    let mut ending = server.connect_with(&token(3600)).await;
    let mut lasting = server.connect_with(&token(30 * 3600)).await;
    clock.set_ahead(2 * 3600);
    ending.closed().await;
    lasting.done("list-chats", json!({})).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_connection_lasts_as_long_as_its_token() {
    let (server, clock) = server();
    clock.set_ahead(3600);
    // By the server's clock the token is about to end; the clock is put right before that.
    let token = signed(&json!({ "sub": "ann", "exp": now() + 3600 - 27 }));
    let mut lasting = server.connect_with(&token).await;
    clock.set_ahead(0);
    let soon_over = signed(&json!({ "sub": "bob", "exp": now() - 24 }));
    server.connect_with(&soon_over).await.closed().await;
    lasting.done("list-chats", json!({})).await;
    server.shutdown().await;
}

#[tokio::test]
async fn the_time_of_a_message_ignores_a_clock_far_ahead() {
    let (server, clock) = server();
    let mut ann =
        server.connect_with(&signed(&json!({ "sub": "ann", "exp": now() + 86_400 * 90 }))).await;
    let chat = ann.chat("ours", true, &[]).await;
    let time = |message: &Value| message["created_at"].as_str().unwrap().to_owned();
    let first = time(&ann.say(&chat, "in time").await);
    clock.set_ahead(40 * 86_400);
    let second = time(&ann.say(&chat, "forty days ahead").await);
    // A jump of one hour may be a correction of the clock.
    clock.set_ahead(3600);
    let third = time(&ann.say(&chat, "an hour ahead").await);
    clock.set_ahead(0);
    let fourth = time(&ann.say(&chat, "in time again").await);
    assert!(first < second && second < third, "{first} {second} {third}");
    assert_eq!(first[..8], second[..8], "{first} {second}");
    // Times never go back within a chat.
    assert_eq!(third, fourth);
    server.shutdown().await;
}
