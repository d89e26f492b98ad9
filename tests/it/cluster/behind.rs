//! A node is behind the others: it has not read for a while what they commit.

use crate::cluster::cuts::start_watched;

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
