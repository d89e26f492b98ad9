//! Limits that take a thousand users or chats to reach.

use std::time::Duration;

use chinwag::{Access, Config};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::socketio::spelling::execute;
use crate::support::database;
use crate::support::hooks::{Receiver, hooked};
use crate::support::http::{JSON, PASSWORD, registration};
use crate::support::patience::within;
use crate::support::rpc::{call, state};
use crate::support::steps::{channel, of_chat};
use crate::support::{Client, TestServer, assert_error, message};

/// How many requests wait at the same time on one socket.
const AT_ONCE: usize = 500;

/// Turns rates off, since these tests are not about them.
fn unhurried(config: &mut Config) {
    let limits = &mut config.limits;
    for rate in [
        &mut limits.requests_per_user,
        &mut limits.requests_per_address,
        &mut limits.sign_ups_per_address,
        &mut limits.messages_per_user,
        &mut limits.failed_logins_per_account,
        &mut limits.failed_logins_per_address,
        &mut limits.connects_per_address,
    ] {
        *rate = 0;
    }
    limits.max_socket_users = 20_000;
}

/// Sends a request for each of these bodies; none may be refused.
async fn all_done(client: &mut Client, event: &str, bodies: &[Value]) {
    for bodies in bodies.chunks(AT_ONCE) {
        let mut acks = Vec::new();
        for body in bodies {
            acks.push(client.request(event, body.clone()).await);
        }
        for ack in acks {
            let answer = client.answer(ack).await;
            assert!(answer.get("error").is_none(), "{event}: {answer}");
        }
    }
}

/// A client that acts as so many users, and the ids of these.
async fn make_users(server: &TestServer, count: usize) -> (Client, Vec<String>) {
    let ids = Vec::from_iter((0..count).map(|at| format!("u{at:05}")));
    let users = ids.iter().map(|id| json!({ "user": { "id": id, "name": id } }));
    let mut client = server.connect().await;
    all_done(&mut client, "create-user", &Vec::from_iter(users)).await;
    (client, ids)
}

#[tokio::test]
async fn the_members_that_a_chat_names_are_limited() {
    let server = TestServer::with(unhurried).await;
    let mut ann = server.user("ann").await;
    let (mut others, ids) = make_users(&server, 1002).await;
    let body = json!({ "chat": { "name": "many", "private": false }, "users": ids[..1000] });
    let made = ann.done("create-chat", body).await["chat"].take();
    assert_eq!(made["users"].as_array().map(Vec::len), Some(1001));
    let chat = made["id"].as_str().unwrap();
    for id in &ids[1000..] {
        let join = json!({ "chat": { "id": chat }, "user": { "id": id } });
        others.done("join-chat", join).await;
    }
    let listed = ann.done("list-chats", json!({})).await["chats"][0].take();
    assert_eq!(listed["users"], made["users"], "those who joined first");
    let (mut members, mut query) = (0, of_chat(chat));
    loop {
        let page = ann.done("list-members", query.clone()).await;
        members += page["members"].as_array().unwrap().len();
        match page.get("next") {
            Some(next) => query["after"] = next.clone(),
            None => break,
        }
    }
    assert_eq!(members, 1003);
}

#[tokio::test]
async fn the_participants_that_a_subscriber_is_told_are_limited() {
    let server = TestServer::with(unhurried).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("many", false, &[]).await;
    for part in [0..400, 400..800, 800..1001] {
        let users = Vec::from_iter(part.map(|at| format!("u{at:05}")));
        let logins = users.iter().map(|user| call(1, "NewUser", json!([user])));
        let enter = |user| call(2, "EnterRoom", json!([state(user, "0"), chat]));
        let calls = json!(Vec::from_iter(logins.chain(users.iter().map(|user| enter(user)))));
        let answers = server.rpc(&calls).await;
        let all_in = answers.as_array().unwrap().iter().all(|it| it.get("result").is_some());
        assert!(all_in, "{answers}");
    }
    let room = ann.done("subscribe", channel(&chat)).await;
    assert_eq!(room["participants"], 1002);
    assert_eq!(room["users"].as_array().map(Vec::len), Some(1000));
}

#[tokio::test]
async fn only_the_latest_direct_chats_get_a_users_change() {
    let server = TestServer::with(unhurried).await;
    let (mut ann, mut old) = (server.user("ann").await, server.user("old").await);
    let mut next = server.user("next").await;
    let (_others, ids) = make_users(&server, 999).await;
    let latest = [&old.id, &next.id].into_iter().chain(&ids);
    let bodies = latest.map(|id| json!({ "user": { "id": id } }));
    all_done(&mut ann, "open-direct", &Vec::from_iter(bodies)).await;
    for client in [&mut old, &mut next] {
        client.next("create-chat").await;
    }
    ann.done("update-user", json!({ "user": { "name": "Anna" } })).await;
    assert_eq!(next.next("user-updated").await["user"]["name"], "Anna");
    old.nothing_more().await;
}

#[tokio::test]
async fn the_users_named_as_offline_are_limited() {
    let mut receiver = Receiver::start(|_| 204).await;
    let server = TestServer::with(|config| {
        unhurried(config);
        hooked(receiver.url())(config);
    })
    .await;
    let mut ann = server.user("ann").await;
    let (mut others, ids) = make_users(&server, 1002).await;
    let body = json!({ "chat": { "name": "many", "private": false }, "users": ids[..1000] });
    let made = ann.done("create-chat", body).await["chat"].take();
    let chat = made["id"].as_str().unwrap();
    for id in &ids[1000..] {
        let join = json!({ "chat": { "id": chat }, "user": { "id": id } });
        others.done("join-chat", join).await;
    }
    drop(others);
    // For a moment after they have gone, they still count as online.
    let offline = async {
        loop {
            ann.done("new-message", message(chat, "hello")).await;
            let call = receiver.next_message().await;
            let named = call.json["offline"].as_array().unwrap().len();
            if named >= 1000 {
                return named;
            }
        }
    };
    assert_eq!(within(Duration::from_secs(30), offline).await, Some(1000));
}

#[tokio::test]
async fn the_members_checked_for_being_offline_are_limited() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("many", false, &[]).await;
    let directory = server.shutdown().await;
    // With ann these are 10,000 members; z is one more.
    let ids = Vec::from_iter((1..10_000).map(|at| format!("u{at:05}")));
    let users = Vec::from_iter(ids.iter().chain([&"z".to_owned()]).map(|id| format!("('{id}')")));
    let new = format!("with new (id) as (values {})", users.join(", "));
    let of_chat = format!("id = '{chat}'");
    let of_chat = match database::is_postgres() {
        true => of_chat,
        false => format!("id = x'{}'", chat.replace('-', "")),
    };
    let members = format!(
        "{new} insert into users (id, name, photo, created_at, modified_at)
         select id, 'x', '', 1, 1 from new;
         {new} insert into members (chat_id, user_id, joined_at, read_seq, own_unread)
         select chats.id, new.id, 1, 0, 0 from new, chats where chats.{of_chat};
         update chats set member_count = 10001 where {of_chat};"
    );
    execute(&directory, &members).await;
    let mut receiver = Receiver::start(|_| 204).await;
    let server = TestServer::on(directory, |config| {
        unhurried(config);
        hooked(receiver.url())(config);
    })
    .await;
    let mut ann = server.user("ann").await;
    let away = "u05000";
    let present = ids.iter().filter(|id| *id != away);
    let present = present.map(|id| json!({ "user": { "id": id, "name": "x", "photo": "" } }));
    let mut others = server.connect().await;
    all_done(&mut others, "create-user", &Vec::from_iter(present)).await;
    ann.done("new-message", message(&chat, "hello")).await;
    assert_eq!(receiver.next_message().await.json["offline"], json!([away]));
}

#[tokio::test]
async fn the_users_that_a_user_blocks_are_limited() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await.id;
    let directory = server.shutdown().await;
    let numbers = "with recursive numbers (n) as
         (select 1 union all select n + 1 from numbers where n < 10001)";
    let users = format!(
        "{numbers} insert into users (id, name, photo, created_at, modified_at)
         select 'u' || n, 'x', '', 1, 1 from numbers;
         {numbers} insert into blocks (user_id, blocked_id, created_at)
         select '{ann}', 'u' || n, 1 from numbers where n < 10000"
    );
    execute(&directory, &users).await;
    let server = TestServer::on(directory, |_| {}).await;
    let mut ann = server.user("ann").await;
    let user = |n: usize| json!({ "user": { "id": format!("u{n}") } });
    ann.done("block-user", user(10_000)).await;
    let error = ann.refused("block-user", user(10_001)).await;
    assert_error(&error, "too_large", Some("user.id"));
    // A user who is blocked already is not counted again.
    ann.done("block-user", user(1)).await;
    ann.done("unblock-user", user(1)).await;
    ann.done("block-user", user(10_001)).await;
}

#[tokio::test]
async fn the_tokens_of_a_user_are_limited() {
    let server = TestServer::with(unhurried).await;
    let ann = server.sign_up("ann").await;
    let second = server.log_in("ann", PASSWORD).await.data();
    let is_good = async |token: &str| {
        server.request("GET", "/api/inbox").bearer(token).send().await.status == 200
    };
    for _ in 0..98 {
        server.log_in("ann", PASSWORD).await.data();
    }
    assert!(is_good(ann.access()).await, "that makes a hundred");
    server.log_in("ann", PASSWORD).await.data();
    assert!(!is_good(ann.access()).await, "the oldest has not ended");
    assert!(is_good(second[0]["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn the_passwords_that_wait_to_be_hashed_are_limited() {
    let server = TestServer::with(|config| {
        unhurried(config);
        config.access = Some(Access::Open);
        config.trusted_proxies = 1;
    })
    .await;
    server.post("/api/register", registration("ann")).await.data();
    let body = json!({ "username": "nobody", "password": "wrong" });
    // How many logins are refused, of `of_each` at the same time from each of so many addresses.
    let refused = async |addresses: usize, of_each: usize| {
        let login = async |address: usize| {
            let header = format!("X-Forwarded-For: 203.0.113.{address}\r\n{JSON}");
            let request = server.request("POST", "/api/auth_token").header(&header);
            let answer = request.body(body.to_string()).send().await;
            assert!([401, 503].contains(&answer.status), "{answer:?}");
            answer.status == 503
        };
        let logins = (0..addresses * of_each).map(|at| login(at % addresses));
        join_all(logins).await.into_iter().filter(|refused| *refused).count()
    };
    assert_eq!(refused(1, 16).await, 0);
    let of_one = refused(1, 60).await;
    assert!((1..=60 - 16).contains(&of_one), "{of_one} of 60 were refused");
    // No address has more than it may have: the limit for all addresses refuses these.
    let of_many = refused(25, 16).await;
    assert!((1..=25 * 16 - 256).contains(&of_many), "{of_many} of 400 were refused");
}
