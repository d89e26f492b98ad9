//! Two nodes that change the same rows of one PostgreSQL in opposite order: they do not deadlock.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use super::two_writers::{ROUNDS, history, pair, pair_on, two_users};
use crate::support::chatter::{Chatter, assert_refused, of_nick};
use crate::support::held::Held;
use crate::support::rpc::state;
use crate::support::steps::{of_chat, of_chat_and};
use crate::support::{Client, assert_error, message, services};

#[tokio::test]
async fn two_clients_that_swap_nicks_do_not_deadlock() {
    let Some(nodes) = pair().await else { return };
    let (mut ann, mut bob) = join(nodes[0].chatter("ann"), nodes[1].chatter("bob")).await;
    let refused = async |chatter: &mut Chatter, nick: &str| {
        chatter.tell(of_nick(2, nick)).await;
        let mut frame = chatter.next().await;
        // Nicks that have connected are announced first.
        while frame["type"] == 2 {
            frame = chatter.next().await;
        }
        assert_refused(&frame, "conflict", Some("user"), json!(2));
    };
    for _ in 0..3 * ROUNDS {
        join(refused(&mut ann, "bob"), refused(&mut bob, "ann")).await;
    }
}

#[tokio::test]
async fn two_requests_that_name_users_crosswise_do_not_deadlock() {
    let Some(nodes) = pair().await else { return };
    let (mut one, mut other) = join(nodes[0].connect(), nodes[1].connect()).await;
    let user = |external_id: &str, id: &str| {
        let user = json!({ "external_id": external_id, "id": id, "name": "x", "photo": "" });
        json!({ "user": user })
    };
    one.done("create-user", user("A", "a")).await;
    one.done("create-user", user("B", "b")).await;
    for _ in 0..3 * ROUNDS {
        let (said, also) =
            join(one.ask("create-user", user("A", "b")), other.ask("create-user", user("B", "a")))
                .await;
        assert_error(&said["error"], "conflict", Some("user.id"));
        assert_error(&also["error"], "conflict", Some("user.id"));
    }
}

#[tokio::test]
async fn two_users_that_swap_rooms_do_not_deadlock() {
    let Some(nodes) = pair().await else { return };
    let mut host = nodes[0].user("host").await;
    let one = host.make_public(&mut []).await;
    let other = host.make_public(&mut []).await;
    let mut ann = nodes[0].in_room("ann", &one).await;
    let mut bob = nodes[1].in_room("bob", &other).await;
    for round in 0..2 * ROUNDS {
        let (to_ann, to_bob) = if round % 2 == 0 { (&other, &one) } else { (&one, &other) };
        (ann, bob) = join(
            nodes[0].call("EnterRoom", json!([ann, to_ann])),
            nodes[1].call("EnterRoom", json!([bob, to_bob])),
        )
        .await;
        assert_eq!((&ann, &bob), (&state("ann", to_ann), &state("bob", to_bob)));
    }
}

/// Sends a message to each of these chats, beginning with `first`.
async fn speak(client: &mut Client, chats: &[String], first: usize) {
    let mut asked = Vec::new();
    for at in 0..chats.len() {
        let chat = &chats[(first + at) % chats.len()];
        asked.push(client.request("new-message", message(chat, "hello")).await);
    }
    for ack in asked {
        let said = client.answer(ack).await;
        // The user may send nothing while not in the chat.
        let code = said["error"]["code"].as_str();
        assert!(matches!(code, None | Some("not_found" | "forbidden")), "{said}");
    }
}

#[tokio::test]
async fn batches_of_messages_to_the_same_chats_do_not_deadlock() {
    let Some(nodes) = pair().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut clients = Vec::new();
    for number in 0..8 {
        clients.push(nodes[number % 2].user(&format!("user {number}")).await);
    }
    let ids = Vec::from_iter(clients.iter().map(|client| client.id.as_str()));
    let mut chats = Vec::new();
    for _ in 0..8 {
        chats.push(ann.chat("ours", true, &ids).await);
    }
    let speakers = clients.iter_mut().enumerate().map(async |(number, client)| {
        for _ in 0..ROUNDS {
            speak(client, &chats, number).await;
        }
    });
    join_all(speakers).await;
    let mut ann = nodes[0].user("ann").await;
    for chat in &chats {
        let messages = history(&mut ann, chat).await;
        let seqs = messages.iter().map(|message| message["seq"].as_u64().unwrap());
        assert!(seqs.eq(1..=8 * ROUNDS as u64));
    }
}

/// The chats of a batch are locked in the order of their ids.
#[tokio::test]
async fn a_batch_locks_its_chats_in_the_order_of_their_ids() {
    let Some(postgres) = services::postgres() else { return };
    let url = services::database(&postgres).await;
    let Some(nodes) = pair_on(&url).await else { return };
    let mut ann = nodes[0].user("ann").await;
    let (mut speakers, mut chats) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        speakers.push(nodes[0].user("ann").await);
        chats.push(ann.make_private(&mut []).await);
    }
    let gate = ann.make_private(&mut []).await;
    chats.sort();
    let (mut at_the_gate, mut at_the_first) = (Held::on(&url).await, Held::on(&url).await);
    // While the writer waits for the chat `gate`, the others are queued for a batch.
    at_the_gate.hold(&gate).await;
    at_the_first.hold(&chats[0]).await;
    let mut asked = vec![ann.request("new-message", message(&gate, "hello")).await];
    at_the_gate.awaited("the writer").await;
    for (speaker, chat) in speakers.iter_mut().zip(&chats).rev() {
        asked.push(speaker.request("new-message", message(chat, "hello")).await);
    }
    at_the_gate.let_go().await;
    ann.answer(asked[0]).await;
    at_the_first.awaited("the writer").await;
    at_the_first.assert_free("chats", 1, "the writer").await;
    at_the_first.let_go().await;
    for (speaker, ack) in speakers.iter_mut().rev().zip(&asked[1..]) {
        assert_eq!(speaker.answer(*ack).await["seq"], 1);
    }
}

#[tokio::test]
async fn sending_to_a_room_and_leaving_it_do_not_deadlock() {
    let Some(nodes) = pair().await else { return };
    let mut host = nodes[0].user("host").await;
    let room = host.make_public(&mut []).await;
    let mut ann = nodes[0].connect().await;
    let user = json!({ "id": "ann", "name": "Ann", "photo": "" });
    ann.done("create-user", json!({ "user": user })).await;
    let mut here = nodes[1].new_user("ann").await;
    let chats = [room.clone()];
    let over = AtomicBool::new(false);
    let comes_and_goes = async {
        for _ in 0..2 * ROUNDS {
            here = nodes[1].call("EnterRoom", json!([here, room])).await;
            here = nodes[1].call("LeaveRoom", json!([here])).await;
        }
        over.store(true, Relaxed);
    };
    let speaks = async {
        while !over.load(Relaxed) {
            speak(&mut ann, &chats, 0).await;
        }
    };
    join(comes_and_goes, speaks).await;
}

/// A chat is locked before its members and invitations: two transactions that lock these in
/// opposite order could deadlock.
#[tokio::test]
async fn every_change_locks_its_chat_before_other_rows() {
    let Some(postgres) = services::postgres() else { return };
    let url = services::database(&postgres).await;
    let Some(nodes) = pair_on(&url).await else { return };
    let [mut owner, mut bob] = two_users(&nodes, ["owner", "bob"]).await;
    let mut eve = nodes[1].user("eve").await;
    let team = owner.make_team("crew", &[&bob.id]).await;
    let mut held = Held::on(&url).await;
    for event in CHANGES {
        let team_id = if event.ends_with("team") { json!(team) } else { Value::Null };
        let chat = json!({ "name": "x", "private": false, "team_id": team_id });
        let made = json!({ "chat": chat, "users": [bob.id] });
        let made = owner.done("create-chat", made).await;
        let chat = made["chat"]["id"].as_str().unwrap();
        let invitation = match event.ends_with("invitation") {
            true => bob.invite(chat, &eve.id).await,
            false => Value::Null,
        };
        let (client, body) = match event {
            "update-chat" => (&mut owner, json!({ "chat": { "id": chat, "name": "y" } })),
            "remove-member" => (&mut owner, of_chat_and(chat, &bob.id)),
            "remove-from-team" => {
                (&mut owner, json!({ "team": { "id": team }, "user": { "id": bob.id } }))
            }
            "invite" => (&mut owner, of_chat_and(chat, &eve.id)),
            "new-message" => (&mut bob, message(chat, "hello")),
            "join-chat" => (&mut eve, of_chat(chat)),
            "accept-invitation" | "decline-invitation" => {
                (&mut eve, json!({ "invitation": { "id": invitation["id"] } }))
            }
            _ => (&mut bob, of_chat(chat)),
        };
        held.hold(chat).await;
        let ack = client.request(event, body).await;
        held.awaited(event).await;
        for (table, but) in [("chats", 1), ("members", 0), ("invitations", 0)] {
            held.assert_free(table, but, event).await;
        }
        held.let_go().await;
        let answer = client.answer(ack).await;
        assert!(answer.get("error").is_none(), "{event}: {answer}");
    }
}

const CHANGES: [&str; 10] = [
    "update-chat",
    "join-chat",
    "leave-chat",
    "mark-read",
    "new-message",
    "invite",
    "accept-invitation",
    "decline-invitation",
    "remove-member",
    "remove-from-team",
];

#[tokio::test]
async fn removing_an_inviter_and_accepting_do_not_deadlock() {
    let Some(nodes) = pair().await else { return };
    let [mut owner, mut eve] = two_users(&nodes, ["owner", "eve"]).await;
    let mut bob = nodes[0].user("bob").await;
    for _ in 0..ROUNDS {
        let chat = json!({ "chat": { "name": "ours" }, "users": [bob.id] });
        let made = owner.done("create-chat", chat).await;
        let chat = made["chat"]["id"].as_str().unwrap();
        let invited = bob.invite(chat, &eve.id).await;
        let (removed, accepted) = join(
            owner.ask("remove-member", of_chat_and(chat, &bob.id)),
            eve.ask("accept-invitation", json!({ "invitation": { "id": invited["id"] } })),
        )
        .await;
        let users = removed["chat"]["users"].as_array().unwrap_or_else(|| panic!("{removed}"));
        assert!(!users.contains(&json!(bob.id)));
        // Her invitation goes with the member who made it, unless she was faster.
        match accepted["error"]["code"].as_str() {
            None => {}
            Some(_) => assert_error(&accepted["error"], "not_found", Some("invitation.id")),
        }
    }
}
