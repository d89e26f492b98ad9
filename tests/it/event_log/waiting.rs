//! Events that wait for the webhook while they are changed in the database, or for a long time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chinwag::Config;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::program::housekeeping::run;
use crate::support::database::url_in;
use crate::support::hooks::{Answer, Receiver, ann, count, hooked, program, until, until_count};
use crate::support::signing::now;
use crate::support::{TestServer, services};

const WAITING: &str = "select count(*) from webhooks";
const PARKED: &str = "select count(*) from parked_webhooks";
const HELD: &str = "select count(*) from webhooks where next_at is null";

/// A receiver that rejects messages whose text begins with this.
async fn rejecting(text: &'static str) -> Receiver {
    Receiver::start(move |call| if call.text().starts_with(text) { 422 } else { 200 }).await
}

#[tokio::test]
async fn an_event_behind_one_deleted_by_hand_is_delivered() {
    let mut receiver = rejecting("bad").await;
    let server = TestServer::with(hooked(receiver.url())).await;
    let database = url_in(server.directory.path());
    let mut ann = server.user("ann").await;
    let chat = ann.chat("x", true, &[]).await;
    ann.say(&chat, "bad").await;
    assert_eq!(receiver.next_message().await.text(), "bad");
    ann.say(&chat, "good").await;
    until_count(&database, HELD, 1).await;
    run(&database, "delete from webhooks where next_at is not null").await;
    while receiver.next_message().await.text() != "good" {}
    server.shutdown().await;
}

#[tokio::test]
async fn time_while_the_server_is_down_does_not_count_as_failing() {
    let mut receiver = rejecting("bad").await;
    let (directory, url) = (TempDir::new().unwrap(), receiver.url());
    let running = program(directory.path(), &url, &[]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    client.say(&chat, "bad").await;
    until(&running, "chinwag_webhook_failed_total", |failed| failed >= 1.0).await;
    running.end("TERM");
    receiver.taken();
    // As if the server had been down for two days.
    let days = 2 * 24 * 3600 * 1_000_000_i64;
    let sql = format!(
        "update events set committed_at = committed_at - {days};
         update webhooks set failing_since = failing_since - {days}, next_at = next_at - {days};"
    );
    run(&url_in(directory.path()), &sql).await;
    let running = program(directory.path(), &url, &[]);
    for _ in 0..2 {
        assert_eq!(receiver.next_message().await.text(), "bad");
    }
    assert_eq!(count(&url_in(directory.path()), "select count(*) from parked_webhooks").await, 0);
    running.end("TERM");
}

#[tokio::test]
async fn an_event_without_its_message_is_dropped_wherever_it_waits() {
    for has_webhook in [true, false] {
        let receiver = rejecting("bad").await;
        let server = TestServer::with(hooked(receiver.url())).await;
        let database = url_in(server.directory.path());
        let mut ann = server.user("ann").await;
        let (one, other) = (ann.chat("x", true, &[]).await, ann.chat("y", true, &[]).await);
        for (chat, text) in [(&one, "bad and kept"), (&one, "behind it"), (&other, "bad alone")] {
            ann.say(chat, text).await;
        }
        until_count(&database, WAITING, 3).await;
        let directory = server.shutdown().await;
        let lately = (now() - 2 * 3600) * 1_000_000;
        let sql = format!(
            "update events set committed_at = {lately};
             delete from messages where body <> 'bad and kept';"
        );
        run(&database, &sql).await;
        let server = TestServer::on(directory, |config: &mut Config| {
            if has_webhook {
                hooked(receiver.url())(config);
            }
        })
        .await;
        for gone in ["behind it", "bad alone"] {
            let left = format!("select count(*) from events where event like '%{gone}%'");
            until_count(&database, &left, 0).await;
        }
        until_count(&database, WAITING, 1).await;
        let kept = "select count(*) from events where event like '%bad and kept%'";
        assert_eq!(count(&database, kept).await, 1);
        server.shutdown().await;
    }
}

/// Otherwise each retry would count as another event.
#[tokio::test]
async fn a_delivery_that_cannot_be_recorded_is_not_counted() {
    const DELIVERED: &str = "chinwag_webhook_delivered_total";
    let mut receiver = Receiver::start(|_| 200).await;
    let directory = TempDir::new().unwrap();
    let database = url_in(directory.path());
    let running = program(directory.path(), &receiver.url(), &[]);
    let mut client = ann(&running).await;
    let chat = client.chat("x", true, &[]).await;
    until_count(&database, WAITING, 0).await;
    let before = receiver.taken().len() as f64;
    until(&running, DELIVERED, |delivered| delivered == before).await;
    let (breaks, mends) = match database.starts_with("sqlite:") {
        true => (
            "create trigger broken before delete on webhooks
             begin select raise(abort, 'broken'); end",
            "drop trigger broken",
        ),
        false => (
            "create function broken() returns trigger language plpgsql
             as $$ begin raise 'broken'; end $$;
             create trigger broken before delete on webhooks
             for each row execute function broken()",
            "drop trigger broken on webhooks",
        ),
    };
    run(&database, breaks).await;
    client.say(&chat, "again and again").await;
    for _ in 0..3 {
        assert_eq!(receiver.next_message().await.text(), "again and again");
    }
    run(&database, mends).await;
    until_count(&database, WAITING, 0).await;
    until(&running, DELIVERED, |delivered| delivered == before + 1.0).await;
    running.end("TERM");
}

/// Delivering locks rows in an order of its own, so that waiting for them could be a deadlock.
#[tokio::test]
async fn housekeeping_does_not_wait_for_locked_rows() {
    let Some(postgres) = services::postgres() else { return };
    let database = services::database(&postgres).await;
    let receiver = rejecting("bad").await;
    let on_it = |config: &mut Config| config.database_url = database.as_str().into();
    let server = TestServer::with(|config| {
        hooked(receiver.url())(config);
        on_it(config);
    })
    .await;
    let mut ann = server.user("ann").await;
    for at in 0..9 {
        let chat = ann.chat("x", true, &[]).await;
        ann.say(&chat, &format!("bad {at}")).await;
    }
    let bad = "select count(*) from events where event like '%bad %'";
    until_count(&database, WAITING, 9).await;
    let directory = server.shutdown().await;
    let lately = (now() - 2 * 3600) * 1_000_000;
    // Three wait, three are parked, and the webhook has the other three.
    let sql = format!(
        "update events set committed_at = {lately};
         delete from messages;
         insert into parked_webhooks (id, stream, number, attempts, failing_since, problem)
             select id, stream, number, 1, 1, '' from webhooks order by id limit 3;
         delete from webhooks where id in (select id from parked_webhooks);
         delete from webhooks where id in (select id from webhooks order by id limit 3);"
    );
    run(&database, &sql).await;
    // One of each is locked.
    let mut other = PgConnection::connect(&database).await.unwrap();
    let lock = "begin;
        select from webhooks order by id desc limit 1 for update;
        select from parked_webhooks order by id desc limit 1 for update;
        select from events e where event like '%bad %'
            and not exists (select from webhooks w where (w.stream, w.number) = (e.stream, e.number))
            and not exists (
                select from parked_webhooks p where (p.stream, p.number) = (e.stream, e.number)
            ) order by id desc limit 1 for update";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    let server = TestServer::on(directory, on_it).await;
    until_count(&database, WAITING, 1).await;
    until_count(&database, PARKED, 1).await;
    until_count(&database, bad, 3).await;
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    let server = TestServer::on(server.shutdown().await, on_it).await;
    for sql in [WAITING, PARKED, bad] {
        until_count(&database, sql, 0).await;
    }
    server.shutdown().await;
}

#[tokio::test]
async fn an_unreadable_event_does_not_cut_off_other_calls() {
    let rejects = Arc::new(AtomicBool::new(true));
    let rejecting = rejects.clone();
    let mut receiver = Receiver::answering(move |call| match call.text() {
        "slow" => Answer::Nothing,
        "bad" if rejecting.load(Ordering::Relaxed) => Answer::status(500),
        _ => Answer::status(200),
    })
    .await;
    let directory = TempDir::new().unwrap();
    let database = url_in(directory.path());
    if !database.starts_with("sqlite:") {
        // On PostgreSQL the column cannot hold a value of another type.
        return;
    }
    let running = program(directory.path(), &receiver.url(), &["--webhook-timeout", "600"]);
    let mut client = ann(&running).await;
    for text in ["slow", "bad"] {
        let chat = client.chat(text, true, &[]).await;
        client.say(&chat, text).await;
        assert_eq!(receiver.next_message().await.text(), text);
    }
    until_count(&database, "select count(*) from webhooks where attempts > 0", 1).await;
    run(&database, "update webhooks set offline = x'ff', next_at = 1 where attempts > 0").await;
    let waits = "select count(*) from webhooks where offline = x'ff' and next_at > 1";
    until_count(&database, waits, 1).await;
    rejects.store(false, Ordering::Relaxed);
    run(&database, "update webhooks set offline = '[]' where attempts > 0").await;
    until(&running, "chinwag_webhook_lag_events", |events| events == 1.0).await;
    assert!(receiver.taken().iter().all(|call| call.text() != "slow"), "it was sent again");
    let (_, log) = running.end("TERM");
    assert_eq!(log.matches("an event cannot be read for the webhook").count(), 1, "{log}");
}
