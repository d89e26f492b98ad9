//! Routes of the host application beside those of the server.

use chinwag::axum::Router;
use chinwag::axum::extract::{Path, State};
use chinwag::axum::routing::{get, post};
use chinwag::embed::{NewMessage, Service};
use serde_json::json;
use tempfile::TempDir;

use super::{chat, user};
use crate::support::TestServer;

fn routes(service: Service) -> Router {
    Router::new()
        .route("/say/{chat}", post(say))
        .route("/healthz", get(async || "the host's"))
        .fallback(async || "found by the host")
        .with_state(service)
}

async fn say(State(service): State<Service>, Path(chat): Path<String>, text: String) -> String {
    match service.new_message("bot", &chat, NewMessage::text(text)).await {
        Ok(message) => format!("number {}", message.seq),
        Err(error) => error.to_string(),
    }
}

async fn start() -> TestServer {
    let directory = TempDir::new().unwrap();
    TestServer::embedded(directory, |config| config.limits.max_frame = 1000, routes).await
}

#[tokio::test]
async fn a_route_of_the_host_answers_and_acts() {
    let server = start().await;
    let mut ann = server.user("ann").await;
    let service = server.as_host().service();
    user(service, "bot").await;
    let chat = chat(service, &["bot", &ann.id]).await;
    ann.next("create-chat").await;
    let path = format!("/say/{}", chat.id);
    let answer = server.request("POST", &path).body("hello").send().await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "number 1"));
    assert_eq!(ann.next("new-message").await["msg"], "hello");
    let answer = server.request("POST", "/say/nowhere").body("hello").send().await;
    assert_eq!(answer.text, "no such chat");
}

#[tokio::test]
async fn on_a_conflict_the_servers_own_routes_win() {
    let server = start().await;
    let own = server.request("GET", "/healthz").send().await;
    assert_eq!(own.text, "ok\n");
    // The server also answers the other methods of its own paths.
    let own = server.request("GET", "/api/events/create-user").send().await;
    assert_eq!(own.status, 405);
    let other = server.request("GET", "/nowhere").send().await;
    assert_eq!(other.text, "found by the host");
}

#[tokio::test]
async fn the_hosts_routes_stand_behind_the_servers_gates() {
    let server = start().await;
    let post = || server.request("POST", "/say/nowhere");
    let foreign =
        post().header("Origin: https://elsewhere.example.com\r\n").body("hi").send().await;
    assert_eq!(foreign.status, 403);
    let large = post().body(vec![b'x'; 1001]).send().await;
    assert_eq!(large.status, 413);
    let routed = server.request("POST", "/api/events/list-users").json(&json!({})).send().await;
    assert_eq!(routed.status, 400);
}
