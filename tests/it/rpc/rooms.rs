//! The rooms API: users, rooms, and the messages in them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::rpc::{assert_fault, call, room_of, state, texts};
use crate::support::steps::NO_ID;
use crate::support::{TestServer, soon};

#[tokio::test]
async fn a_new_user_is_in_the_waiting_room_until_they_leave() {
    let server = TestServer::start().await;
    assert_eq!(server.count("0").await, 0);
    assert_eq!(server.new_user("ann").await, state("ann", "0"));
    assert_eq!(server.new_user("böb_2").await, state("böb_2", "0"));
    assert_eq!(server.count("0").await, 2);
    assert_fault(&server.fault("NewUser", json!(["ann"])).await, "conflict", Some("userId"));
    let left = server.call("LeaveRoom", json!([state("ann", "0")])).await;
    assert_eq!(left, state("ann", ""));
    assert_eq!(server.count("0").await, 1);
    for gone in [state("ann", "0"), state("ann", "")] {
        assert_fault(&server.fault("LeaveRoom", json!([gone])).await, "conflict", Some("user"));
    }
    assert_eq!(server.new_user("ann").await, state("ann", "0"));
}

#[tokio::test]
async fn users_make_enter_change_and_leave_rooms() {
    let server = TestServer::start().await;
    let ann = server.in_new_room("ann").await;
    let first = room_of(&ann);
    assert_ne!(first, "0");
    assert_eq!(server.count(first).await, 1);
    assert_eq!(server.in_room("bob", first).await, state("bob", first));
    assert_eq!((server.count(first).await, server.count("0").await), (2, 0));

    let bob = server.call("NewRoom", json!([state("bob", first)])).await;
    let second = room_of(&bob);
    assert_ne!(first, second);
    assert_eq!((server.count(first).await, server.count(second).await), (1, 1));
    let ann = server.call("EnterRoom", json!([ann, second])).await;
    assert_eq!(ann, state("ann", second));
    assert_eq!(server.count(second).await, 2);
    assert_fault(&server.fault("UsersCount", json!([first])).await, "not_found", Some("roomId"));

    assert_eq!(server.call("LeaveRoom", json!([ann])).await, state("ann", "0"));
    assert_eq!((server.count("0").await, server.count(second).await), (1, 1));
    assert_eq!(server.call("LeaveRoom", json!([bob])).await, state("bob", "0"));
    assert_fault(&server.fault("UsersCount", json!([second])).await, "not_found", Some("roomId"));
    assert_eq!(server.count("0").await, 2);
}

#[tokio::test]
async fn an_unknown_room_cannot_be_entered() {
    let server = TestServer::start().await;
    let ann = server.new_user("ann").await;
    for room in ["0", "", "nonsense", NO_ID] {
        let fault = server.fault("EnterRoom", json!([ann, room])).await;
        assert_fault(&fault, "not_found", Some("roomId"));
    }
    for room in ["", "nonsense", NO_ID] {
        let fault = server.fault("UsersCount", json!([room])).await;
        assert_fault(&fault, "not_found", Some("roomId"));
    }
    let ann = server.call("NewRoom", json!([ann])).await;
    let fault = server.fault("EnterRoom", json!([ann, room_of(&ann)])).await;
    assert_fault(&fault, "conflict", Some("roomId"));
    assert_eq!(server.count(room_of(&ann)).await, 1);
}

#[tokio::test]
async fn a_state_that_differs_from_the_servers_is_a_conflict() {
    let server = TestServer::start().await;
    let ann = server.in_new_room("ann").await;
    let bob = server.in_new_room("bob").await;
    let room = room_of(&bob);
    for wrong in [state("ann", "0"), state("ann", ""), state("ann", room), state("cyd", "0")] {
        for (method, params, field) in [
            ("NewRoom", json!([wrong]), "keyHolder"),
            ("EnterRoom", json!([wrong, room]), "user"),
            ("LeaveRoom", json!([wrong]), "user"),
            ("SendMessage", json!(["x", wrong]), "user"),
            ("PickUpHistory", json!([wrong]), "user"),
            ("DumpHistory", json!([wrong]), "user"),
        ] {
            let fault = server.fault(method, params).await;
            assert_fault(&fault, "conflict", Some(field));
        }
    }
    assert_eq!(server.count(room_of(&ann)).await, 1);
    assert!(server.picked_up(&ann).await.is_empty());
    assert!(server.picked_up(&bob).await.is_empty());
}

#[tokio::test]
async fn messages_reach_the_roommates() {
    let server = TestServer::start().await;
    let ann = server.in_new_room("ann").await;
    server.call("SendMessage", json!(["before bob", ann])).await;
    let bob = server.in_room("bob", room_of(&ann)).await;
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    server.call("SendMessage", json!(["hello", ann])).await;
    server.call("SendMessage", json!(["hi", bob])).await;

    let picked = server.call("PickUpHistory", json!([bob])).await;
    assert_eq!(picked["State"], bob);
    assert_eq!(texts(&picked["Messages"]), ["hello", "hi"]);
    let hello = &picked["Messages"][0];
    assert_eq!((&hello["Author"], &hello["Room"]), (&json!("ann"), &ann["RoomId"]));
    let time = hello["Timestamp"].as_u64().unwrap();
    assert!((before..before + 60_000).contains(&time), "{time}");
    assert_eq!(picked["Messages"][1]["Author"], "bob");
    assert_eq!(server.picked_up(&bob).await, [""; 0]);
    assert_eq!(server.picked_up(&ann).await, ["before bob", "hello", "hi"]);
    server.call("SendMessage", json!(["more", ann])).await;
    assert_eq!(server.picked_up(&bob).await, ["more"]);
    let all = server.call("DumpHistory", json!([bob])).await;
    assert_eq!(texts(&all), ["before bob", "hello", "hi", "more"]);
    assert_eq!(all[1], *hello);

    // After entering again, bob gets only messages from then on.
    server.call("LeaveRoom", json!([bob])).await;
    server.call("SendMessage", json!(["without bob", ann])).await;
    server.call("EnterRoom", json!([state("bob", "0"), room_of(&ann)])).await;
    assert_eq!(server.picked_up(&bob).await, [""; 0]);
}

#[tokio::test]
async fn the_waiting_room_has_no_messages() {
    let server = TestServer::start().await;
    let ann = server.new_user("ann").await;
    let fault = server.fault("SendMessage", json!(["x", ann])).await;
    assert_fault(&fault, "conflict", Some("user"));
    assert_eq!(server.picked_up(&ann).await, [""; 0]);
    assert_eq!(server.call("DumpHistory", json!([ann])).await, json!([]));
}

#[tokio::test]
async fn histories_come_in_pages() {
    let server = TestServer::with_limits(|limits| limits.max_history = 3).await;
    let ann = server.in_new_room("ann").await;
    for number in 1..=7 {
        server.call("SendMessage", json!([number.to_string(), ann])).await;
    }
    for (params, expected) in [
        (json!([ann]), vec!["1", "2", "3"]),
        (json!([ann, 3]), vec!["4", "5", "6"]),
        (json!([ann, 6]), vec!["7"]),
        (json!([ann, 7]), vec![]),
        (json!([ann, null, 2]), vec!["1", "2"]),
        (json!([ann, 1, 1_000_000]), vec!["2", "3", "4"]),
        (json!([ann, u64::MAX]), vec![]),
    ] {
        assert_eq!(texts(&server.call("DumpHistory", params).await), expected);
    }
    assert_eq!(server.picked_up(&ann).await, ["1", "2", "3"]);
    assert_eq!(server.picked_up(&ann).await, ["4", "5", "6"]);
    assert_eq!(server.picked_up(&ann).await, ["7"]);
    assert_eq!(server.picked_up(&ann).await, [""; 0]);
}

#[tokio::test]
async fn histories_are_bounded_in_bytes() {
    let server = TestServer::with_limits(|limits| limits.max_history_bytes = 2000).await;
    let ann = server.in_new_room("ann").await;
    for text in ["a", "b", "c", "d"] {
        server.call("SendMessage", json!([text.repeat(600), ann])).await;
    }
    assert_eq!(texts(&server.call("DumpHistory", json!([ann])).await).len(), 2);
    assert_eq!(server.picked_up(&ann).await, ["a".repeat(600), "b".repeat(600)]);
    assert_eq!(server.picked_up(&ann).await, ["c".repeat(600), "d".repeat(600)]);
}

#[tokio::test]
async fn every_message_is_picked_up_once() {
    const SENDERS: usize = 4;
    const MESSAGES: usize = 25;
    let server = Arc::new(TestServer::with_limits(|limits| limits.max_history = 7).await);
    let ann = server.in_new_room("ann").await;
    let mut senders = Vec::new();
    for sender in 0..SENDERS {
        let user = server.in_room(&format!("sender{sender}"), room_of(&ann)).await;
        let server = server.clone();
        senders.push(tokio::spawn(async move {
            for number in 0..MESSAGES {
                server.call("SendMessage", json!([format!("{sender}.{number}"), user])).await;
            }
        }));
    }
    let found = Arc::new(AtomicUsize::new(0));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (server, ann, found) = (server.clone(), ann.clone(), found.clone());
        readers.push(tokio::spawn(async move {
            let mut all = Vec::new();
            while found.load(Ordering::Relaxed) < SENDERS * MESSAGES {
                let texts = server.picked_up(&ann).await;
                found.fetch_add(texts.len(), Ordering::Relaxed);
                all.extend(texts);
            }
            all
        }));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    let mut all = Vec::new();
    for reader in readers {
        let texts = soon("every message is picked up", reader).await.unwrap();
        for sender in 0..SENDERS {
            let own = |text: &&String| text.starts_with(&format!("{sender}."));
            let numbers = texts.iter().filter(own).map(|text| text[2..].parse::<usize>().unwrap());
            assert!(numbers.is_sorted(), "{texts:?}");
        }
        all.extend(texts);
    }
    assert_eq!(all.len(), SENDERS * MESSAGES);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), SENDERS * MESSAGES);
    assert_eq!(server.picked_up(&ann).await, [""; 0]);
}

#[tokio::test]
async fn entering_while_the_last_user_leaves_works_or_is_refused() {
    let server = Arc::new(TestServer::start().await);
    server.new_user("bob").await;
    let (mut entered, mut refused) = (0, 0);
    for round in 0..40 {
        let ann = server.in_new_room(&format!("ann{round}")).await;
        let room = room_of(&ann).to_owned();
        let leaving = server.clone();
        let leave = tokio::spawn(async move { leaving.call("LeaveRoom", json!([ann])).await });
        let enter = call(1, "EnterRoom", json!([state("bob", "0"), room]));
        let answer = server.rpc(&enter).await;
        leave.await.unwrap();
        if answer.get("error").is_some() {
            assert_fault(&answer["error"], "not_found", Some("roomId"));
            let fault = server.fault("UsersCount", json!([room])).await;
            assert_fault(&fault, "not_found", Some("roomId"));
            refused += 1;
        } else {
            let bob = state("bob", &room);
            assert_eq!(server.count(&room).await, 1);
            server.call("SendMessage", json!(["still here", bob])).await;
            assert_eq!(server.picked_up(&bob).await, ["still here"]);
            server.call("LeaveRoom", json!([bob])).await;
            entered += 1;
        }
    }
    assert_eq!(entered + refused, 40);
}

#[tokio::test]
async fn a_user_who_makes_no_calls_is_logged_out() {
    let server =
        TestServer::with_limits(|limits| limits.lobby_timeout = Duration::from_secs(3)).await;
    let ann = server.in_new_room("ann").await;
    let bob = server.new_user("bob").await;
    let cyd = server.in_new_room("cyd").await;
    let count = call(1, "UsersCount", json!([room_of(&ann)]));
    soon("ann and bob are logged out", async {
        while server.count("0").await > 0 || server.rpc(&count).await.get("result").is_some() {
            server.picked_up(&cyd).await;
        }
    })
    .await;
    for gone in [&ann, &bob] {
        assert_fault(&server.fault("LeaveRoom", json!([gone])).await, "conflict", Some("user"));
    }
    assert_eq!(server.count(room_of(&cyd)).await, 1);
    assert_eq!(server.new_user("ann").await, state("ann", "0"));
}

#[tokio::test]
async fn the_number_of_logged_in_users_is_limited() {
    let server = TestServer::with_limits(|limits| {
        limits.max_connections = 2;
        limits.max_connections_per_address = Some(2);
    })
    .await;
    server.new_user("ann").await;
    server.in_new_room("bob").await;
    assert_fault(&server.fault("NewUser", json!(["cyd"])).await, "unavailable", None);
    server.call("LeaveRoom", json!([state("ann", "0")])).await;
    server.new_user("cyd").await;
}
