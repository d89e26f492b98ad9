//! The promises of the store, tested from outside, on SQLite and on PostgreSQL alike.

use std::collections::HashSet;

use chinwag::Config;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::PASSWORD;
use crate::support::rpc::{room_of, state};
use crate::support::steps::{channel, of_chat, sorted};
use crate::support::{Client, TestServer, assert_error, database, message, services};

/// Makes two tests of each of these functions, one for each database.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::store::promises::Place::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let Some(place) = crate::store::promises::Place::postgres().await else { return };
                super::$name(place).await;
            })*
        }
    };
}
pub(super) use on_both;

on_both! {
    messages_are_numbered_and_their_times_never_fall
    a_client_id_stands_for_one_message
    a_page_has_the_requested_bounds
    unread_messages_are_counted
    members_are_sorted_by_join_time_and_the_bytes_of_their_ids
    two_users_have_one_direct_chat
    everything_in_an_ephemeral_room_is_deleted_with_it
    a_revoked_token_is_refused
    all_data_is_there_after_a_restart
}

/// The database of a server.
pub(super) struct Place {
    pub directory: TempDir,
    pub url: String,
}

impl Place {
    pub(super) fn sqlite() -> Place {
        let directory = TempDir::new().unwrap();
        Place { url: database::sqlite_in(directory.path()), directory }
    }

    pub(super) async fn postgres() -> Option<Place> {
        let url = services::database(&services::postgres()?).await;
        Some(Place { directory: TempDir::new().unwrap(), url })
    }

    pub(super) async fn start(self) -> TestServer {
        self.start_with(|_| {}).await
    }

    pub(super) async fn start_with(self, change: impl FnOnce(&mut Config)) -> TestServer {
        let set = |config: &mut Config| {
            config.database_url = self.url.into();
            change(config);
        };
        TestServer::on(self.directory, set).await
    }
}

/// Makes a user of this id.
pub(super) async fn user(server: &TestServer, id: &str) -> Client {
    let mut client = server.connect().await;
    let user = json!({ "id": id, "name": id, "photo": "" });
    client.done("create-user", json!({ "user": user })).await;
    client.done("unsubscribe", json!({ "channel": "system" })).await;
    client.id = id.to_owned();
    client
}

/// The messages of a page.
pub(super) async fn page(client: &mut Client, chat: &str, query: Value) -> Value {
    let body = json!({ "chat": { "id": chat }, "query": query });
    client.done("list-messages", body).await
}

pub(super) fn seqs(page: &Value) -> Vec<i64> {
    let messages = page["messages"].as_array().unwrap().iter();
    messages.map(|message| message["seq"].as_i64().unwrap()).collect()
}

async fn messages_are_numbered_and_their_times_never_fall(place: Place) {
    const EACH: usize = 40;
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let chats = [ann.make_private(&mut []).await, ann.make_private(&mut []).await];
    let mut senders = Vec::new();
    for _ in 0..6 {
        senders.push(user(&server, "ann").await);
    }
    join_all(senders.iter_mut().map(async |sender| {
        for number in 0..EACH {
            sender.done("new-message", message(&chats[number % 2], "hello")).await;
        }
    }))
    .await;
    for chat in &chats {
        let page = page(&mut ann, chat, json!({})).await;
        assert!(seqs(&page).into_iter().eq(1..=6 * EACH as i64 / 2), "{page}");
        let messages = page["messages"].as_array().unwrap();
        assert!(messages.iter().map(|message| message["created_at"].as_str()).is_sorted());
        let ids: HashSet<_> = messages.iter().map(|message| message["id"].as_str()).collect();
        assert_eq!(ids.len(), messages.len());
    }
}

async fn a_client_id_stands_for_one_message(place: Place) {
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let mut bob = user(&server, "bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let other = ann.make_private(&mut [&mut bob]).await;
    let body = |chat: &str, client_id: &str, kind: &str, text: &str| {
        let message = json!({ "value": text, "type": kind, "client_id": client_id });
        json!({ "chat": { "id": chat }, "message": message })
    };
    // All of these are different messages: by their `client_id`, their chat or their user.
    let mut all = Vec::new();
    for client_id in ["a", "A", "é", "e\u{301}", " a", "'", "🦊"] {
        all.push(ann.done("new-message", body(&chat, client_id, "text", "hello")).await);
    }
    all.push(ann.done("new-message", body(&other, "a", "text", "hello")).await);
    all.push(bob.done("new-message", body(&chat, "a", "text", "hello")).await);
    let ids: HashSet<_> = all.iter().map(|message| message["id"].as_str()).collect();
    assert_eq!(ids.len(), all.len());
    assert_eq!(ann.done("new-message", body(&chat, "a", "text", "hello")).await, all[0]);
    for (kind, text) in [("text", "Hello"), ("img", "hello"), ("text", "hello ")] {
        let error = ann.refused("new-message", body(&chat, "a", kind, text)).await;
        assert_error(&error, "conflict", Some("message.client_id"));
    }
    // A refused message takes no number.
    assert_eq!(ann.done("new-message", message(&chat, "next")).await["seq"], 9);
}

async fn a_page_has_the_requested_bounds(place: Place) {
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let chat = ann.make_private(&mut []).await;
    let empty = ann.make_private(&mut []).await;
    let mut times = vec![String::new()];
    for _ in 1..=10 {
        let said = ann.say(&chat, "hello").await;
        times.push(said["created_at"].as_str().unwrap().to_owned());
    }
    let all = Vec::from_iter(1..=10);
    let last = i64::MAX;
    let far = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];
    for (query, expected, next, previous) in [
        (json!({}), &all[..], None, None),
        (json!({ "limit": 3 }), &all[7..], None, Some(8)),
        (json!({ "after_seq": 0, "limit": 3 }), &all[..3], Some(3), None),
        (json!({ "after_seq": 3, "limit": 3 }), &all[3..6], Some(6), Some(4)),
        (json!({ "before_seq": 4 }), &all[..3], Some(3), None),
        (json!({ "before_seq": 4, "limit": 2 }), &all[1..3], Some(3), Some(2)),
        (json!({ "after_seq": 2, "before_seq": 6 }), &all[2..5], Some(5), Some(3)),
        (json!({ "after_seq": last }), &[], None, Some(last)),
        (json!({ "before_seq": last }), &all[..], None, None),
        (json!({ "from": times[4] }), &all[3..], None, None),
        (json!({ "to": times[4] }), &all[..4], None, None),
        (json!({ "from": times[4], "to": times[4] }), &all[3..4], None, None),
        (json!({ "from": times[3], "to": times[7], "limit": 2 }), &all[2..4], Some(4), None),
        (json!({ "from": far[0], "to": far[1] }), &all[..], None, None),
        (json!({ "from": far[1] }), &[], None, None),
        (json!({ "to": far[0] }), &[], None, None),
    ] {
        let page = page(&mut ann, &chat, query.clone()).await;
        assert_eq!(seqs(&page), expected, "{query}: {page}");
        let bound = |at: &str, which: &str| page.get(at).map(|at| at[which].as_i64().unwrap());
        assert_eq!(bound("next", "after_seq"), next, "{query}");
        assert_eq!(bound("previous", "before_seq"), previous, "{query}");
    }
    for query in [json!({}), json!({ "after_seq": 0 }), json!({ "from": far[0] })] {
        assert_eq!(page(&mut ann, &empty, query).await, json!({ "messages": [] }));
    }
}

async fn unread_messages_are_counted(place: Place) {
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let mut bob = user(&server, "bob").await;
    let chat = ann.make_private(&mut [&mut bob]).await;
    let read = async |client: &mut Client, seq: Option<i64>| {
        let mut body = of_chat(&chat);
        if let Some(seq) = seq {
            body["seq"] = json!(seq);
        }
        let read = client.done("mark-read", body).await;
        (read["chat"]["read_seq"].as_i64().unwrap(), read["chat"]["unread"].as_i64().unwrap())
    };
    for by_ann in [true, false, false, true, false] {
        let speaker = if by_ann { &mut ann } else { &mut bob };
        speaker.done("new-message", message(&chat, "hello")).await;
    }
    let listed = async |client: &mut Client| {
        let chats = client.done("list-chats", json!({})).await;
        chats["chats"][0]["unread"].as_i64().unwrap()
    };
    assert_eq!((listed(&mut ann).await, listed(&mut bob).await), (3, 2));
    assert_eq!(read(&mut bob, Some(1)).await, (1, 1));
    assert_eq!(read(&mut bob, Some(3)).await, (3, 1));
    assert_eq!(read(&mut bob, Some(2)).await, (3, 1));
    assert_eq!(read(&mut ann, Some(2)).await, (2, 2));
    assert_eq!(read(&mut ann, Some(i64::MAX)).await, (5, 0));
    ann.done("new-message", message(&chat, "hello")).await;
    assert_eq!((listed(&mut ann).await, listed(&mut bob).await), (0, 2));
    assert_eq!(read(&mut bob, None).await, (6, 0));
    // A user who joins later has read all earlier messages.
    let mut eve = user(&server, "eve").await;
    let invited = bob.invite(&chat, "eve").await;
    let accept = json!({ "invitation": { "id": invited["id"] } });
    eve.done("accept-invitation", accept).await;
    assert_eq!(listed(&mut eve).await, 0);
    bob.done("new-message", message(&chat, "hello")).await;
    assert_eq!((listed(&mut eve).await, listed(&mut ann).await), (1, 1));
}

async fn members_are_sorted_by_join_time_and_the_bytes_of_their_ids(place: Place) {
    let server = place.start().await;
    let mut ids =
        ["10", "9", "B", "Z", "_", "a", "b c", "e\u{301}", "z", "É", "é", "ß", "日本", "🦊"];
    // Sorted by their bytes, which no language does.
    ids.sort();
    for id in ["ann", "A", "aa"].iter().chain(&ids) {
        user(&server, id).await;
    }
    let mut ann = user(&server, "ann").await;
    let team = ann.make_team("crew", &ids).await;
    let chat = json!({ "name": "ours", "private": false, "team_id": team });
    let made = ann.done("create-chat", json!({ "chat": chat, "users": ids })).await;
    let mut expected = ids.to_vec();
    expected.push("ann");
    expected.sort();
    assert_eq!(made["chat"]["users"], json!(expected));
    let chat = made["chat"]["id"].as_str().unwrap();
    for late in ["aa", "A"] {
        ann.done("add-to-team", json!({ "team": { "id": team }, "user": { "id": late } })).await;
        let mut late = user(&server, late).await;
        late.done("join-chat", of_chat(chat)).await;
    }
    expected.extend(["aa", "A"]);
    let listed = ann.done("list-chats", json!({})).await;
    assert_eq!(listed["chats"][0]["users"], json!(expected));
    let teams = ann.done("list-teams", json!({})).await;
    assert_eq!(teams["teams"][0]["users"], json!(expected));
    // Nicks are sorted in the same way.
    let nicks = ["Bo", "Zo", "ao", "éo", "日記"];
    let mut chatters = Vec::new();
    for nick in nicks.iter().rev() {
        chatters.push(server.chatter(nick).await);
    }
    assert_eq!(chatters.last_mut().unwrap().nicks().await, json!(nicks));
}

async fn two_users_have_one_direct_chat(place: Place) {
    let server = place.start().await;
    let mut chats = HashSet::new();
    let ids = ["B", "a", "Z", "é", "a,b", "a b"];
    for one in ids {
        for other in ids.iter().filter(|id| **id > one) {
            let (mut one, mut other) = (user(&server, one).await, user(&server, other).await);
            let with = |id: &str| json!({ "user": { "id": id } });
            let opened = one.done("open-direct", with(&other.id)).await;
            let again = other.done("open-direct", with(&one.id)).await;
            assert_eq!(opened["chat"]["users"], json!([one.id, other.id]));
            assert_eq!(opened["chat"]["id"], again["chat"]["id"]);
            assert!(chats.insert(opened["chat"]["id"].to_string()));
        }
    }
}

async fn everything_in_an_ephemeral_room_is_deleted_with_it(place: Place) {
    let server = place.start().await;
    let mut bob = user(&server, "bob").await;
    let mut ann = server.in_new_room("ann").await;
    let room = room_of(&ann).to_owned();
    for number in 0..20 {
        server.call("SendMessage", json!([number.to_string(), ann])).await;
    }
    bob.done("join-chat", of_chat(&room)).await;
    let mut eve = user(&server, "eve").await;
    bob.invite(&room, "eve").await;
    assert_eq!(eve.done("list-invitations", json!({})).await["invitations"][0]["chat"]["id"], room);
    ann = server.call("LeaveRoom", json!([ann])).await;
    assert_eq!(ann, state("ann", "0"));
    for (event, body) in [
        ("list-messages", of_chat(&room)),
        ("new-message", message(&room, "hello")),
        ("mark-read", of_chat(&room)),
    ] {
        assert_error(&bob.refused(event, body).await, "not_found", Some("chat.id"));
    }
    assert_error(&bob.refused("subscribe", channel(&room)).await, "not_found", Some("channel"));
    assert_eq!(bob.chats().await, json!([]));
    assert_eq!(eve.done("list-invitations", json!({})).await, json!({ "invitations": [] }));
}

async fn a_revoked_token_is_refused(place: Place) {
    let server = place.start().await;
    let inbox =
        async |token: &str| server.request("GET", "/api/inbox").bearer(token).send().await.status;
    let ann = server.sign_up("ann").await;
    let other = server.log_in("ann", PASSWORD).await.data()[0].clone();
    let access = other["access_token"].as_str().unwrap().to_owned();
    assert_eq!((inbox(ann.access()).await, inbox(&access).await), (200, 200));
    let ended = server.request("DELETE", "/api/auth_token").bearer(&access).send().await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert_eq!((inbox(ann.access()).await, inbox(&access).await), (200, 401));
    let refresh = json!({ "refresh_token": ann.token["refresh_token"] });
    let refreshed = server.post("/api/auth_token/refresh", refresh.clone()).await.data()[0].clone();
    let access = refreshed["access_token"].as_str().unwrap();
    assert_eq!((inbox(ann.access()).await, inbox(access).await), (401, 200));
    for ended in [&refresh, &json!({ "refresh_token": other["refresh_token"] })] {
        assert_eq!(server.post("/api/auth_token/refresh", ended.clone()).await.status, 401);
    }
}

async fn all_data_is_there_after_a_restart(place: Place) {
    let url = place.url.clone();
    let server = place.start().await;
    let mut ann = user(&server, "ann").await;
    let mut bob = user(&server, "bob").await;
    let mut eve = user(&server, "eve").await;
    let team = ann.make_team("crew", &["bob"]).await;
    let chat = json!({ "name": "x", "description": "y", "team_id": team, "private": true });
    let chat = ann.make(chat, &mut [&mut bob]).await;
    ann.done("open-direct", json!({ "user": { "id": "eve" } })).await;
    for number in 0..5 {
        ann.done("new-message", message(&chat, &number.to_string())).await;
    }
    bob.done("mark-read", json!({ "chat": { "id": chat }, "seq": 2 })).await;
    ann.invite(&chat, "eve").await;
    let account = server.sign_up("carl").await;
    let mut chatter = server.chatter("chatter").await;
    chatter.join("tea", "chatter").await;
    let mut before = all_of(&mut [&mut ann, &mut bob, &mut eve], &chat).await;

    let directory = server.shutdown().await;
    let server = Place { directory, url }.start().await;
    let mut again = [user(&server, "ann").await, user(&server, "bob").await];
    let mut eve = user(&server, "eve").await;
    let [ann, bob] = &mut again;
    let mut after = all_of(&mut [ann, bob, &mut eve], &chat).await;
    assert_eq!(sorted(&after[1]["chats"], "id"), sorted(&before[1]["chats"], "id"));
    for (before, after) in before.iter_mut().zip(&mut after) {
        assert_eq!(before.take(), after.take());
    }
    let inbox = server.request("GET", "/api/inbox").bearer(account.access()).send().await;
    assert_eq!(inbox.status, 200, "{}", inbox.text);
    assert_eq!(again[0].say(&chat, "next").await["seq"], 6);
    server.chatter("chatter").await.join("tea", "chatter").await;
}

/// Everything that these clients can list, and the messages of a chat.
async fn all_of(clients: &mut [&mut Client], chat: &str) -> Vec<Value> {
    let mut all = vec![page(clients[0], chat, json!({})).await];
    for client in clients {
        for event in ["list-chats", "list-teams", "list-invitations"] {
            all.push(client.done(event, json!({})).await);
        }
    }
    all
}
