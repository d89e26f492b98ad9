//! Several nodes on one database: what is done on one is shown on the others, once and in order.

use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::nodes::Nodes;
use crate::support::{message, services};

#[tokio::test]
async fn a_message_is_seen_on_every_node() {
    let Some(nodes) = Nodes::start(3).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let mut eve = nodes[2].user("eve").await;
    let chat = ann.chat("ours", true, &[&bob.id, &eve.id]).await;
    assert_eq!(bob.next("create-chat").await["chat"]["id"], chat);
    assert_eq!(eve.next("create-chat").await["chat"]["id"], chat);
    for (number, text) in ["one", "two", "three"].into_iter().enumerate() {
        let said = match number {
            0 => ann.ask("new-message", message(&chat, text)).await,
            1 => bob.ask("new-message", message(&chat, text)).await,
            _ => eve.ask("new-message", message(&chat, text)).await,
        };
        assert_eq!(said["seq"], number + 1);
        for client in [&mut ann, &mut bob, &mut eve] {
            assert_eq!(client.next("new-message").await, said);
        }
    }
}

#[tokio::test]
async fn a_socket_that_connects_later_gets_the_next_message() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.chat("ours", true, &[&bob.id]).await;
    bob.next("create-chat").await;
    for text in ["one", "two", "three"] {
        let said = ann.say(&chat, text).await;
        // The other node has it, so that a socket that connects there now is shown the next one.
        assert_eq!(bob.next("new-message").await, said);
        let mut late = nodes[1].user("ann").await;
        let said = bob.ask("new-message", message(&chat, "to all")).await;
        assert_eq!(late.next("new-message").await, said);
        assert_eq!(ann.next("new-message").await, said);
        assert_eq!(bob.next("new-message").await, said);
        let said = ann.ask("new-message", message(&chat, "to all")).await;
        assert_eq!(late.next("new-message").await, said);
        assert_eq!(ann.next("new-message").await, said);
        assert_eq!(bob.next("new-message").await, said);
    }
}

#[tokio::test]
async fn membership_is_known_on_every_node() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.chat("ours", true, &[]).await;
    ann.done("invite", json!({ "chat": { "id": chat }, "user": { "id": bob.id } })).await;
    let invitation = bob.next("invitation").await;
    bob.done(
        "accept-invitation",
        json!({ "invitation": { "id": invitation["invitation"]["id"] } }),
    )
    .await;
    let said = ann.ask("new-message", message(&chat, "welcome")).await;
    assert_eq!(bob.next("new-message").await, said);
    assert_eq!(ann.next("new-message").await, said);
    ann.done("remove-member", json!({ "chat": { "id": chat }, "user": { "id": bob.id } })).await;
    assert_eq!(bob.next("remove-member").await["chat"]["id"], chat);
    ann.next("remove-member").await;
    ann.say(&chat, "he is gone").await;
    bob.nothing_more().await;
}

#[tokio::test]
async fn messages_come_in_order_and_once_from_all_nodes() {
    let Some(nodes) = Nodes::start(3).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut others = Vec::new();
    for number in 0..6 {
        others.push(nodes[number % 3].user(&format!("user {number}")).await);
    }
    let ids: Vec<_> = others.iter().map(|other| other.id.clone()).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let chat = ann.chat("ours", true, &ids).await;
    for other in &mut others {
        other.next("create-chat").await;
    }
    const EACH: usize = 100;
    for number in 0..EACH {
        for other in &mut others {
            other.request("new-message", message(&chat, &format!("{number}"))).await;
        }
    }
    others.push(ann);
    for client in &mut others {
        for seq in 1..=6 * EACH {
            assert_eq!(client.next("new-message").await["seq"], seq);
        }
    }
}

/// A node gets such an event while a new version replaces the old one, node by node.
#[tokio::test]
async fn a_node_skips_an_event_that_it_does_not_understand() {
    let (Some(postgres), Some(redis)) = (services::postgres(), services::redis()) else { return };
    let database = services::database(&postgres).await;
    let nodes = Nodes::on(&database, &redis, 2, |_| {}).await;
    let mut ann = nodes[0].user("ann").await;
    let mut bob = nodes[1].user("bob").await;
    let chat = ann.chat("ours", true, &[&bob.id]).await;
    bob.next("create-chat").await;
    let mut connection = PgConnection::connect(&database).await.unwrap();
    let inserted = sqlx::query(
        "with stream as (
             update streams set last_number = last_number + 1 where stream = $1
             returning stream, last_number
         )
         insert into events (stream, number, event, committed_at, logged)
         select stream, last_number, $2, $3, true from stream",
    )
    .bind(format!("chat/{chat}"))
    .bind(r#"{"kind":"moved-to-mars"}"#)
    .bind(chrono::Utc::now().timestamp_micros())
    .execute(&mut connection);
    assert_eq!(inserted.await.unwrap().rows_affected(), 1);
    for text in ["one", "two"] {
        let said = ann.ask("new-message", message(&chat, text)).await;
        for client in [&mut ann, &mut bob] {
            assert_eq!(client.next("new-message").await, said);
        }
    }
}
