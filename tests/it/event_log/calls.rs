//! How many calls of the webhook run at the same time, and that one does not hold up the others.

use std::time::Duration;

use chinwag::Config;

use crate::support::TestServer;
use crate::support::hooks::{Answer, Receiver, hooked};

/// A receiver that never answers a call with the text "slow", and rejects one with "bad".
async fn receiver() -> Receiver {
    let answer = |text: &str| match text {
        "bad" => Answer::status(500),
        _ if text.starts_with("slow") => Answer::Nothing,
        _ => Answer::status(200),
    };
    Receiver::answering(move |call| answer(call.text())).await
}

/// A server with a long timeout for the webhook, which makes so many calls at the same time.
async fn server(receiver: &Receiver, calls: usize) -> TestServer {
    let url = receiver.url();
    TestServer::with(move |config: &mut Config| {
        hooked(url)(config);
        config.limits.webhook_timeout = Duration::from_secs(600);
        config.limits.webhook_calls = calls;
        config.limits.messages_per_user = 1_000_000;
        config.limits.requests_per_user = 1_000_000;
    })
    .await
}

/// How many calls hang when a failed event is tried again, once as many hang as expected: the retry
/// must come in spite of these.
async fn count_hanging(receiver: &mut Receiver, expected: usize) -> usize {
    let mut hanging = 0;
    loop {
        match receiver.next_message().await.text() {
            "bad" if hanging >= expected => return hanging,
            "bad" => {}
            _ => hanging += 1,
        }
    }
}

#[tokio::test]
async fn the_number_of_hanging_calls_is_limited() {
    let mut receiver = receiver().await;
    let server = server(&receiver, 1).await;
    let mut ann = server.user("ann").await;
    let bad = ann.chat("bad", true, &[]).await;
    ann.say(&bad, "bad").await;
    assert_eq!(receiver.next_message().await.text(), "bad");
    for _ in 0..12 {
        let chat = ann.chat("slow", true, &[]).await;
        ann.say(&chat, "slow").await;
    }
    assert_eq!(count_hanging(&mut receiver, 8).await, 8);
    server.shutdown().await;
}

#[tokio::test]
async fn the_bytes_of_hanging_calls_are_limited() {
    let mut receiver = receiver().await;
    let server = server(&receiver, 64).await;
    let mut ann = server.user("ann").await;
    let bad = ann.chat("bad", true, &[]).await;
    ann.say(&bad, "bad").await;
    assert_eq!(receiver.next_message().await.text(), "bad");
    for _ in 0..40 {
        let chat = ann.chat("slow", true, &[]).await;
        ann.say(&chat, &format!("slow{}", "!".repeat(500_000))).await;
    }
    // 16 MiB, and what is left of the last body.
    assert_eq!(count_hanging(&mut receiver, 34).await, 34);
    server.shutdown().await;
}

#[tokio::test]
async fn a_failed_event_is_retried_while_others_succeed() {
    let mut receiver = receiver().await;
    let server = server(&receiver, 1).await;
    let mut ann = server.user("ann").await;
    let bad = ann.chat("bad", true, &[]).await;
    ann.say(&bad, "bad").await;
    assert_eq!(receiver.next_message().await.text(), "bad");
    // There is always an event that waits for the only call that may run.
    for _ in 0..10 {
        let chat = ann.chat("good", true, &[]).await;
        ann.say(&chat, "good").await;
    }
    for _ in 0..10_000 {
        let call = receiver.next_message().await;
        if call.text() == "bad" {
            server.shutdown().await;
            return;
        }
        let chat = call.json["data"]["message"]["chat_id"].as_str().unwrap();
        ann.say(chat, "good").await;
    }
    panic!("it waits for all others");
}
