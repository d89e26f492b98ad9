//! What the server does by itself: at its start, and every half a minute.

use std::time::Duration;

use chinwag::Config;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::held::Held;
use crate::nodes::Nodes;
use crate::proxy::Proxy;
use crate::services;
use crate::support::TestServer;

/// Two rounds come in less.
const PATIENCE: Duration = Duration::from_secs(70);

/// Asks until this is the answer.
async fn until(what: &str, looker: &mut Held, sql: &str, answer: i64) {
    let waiting = async {
        while looker.count(sql).await != answer {
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "did not happen: {what}");
}

#[tokio::test]
async fn a_lock_whose_connection_says_nothing_is_taken_again() {
    let Some(postgres) = services::postgres() else { return };
    let database = services::database(&postgres).await;
    let proxy = Proxy::to(&database).await;
    let through_it = |config: &mut Config| config.database_url = proxy.url(&database).into();
    let _server = TestServer::on(TempDir::new().unwrap(), through_it).await;
    let mut looker = Held::on(&database).await;
    let locks = "select count(*) from pg_locks join pg_database d on d.oid = database
        where locktype = 'advisory' and granted and datname = current_database()";
    assert_eq!(looker.count(locks).await, 1);
    proxy.cut_off();
    looker.cut_off_all().await;
    until("PostgreSQL has dropped it", &mut looker, locks, 0).await;
    until("it is taken again", &mut looker, locks, 1).await;
}

#[tokio::test]
async fn an_empty_room_is_found_behind_many_that_are_not() {
    const OCCUPIED: i64 = 101;
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let unbounded = |config: &mut Config| {
        config.limits.requests_per_user = 0;
        config.limits.requests_per_address = 0;
    };
    let nodes = Nodes::on(&database, &redis, 1, unbounded).await;
    for number in 0..OCCUPIED {
        nodes[0].in_new_room(&format!("user{number}")).await;
    }
    run(
        &database,
        "update chats set created_at = 1;
         insert into chats (id, name, private, creator_id, last_seq, active_at, created_at,
             modified_at, ephemeral)
         select 'ffffffff-ffff-7fff-bfff-ffffffffffff', 'x', false, id, 0, 1, 1, 1, true
         from users limit 1",
    )
    .await;
    let mut looker = Held::on(&database).await;
    let rooms = "select count(*) from chats where ephemeral";
    assert_eq!(looker.count(rooms).await, OCCUPIED + 1);
    let empty = "select count(*) from chats where name = 'x'";
    until("the empty one is deleted", &mut looker, empty, 0).await;
    assert_eq!(looker.count(rooms).await, OCCUPIED);
}

/// Runs statements on a database.
async fn run(url: &str, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    sql.execute(&mut PgConnection::connect(url).await.unwrap()).await.unwrap();
}
