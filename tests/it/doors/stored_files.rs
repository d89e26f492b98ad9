//! Stored files: how long they stay, how many there may be, and how much memory they take.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::doors::files::{
    download, half_an_upload, stored, talk, until_stored, upload, upload_text, url, with_file,
};
use crate::socketio::changes::of_message;
use crate::support::nodes::Nodes;
use crate::support::program::{Running, most_memory};
use crate::support::{TestServer, assert_error, soon};

#[tokio::test]
async fn a_start_deletes_the_rest_of_a_killed_upload() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path());
    let mut server = TestServer::apart(directory, running);
    let ann = server.user("ann").await;
    let kept = upload_text(&server, &ann.id, "whole").await;
    let _stream = half_an_upload(&server, &ann.id).await;
    until_stored(server.directory.path(), 2).await;
    server.kill();
    let again = Running::start(server.directory.path());
    until_stored(server.directory.path(), 1).await;
    assert_eq!(json!(stored(server.directory.path())), json!([kept["id"]]));
    drop(again);
}

#[tokio::test]
async fn a_file_is_deleted_with_its_last_message() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let file = upload_text(&server, &ann.id, "words").await;
    let first = ann.done("new-message", with_file(&chat, "file", &file, Some("one"))).await;
    let second = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    let edit = json!({ "chat": { "id": chat },
        "message": { "id": second["id"], "value": "a caption" } });
    let edited = ann.done("edit-message", edit).await;
    assert_eq!(edited["file"], second["file"]);
    let deleted = ann.done("delete-message", of_message(&chat, &first)).await;
    assert_eq!((&deleted["msg"], deleted.get("file")), (&json!(""), None));
    while bob.next_of("message-changed").await["changed"] != "deleted" {}
    assert_eq!(download(&server, url(&second)).await.text, "words");
    let mut gone = ann.done("delete-message", of_message(&chat, &second)).await;
    assert_eq!(gone["file"].take(), Value::Null);
    until_stored(server.directory.path(), 0).await;
    assert_eq!(download(&server, url(&second)).await.status, 404);
    let error = ann.refused("new-message", with_file(&chat, "file", &file, None)).await;
    assert_error(&error, "not_found", Some("message.file.id"));
}

#[tokio::test]
async fn a_file_that_no_message_uses_is_deleted_after_a_while() {
    let server = TestServer::with_limits(|limits| {
        limits.unused_file_timeout = Duration::from_secs(3);
    })
    .await;
    let (mut ann, _, chat) = talk(&server).await;
    let file = upload_text(&server, &ann.id, "used").await;
    let sent = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    upload_text(&server, &ann.id, "unused").await;
    until_stored(server.directory.path(), 1).await;
    assert_eq!(download(&server, url(&sent)).await.text, "used");
}

#[tokio::test]
async fn files_are_deleted_with_their_chat_or_an_erased_user() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let room = ann.chat("room", true, &[]).await;
    let file = upload_text(&server, &ann.id, "of the room").await;
    ann.done("new-message", with_file(&room, "file", &file, None)).await;
    let file = upload_text(&server, &bob.id, "of bob").await;
    bob.done("new-message", with_file(&chat, "file", &file, None)).await;
    upload_text(&server, &bob.id, "not sent").await;
    assert_eq!(stored(server.directory.path()).len(), 3);
    ann.done("delete-chat", json!({ "chat": { "id": room } })).await;
    until_stored(server.directory.path(), 2).await;
    bob.done("delete-user", json!({ "messages": "erase" })).await;
    until_stored(server.directory.path(), 0).await;
}

#[tokio::test]
async fn uploaded_bytes_are_limited_for_each_user_and_in_all() {
    let server = TestServer::with_limits(|limits| {
        limits.uploaded_bytes_per_user = 1000;
        limits.max_files_total = 5000;
    })
    .await;
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let (of_ann, of_bob) =
        (format!("/api/files?user={}", ann.id), format!("/api/files?user={}", bob.id));
    // One upload may exceed what is left of a budget.
    for request in [
        upload(&server, &of_ann, "a/b").body(vec![0; 1500]),
        upload(&server, &of_bob, "a/b").chunked(&[0; 1500]),
    ] {
        assert_eq!(request.send().await.status, 201);
    }
    for path in [&of_ann, &of_bob] {
        let answer = upload(&server, path, "a/b").body("x").send().await;
        assert_eq!((answer.status, &answer.json["error"]["code"]), (429, &json!("rate_limited")));
        assert!(answer.header("retry-after").is_some());
    }
    let eve = server.user("eve").await;
    let path = format!("/api/files?user={}", eve.id);
    for request in [
        upload(&server, &path, "a/b").body(vec![0; 2001]),
        upload(&server, &path, "a/b").chunked(&[0; 2001]),
    ] {
        let answer = request.send().await;
        let error = &answer.json["error"];
        assert_eq!((answer.status, &error["code"]), (503, &json!("unavailable")));
        assert_eq!(error["message"], "the server has no room for more files");
    }
    until_stored(server.directory.path(), 2).await;
}

#[tokio::test]
async fn a_server_without_a_files_url_refuses_files() {
    let Some(nodes) = Nodes::with(1, |config| config.files_url = None).await else { return };
    let ann = nodes[0].user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    let answer = upload(&nodes[0], &path, "a/b").body("x").send().await;
    let error = &answer.json["error"];
    assert_eq!((answer.status, &error["code"]), (503, &json!("unavailable")));
    assert!(error["message"].as_str().unwrap().contains("--files-url"), "{error}");
}

#[tokio::test]
async fn nodes_share_their_stored_files() {
    let place = tempfile::tempdir().unwrap();
    let url_of_place = format!("file:{}", place.path().display());
    let shared =
        |config: &mut chinwag::Config| config.files_url = Some(url_of_place.clone().into());
    let Some(nodes) = Nodes::with(2, shared).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let chat = ann.chat("ours", true, &[&bob.id]).await;
    bob.next_of("create-chat").await;
    let file = upload_text(&nodes[1], &ann.id, "words").await;
    let sent = ann.done("new-message", with_file(&chat, "file", &file, Some("look"))).await;
    // The other node shows what the event says, and accepts the signature in the URL.
    assert_eq!(bob.next_of("new-message").await, sent);
    assert_eq!(download(&nodes[1], url(&sent)).await.text, "words");
    ann.done("delete-message", of_message(&chat, &sent)).await;
    let changed = bob.next_of("message-changed").await;
    assert_eq!(changed.get("file"), None);
    soon("the file goes", async {
        while fs::read_dir(place.path()).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_takes_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path());
    let server = TestServer::apart(directory, running);
    let ann = server.user("ann").await;
    // What the first upload allocates for good is not to be counted.
    upload_text(&server, &ann.id, "words").await;
    let before = most_memory(server.process());
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let size = 25 << 20;
    let head = format!(
        "POST /api/files?user={} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Length: {size}\r\n\r\n",
        ann.id,
        server.address()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; 1 << 20];
    for _ in 0..25 {
        stream.write_all(&piece).await.unwrap();
    }
    let mut answer = Vec::new();
    soon("the upload is answered", stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 201 "));
    let most = most_memory(server.process()).saturating_sub(before);
    // Read in pieces it takes less than 1 MiB; in the pieces of hyper it took 3 to 6.
    assert!(most < 2 << 10, "{most} KiB more for a moment");
}
