//! Two nodes that write to one PostgreSQL at the same moment: their answers, and what is stored.

use std::collections::HashSet;

use chinwag::Config;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::chatter::Chatter;
use crate::support::steps::of_chat_and;
use crate::support::{Client, TestServer, assert_error, message, services};

pub const ROUNDS: usize = 40;

/// None if there is no PostgreSQL or no Redis to test with.
pub async fn pair() -> Option<[TestServer; 2]> {
    pair_on(&services::database(&services::postgres()?).await).await
}

pub async fn pair_on(url: &str) -> Option<[TestServer; 2]> {
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

/// Sends the same request through two clients at once.
async fn both(one: &mut Client, other: &mut Client, event: &str, body: Value) -> [Value; 2] {
    join(one.ask(event, body.clone()), other.ask(event, body)).await.into()
}

/// Fails unless one of the two succeeded, which is returned, and the other was refused like this.
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
pub async fn two_users(nodes: &[TestServer; 2], names: [&str; 2]) -> [Client; 2] {
    join(nodes[0].user(names[0]), nodes[1].user(names[1])).await.into()
}

/// All of a chat's messages, page by page.
pub async fn history(client: &mut Client, chat: &str) -> Vec<Value> {
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
async fn no_two_users_get_the_same_external_id() {
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
async fn no_two_users_get_the_same_handle() {
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
        // A handle may not be another user's id either.
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
async fn no_two_users_get_the_same_nick() {
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

/// The first frame of a connection, except for nicks that leave.
async fn greeted(chatter: &mut Chatter) -> Value {
    loop {
        let frame = chatter.next().await;
        if frame["type"] != 3 {
            return frame;
        }
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
        // The same address in two spellings.
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
async fn messages_through_both_nodes_are_stored_in_order() {
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
    // A new client, since one that has read no pushes meanwhile may have been disconnected.
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
async fn a_message_sent_twice_at_once_is_stored_once() {
    let Some(nodes) = pair().await else { return };
    let [mut one, mut other] = two_users(&nodes, ["ann", "ann"]).await;
    let chat = one.chat("ours", true, &[]).await;
    for round in 0..ROUNDS {
        let mut body = message(&chat, "hello");
        body["message"]["client_id"] = json!(round.to_string());
        let answers = both(&mut one, &mut other, "new-message", body.clone()).await;
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0]["seq"], round + 1, "{}", answers[0]);
        // Two texts with one `client_id` are two messages, of which one is refused.
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
        // Both are in the same channel.
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
async fn no_two_teams_get_the_same_slug() {
    let Some(nodes) = pair().await else { return };
    let [mut one, mut other] = two_users(&nodes, ["ann", "ann"]).await;
    let team = |name: &str| json!({ "team": { "name": name } });
    let mut slugs = HashSet::new();
    for round in 0..ROUNDS {
        let name = format!("crew {round} of");
        // The slug for the second team of a name may also be that of another name.
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
