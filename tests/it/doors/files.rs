//! Files: uploaded over HTTP, sent in messages, read at the URLs in these.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::http::{Answer, Request};
use crate::support::live::Live;
use crate::support::steps::NO_ID;
use crate::support::{Client, TestServer, assert_error, soon};

const API_KEY: &str = "an API key of the tests, long enough";

/// The beginning of a picture of 123 by 321 pixels.
fn picture() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend([0, 0, 0, 123, 0, 0, 1, 65, 8, 6, 0, 0, 0, 0x9a, 0x38, 0xc4]);
    png
}

/// An upload without a token; the path names the user.
pub fn upload<'a>(server: &'a TestServer, path: &'a str, kind: &str) -> Request<'a> {
    server.request("POST", path).header(&format!("Content-Type: {kind}\r\n"))
}

/// Uploads a text; returns the file.
pub async fn upload_text(server: &TestServer, user: &str, text: &str) -> Value {
    let path = format!("/api/files?name=notes.txt&user={user}");
    let answer = upload(server, &path, "text/plain").body(text).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json["file"].clone()
}

pub fn with_file(chat: &str, kind: &str, file: &Value, caption: Option<&str>) -> Value {
    let mut message = json!({ "type": kind, "file": { "id": file["id"] } });
    if let Some(caption) = caption {
        message["value"] = caption.into();
    }
    json!({ "chat": { "id": chat }, "message": message })
}

pub async fn download(server: &TestServer, url: &str) -> Answer {
    server.request("GET", url).send().await
}

pub fn url(message: &Value) -> &str {
    message["file"]["url"].as_str().expect("an address")
}

/// The names of the files that a server stores.
pub fn stored(directory: &Path) -> Vec<String> {
    let folder = fs::read_dir(directory.join("chat.db.files")).into_iter().flatten();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Waits until this many files are stored.
pub async fn until_stored(directory: &Path, count: usize) {
    soon("files go", async {
        while stored(directory).len() != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A chat of ann and bob.
pub async fn talk(server: &TestServer) -> (Client, Client, String) {
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    (ann, bob, chat)
}

#[tokio::test]
async fn a_file_is_uploaded_sent_and_read() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let path = format!("/api/files?name=a%20cat.png&user={}", ann.id);
    let answer = upload(&server, &path, "text/html").body(picture()).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let file = answer.json["file"].clone();
    let expected = json!({ "id": file["id"], "name": "a cat.png", "type": "image/png",
        "size": picture().len(), "width": 123, "height": 321 });
    assert_eq!(file, expected);
    let sent = ann.done("new-message", with_file(&chat, "img", &file, Some("look"))).await;
    assert_eq!((&sent["msg"], &sent["type"]), (&json!("look"), &json!("img")));
    let mut shown = file.clone();
    shown["url"] = json!(url(&sent));
    assert_eq!(sent["file"], shown);
    assert_eq!(bob.next("new-message").await, sent);
    let page = bob.done("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(page["messages"], json!([sent]));
    let read = download(&server, url(&sent)).await;
    assert_eq!((read.status, &read.bytes), (200, &picture()));
    for (name, value) in [
        ("content-type", "image/png"),
        ("content-disposition", "inline; filename*=UTF-8''a%20cat.png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(read.header(name), Some(value), "{name}");
    }
    let kept = read.header("cache-control").unwrap();
    let age = kept.strip_prefix("private, max-age=").unwrap().strip_suffix(", immutable").unwrap();
    assert!(age.parse::<u64>().unwrap() > 3600, "{kept}");
    // Without a caption the text is the file's URL.
    let again = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    assert_eq!(again["msg"], again["file"]["url"]);
}

#[tokio::test]
async fn a_part_of_a_file_is_read() {
    let server = TestServer::start().await;
    let (mut ann, _, chat) = talk(&server).await;
    let file = upload_text(&server, &ann.id, "0123456789").await;
    let sent = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    let whole = download(&server, url(&sent)).await;
    let tag = whole.header("etag").unwrap();
    for (headers, status, text, range) in [
        ("Range: bytes=2-4\r\n", 206, "234", Some("bytes 2-4/10")),
        ("Range: bytes=7-\r\n", 206, "789", Some("bytes 7-9/10")),
        ("Range: bytes=-2\r\n", 206, "89", Some("bytes 8-9/10")),
        ("Range: bytes=0-1,4-5\r\n", 200, "0123456789", None),
        ("Range: bytes=2-4\r\nIf-Range: \"another\"\r\n", 200, "0123456789", None),
        (&format!("Range: bytes=2-4\r\nIf-Range: {tag}\r\n"), 206, "234", Some("bytes 2-4/10")),
        (&format!("If-None-Match: {tag}\r\n"), 304, "", None),
    ] {
        let read = server.request("GET", url(&sent)).header(headers).send().await;
        assert_eq!((read.status, read.text.as_str()), (status, text), "{headers}");
        assert_eq!(read.header("content-range"), range, "{headers}");
    }
    let beyond = server.request("GET", url(&sent)).header("Range: bytes=10-\r\n").send().await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    let head = server.request("HEAD", url(&sent)).send().await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    assert_eq!(head.text, "");
}

#[tokio::test]
async fn a_file_that_a_browser_could_run_is_sent_as_a_download() {
    let server = TestServer::start().await;
    let (mut ann, _, chat) = talk(&server).await;
    for (kind, body, stored) in [
        ("text/html", "<script>alert(1)</script>", "text/html"),
        ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ("image/png", "this is no picture at all", "application/octet-stream"),
        ("Text/Plain; charset=utf-8", "words", "text/plain"),
        ("nonsense", "words", "application/octet-stream"),
    ] {
        let path = format!("/api/files?name=page&user={}", ann.id);
        let answer = upload(&server, &path, kind).body(body).send().await;
        assert_eq!(answer.json["file"]["type"], stored, "{kind}");
        assert_eq!(answer.json["file"].get("width"), None);
        let file = with_file(&chat, "file", &answer.json["file"], None);
        let sent = ann.done("new-message", file).await;
        let read = download(&server, url(&sent)).await;
        assert_eq!((read.status, read.text.as_str()), (200, body));
        assert_eq!(read.header("content-type"), Some(stored));
        let place = read.header("content-disposition").unwrap();
        assert!(place.starts_with("attachment; "), "{place}");
    }
}

#[tokio::test]
async fn a_form_can_upload_a_file() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    let form = "--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nno file\r\n\
        --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\notes.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nwords\r\n--x--\r\n";
    let path = format!("/api/files?user={}", ann.id);
    let kind = "multipart/form-data; boundary=x";
    let answer = upload(&server, &path, kind).body(form).send().await;
    let file = answer.json["file"].clone();
    let expected =
        json!({ "id": file["id"], "name": "notes.txt", "type": "text/plain", "size": 5 });
    assert_eq!((answer.status, file), (201, expected));
    // The name in the query is used instead of that in the form.
    let named = format!("{path}&name=mine.txt");
    let answer = upload(&server, &named, kind).body(form).send().await;
    assert_eq!(answer.json["file"]["name"], "mine.txt");
    let other = form.replace("name=\"file\"", "name=\"fil\"");
    let answer = upload(&server, &path, kind).body(other).send().await;
    assert_eq!((answer.status, &answer.json["error"]["field"]), (400, &json!("file")));
}

#[tokio::test]
async fn a_refused_upload_leaves_nothing() {
    let server = TestServer::with_limits(|limits| limits.max_file = 1000).await;
    let ann = server.user("ann").await;
    let path = format!("/api/files?user={}", ann.id);
    let long = "x".repeat(255 + 1);
    let long = format!("{path}&name={long}");
    let form = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n{}\r\n--x--\r\n",
        "x".repeat(1001)
    );
    let kind = "multipart/form-data; boundary=x";
    for (request, status, code, field) in [
        (upload(&server, &path, "a/b").body(vec![0; 1001]), 413, "too_large", "file"),
        (upload(&server, &path, "a/b").chunked(&[0; 1001]), 413, "too_large", "file"),
        (upload(&server, &path, kind).body(form), 413, "too_large", "file"),
        (upload(&server, &path, "a/b").body(""), 400, "invalid", "file"),
        (upload(&server, &long, "a/b").body("x"), 413, "too_large", "name"),
        (upload(&server, "/api/files?user=nobody", "a/b").body("x"), 404, "not_found", "user.id"),
        (upload(&server, "/api/files", "a/b").body("x"), 400, "invalid", "user"),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        let error = &answer.json["error"];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &json!(field)), "{error}");
    }
    let answer = server.request("GET", "/api/files").send().await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (405, &json!("invalid")));
    assert_eq!(answer.json["error"]["message"], "send it with POST");
    let answer = server.request("PUT", "/api/files/x").send().await;
    assert_eq!(answer.json["error"]["message"], "send it with GET or HEAD");
    until_stored(server.directory.path(), 0).await;
}

#[tokio::test]
async fn a_large_file_is_refused_before_it_comes() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    let request = format!(
        "POST /api/files?user={} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        ann.id,
        server.address(),
        (25 << 20) + 1
    );
    let answer = server.exchange(&request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(r#""code":"too_large""#), "{answer}");
}

/// A connection on which half of an upload has been sent.
pub async fn half_an_upload(server: &TestServer, user_id: &str) -> TcpStream {
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/files?user={user_id} HTTP/1.1\r\nHost: {address}\r\n\
         Content-Length: 2000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![7; 1_000_000]).await.unwrap();
    stream
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    let stream = half_an_upload(&server, &ann.id).await;
    until_stored(server.directory.path(), 1).await;
    assert!(stored(server.directory.path())[0].contains('#'), "it has its name too early");
    drop(stream);
    until_stored(server.directory.path(), 0).await;
}

#[tokio::test]
async fn a_file_is_sent_by_its_uploader_alone() {
    let server = TestServer::start().await;
    let (mut ann, mut bob, chat) = talk(&server).await;
    let file = upload_text(&server, &ann.id, "mine").await;
    let error = bob.refused("new-message", with_file(&chat, "file", &file, None)).await;
    assert_error(&error, "not_found", Some("message.file.id"));
    let none = json!({ "id": NO_ID });
    let error = ann.refused("new-message", with_file(&chat, "file", &none, None)).await;
    assert_error(&error, "not_found", Some("message.file.id"));
    let error = ann.refused("new-message", with_file(&chat, "text", &file, Some("x"))).await;
    assert_error(&error, "invalid", Some("message.type"));
    let mut body = with_file(&chat, "file", &file, None);
    body["message"]["client_id"] = json!("once");
    let sent = ann.done("new-message", body.clone()).await;
    assert_eq!((&sent["seq"], &sent["file"]["id"]), (&json!(1), &file["id"]));
    // Sent again it is the same message; with another file it is refused.
    assert_eq!(ann.done("new-message", body.clone()).await, sent);
    let other = upload_text(&server, &ann.id, "other").await;
    body["message"]["file"] = json!({ "id": other["id"] });
    let error = ann.refused("new-message", body).await;
    assert_error(&error, "conflict", Some("message.client_id"));
    // A picture without a file has a URL for its text.
    let body = json!({ "type": "img", "value": "https://example.com/a.png" });
    let plain = json!({ "chat": { "id": chat }, "message": body });
    assert_eq!(ann.done("new-message", plain).await.get("file"), None);
}

#[tokio::test]
async fn the_url_of_a_file_is_signed() {
    let server = TestServer::start().await;
    let (mut ann, _, chat) = talk(&server).await;
    let (file, other) =
        (upload_text(&server, &ann.id, "mine").await, upload_text(&server, &ann.id, "other").await);
    let sent = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    let good = url(&sent);
    let (path, query) = good.split_once('?').unwrap();
    let elsewhere = good.replace(file["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    let until = query.split('&').next().unwrap();
    let later = good.replace(until, "until=9999999999");
    let cut = &good[..good.len() - 1];
    for address in [path, &elsewhere, &later, cut, &good.replace(until, "until=x")] {
        let answer = download(&server, address).await;
        assert_eq!(answer.status, 403, "{address}");
        assert_eq!(answer.json["error"]["code"], "forbidden");
    }
    let answer = download(&server, &good.replace(file["id"].as_str().unwrap(), "x")).await;
    assert_eq!((answer.status, &answer.json["error"]["code"]), (404, &json!("not_found")));
    // The URL is valid after a restart, too.
    let directory = server.shutdown().await;
    let server = TestServer::on(directory, |config| {
        config.public_url = Some("https://chat.example.com".into());
    })
    .await;
    assert_eq!(download(&server, good).await.text, "mine");
    let mut ann = server.user("ann").await;
    let page = ann.done("list-messages", json!({ "chat": { "id": chat } })).await;
    let absolute = url(&page["messages"][0]);
    let path = absolute.strip_prefix("https://chat.example.com").expect("an absolute address");
    assert_eq!(download(&server, path).await.text, "mine");
}

#[tokio::test]
async fn the_credential_decides_whose_an_upload_is() {
    let server = TestServer::with(|config| {
        config.access = Some(chinwag::Access::Token);
        config.api_key = Some(API_KEY.into());
    })
    .await;
    let (ann, bob) = (server.sign_up("ann").await, server.sign_up("bob").await);
    let as_bob = format!("/api/files?user={}", bob.id());
    for (path, token, status) in [
        ("/api/files", None, 401),
        ("/api/files", Some(ann.access()), 201),
        (&as_bob, None, 401),
        (&as_bob, Some(ann.access()), 403),
        (&as_bob, Some(bob.access()), 201),
        (&as_bob, Some(API_KEY), 201),
        ("/api/files", Some(API_KEY), 400),
    ] {
        let request = upload(&server, path, "text/plain").body("x");
        let answer = match token {
            Some(token) => request.bearer(token).send().await,
            None => request.send().await,
        };
        assert_eq!(answer.status, status, "{path} {answer:?}");
    }
}

#[tokio::test]
async fn files_are_described() {
    let server = TestServer::start().await;
    let paths = server.request("GET", "/openapi.json").send().await.json["paths"].take();
    assert!(paths["/api/files"]["post"]["responses"]["201"].is_object(), "{paths}");
    assert!(paths["/api/files/{id}"]["get"]["responses"]["206"].is_object(), "{paths}");
}

#[tokio::test]
async fn other_doors_show_the_url_and_the_caption() {
    let server = TestServer::start().await;
    let (ann, bob) = (server.sign_up("ann").await, server.sign_up("bob").await);
    let mut live = Live::connect(&server, bob.access()).await;
    let mut socket = server.connect_with(ann.access()).await;
    let opened = socket.done("open-direct", json!({ "user": { "id": bob.id() } })).await;
    let chat = opened["chat"]["id"].as_str().unwrap();
    let file = upload(&server, "/api/files", "a/b").bearer(ann.access()).body("x").send().await;
    let file = file.json["file"].clone();
    let captioned = socket.done("new-message", with_file(chat, "file", &file, Some("look"))).await;
    let shown = format!("{}\nlook", url(&captioned));
    assert_eq!(live.next().await["message"], shown.as_str());
    let plain = socket.done("new-message", with_file(chat, "img", &file, None)).await;
    let pushed = live.next().await;
    assert_eq!((&pushed["message"], &pushed["message_type"]), (&json!(url(&plain)), &json!(1)));
    let thread = server.fetch("/api/thread/ann", bob.access()).await;
    assert_eq!(thread[1]["message"], shown.as_str());
    let inbox = server.fetch("/api/inbox", bob.access()).await;
    assert_eq!(inbox[0]["latest_message"], url(&plain));
}
