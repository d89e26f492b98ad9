//! History: the messages of a chat, in pages.

use serde_json::{Value, json};

use crate::support::{Client, TestServer, assert_error};

const NONE: [i64; 0] = [];

async fn ask(client: &mut Client, chat: &str, query: Value) -> (Vec<i64>, Value) {
    let body = json!({ "chat": { "id": chat }, "query": query });
    let page = client.ask("list-messages", body).await;
    let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
    let seqs = messages.iter().map(|message| message["seq"].as_i64().unwrap()).collect();
    (seqs, page)
}

/// A chat with ten messages, and the times of these.
async fn ten_messages(server: &TestServer) -> (Client, String, Vec<String>) {
    let mut ann = server.user("ann").await;
    let chat = ann.chat("history", true, &[]).await;
    let mut times = Vec::new();
    for at in 1..=10 {
        let said = ann.say(&chat, &format!("message {at}")).await;
        times.push(said["created_at"].as_str().unwrap().to_owned());
    }
    (ann, chat, times)
}

#[tokio::test]
async fn history_has_the_messages_that_were_sent() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("history", true, &[]).await;
    let empty = ann.ask("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(empty, json!({ "messages": [] }));
    let (one, two) = (ann.say(&chat, "one").await, ann.say(&chat, "two").await);
    let page = ann.ask("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_eq!(page, json!({ "messages": [one, two] }));
}

#[tokio::test]
async fn pages_begin_with_the_latest_and_ascend_within() {
    let server = TestServer::start().await;
    let (mut ann, chat, _) = ten_messages(&server).await;
    let (seqs, page) = ask(&mut ann, &chat, json!({ "limit": 4 })).await;
    assert_eq!(seqs, [7, 8, 9, 10]);
    assert_eq!(page["previous"], json!({ "before_seq": 7 }));
    assert_eq!(page.get("next"), None);
    let (seqs, page) = ask(&mut ann, &chat, json!({ "limit": 4, "before_seq": 7 })).await;
    assert_eq!(seqs, [3, 4, 5, 6]);
    assert_eq!(page["next"], json!({ "after_seq": 6 }));
    let query = json!({ "limit": 4, "before_seq": page["previous"]["before_seq"] });
    let (seqs, page) = ask(&mut ann, &chat, query).await;
    assert_eq!(seqs, [1, 2]);
    assert_eq!(page.get("previous"), None);
}

#[tokio::test]
async fn a_client_that_was_away_catches_up() {
    let server = TestServer::start().await;
    let (mut ann, chat, _) = ten_messages(&server).await;
    let (seqs, page) = ask(&mut ann, &chat, json!({ "limit": 4, "after_seq": 2 })).await;
    assert_eq!(seqs, [3, 4, 5, 6]);
    assert_eq!(page["next"], json!({ "after_seq": 6 }));
    assert_eq!(page["previous"], json!({ "before_seq": 3 }));
    let (seqs, page) = ask(&mut ann, &chat, json!({ "limit": 4, "after_seq": 6 })).await;
    assert_eq!(seqs, [7, 8, 9, 10]);
    assert_eq!(page.get("next"), None, "nothing follows a full last page");
    let (seqs, page) = ask(&mut ann, &chat, json!({ "after_seq": 10 })).await;
    assert_eq!(seqs, NONE);
    assert_eq!(page["previous"], json!({ "before_seq": 11 }), "all of it is before");
    assert_eq!(page.get("next"), None);
    let query = json!({ "after_seq": 2, "before_seq": 5 });
    assert_eq!(ask(&mut ann, &chat, query).await.0, [3, 4]);
}

#[tokio::test]
async fn time_bounds_are_inclusive_and_take_any_offset() {
    let server = TestServer::start().await;
    let (mut ann, chat, times) = ten_messages(&server).await;
    let query = json!({ "from": times[2], "to": times[4] });
    let (seqs, page) = ask(&mut ann, &chat, query).await;
    assert_eq!(seqs, [3, 4, 5]);
    assert_eq!((page.get("next"), page.get("previous")), (None, None), "no more between the times");
    let query = json!({ "from": times[2], "to": times[4], "after_seq": 3, "limit": 1 });
    let (seqs, page) = ask(&mut ann, &chat, query).await;
    assert_eq!(seqs, [4]);
    assert_eq!(page["next"], json!({ "after_seq": 4 }));
    assert_eq!(page["previous"], json!({ "before_seq": 4 }));
    let query = json!({ "from": times[4], "to": times[2] });
    assert_eq!(ask(&mut ann, &chat, query).await.0, NONE);
    assert_eq!(ask(&mut ann, &chat, json!({ "from": times[8] })).await.0, [9, 10]);
    assert_eq!(ask(&mut ann, &chat, json!({ "to": times[1] })).await.0, [1, 2]);
    let (seqs, page) = ask(&mut ann, &chat, json!({ "to": times[4], "limit": 2 })).await;
    assert_eq!(seqs, [4, 5], "without from, the latest that match");
    assert_eq!(page["previous"], json!({ "before_seq": 4 }));
    let (seqs, page) = ask(&mut ann, &chat, json!({ "from": times[4], "limit": 2 })).await;
    assert_eq!(seqs, [5, 6], "with from, the earliest");
    assert_eq!(page["next"], json!({ "after_seq": 6 }));
    let offset = times[8].replace('Z', "+00:00");
    assert_eq!(ask(&mut ann, &chat, json!({ "from": offset })).await.0, [9, 10]);
    assert_eq!(ask(&mut ann, &chat, json!({ "from": "2100-01-01T00:00:00Z" })).await.0, NONE);
    assert_eq!(ask(&mut ann, &chat, json!({ "to": "1970-01-01T00:00:00Z" })).await.0, NONE);
}

#[tokio::test]
async fn the_length_of_a_page_is_limited() {
    let server = TestServer::with_limits(|limits| {
        limits.max_page = 3;
        limits.max_page_bytes = 10_000;
    })
    .await;
    let (mut ann, chat, _) = ten_messages(&server).await;
    assert_eq!(ask(&mut ann, &chat, Value::Null).await.0, [8, 9, 10]);
    for limit in [json!(1000), json!(u64::MAX), json!(1e21)] {
        assert_eq!(ask(&mut ann, &chat, json!({ "limit": limit })).await.0, [8, 9, 10]);
    }
    for _ in 0..2 {
        ann.say(&chat, &"x".repeat(8000)).await;
    }
    let (seqs, page) = ask(&mut ann, &chat, Value::Null).await;
    assert_eq!(seqs, [12], "two such messages are more than a page");
    assert_eq!(page["previous"], json!({ "before_seq": 12 }));
    for limit in [json!(0), json!(-1), json!("all"), json!(1.5)] {
        let body = json!({ "chat": { "id": chat }, "query": { "limit": limit } });
        let error = ann.refused("list-messages", body).await;
        assert_error(&error, "invalid", Some("query.limit"));
    }
}

#[tokio::test]
async fn a_message_over_a_pages_bytes_is_still_read() {
    let server = TestServer::with_limits(|limits| limits.max_page_bytes = 1000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("big", true, &[]).await;
    ann.say(&chat, &"x".repeat(5000)).await;
    ann.say(&chat, &"y".repeat(5000)).await;
    let (seqs, page) = ask(&mut ann, &chat, json!({ "after_seq": 0 })).await;
    assert_eq!(seqs, [1]);
    assert_eq!(page["next"], json!({ "after_seq": 1 }));
}

#[tokio::test]
async fn a_time_with_fewer_digits_means_the_whole_span() {
    let server = TestServer::start().await;
    let (mut ann, chat, times) = ten_messages(&server).await;
    for (at, time) in times.iter().enumerate() {
        let seq = at as i64 + 1;
        let (second, _) = time.split_once('.').unwrap();
        // With the digits that a page has, those of a JavaScript Date, and fewer.
        for digits in [6, 3, 2, 0] {
            let fraction = &time[second.len()..=second.len() + digits];
            let cut = format!("{second}{}Z", if digits == 0 { "" } else { fraction });
            for query in
                [json!({ "from": cut, "to": cut }), json!({ "to": cut }), json!({ "from": cut })]
            {
                let (seqs, _) = ask(&mut ann, &chat, query.clone()).await;
                assert!(seqs.contains(&seq), "{seq} at {time} is not among {seqs:?} of {query}");
            }
        }
    }
    let (seqs, _) = ask(&mut ann, &chat, json!({ "to": times[4].replace('Z', "+00:00") })).await;
    assert_eq!(seqs.last(), Some(&5), "six digits are exact");
}

#[tokio::test]
async fn a_socket_without_a_user_is_told_to_name_one() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("ours", true, &[]).await;
    let mut nobody = server.connect().await;
    let error = nobody.refused("list-messages", json!({ "chat": { "id": chat } })).await;
    assert_error(&error, "not_found", Some("chat.id"));
    assert!(error["message"].as_str().unwrap().contains("name a user first"), "{error}");
}
