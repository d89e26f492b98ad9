//! Housekeeping: what the server does by itself, at its start and every half a minute.

use std::time::Duration;

use chinwag::Config;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::support::held::Held;
use crate::support::nodes::Nodes;
use crate::support::patience::within;
use crate::support::proxy::Proxy;
use crate::support::rpc::{assert_fault, room_of};
use crate::support::{TestServer, database, services, soon};

/// Two rounds take less than this.
const PATIENCE: Duration = Duration::from_secs(70);

/// Repeats a query until it counts `answer`.
async fn until(what: &str, looker: &mut Held, sql: &str, answer: i64) {
    let waiting = async {
        while looker.count(sql).await != answer {
            sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(within(PATIENCE, waiting).await.is_some(), "did not happen: {what}");
}

#[tokio::test]
async fn a_lock_with_a_silent_connection_is_taken_again() {
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
async fn an_empty_room_behind_many_occupied_ones_is_deleted() {
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

/// Runs statements on a database of either kind.
pub async fn run(url: &str, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if url.starts_with("sqlite:") {
        sql.execute(&mut SqliteConnection::connect(url).await.unwrap()).await.unwrap();
    } else {
        sql.execute(&mut PgConnection::connect(url).await.unwrap()).await.unwrap();
    }
}

/// The texts that a query returns.
async fn list(url: &str, sql: &'static str) -> Vec<String> {
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    }
}

#[tokio::test]
async fn a_deleted_chats_stream_ends_with_its_last_event_on_sqlite() {
    let directory = TempDir::new().unwrap();
    let url = database::sqlite_in(directory.path());
    numbers_are_forgotten(directory, &url).await;
}

#[tokio::test]
async fn a_deleted_chats_stream_ends_with_its_last_event_on_postgres() {
    let Some(postgres) = services::postgres() else { return };
    numbers_are_forgotten(TempDir::new().unwrap(), &services::database(&postgres).await).await;
}

async fn numbers_are_forgotten(directory: TempDir, url: &str) {
    const LATELY: i64 = 1 << 60;
    let on_it = |config: &mut Config| config.database_url = url.into();
    let server = TestServer::on(directory, on_it).await;
    let there = server.user("ann").await.make_private(&mut []).await;
    let directory = server.shutdown().await;
    let [gone, lately, unlogged] =
        ["0", "1", "2"].map(|end| format!("019a2f0e-6d5b-7c4e-9a51-3f1f0c7f4a1{end}"));
    let sql = format!(
        "insert into streams values ('chat/{there}', 1), ('chat/{gone}', 2), ('chat/{lately}', 2),
             ('chat/{unlogged}', 1), ('user/{gone}', 1), ('everyone', 1);
         insert into events (stream, number, committed_at, logged) values
             ('chat/{there}', 1, 1, true), ('chat/{gone}', 1, 1, true),
             ('chat/{gone}', 2, 1, true), ('chat/{lately}', 1, 1, true),
             ('chat/{lately}', 2, {LATELY}, true), ('chat/{unlogged}', 1, 1, false),
             ('user/{gone}', 1, 1, true), ('everyone', 1, 1, true);"
    );
    run(url, &sql).await;
    let _server = TestServer::on(directory, on_it).await;
    let forgotten = async {
        while list(url, "select stream from events").await.len() > 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the old events are forgotten", forgotten).await;
    let mut left = [there, lately, unlogged].map(|chat| format!("chat/{chat}")).to_vec();
    left.extend([format!("user/{gone}"), "everyone".into()]);
    left.sort();
    let mut streams = list(url, "select stream from streams").await;
    streams.sort();
    assert_eq!(streams, left);
}

#[tokio::test]
async fn a_long_history_is_deleted_in_parts_on_sqlite() {
    let directory = TempDir::new().unwrap();
    let url = database::sqlite_in(directory.path());
    let insert = "insert into messages
            (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
        with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 2000)
        select id, n, randomblob(16), creator_id, 0, 'x', null, 1, 1
        from chats, numbers where ephemeral";
    history_goes(directory, &url, insert).await;
}

#[tokio::test]
async fn a_long_history_is_deleted_in_parts_on_postgres() {
    let Some(postgres) = services::postgres() else { return };
    let url = services::database(&postgres).await;
    // PostgreSQL cancels a statement that takes too long: the trigger stands for that.
    let insert = "insert into messages
            (chat_id, seq, id, user_id, kind, body, client_id, created_at, modified_at)
            select id, n, gen_random_uuid(), creator_id, 0, 'x', null, 1, 1
            from chats, generate_series(1, 2000) n where ephemeral;
        create or replace function refuse() returns trigger language plpgsql as $$ begin
            if (select count(*) from gone) > 500 then raise 'too many at once'; end if;
            return null;
        end $$;
        create or replace trigger few after delete on messages
            referencing old table as gone for each statement execute function refuse();";
    history_goes(TempDir::new().unwrap(), &url, insert).await;
}

/// All messages of an ephemeral room, which `insert` makes, are deleted after its end or, if there
/// is no time for that, after a restart.
async fn history_goes(directory: TempDir, url: &str, insert: &str) {
    let on_it = |config: &mut Config| config.database_url = url.into();
    let gone = async || {
        let messages = async {
            while !list(url, "select body from messages").await.is_empty()
                || !list(url, "select name from chats where ephemeral").await.is_empty()
            {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon("all is gone", messages).await;
    };
    let server = TestServer::on(directory, on_it).await;
    let ann = server.in_new_room("ann").await;
    run(url, insert).await;
    server.call("LeaveRoom", json!([ann])).await;
    assert_fault(
        &server.fault("UsersCount", json!([room_of(&ann)])).await,
        "not_found",
        Some("roomId"),
    );
    gone().await;
    server.call("NewRoom", json!([crate::support::rpc::state("ann", "0")])).await;
    let directory = server.shutdown().await;
    run(url, insert).await;
    run(url, "update chats set ended = true where ephemeral; delete from seats;").await;
    let _server = TestServer::on(directory, on_it).await;
    gone().await;
}
