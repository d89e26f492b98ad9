//! A node is behind the others: it has not read for a while what they commit.

use std::time::Duration;

use redis::AsyncCommands;
use serde_json::json;
use uuid::Uuid;

use crate::cluster::cuts::{start_watched, start_with};
use crate::support::program::most_memory;
use crate::support::steps::of_chat;
use crate::support::{services, soon};

#[tokio::test]
async fn a_node_warns_of_events_that_are_gone_before_it_has_read_them() {
    let Some((nodes, to_redis, to_postgres, mut postgres)) = start_watched().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    to_redis.cut();
    to_postgres.cut();
    for text in ["one", "two", "three"] {
        ann.say(&chat, text).await;
    }
    // As if it had happened an hour ago; what the event log still needs stays.
    let deleted = sqlx::query("delete from events where stream = $1 and event like '%\"two\"%'")
        .bind(format!("chat/{chat}"))
        .execute(&mut postgres);
    assert_eq!(deleted.await.unwrap().rows_affected(), 1);
    to_postgres.mend();
    for text in ["one", "three"] {
        assert_eq!(bob.next("new-message").await["msg"], text);
    }
    let log = nodes.log(1);
    let warning = log.lines().find(|line| line.contains("events of other nodes are lost"));
    assert!(warning.is_some_and(|line| line.contains(r#""missing":1"#)), "{log}");
}

#[tokio::test]
async fn a_node_that_cannot_read_the_database_takes_little_memory() {
    // Bob answers no ping until he reads.
    let arguments =
        ["--written-bytes-per-user=0", "--max-unsent-bytes=100000000", "--ping-timeout=200"];
    let Some((nodes, _to_redis, to_postgres, _)) = start_with(&arguments).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let before = most_memory(nodes[1].process());
    // It looks for what it has missed, and is not answered.
    to_postgres.cut_off_at(b"everyone");
    soon("it looks", to_postgres.is_cut()).await;
    to_postgres.cut();
    // Twice as much as may wait.
    let (count, text) = (128, "x".repeat(512 << 10));
    for _ in 0..count {
        ann.say(&chat, &text).await;
    }
    let more = most_memory(nodes[1].process()) - before;
    assert!(more < 48 << 10, "{more} KiB more");
    to_postgres.mend();
    for seq in 1..=count {
        assert_eq!(bob.next("new-message").await["seq"], seq);
    }
    nodes.assert_no_defect();
}

/// They could not publish what they committed, and can again.
#[tokio::test]
async fn a_node_looks_once_for_what_many_others_may_not_have_told() {
    let Some((nodes, _to_redis, to_postgres, mut postgres)) = start_watched().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let id = sqlx::query_scalar("select id from cluster").fetch_one(&mut postgres);
    let id: Uuid = id.await.unwrap();
    let topic = format!("chinwag:{id}:missed");
    let redis = redis::Client::open(services::redis().unwrap()).unwrap();
    let mut redis = redis.get_multiplexed_async_connection().await.unwrap();
    to_postgres.slow(Duration::from_millis(100));
    for _ in 0..500 {
        let nodes: usize = redis.publish(&topic, "").await.unwrap();
        assert_eq!(nodes, 2);
    }
    // What is not stored is not found by looking.
    let mut signal = of_chat(&chat);
    signal["data"] = json!("are you there?");
    ann.done("signal", signal.clone()).await;
    assert_eq!(bob.next("signal").await["data"], signal["data"]);
    nodes.assert_no_defect();
}
