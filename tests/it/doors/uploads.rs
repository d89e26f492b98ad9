//! The limits of uploads and downloads, and how files are deleted.

use std::fs;
use std::time::Duration;

use chinwag::Access;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::doors::files::{
    download, stored, talk, until_stored, upload, upload_text, url, with_file,
};
use crate::support::chatter::message;
use crate::support::program::Running;
use crate::support::rpc::{room_of, texts};
use crate::support::signing::{API_KEY, with_credentials};
use crate::support::steps::of_chat;
use crate::support::{TestServer, database, soon};

const FORM: &str = "multipart/form-data; boundary=x";

/// Announces an upload of so many bytes without sending them; waits until the server has begun it.
async fn begin(server: &TestServer, user: &str, size: usize) -> TcpStream {
    let before = stored(server.directory.path()).len();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let host = server.address();
    let head = format!(
        "POST /api/files?user={user} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    until_stored(server.directory.path(), before + 1).await;
    stream
}

/// Waits until an upload is accepted again.
async fn until_taken(server: &TestServer, path: &str, bytes: &[u8]) {
    soon("an upload is taken", async {
        while upload(server, path, "a/b").body(bytes).send().await.status != 201 {}
    })
    .await;
}

#[tokio::test]
async fn a_form_without_a_file_is_cut_off() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    let field = "Content-Disposition: form-data; name=\"other\"\r\n\r\n";
    for begin in ["", "--x\r\nHeader: ", &format!("--x\r\n{field}")] {
        let body = format!("{begin}{}", "y".repeat(1 << 20));
        let mut request = upload(&server, &path, FORM).chunked(body.as_bytes());
        // The body does not end.
        request.body.truncate(request.body.len() - "0\r\n\r\n".len());
        let answer = request.send().await;
        assert_eq!(answer.status, 400, "{begin}: {answer:?}");
        let why = answer.json["error"]["message"].as_str().unwrap();
        assert!(why.contains("64 KiB"), "{begin}: {why}");
    }
    // With fewer bytes before it, the file may have any allowed size.
    let file = "Content-Disposition: form-data; name=\"file\"\r\n\r\n";
    let (less, large) = ("y".repeat(60_000), "z".repeat(3 << 20));
    let body = format!("--x\r\n{field}{less}\r\n--x\r\n{file}{large}\r\n--x--\r\n");
    let kind = FORM.replace("form-data", "Form-Data");
    let answer = upload(&server, &path, &kind).chunked(body.as_bytes()).send().await;
    assert_eq!(answer.json["file"]["size"], large.len(), "{answer:?}");
}

#[tokio::test]
async fn a_name_in_the_query_replaces_a_wrong_name_in_the_form() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\r\nx\r\n--x--\r\n",
        "y".repeat(256)
    );
    let path = format!("/api/files?user={}", ann.id);
    let answer = upload(&server, &path, FORM).body(body.clone()).send().await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let named = format!("{path}&name=short");
    let answer = upload(&server, &named, FORM).body(body).send().await;
    assert_eq!(answer.json["file"]["name"], "short", "{answer:?}");
}

#[tokio::test]
async fn an_upload_that_is_under_way_counts() {
    let server = TestServer::with_limits(|limits| limits.max_files_total = 5000).await;
    let ann = server.user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    let coming = begin(&server, &ann.id, 4000).await;
    for request in [
        upload(&server, &path, "a/b").body(vec![0; 1001]),
        upload(&server, &path, "a/b").chunked(&[0; 1001]),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, 503, "{answer:?}");
        let why = &answer.json["error"]["message"];
        assert_eq!(why, "the server has no room for more files");
    }
    upload_text(&server, &ann.id, &"x".repeat(1000)).await;
    drop(coming);
    until_taken(&server, &path, &[0; 4000]).await;
    let answer = upload(&server, &path, "a/b").body("x").send().await;
    assert_eq!(answer.status, 503, "{answer:?}");
}

#[tokio::test]
async fn uploads_at_the_same_time_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_uploads = 1).await;
    let ann = server.user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    let coming = begin(&server, &ann.id, 1).await;
    let answer = upload(&server, &path, "a/b").body("x").send().await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let why = &answer.json["error"]["message"];
    assert_eq!(why, "too many files are coming at once, try again");
    drop(coming);
    until_taken(&server, &path, b"x").await;
}

#[tokio::test]
async fn one_address_may_make_half_of_all_uploads_at_a_time() {
    let server = TestServer::with(|config| {
        with_credentials(Access::Open)(config);
        config.limits.max_uploads = 4;
    })
    .await;
    let ann = server.user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    let coming = [begin(&server, &ann.id, 1).await, begin(&server, &ann.id, 1).await];
    let answer = upload(&server, &path, "a/b").body("x").send().await;
    assert_eq!(answer.status, 503, "{answer:?}");
    // The service may upload from any address.
    let answer = upload(&server, &path, "a/b").bearer(API_KEY).body("x").send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    drop(coming);
    until_taken(&server, &path, b"x").await;
}

#[tokio::test]
async fn the_bytes_of_a_refused_upload_count() {
    let server = TestServer::with_limits(|limits| {
        (limits.uploaded_bytes_per_user, limits.max_file) = (1000, 2000);
    })
    .await;
    let ann = server.user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    // Bytes that were announced but did not come do not count.
    drop(begin(&server, &ann.id, 1900).await);
    until_stored(server.directory.path(), 0).await;
    let answer = upload(&server, &path, "a/b").chunked(&[0; 3000]).send().await;
    assert_eq!(answer.status, 413, "{answer:?}");
    let answer = upload(&server, &path, "a/b").body("x").send().await;
    assert_eq!(answer.status, 429, "{answer:?}");
}

#[tokio::test]
async fn downloads_count_as_bytes_that_their_address_reads() {
    let server = TestServer::with_limits(|limits| limits.read_bytes_per_address = 1000).await;
    let (mut ann, _, chat) = talk(&server).await;
    let file = upload_text(&server, &ann.id, &"x".repeat(1500)).await;
    let sent = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    assert_eq!(download(&server, url(&sent)).await.status, 200);
    let answer = download(&server, url(&sent)).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (429, &json!("rate_limited")));
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_does_not_block_others() {
    let server = TestServer::with_limits(|limits| {
        limits.unused_file_timeout = Duration::from_secs(3);
    })
    .await;
    let (mut ann, _, chat) = talk(&server).await;
    let first = upload_text(&server, &ann.id, "first").await;
    // A folder in its place makes deleting it fail.
    let folder = server.directory.path().join("chat.db.files");
    let place = folder.join(first["id"].as_str().unwrap());
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    upload_text(&server, &ann.id, "second").await;
    until_stored(server.directory.path(), 1).await;
    assert!(place.is_dir());
    let error = ann.refused("new-message", with_file(&chat, "file", &first, None)).await;
    assert_eq!(error["code"], "not_found", "{error}");
    // The file is deleted once that is possible.
    fs::remove_dir(&place).unwrap();
    fs::write(&place, "first").unwrap();
    until_stored(server.directory.path(), 0).await;
}

#[tokio::test]
async fn the_files_url_may_be_a_relative_path() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("below");
    fs::create_dir(&below).unwrap();
    let is_server = database::files_in(directory.path()).is_some();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0"]).current_dir(&below);
        match is_server {
            true => command.env("CHINWAG_FILES_URL", "file:../chat.db.files"),
            false => command.env("CHINWAG_DATABASE_URL", "sqlite:../chat.db"),
        };
    });
    let server = TestServer::apart(directory, running);
    let ann = server.user("ann").await;
    let file = upload_text(&server, &ann.id, "words").await;
    assert_eq!(json!(stored(server.directory.path())), json!([file["id"]]));
}

#[tokio::test]
async fn every_door_shows_a_file() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    eve.done("join-chat", of_chat(&chat)).await;
    let file = upload_text(&server, &eve.id, "words").await;
    let sent = eve.done("new-message", with_file(&chat, "file", &file, Some("look"))).await;
    let shown = format!("{}\nlook", url(&sent));
    assert_eq!(ann.next().await, message("here", &shown, &eve.id));
    let page = server.as_host().service().list_messages(&chat, 0, 0).await.unwrap();
    assert_eq!(page.messages[0].value, shown);

    let bob = server.in_new_room("bob").await;
    let room = room_of(&bob);
    eve.done("join-chat", of_chat(room)).await;
    let sent = eve.done("new-message", with_file(room, "file", &file, Some("look"))).await;
    let picked = server.call("PickUpHistory", json!([bob])).await;
    assert_eq!(texts(&picked["Messages"]), [format!("{}\nlook", url(&sent))]);
}
