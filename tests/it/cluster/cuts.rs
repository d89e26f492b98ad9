//! A node that is cut off from Redis or from PostgreSQL, while nobody is told.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::chatter::{self, of_channel, of_nick, said_by};
use crate::support::crowd::{Crowd, UNBOUNDED};
use crate::support::nodes::Processes;
use crate::support::proxy::Proxy;
use crate::support::steps::{channel, of_chat};
use crate::support::{assert_error, message, services, soon};

/// Two nodes, the second of which reaches Redis and PostgreSQL through these.
pub(super) async fn start() -> Option<(Processes, Proxy, Proxy)> {
    start_watched().await.map(|(nodes, to_redis, to_postgres, _)| (nodes, to_redis, to_postgres))
}

/// The same, and a connection to their database.
pub(super) async fn start_watched() -> Option<(Processes, Proxy, Proxy, PgConnection)> {
    start_with(&[]).await
}

/// The same, with further arguments.
pub(super) async fn start_with(
    arguments: &[&str],
) -> Option<(Processes, Proxy, Proxy, PgConnection)> {
    let (postgres, redis) = (services::postgres()?, services::redis()?);
    let database = services::database(&postgres).await;
    let (to_redis, to_postgres) = (Proxy::to(&redis).await, Proxy::to(&database).await);
    let cut = (to_postgres.url(&database), to_redis.url(&redis));
    let connection = PgConnection::connect(&database).await.unwrap();
    let nodes =
        Processes::on(vec![(database, redis), cut], &[&UNBOUNDED, arguments].concat()).await;
    Some((nodes, to_redis, to_postgres, connection))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_cut_off_from_redis_under_load() {
    let Some((nodes, to_redis, _to_postgres)) = start().await else { return };
    let mut ann = nodes[1].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let mut eve = nodes[0].user("eve").await;
    let chat = ann.make_private(&mut [&mut bob, &mut eve]).await;
    let crowd = Crowd::gather(&nodes, 6, 4).await;
    crowd.goes_on(150).await;
    to_redis.cut();
    // On its node, one hears of it at once.
    for text in ["one", "two", "three"] {
        let said = ann.say(&chat, text).await;
        assert_eq!(bob.next("new-message").await, said);
    }
    crowd.goes_on(150).await;
    // It looks by itself for what the other one says.
    let said = eve.ask("new-message", message(&chat, "four")).await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.next("new-message").await, said);
    }
    to_redis.mend();
    for seq in 1..=4 {
        assert_eq!(eve.next("new-message").await["seq"], seq);
    }
    crowd.goes_on(150).await;
    let outcome = crowd.end().await;
    assert!(outcome.errors.is_empty(), "{outcome:?}");
    assert_eq!(outcome.resumed, 0, "{outcome:?}");
    eve.nothing_more().await;
    nodes.assert_no_defect();
}

/// All of it would be too much to fetch at once.
#[tokio::test]
async fn all_missed_events_come_however_many_they_are() {
    let Some((nodes, to_redis, _to_postgres)) = start().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    to_redis.cut();
    let text = "x".repeat(512 << 10);
    let mut said = Vec::new();
    for _ in 0..20 {
        said.push(ann.say(&chat, &text).await);
    }
    for said in said {
        assert!(bob.next("new-message").await == said);
    }
    nodes.assert_no_defect();
}

#[tokio::test]
async fn events_that_a_killed_node_published_to_nobody_are_pushed() {
    let Some((mut nodes, to_redis, _to_postgres)) = start().await else { return };
    let mut ann = nodes[1].user("ann").await;
    let mut eve = nodes[0].user("eve").await;
    let chat = ann.make_private(&mut [&mut eve]).await;
    to_redis.cut();
    let said = ann.say(&chat, "my last words").await;
    nodes[1].kill();
    assert_eq!(eve.next("new-message").await, said);
    eve.nothing_more().await;
}

#[tokio::test]
async fn a_node_that_was_taken_for_dead_comes_back() {
    let Some((nodes, to_redis, _to_postgres)) = start().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let mut eve = nodes[1].chatter("eve").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let room = json!({ "channel": format!("room-{chat}") });
    ann.done("subscribe", room.clone()).await;
    ann.next("participant-join").await;
    bob.done("subscribe", room).await;
    assert_eq!(ann.next("participant-join").await["participants"], 2);
    to_redis.cut();
    // To the others its users are gone, though bob is connected.
    let left = ann.next("participant-leave").await;
    assert_eq!((&left["user"]["id"], &left["participants"]), (&json!(bob.id), &json!(1)));
    // Others may have the nick now.
    assert_eq!(eve.closed_at_last().await, 1001);
    nodes[0].chatter("eve").await;
    to_redis.mend();
    let joined = ann.next("participant-join").await;
    assert_eq!((&joined["user"]["id"], &joined["participants"]), (&json!(bob.id), &json!(2)));
    let said = ann.ask("new-message", message(&chat, "there you are")).await;
    assert_eq!(bob.next_of("chat-message").await["id"], said["id"]);
    nodes.assert_no_defect();
}

/// A member who comes into a channel again is told of no new chat.
#[tokio::test]
async fn a_nick_that_rejoins_a_channel_hears_its_messages() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let to_redis = Proxy::to(&redis).await;
    let old = Processes::on(vec![(database.clone(), redis.clone())], &[]).await;
    let mut ann = old[0].chatter("ann").await;
    ann.join("engines", "ann").await;
    let mut bob = old[0].chatter("bob").await;
    assert_eq!(ann.next().await, of_nick(2, "bob"));
    bob.join("engines", "bob").await;
    assert_eq!(ann.next().await, of_channel(4, "engines", "bob"));
    drop(bob);
    assert_eq!(ann.next().await, of_nick(3, "bob"));
    // It has heard nothing of the channel.
    let new = Processes::on(vec![(database, to_redis.url(&redis))], &[]).await;
    to_redis.cut();
    let mut bob = new[0].chatter("bob").await;
    bob.join("engines", "bob").await;
    ann.tell(said_by("engines", "welcome back")).await;
    assert_eq!(bob.next().await, chatter::message("engines", "welcome back", "ann"));
}

#[tokio::test]
async fn an_event_is_pushed_though_its_commit_went_unanswered() {
    let Some((nodes, _to_redis, to_postgres)) = start().await else { return };
    let mut ann = nodes[1].user("ann").await;
    let mut eve = nodes[0].user("eve").await;
    let chat = ann.make_private(&mut [&mut eve]).await;
    let mut body = message(&chat, "can you hear me?");
    body["message"]["client_id"] = json!("1");
    to_postgres.cut_at_commit();
    let error = ann.refused("new-message", body.clone()).await;
    assert_error(&error, "unavailable", None);
    to_postgres.mend();
    // They hear it though there is nothing after it, and once, whatever ann does.
    let said = eve.next("new-message").await;
    assert_eq!(ann.next("new-message").await, said);
    assert_eq!(ann.ask("new-message", body).await, said);
    ann.nothing_more().await;
    eve.nothing_more().await;
    nodes.assert_no_defect();
}

/// A nick is in the channels that it was shown to come into, whatever its requests were answered.
#[tokio::test]
async fn a_nick_can_talk_in_a_channel_that_it_was_shown_to_join() {
    let Some((nodes, _to_redis, to_postgres)) = start().await else { return };
    let mut ann = nodes[1].chatter("ann").await;
    let join = json!({ "type": 4, "channel": "engines" });
    let leave = json!({ "type": 5, "channel": "engines" });
    for (request, kind) in [(join, 4), (leave, 5)] {
        to_postgres.cut_at_commit();
        ann.refused(request, "unavailable", None).await;
        to_postgres.mend();
        assert_eq!(ann.next().await, of_channel(kind, "engines", "ann"));
        if kind == 4 {
            ann.say("engines", "here I am", "ann").await;
        }
    }
    ann.join("engines", "ann").await;
    nodes.assert_no_defect();
}

/// It cannot go on under either nick: nobody knows which one the store has given it.
#[tokio::test]
async fn a_connection_ends_if_its_change_of_nick_goes_unanswered() {
    let Some((nodes, _to_redis, to_postgres)) = start().await else { return };
    let mut ann = nodes[1].chatter("ann").await;
    to_postgres.cut_at_commit();
    ann.refused(json!({ "type": 2, "user": "anna" }), "unavailable", None).await;
    assert_eq!(ann.closed().await, 1013);
    nodes.assert_no_defect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_cut_off_from_postgres_under_load() {
    let Some((nodes, _to_redis, to_postgres)) = start().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let mut askers = Vec::new();
    for _ in 0..4 {
        askers.push(nodes[1].user("bob").await);
    }
    let crowd = Crowd::gather(&nodes, 6, 4).await;
    crowd.goes_on(150).await;
    to_postgres.cut();
    let requests = [
        ("new-message", message(&chat, "too early")),
        ("list-messages", of_chat(&chat)),
        ("list-chats", json!({})),
        ("create-chat", json!({ "chat": { "name": "x" }, "users": [] })),
    ];
    let asked = askers.iter_mut().zip(requests);
    let refused = asked.map(async |(asker, (event, body))| asker.refused(event, body).await);
    for error in join_all(refused).await {
        assert_error(&error, "unavailable", None);
    }
    // The other one goes on.
    ann.say(&chat, "one").await;
    crowd.goes_on(50).await;
    to_postgres.mend();
    assert_eq!(bob.next("new-message").await["msg"], "one");
    // What waited for the database that was away may still be refused.
    let mut said = bob.ask("new-message", message(&chat, "two")).await;
    while said["error"]["code"] == "unavailable" {
        said = bob.ask("new-message", message(&chat, "two")).await;
    }
    assert_eq!(ann.next("new-message").await, said);
    crowd.goes_on(150).await;
    let outcome = crowd.end().await;
    assert_eq!(Vec::from_iter(&outcome.errors), ["unavailable"]);
    assert_eq!(outcome.resumed, 0, "{outcome:?}");
    nodes.assert_no_defect();
}

/// The lock by which a node keeps the others from deleting rooms, as it is sent.
const ROOMS: &[u8; 8] = b"chinroom";
/// The lock that each node has of the database.
const DATABASE: &[u8; 8] = b" chinwag";

/// The backends that have a lock in this database.
async fn holders(postgres: &mut PgConnection, lock: &[u8; 8]) -> Vec<i32> {
    let holders = sqlx::query_scalar(
        "select pid from pg_locks where locktype = 'advisory' and granted
         and classid::bigint << 32 | objid::bigint = $1
         and database = (select oid from pg_database where datname = current_database())",
    );
    holders.bind(i64::from_be_bytes(*lock)).fetch_all(postgres).await.unwrap()
}

/// It has the lock then, and does not know.
#[tokio::test]
async fn a_lock_that_is_granted_late_keeps_no_room_for_good() {
    let Some((nodes, to_redis, to_postgres, mut postgres)) = start_watched().await else { return };
    let mut bob = nodes[1].user("bob").await;
    let chat = bob.chat("ours", true, &[]).await;
    bob.done("subscribe", channel(&chat)).await;
    to_postgres.cut_off_at(ROOMS);
    to_redis.cut();
    let kept = async { while holders(&mut postgres, ROOMS).await.is_empty() {} };
    soon("the rooms are kept", kept).await;
    let given_up = async {
        while !nodes.log(1).contains("could not be kept from deleting rooms") {
            holders(&mut postgres, ROOMS).await;
        }
    };
    soon("it waits no more", given_up).await;
    to_postgres.mend();
    to_redis.mend();
    let released = async { while !holders(&mut postgres, ROOMS).await.is_empty() {} };
    soon("the rooms are kept no more", released).await;
    nodes.assert_no_defect();
}

#[tokio::test]
async fn rooms_are_kept_though_the_first_lock_is_never_answered() {
    let Some((nodes, to_redis, to_postgres, mut postgres)) = start_watched().await else { return };
    let mut bob = nodes[1].user("bob").await;
    let chat = bob.chat("ours", true, &[]).await;
    bob.done("subscribe", channel(&chat)).await;
    to_postgres.cut_off_at(DATABASE);
    for holder in holders(&mut postgres, DATABASE).await {
        let end = sqlx::query("select pg_terminate_backend($1)").bind(holder);
        end.execute(&mut postgres).await.unwrap();
    }
    to_redis.cut();
    let kept = async { while holders(&mut postgres, ROOMS).await.is_empty() {} };
    soon("the rooms are kept", kept).await;
    nodes.assert_no_defect();
}
