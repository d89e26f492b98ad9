//! Webhooks as their receiver sees them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chinwag::{Config, Server};
use serde_json::json;
use tempfile::TempDir;

use crate::support::TestServer;
use crate::support::hooks::{Answer, Call, Receiver, SECRET, ann, hooked, program, until};
use crate::support::program::Running;

/// The texts of the messages in these calls, by chat and in order.
fn texts(calls: &[Call]) -> HashMap<String, Vec<&str>> {
    let mut texts = HashMap::<_, Vec<_>>::new();
    for call in calls.iter().filter(|call| !call.text().is_empty()) {
        let stream = call.json["stream"].as_str().unwrap();
        texts.entry(stream.to_owned()).or_default().push(call.text());
    }
    texts
}

#[tokio::test]
async fn everything_is_delivered_signed_and_in_order() {
    let mut receiver = Receiver::start(|_| 204).await;
    let server = TestServer::with(hooked(receiver.url())).await;
    let mut ann = server.user("ann").await;
    let chats = [ann.chat("one", true, &[]).await, ann.chat("two", false, &[]).await];
    for at in 0..20 {
        for chat in &chats {
            ann.say(chat, &at.to_string()).await;
        }
    }
    let mut calls = Vec::new();
    while calls.iter().filter(|call: &&Call| !call.text().is_empty()).count() < 40 {
        calls.push(receiver.next().await);
    }
    let (mut last, mut ids) = (HashMap::new(), Vec::new());
    for call in &calls {
        let (stream, number) = (call.json["stream"].to_string(), call.json["number"].as_i64());
        assert!(last.insert(stream, number) < Some(number), "{}", call.body);
        ids.push(&call.id);
    }
    for chat in chats {
        let stream = format!("chat/{chat}");
        let expected = Vec::from_iter((0..20).map(|at| at.to_string()));
        assert_eq!(texts(&calls)[&stream], expected);
        let made = calls.iter().find(|call| call.json["stream"] == stream).unwrap();
        assert_eq!(made.json["event"], "chat-created");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), calls.len(), "an id was given twice");
    #[cfg(feature = "kafka")]
    super::schema::assert_valid(&Vec::from_iter(calls.into_iter().map(|call| call.json)));
    server.shutdown().await;
}

#[tokio::test]
async fn a_failing_event_holds_up_only_its_own_chat() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = fails.clone();
    let mut receiver = Receiver::start(move |call| {
        let fails = failing.load(Ordering::Relaxed) && call.text().starts_with("bad");
        if fails { 500 } else { 200 }
    })
    .await;
    let (directory, url) = (TempDir::new().unwrap(), receiver.url());
    let running = program(directory.path(), &url, &[]);
    let mut client = ann(&running).await;
    let (bad, good) = (client.chat("b", true, &[]).await, client.chat("g", true, &[]).await);
    for at in 0..5 {
        client.say(&bad, &format!("bad {at}")).await;
        client.say(&good, &format!("good {at}")).await;
    }
    // Until the first has been retried, and all messages of the other chat have come.
    let (mut calls, mut tries) = (Vec::new(), Vec::new());
    while calls.len() < 5 || tries.len() < 2 {
        let call = receiver.next_message().await;
        match call.text().starts_with("bad") {
            true => tries.push(call),
            false => calls.push(call),
        }
    }
    assert_eq!(
        texts(&calls)[&format!("chat/{good}")],
        [0, 1, 2, 3, 4].map(|at| format!("good {at}"))
    );
    for call in &tries {
        assert_eq!((&call.id, &call.body), (&tries[0].id, &tries[0].body));
        assert_eq!(call.text(), "bad 0");
    }
    // After its start, a server does not wait for the time of the next try.
    running.end("TERM");
    fails.store(false, Ordering::Relaxed);
    let running = program(directory.path(), &url, &[]);
    let mut came = vec!["bad 0".to_owned()];
    while came.len() < 5 {
        let text = receiver.next_message().await.text().to_owned();
        if came.last() != Some(&text) {
            came.push(text);
        }
    }
    assert_eq!(came, [0, 1, 2, 3, 4].map(|at| format!("bad {at}")));
    running.end("TERM");
}

#[tokio::test]
async fn a_hanging_call_holds_up_only_its_own_chat() {
    let mut receiver = Receiver::answering(|call| match call.text() {
        "slow" => Answer::Nothing,
        _ => Answer::status(200),
    })
    .await;
    let url = receiver.url();
    let server = TestServer::with(move |config| {
        hooked(url)(config);
        config.limits.webhook_timeout = Duration::from_secs(600);
    })
    .await;
    let mut ann = server.user("ann").await;
    // More than the calls that may run at the same time if they do not hang.
    for _ in 0..20 {
        let chat = ann.chat("slow", true, &[]).await;
        ann.say(&chat, "slow").await;
    }
    for _ in 0..20 {
        assert_eq!(receiver.next_message().await.text(), "slow");
    }
    let chat = ann.chat("quick", true, &[]).await;
    ann.say(&chat, "quick").await;
    assert_eq!(receiver.next_message().await.text(), "quick");
    server.shutdown().await;
}

#[tokio::test]
async fn a_call_not_answered_in_time_is_sent_again() {
    let hangs = Arc::new(AtomicBool::new(true));
    let mut receiver = Receiver::answering(move |call| {
        match call.text() == "slow" && hangs.swap(false, Ordering::Relaxed) {
            true => Answer::Nothing,
            false => Answer::status(200),
        }
    })
    .await;
    let (directory, url) = (TempDir::new().unwrap(), receiver.url());
    let running = program(directory.path(), &url, &["--webhook-timeout", "1"]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    client.say(&chat, "slow").await;
    let (first, again) = (receiver.next_message().await, receiver.next_message().await);
    assert_eq!((first.id, first.body), (again.id, again.body));
    until(&running, "chinwag_webhook_lag_events", |events| events == 0.0).await;
    running.end("TERM");
}

#[tokio::test]
async fn the_status_of_an_unfinished_answer_is_enough() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nand so on";
    let mut receiver = Receiver::answering(|_| Answer::Begun(answer.into())).await;
    let (directory, url) = (TempDir::new().unwrap(), receiver.url());
    let running = program(directory.path(), &url, &["--webhook-timeout", "600"]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    // More than the bodies that may be in memory at the same time.
    for at in 0..20 {
        client.say(&chat, &at.to_string()).await;
    }
    for at in 0..20 {
        assert_eq!(receiver.next_message().await.text(), at.to_string());
    }
    until(&running, "chinwag_webhook_lag_events", |events| events == 0.0).await;
    until(&running, "chinwag_webhook_failed_total", |failed| failed == 0.0).await;
    running.end("TERM");
}

#[tokio::test]
async fn no_event_is_lost_while_the_endpoint_is_down_and_after_a_kill() {
    let is_up = Arc::new(AtomicBool::new(false));
    let up = is_up.clone();
    let mut receiver = Receiver::answering(move |_| match up.load(Ordering::Relaxed) {
        true => Answer::status(200),
        false => Answer::Gone,
    })
    .await;
    let (directory, url) = (TempDir::new().unwrap(), receiver.url());
    let mut running = program(directory.path(), &url, &[]);
    let mut client = ann(&running).await;
    let mut expected = HashMap::new();
    for name in ["one", "two", "three"] {
        let chat = client.chat(name, true, &[]).await;
        let said = Vec::from_iter((0..10).map(|at| format!("{name} {at}")));
        for text in &said {
            client.say(&chat, text).await;
        }
        expected.insert(format!("chat/{chat}"), said);
    }
    until(&running, "chinwag_webhook_failed_total", |failed| failed >= 3.0).await;
    until(&running, "chinwag_webhook_lag_events", |events| events >= 33.0).await;
    until(&running, "chinwag_webhook_lag_seconds", |seconds| seconds > 0.0).await;
    running.kill();
    is_up.store(true, Ordering::Relaxed);
    let running = program(directory.path(), &url, &[]);
    // Calls that were under way when the server was killed may come twice.
    let (mut calls, mut ids) = (Vec::new(), HashSet::new());
    while calls.len() < 30 {
        let call = receiver.next_message().await;
        if ids.insert(call.id.clone()) {
            calls.push(call);
        }
    }
    for (stream, said) in &expected {
        assert_eq!(&texts(&calls)[stream], said);
    }
    until(&running, "chinwag_webhook_lag_events", |events| events == 0.0).await;
    running.end("TERM");
}

#[tokio::test]
async fn a_call_cut_off_by_a_kill_is_repeated_unchanged() {
    let hangs = Arc::new(AtomicBool::new(true));
    let hanging = hangs.clone();
    let mut receiver = Receiver::answering(move |call| {
        match call.text() == "slow" && hanging.load(Ordering::Relaxed) {
            true => Answer::Nothing,
            false => Answer::status(200),
        }
    })
    .await;
    let (directory, url) = (TempDir::new().unwrap(), receiver.url());
    let unhurried = ["--webhook-timeout", "600"];
    let mut running = program(directory.path(), &url, &unhurried);
    let mut client = ann(&running).await;
    let (slow, quick) = (client.chat("slow", true, &[]).await, client.chat("q", true, &[]).await);
    client.say(&slow, "slow").await;
    client.say(&slow, "behind").await;
    let first = receiver.next_message().await;
    assert_eq!(first.text(), "slow");
    // Meanwhile clients go on chatting, and other events are delivered.
    client.say(&quick, "quick").await;
    assert_eq!(receiver.next_message().await.text(), "quick");
    until(&running, "chinwag_webhook_lag_events", |events| events == 2.0).await;
    running.kill();
    receiver.taken();
    hangs.store(false, Ordering::Relaxed);
    let running = program(directory.path(), &url, &unhurried);
    let again = receiver.next().await;
    assert_eq!((&again.id, &again.json["data"]), (&first.id, &first.json["data"]));
    // Who is offline is determined again, as no try has failed: the kill has disconnected ann.
    assert_eq!((&first.json["offline"], &again.json["offline"]), (&json!([]), &json!(["ann"])));
    assert_eq!(receiver.next().await.text(), "behind");
    until(&running, "chinwag_webhook_lag_events", |events| events == 0.0).await;
    assert!(receiver.taken().is_empty(), "something else came again");
    running.end("TERM");
}

#[tokio::test]
async fn private_addresses_are_called_only_if_allowed() {
    for url in [
        "http://127.0.0.1:1",
        "https://[::1]",
        "http://10.1.2.3",
        "http://192.168.1.1/x",
        "http://172.16.0.1",
        "http://169.254.169.254",
        "http://100.64.0.1",
        "http://0.0.0.0",
        "http://224.0.0.1",
        "http://[::ffff:10.0.0.1]",
        "http://[fd00::1]",
        "http://[fe80::1]",
        "http://[64:ff9b::7f00:1]",
        "http://[2002:7f00:1::]",
        "http://[::]",
        "http://[ff02::1]",
    ] {
        let mut config = Config::default();
        hooked(url.to_owned())(&mut config);
        assert!(Server::check(&config).await.is_ok(), "{url}");
        config.webhook_private = false;
        let why = Server::check(&config).await.unwrap_err().to_string();
        assert!(why.contains("webhook-url") && why.contains("--webhook-private"), "{url}: {why}");
    }
    let mut config = Config::default();
    hooked("https://[2606:4700::1111]:8443/x".to_owned())(&mut config);
    config.webhook_private = false;
    assert!(Server::check(&config).await.is_ok());

    // A host name is resolved for each call.
    let mut receiver = Receiver::start(|_| 200).await;
    let url = format!("http://localhost:{}/hook?a=b", receiver.address.port());
    let directory = TempDir::new().unwrap();
    let running = Running::with(directory.path(), |command| {
        command.args(["--listen", "127.0.0.1:0", "--webhook-url", &url]);
        command.env("CHINWAG_WEBHOOK_SECRET", SECRET);
    });
    let mut client = ann(&running).await;
    client.chat("x", true, &[]).await;
    until(&running, "chinwag_webhook_failed_total", |failed| failed >= 2.0).await;
    assert!(receiver.taken().is_empty(), "it was called");
    let (_, log) = running.end("TERM");
    // It is logged once, and not for each try.
    assert_eq!(log.matches("the webhook did not take an event").count(), 1, "{log}");
    assert!(log.contains("no public address"), "{log}");
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let mut elsewhere = Receiver::start(|_| 200).await;
    let location = elsewhere.url();
    let redirect = format!("307 Elsewhere\r\nLocation: {location}");
    let mut receiver = Receiver::answering(move |_| Answer::Whole(redirect.clone())).await;
    let server = TestServer::with(hooked(receiver.url())).await;
    server.user("ann").await.chat("x", true, &[]).await;
    let first = receiver.next().await;
    while receiver.next().await.id != first.id {}
    assert!(elsewhere.taken().is_empty(), "it was followed");
    server.shutdown().await;
}

#[tokio::test]
async fn impossible_settings_are_refused() {
    let short = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
    let raw = SECRET.trim_start_matches("whsec_");
    for secret in ["", "whsec_", "whsec_!", "secret", short, raw] {
        let mut config = Config::default();
        hooked("https://example.com".to_owned())(&mut config);
        config.webhook_secret = Some(secret.into());
        let why = Server::check(&config).await.unwrap_err().to_string();
        let said = why.contains("webhook-secret") && why.contains("whsec_");
        assert!(said && !why.contains("MDEy"), "{secret}: {why}");
    }
    for url in ["ftp://example.com", "https://", "https://ann:x@example.com", "http://exa mple"] {
        let mut config = Config::default();
        hooked(url.to_owned())(&mut config);
        let why = Server::check(&config).await.unwrap_err().to_string();
        assert!(why.contains("webhook-url"), "{url}: {why}");
    }
    let mut config = Config::default();
    hooked("https://example.com".to_owned())(&mut config);
    config.webhook_secret = None;
    let why = Server::check(&config).await.unwrap_err().to_string();
    assert!(why.contains("webhook-secret") && why.contains("set"), "{why}");
}
