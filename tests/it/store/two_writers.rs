//! Two nodes that write to one PostgreSQL at the same moment: what they answer, and what is there
//! afterwards.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use chinwag::Config;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::chatter::{Chatter, assert_refused, of_nick};
use crate::support::held::Held;
use crate::support::rpc::state;
use crate::support::steps::{of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error, message, services};

const ROUNDS: usize = 40;

/// None if there is no PostgreSQL or no Redis to test with.
async fn pair() -> Option<[TestServer; 2]> {
    pair_on(&services::database(&services::postgres()?).await).await
}

async fn pair_on(url: &str) -> Option<[TestServer; 2]> {
    let redis = services::redis()?;
    let on_it = |config: &mut Config| {
        config.database_url = url.into();
        config.redis_url = Some(redis.as_str().into());
        config.limits.messages_per_user = 0;
        config.limits.requests_per_user = 0;
        config.limits.requests_per_address = 0;
        config.limits.announcements_per_user = 0;
    };
    let one = TestServer::on(TempDir::new().unwrap(), on_it).await;
    let other = TestServer::on(TempDir::new().unwrap(), on_it).await;
    Some([one, other])
}

/// The same request through two clients at once.
async fn both(one: &mut Client, other: &mut Client, event: &str, body: Value) -> [Value; 2] {
    join(one.ask(event, body.clone()), other.ask(event, body)).await.into()
}

/// Fails unless one of the two was done and the other was refused so; returns what was done.
#[track_caller]
fn one_of<'a>(answers: &'a [Value; 2], code: &str, field: Option<&str>) -> &'a Value {
    let (done, refused) = match answers[0].get("error") {
        Some(error) => (&answers[1], error),
        None => (&answers[0], &answers[1]["error"]),
    };
    assert_error(refused, code, field);
    assert!(done.get("error").is_none(), "{done}");
    done
}

/// The clients of two new users, one on each node.
async fn two_users(nodes: &[TestServer; 2], names: [&str; 2]) -> [Client; 2] {
    join(nodes[0].user(names[0]), nodes[1].user(names[1])).await.into()
}

/// All of a chat's messages, page by page.
async fn history(client: &mut Client, chat: &str) -> Vec<Value> {
    let mut messages = Vec::new();
    loop {
        let body = json!({ "chat": { "id": chat }, "query": { "after_seq": messages.len() } });
        let mut page = client.done("list-messages", body).await;
        messages.append(page["messages"].as_array_mut().unwrap());
        if page.get("next").is_none() {
            return messages;
        }
    }
}

#[tokio::test]
async fn an_external_id_is_one_users() {
    let Some(nodes) = pair().await else { return };
    let (mut one, mut other) = join(nodes[0].connect(), nodes[1].connect()).await;
    for round in 0..ROUNDS {
        let user = json!({ "external_id": format!("ann {round}"), "name": "Ann", "photo": "" });
        let answers = both(&mut one, &mut other, "create-user", json!({ "user": user })).await;
        assert_eq!(answers[0], answers[1]);
        assert!(answers[0]["user"]["id"].is_string(), "{}", answers[0]);
    }
}

#[tokio::test]
async fn a_handle_is_one_users() {
    let Some(nodes) = pair().await else { return };
    let (mut one, mut other) = join(nodes[0].connect(), nodes[1].connect()).await;
    for round in 0..ROUNDS {
        let new = |id: &str| {
            let user = json!({ "id": format!("{id} {round}"), "handle": format!("nick{round}"),
                "name": "x", "photo": "" });
            json!({ "user": user })
        };
        let answers =
            join(one.ask("create-user", new("a")), other.ask("create-user", new("b"))).await.into();
        one_of(&answers, "conflict", Some("user.handle"));
        // A handle may be no id either.
        let handle = json!({ "user": { "external_id": format!("c {round}"),
            "handle": format!("name{round}"), "name": "x", "photo": "" } });
        let id = json!({ "user": { "id": format!("name{round}"), "name": "x", "photo": "" } });
        let answers = join(one.ask("create-user", handle), other.ask("create-user", id)).await;
        let refused = [&answers.0, &answers.1].map(|answer| answer["error"]["code"].as_str());
        assert!(
            [[Some("conflict"), None], [None, Some("conflict")]].contains(&refused),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn a_nick_is_one_users() {
    let Some(nodes) = pair().await else { return };
    let mut named = nodes[0].connect().await;
    for round in 0..ROUNDS {
        let nick = format!("nick{round}");
        let open = |node: &TestServer| Chatter::open(node.channels(&nick));
        let (mut one, mut other) = join(open(&nodes[0]), open(&nodes[1])).await;
        let (one, other) = (greeted(&mut one), greeted(&mut other));
        let mut said = <[Value; 2]>::from(join(one, other).await);
        said.sort_by_key(|frame| frame["type"].as_i64());
        assert_eq!(said[0]["code"], "conflict", "{said:?}");
        assert_eq!(said[1], json!({ "type": 2, "user": nick }));
        let user = json!({ "id": nick, "name": "x", "photo": "" });
        let error = named.refused("create-user", json!({ "user": user })).await;
        assert_error(&error, "conflict", Some("user.id"));
    }
}

#[tokio::test]
async fn two_who_want_each_others_nicks_do_not_block_each_other() {
    let Some(nodes) = pair().await else { return };
    let (mut ann, mut bob) = join(nodes[0].chatter("ann"), nodes[1].chatter("bob")).await;
    let refused = async |chatter: &mut Chatter, nick: &str| {
        chatter.tell(of_nick(2, nick)).await;
        let mut frame = chatter.next().await;
        // The others who have come are told first.
        while frame["type"] == 2 {
            frame = chatter.next().await;
        }
        assert_refused(&frame, "conflict", Some("user"), json!(2));
    };
    for _ in 0..3 * ROUNDS {
        join(refused(&mut ann, "bob"), refused(&mut bob, "ann")).await;
    }
}

/// What a connection is told first, without those who leave.
async fn greeted(chatter: &mut Chatter) -> Value {
    loop {
        let frame = chatter.next().await;
        if frame["type"] != 3 {
            return frame;
        }
    }
}

#[tokio::test]
async fn two_users_that_are_named_crosswise_do_not_block_each_other() {
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
async fn an_account_is_made_once() {
    let Some(nodes) = pair().await else { return };
    for round in 0..ROUNDS {
        let register = async |node: &TestServer, username: &str, email: &str, phone: usize| {
            let body = json!({ "first_name": "A", "last_name": "B", "username": username,
                "password": "correct horse battery", "email": email, "phone": phone.to_string() });
            let answer = node.request("POST", "/api/register").json(&body).send().await;
            (answer.status, answer.text)
        };
        // The same address, written in two ways.
        let (ann, bob) = (format!("ann{round}"), format!("bob{round}"));
        let (said, also) = join(
            register(&nodes[0], &ann, &format!("Both{round}@example.com"), 2 * round),
            register(&nodes[1], &bob, &format!("both{round}@EXAMPLE.com"), 2 * round + 1),
        )
        .await;
        let mut answers = [said, also];
        answers.sort();
        assert_eq!(answers[0].0, 200, "{answers:?}");
        assert_eq!(answers[1].0, 400, "{answers:?}");
        assert!(answers[1].1.contains("email"), "{answers:?}");
    }
}

#[tokio::test]
async fn all_that_is_said_through_both_is_there_in_order() {
    const SENDERS: usize = 20;
    const EACH: usize = 50;
    let Some(nodes) = pair().await else { return };
    let mut ann = nodes[0].user("ann").await;
    let mut senders = Vec::new();
    for number in 0..SENDERS {
        senders.push(nodes[number % 2].user(&format!("user {number}")).await);
    }
    let ids = Vec::from_iter(senders.iter().map(|sender| sender.id.as_str()));
    let chat = ann.chat("ours", true, &ids).await;
    let send = async |mut sender: Client| {
        for number in 0..EACH {
            let text = format!("{} {number}", sender.id);
            let said = sender.done("new-message", message(&chat, &text)).await;
            assert_eq!(said["msg"], text);
        }
    };
    join_all(senders.into_iter().map(send)).await;
    // A client that has taken no pushes meanwhile may have been disconnected.
    let messages = history(&mut nodes[0].user("ann").await, &chat).await;
    assert_eq!(messages.len(), SENDERS * EACH);
    for (at, message) in messages.iter().enumerate() {
        assert_eq!(message["seq"], at + 1, "there is a gap");
    }
    let times = messages.iter().map(|message| message["created_at"].as_str());
    assert!(times.is_sorted(), "a time falls");
    let texts: HashSet<_> = messages.iter().map(|message| message["msg"].as_str()).collect();
    assert_eq!(texts.len(), SENDERS * EACH, "something is there twice");
}

#[tokio::test]
async fn a_message_that_is_repeated_at_once_is_there_once() {
    let Some(nodes) = pair().await else { return };
    let [mut one, mut other] = two_users(&nodes, ["ann", "ann"]).await;
    let chat = one.chat("ours", true, &[]).await;
    for round in 0..ROUNDS {
        let mut body = message(&chat, "hello");
        body["message"]["client_id"] = json!(round.to_string());
        let answers = both(&mut one, &mut other, "new-message", body.clone()).await;
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0]["seq"], round + 1, "{}", answers[0]);
        // Two texts under one id are two messages, of which one is refused.
        body["message"]["client_id"] = json!(format!("{round} again"));
        let mut second = body.clone();
        second["message"]["value"] = json!("good-bye");
        let made = json!({ "chat": { "name": "another" }, "users": [] });
        let made = one.done("create-chat", made).await;
        let chat = made["chat"]["id"].clone();
        (body["chat"]["id"], second["chat"]["id"]) = (chat.clone(), chat);
        let answers = join(one.ask("new-message", body), other.ask("new-message", second)).await;
        one_of(&answers.into(), "conflict", Some("message.client_id"));
    }
}

#[tokio::test]
async fn two_users_have_one_direct_chat() {
    let Some(nodes) = pair().await else { return };
    for round in 0..ROUNDS {
        let names = [format!("ann {round}"), format!("bob {round}")];
        let [mut ann, mut bob] = two_users(&nodes, names.each_ref().map(String::as_str)).await;
        let with = |other: &Client| json!({ "user": { "id": other.id } });
        let (with_ann, with_bob) = (with(&ann), with(&bob));
        let opened = join(ann.done("open-direct", with_bob), bob.done("open-direct", with_ann));
        let (of_ann, of_bob) = opened.await;
        assert_eq!(of_ann["chat"]["id"], of_bob["chat"]["id"]);
        assert_eq!(of_ann["chat"]["users"], of_bob["chat"]["users"]);
    }
}

#[tokio::test]
async fn a_channel_is_made_once() {
    let Some(nodes) = pair().await else { return };
    let (mut ann, mut bob) = join(nodes[0].chatter("ann"), nodes[1].chatter("bob")).await;
    for round in 0..ROUNDS {
        let channel = format!("tea{round}");
        let joins = json!({ "type": 4, "channel": channel });
        join(ann.tell(joins.clone()), bob.tell(joins)).await;
        let ours = async |chatter: &mut Chatter, nick: &str| {
            let joined = json!({ "type": 4, "channel": channel, "user": nick });
            while chatter.next().await != joined {}
        };
        join(ours(&mut ann, "ann"), ours(&mut bob, "bob")).await;
        // Both are in the same one.
        ann.tell(json!({ "type": 0, "dest": channel, "message": "hello" })).await;
        let said = json!({ "type": 0, "dest": channel, "message": "hello", "user": "ann" });
        while bob.next().await != said {}
    }
}

#[tokio::test]
async fn a_user_is_invited_once_and_answers_once() {
    let Some(nodes) = pair().await else { return };
    let [mut one, mut other] = two_users(&nodes, ["ann", "ann"]).await;
    let [mut bob, mut also_bob] = two_users(&nodes, ["bob", "bob"]).await;
    for _ in 0..ROUNDS {
        let chat = one.make_private(&mut []).await;
        let answers = both(&mut one, &mut other, "invite", of_chat_and(&chat, &bob.id)).await;
        let invited = one_of(&answers, "conflict", Some("user.id"));
        let of_it = json!({ "invitation": { "id": invited["invitation"]["id"] } });
        let answers = join(
            bob.ask("accept-invitation", of_it.clone()),
            also_bob.ask("decline-invitation", of_it),
        );
        let answers = answers.await.into();
        let answered = one_of(&answers, "not_found", Some("invitation.id"));
        let accepted = answered["invitation"]["status"] == "accepted";
        let listed = bob.done("list-chats", json!({ "limit": 1 })).await;
        assert_eq!(listed["chats"][0]["id"] == chat, accepted, "{answered}");
    }
}

#[tokio::test]
async fn a_slug_is_one_teams() {
    let Some(nodes) = pair().await else { return };
    let [mut one, mut other] = two_users(&nodes, ["ann", "ann"]).await;
    let team = |name: &str| json!({ "team": { "name": name } });
    let mut slugs = HashSet::new();
    for round in 0..ROUNDS {
        let name = format!("crew {round} of");
        // What the second of a name is called, others are called anyway.
        for (this, that) in [(name.clone(), name.clone()), (name.clone(), format!("{name} 3"))] {
            let (said, also) =
                join(one.done("create-team", team(&this)), other.done("create-team", team(&that)))
                    .await;
            for answer in [said, also] {
                let slug = answer["team"]["slug"].as_str().unwrap().to_owned();
                assert!(slugs.insert(slug), "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn rooms_are_changed_crosswise() {
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

/// Says something in all of these chats, beginning with this one.
async fn speak(client: &mut Client, chats: &[String], first: usize) {
    let mut asked = Vec::new();
    for at in 0..chats.len() {
        let chat = &chats[(first + at) % chats.len()];
        asked.push(client.request("new-message", message(chat, "hello")).await);
    }
    for ack in asked {
        let said = client.answer(ack).await;
        // A user who is not in the chats for a while may not speak there.
        let code = said["error"]["code"].as_str();
        assert!(matches!(code, None | Some("not_found" | "forbidden")), "{said}");
    }
}

#[tokio::test]
async fn batches_that_touch_the_same_chats_do_not_block_each_other() {
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
async fn a_batch_waits_for_its_first_chat_first() {
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
    // While the writer waits at the gate, the others are queued for a batch.
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
async fn who_speaks_in_a_room_and_leaves_it_blocks_nobody() {
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

/// A chat is locked before its members and invitations: a transaction that took them the other way
/// round could wait for one that waits for it.
#[tokio::test]
async fn whoever_changes_a_chat_waits_for_it_first() {
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
async fn who_is_put_out_and_whose_guest_comes_in_block_nobody() {
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
        // With who has asked her in goes the invitation, unless she was faster.
        match accepted["error"]["code"].as_str() {
            None => {}
            Some(_) => assert_error(&accepted["error"], "not_found", Some("invitation.id")),
        }
    }
}

#[tokio::test]
async fn a_token_is_refreshed_once() {
    let Some(nodes) = pair().await else { return };
    let mut token = nodes[0].sign_up("ann").await.token;
    for _ in 0..ROUNDS {
        let refresh = async |node: &TestServer| {
            let body = json!({ "refresh_token": token["refresh_token"] });
            let answer = node.request("POST", "/api/auth_token/refresh").json(&body).send().await;
            (answer.status, answer.json)
        };
        let (said, also) = join(refresh(&nodes[0]), refresh(&nodes[1])).await;
        let (done, refused) = if said.0 == 200 { (said, also) } else { (also, said) };
        assert_eq!((done.0, refused.0), (200, 401), "{refused:?}");
        token = done.1["data"][0].clone();
    }
}
