//! Events that are parked, since the webhook has not accepted them for too long.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::program::housekeeping::run;
use crate::support::TestServer;
use crate::support::database::url_in;
use crate::support::hooks::{Receiver, ann, count, hooked, program, until, until_count};
use crate::support::program::output;
use crate::support::signing::now;

const PARKED: &str = "select count(*) from parked_webhooks";

/// Runs a command on the database of a directory; returns its exit code and output.
async fn webhooks(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let database = url_in(directory);
    let arguments = [&["webhooks", "--database-url", &database], arguments].concat();
    let arguments = Vec::from_iter(arguments.into_iter().map(str::to_owned));
    let run = move || output(&Vec::from_iter(arguments.iter().map(String::as_str)));
    let (output, text) = tokio::task::spawn_blocking(run).await.unwrap();
    (output.status.code(), text)
}

/// A receiver that rejects messages of this text as long as the flag is true.
async fn rejecting(text: &'static str) -> (Receiver, Arc<AtomicBool>) {
    let rejects = Arc::new(AtomicBool::new(true));
    let rejecting = rejects.clone();
    let receiver = Receiver::start(move |call| {
        let rejects = rejecting.load(Ordering::Relaxed) && call.text().starts_with(text);
        if rejects { 422 } else { 200 }
    });
    (receiver.await, rejects)
}

#[tokio::test]
async fn an_event_rejected_for_too_long_is_parked_and_can_be_resent() {
    let (mut receiver, rejects) = rejecting("bad").await;
    let directory = TempDir::new().unwrap();
    let running = program(directory.path(), &receiver.url(), &["--webhook-retry-for", "1"]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    client.say(&chat, "bad").await;
    let bad = receiver.next_message().await;
    client.say(&chat, "good").await;
    let good = loop {
        let call = receiver.next_message().await;
        if call.id != bad.id {
            break call;
        }
    };
    assert_eq!(good.text(), "good");
    until(&running, "chinwag_webhook_parked", |parked| parked == 1.0).await;
    until(&running, "chinwag_webhook_lag_events", |events| events == 0.0).await;

    let (code, listed) = webhooks(directory.path(), &["list"]).await;
    let expected = format!("{} chat/{chat} 2 2 ", bad.id);
    assert!(code == Some(0) && listed.starts_with(&expected), "{listed}");
    assert!(listed.ends_with(" it answered with 422\n"), "{listed}");
    let (code, why) = webhooks(directory.path(), &["resend", "--id", &good.id]).await;
    assert!(code == Some(1) && why.contains("no event with the id"), "{why}");
    assert_ne!(webhooks(directory.path(), &["resend"]).await.0, Some(0), "it does not say which");
    assert_ne!(webhooks(directory.path(), &["drop"]).await.0, Some(0), "it does not say which");
    rejects.store(false, Ordering::Relaxed);
    let resent = webhooks(directory.path(), &["resend", "--id", &bad.id]).await;
    assert_eq!(resent, (Some(0), "queued again: 1\n".into()));
    let again = receiver.next_message().await;
    assert_eq!((&again.id, &again.body), (&bad.id, &bad.body));
    until(&running, "chinwag_webhook_parked", |parked| parked == 0.0).await;
    assert_eq!(webhooks(directory.path(), &["list"]).await, (Some(0), String::new()));
    let resent = webhooks(directory.path(), &["resend", "--all"]).await;
    assert_eq!(resent, (Some(0), "queued again: 0\n".into()));
    running.end("TERM");
}

#[tokio::test]
async fn a_dropped_event_is_not_sent_again() {
    let (mut receiver, rejects) = rejecting("bad").await;
    let directory = TempDir::new().unwrap();
    let running = program(directory.path(), &receiver.url(), &["--webhook-retry-for", "1"]);
    let mut client = ann(&running).await;
    for name in ["x", "y", "z"] {
        let chat = client.chat(name, true, &[]).await;
        client.say(&chat, "bad").await;
    }
    until(&running, "chinwag_webhook_parked", |parked| parked == 3.0).await;
    rejects.store(false, Ordering::Relaxed);
    let (_, listed) = webhooks(directory.path(), &["list"]).await;
    let (first, _) = listed.split_once(' ').unwrap();
    let dropped = webhooks(directory.path(), &["drop", "--id", first]).await;
    assert_eq!(dropped, (Some(0), "dropped: 1\n".into()));
    let (_, listed) = webhooks(directory.path(), &["list"]).await;
    assert!(listed.lines().count() == 2 && !listed.contains(first), "{listed}");
    let dropped = webhooks(directory.path(), &["drop", "--all"]).await;
    assert_eq!(dropped, (Some(0), "dropped: 2\n".into()));
    receiver.taken();
    let resent = webhooks(directory.path(), &["resend", "--all"]).await;
    assert_eq!(resent, (Some(0), "queued again: 0\n".into()));
    let chat = client.chat("x", true, &[]).await;
    client.say(&chat, "good").await;
    assert_eq!(receiver.next_message().await.text(), "good");
    running.end("TERM");
}

#[tokio::test]
async fn a_text_that_was_edited_is_not_sent_from_a_parked_event() {
    let (mut receiver, _) = rejecting("secret").await;
    let directory = TempDir::new().unwrap();
    let running = program(directory.path(), &receiver.url(), &["--webhook-retry-for", "1"]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    let said = client.say(&chat, "secret").await;
    until(&running, "chinwag_webhook_parked", |parked| parked == 1.0).await;
    let id = &said["id"];
    let edited = json!({ "chat": { "id": chat }, "message": { "id": id, "value": "harmless" } });
    let answer = client.ask("edit-message", edited).await;
    assert!(answer.get("error").is_none(), "{answer}");
    let still = "select count(*) from events where event like '%secret%'";
    until_count(&url_in(directory.path()), still, 0).await;
    receiver.taken();
    webhooks(directory.path(), &["resend", "--all"]).await;
    let again = receiver.next_message().await;
    assert!(again.text() == "harmless" && !again.body.contains("secret"), "{}", again.body);
    running.end("TERM");
}

#[tokio::test]
async fn a_parked_event_is_dropped_if_old_or_without_its_message() {
    let (mut receiver, rejects) = rejecting("bad").await;
    let url = receiver.url();
    let parking = move |config: &mut chinwag::Config| {
        hooked(url.clone())(config);
        config.limits.webhook_retry_for = Duration::from_secs(1);
    };
    let server = TestServer::with(&parking).await;
    let mut client = server.user("ann").await;
    for text in ["bad and old", "bad and gone", "bad and kept"] {
        let chat = client.chat("x", true, &[]).await;
        client.say(&chat, text).await;
    }
    let database = url_in(server.directory.path());
    until_count(&database, PARKED, 3).await;
    let directory = server.shutdown().await;
    let age = |hours: i64| (now() - 3600 * hours) * 1_000_000;
    let (lately, long_ago) = (age(2), age(24 * 31));
    let sql = format!(
        "update events set committed_at = {lately};
         update events set committed_at = {long_ago} where event like '%bad and old%';
         delete from messages where body = 'bad and gone';"
    );
    run(&database, &sql).await;
    let server = TestServer::on(directory, &parking).await;
    until_count(&database, PARKED, 1).await;
    let left = "select count(*) from events where event like '%bad and %'";
    until_count(&database, left, 1).await;
    receiver.taken();
    rejects.store(false, Ordering::Relaxed);
    webhooks(server.directory.path(), &["resend", "--all"]).await;
    assert_eq!(receiver.next_message().await.text(), "bad and kept");
    server.shutdown().await;
}

#[tokio::test]
async fn a_parked_event_without_its_message_is_not_resent() {
    let (mut receiver, rejects) = rejecting("bad").await;
    let directory = TempDir::new().unwrap();
    let running = program(directory.path(), &receiver.url(), &["--webhook-retry-for", "1"]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    client.say(&chat, "bad").await;
    until(&running, "chinwag_webhook_parked", |parked| parked == 1.0).await;
    let lately = (now() - 2 * 3600) * 1_000_000;
    let sql = format!("update events set committed_at = {lately}; delete from messages;");
    run(&url_in(directory.path()), &sql).await;
    receiver.taken();
    rejects.store(false, Ordering::Relaxed);
    webhooks(directory.path(), &["resend", "--all"]).await;
    until_count(&url_in(directory.path()), "select count(*) from webhooks", 0).await;
    until(&running, "chinwag_webhook_dropped_total", |dropped| dropped == 1.0).await;
    assert!(receiver.taken().is_empty(), "it was sent");
    running.end("TERM");
}

#[tokio::test]
async fn events_kept_for_the_webhook_do_not_hide_others_to_delete() {
    const KEPT: i64 = 1200;
    let server = TestServer::with(|_| {}).await;
    let database = url_in(server.directory.path());
    let directory = server.shutdown().await;
    let id = match database.starts_with("sqlite:") {
        true => "randomblob(16)",
        false => "gen_random_uuid()",
    };
    let numbers = format!(
        "with recursive numbers (n) as (
             select 1 union all select n + 1 from numbers where n < {KEPT}
         )"
    );
    let lately = (now() - 2 * 3600) * 1_000_000;
    let sql = format!(
        "insert into events (stream, number, event, committed_at, logged)
             {numbers} select 'user/x', n, '{{}}', {lately} + n, true from numbers;
         insert into parked_webhooks (id, stream, number, attempts, failing_since, problem)
             {numbers} select {id}, 'user/x', n, 1, 1, '' from numbers;
         insert into events (stream, number, event, committed_at, logged)
             values ('user/y', 1, '{{}}', {lately} + {KEPT} + 1, true);"
    );
    run(&database, &sql).await;
    let server = TestServer::on(directory, |_| {}).await;
    until_count(&database, "select count(*) from events where stream = 'user/y'", 0).await;
    assert_eq!(count(&database, "select count(*) from events").await, KEPT);
    server.shutdown().await;
}

#[tokio::test]
async fn other_housekeeping_goes_on_if_events_cannot_be_deleted() {
    let server = TestServer::with(|_| {}).await;
    let database = url_in(server.directory.path());
    server.user("ann").await;
    let directory = server.shutdown().await;
    run(&database, "alter table events rename to elsewhere; update users set deletion = 1;").await;
    let server = TestServer::on(directory, |_| {}).await;
    until_count(&database, "select count(*) from users where deletion > 0", 0).await;
    server.shutdown().await;
}
