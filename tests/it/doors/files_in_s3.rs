//! Files in a store that speaks S3.

use serde_json::json;

use crate::doors::files::{download, talk, upload, url, with_file};
use crate::socketio::changes::of_message;
use crate::support::{TestServer, services, soon};

#[tokio::test]
async fn a_file_is_kept_in_a_store_that_speaks_s3() {
    let Some(place) = services::s3() else { return };
    let server = TestServer::with(|config| config.files_url = Some(place.into())).await;
    let (mut ann, _, chat) = talk(&server).await;
    let path = format!("/api/files?name=large&user={}", ann.id);
    // More than one part of an S3 upload, and not a multiple of a part.
    let bytes: Vec<u8> = (0..(12 << 20) + 5).map(|at: usize| (at / 1000) as u8).collect();
    let answer = upload(&server, &path, "a/b").body(bytes.clone()).send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let file = answer.json["file"].clone();
    let sent = ann.done("new-message", with_file(&chat, "file", &file, None)).await;
    assert_eq!(download(&server, url(&sent)).await.bytes, bytes);
    let part = "Range: bytes=5999990-6000009\r\n";
    let part = server.request("GET", url(&sent)).header(part).send().await;
    assert_eq!((part.status, &part.bytes[..]), (206, &bytes[5_999_990..6_000_010]));
    let refused = upload(&server, &path, "a/b").chunked(&vec![0; 26 << 20]).send().await;
    assert_eq!((refused.status, &refused.json["error"]["code"]), (413, &json!("too_large")));
    ann.done("delete-message", of_message(&chat, &sent)).await;
    soon("the file goes", async {
        while download(&server, url(&sent)).await.status != 404 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}
