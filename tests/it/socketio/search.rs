//! `search-messages`: which messages are found, and by whom.

use std::time::Duration;

use chinwag::Search;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::socketio::changes::{edit, of_message};
use crate::support::nodes::Nodes;
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error, message, soon};

pub fn query(text: &str) -> Value {
    json!({ "query": { "text": text } })
}

fn query_in(chat: &str, text: &str) -> Value {
    json!({ "query": { "text": text, "chat_id": chat } })
}

/// The texts of the messages of a page.
fn texts(page: &Value) -> Vec<&str> {
    let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
    messages.iter().map(|message| message["msg"].as_str().unwrap()).collect()
}

impl Client {
    /// Searches until these texts are found, the latest first, since indexing takes a moment.
    pub async fn finds(&mut self, body: Value, expected: &[&str]) {
        let mut found = Value::Null;
        let is_found = async {
            loop {
                found = self.done("search-messages", body.clone()).await;
                if texts(&found) == expected {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon(&format!("{body} finds {expected:?}"), is_found).await;
    }

    /// Sends a message and waits until it is found: by then all earlier messages are indexed, too.
    async fn index(&mut self, chat: &str) {
        let said = self.say_quietly(chat, "zzz").await;
        let (id, body) = (said["id"].clone(), query_in(chat, "zzz"));
        let is_found = async {
            while self.done("search-messages", body.clone()).await["messages"][0]["id"] != id {
                sleep(Duration::from_millis(20)).await;
            }
        };
        soon("what was said is found", is_found).await;
    }
}

#[tokio::test]
async fn a_search_finds_all_words_and_the_last_one_by_its_prefix() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let tea = ann.chat("tea", true, &[&bob.id]).await;
    let cake = ann.chat("cake", true, &[]).await;
    let of_bob = bob.chat("other", false, &[]).await;
    for (chat, text) in [
        (&tea, "Green tea, please"),
        (&cake, "Tea goes with cake"),
        (&tea, "TEATIME and a green cake!"),
        (&cake, "coffee"),
    ] {
        ann.say_quietly(chat, text).await;
    }
    bob.say_quietly(&of_bob, "green tea of others").await;
    ann.index(&tea).await;
    ann.index(&cake).await;
    let all = ["TEATIME and a green cake!", "Tea goes with cake", "Green tea, please"];
    ann.finds(query("té"), &all).await;
    ann.finds(query("green TEA"), &[all[0], all[2]]).await;
    // Only the last word of a query may be the beginning of a word.
    ann.finds(query("tea green"), &[all[2]]).await;
    ann.finds(query("gree tea"), &[]).await;
    ann.finds(query("tea coffee"), &[]).await;
    let found = ann.done("search-messages", query("please")).await;
    let listed = ann.done("list-messages", of_chat(&tea)).await;
    assert_eq!(found, json!({ "messages": [listed["messages"][0]] }));
    bob.finds(query("cake"), &[all[0]]).await;
}

#[tokio::test]
async fn pages_follow_each_other_and_miss_nothing() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut chats = Vec::new();
    // More chats than are searched at once.
    for at in 0..40 {
        chats.push(ann.chat(&at.to_string(), true, &[]).await);
    }
    let mut said = Vec::new();
    for at in 0..100 {
        let chat = &chats[at * 7 % 40];
        said.push(ann.say_quietly(chat, &format!("word {at}")).await["id"].clone());
    }
    for chat in &chats {
        ann.index(chat).await;
    }
    said.reverse();
    let (mut found, mut body) = (Vec::new(), query("word"));
    body["query"]["limit"] = json!(9);
    loop {
        let page = ann.done("search-messages", body.clone()).await;
        let messages = page["messages"].as_array().unwrap();
        found.extend(messages.iter().map(|message| message["id"].clone()));
        match page.get("next") {
            Some(next) => body["query"]["before"] = next.clone(),
            None => break,
        }
        assert_eq!(messages.len(), 9);
    }
    assert_eq!(found, said);
}

#[tokio::test]
async fn the_bytes_of_a_page_of_results_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_page_bytes = 2000).await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    for at in 0..3 {
        ann.say_quietly(&chat, &format!("word{at} {}", "x".repeat(900))).await;
    }
    ann.index(&chat).await;
    let page = ann.done("search-messages", query("word")).await;
    assert_eq!(texts(&page).len(), 1);
    assert!(page["next"].is_string(), "{page}");
}

#[tokio::test]
async fn a_search_can_be_limited_to_a_chat_a_user_and_a_time() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.chat("tea", true, &[&bob.id]).await;
    let other = ann.chat("cake", true, &[]).await;
    let first = ann.say_quietly(&chat, "word one").await;
    let second = bob.say_quietly(&chat, "word two").await;
    let third = ann.say_quietly(&other, "word three").await;
    ann.index(&chat).await;
    ann.index(&other).await;
    let all = ["word three", "word two", "word one"];
    let at = |message: &Value| message["created_at"].clone();
    for (bounds, expected) in [
        (json!({}), &all[..]),
        (json!({ "user_id": bob.id }), &all[1..2]),
        (json!({ "user_id": ann.id }), &["word three", "word one"]),
        (json!({ "chat_id": chat }), &all[1..]),
        (json!({ "chat_id": chat, "user_id": ann.id }), &all[2..]),
        (json!({ "from": at(&second) }), &all[..2]),
        (json!({ "to": at(&second) }), &all[1..]),
        (json!({ "from": at(&second), "to": at(&second) }), &all[1..2]),
        (json!({ "from": at(&third), "to": at(&first) }), &[]),
        (json!({ "user_id": "nobody" }), &[]),
    ] {
        let mut body = query("word");
        body["query"].as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
        ann.finds(body, expected).await;
    }
}

#[tokio::test]
async fn a_user_finds_only_messages_that_they_may_read() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut nobody = server.connect().await;
    let (public, private) = (ann.chat("p", false, &[]).await, ann.chat("q", true, &[]).await);
    for chat in [&public, &private] {
        ann.say_quietly(chat, "word").await;
        ann.index(chat).await;
    }
    ann.finds(query("word"), &["word", "word"]).await;
    bob.finds(query("word"), &[]).await;
    for client in [&mut bob, &mut nobody] {
        client.finds(query_in(&public, "word"), &["word"]).await;
        let error = client.refused("search-messages", query_in(&private, "word")).await;
        assert_error(&error, "not_found", Some("query.chat_id"));
    }
    let error = nobody.refused("search-messages", query("word")).await;
    assert_error(&error, "unauthenticated", None);
    // Bob finds it once he is a member, and no longer when he is not.
    ann.invite(&private, &bob.id).await;
    let invitation = bob.next("invitation").await["invitation"]["id"].take();
    bob.done("accept-invitation", json!({ "invitation": { "id": invitation } })).await;
    bob.finds(query("word"), &["word"]).await;
    ann.done("remove-member", of_chat_and(&private, &bob.id)).await;
    bob.finds(query("word"), &[]).await;
    ann.done("delete-chat", of_chat(&private)).await;
    ann.finds(query("word"), &["word"]).await;
}

#[tokio::test]
async fn a_search_does_not_find_hidden_earlier_messages() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut guest = server.connect().await;
    let chat = ann.chat("tea", false, &[]).await;
    let since = json!({ "chat": { "id": chat, "history": "since-joining" } });
    ann.done("update-chat", since).await;
    ann.say_quietly(&chat, "word before").await;
    bob.done("join-chat", of_chat(&chat)).await;
    guest.done("subscribe", channel(&chat)).await;
    ann.say_quietly(&chat, "word after").await;
    ann.index(&chat).await;
    ann.finds(query("word"), &["word after", "word before"]).await;
    bob.finds(query("word"), &["word after"]).await;
    for client in [&mut bob, &mut guest] {
        client.finds(query_in(&chat, "word"), &["word after"]).await;
    }
    server.connect().await.finds(query_in(&chat, "word"), &[]).await;
}

#[tokio::test]
async fn edits_and_deletions_change_the_results() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", true, &[]).await;
    let first = ann.say_quietly(&chat, "old words").await;
    let second = ann.say_quietly(&chat, "old friends").await;
    ann.index(&chat).await;
    ann.finds(query("old"), &["old friends", "old words"]).await;
    ann.done("edit-message", edit(&chat, &first, "new words")).await;
    ann.done("delete-message", of_message(&chat, &second)).await;
    ann.index(&chat).await;
    ann.finds(query("old"), &[]).await;
    ann.finds(query("friends"), &[]).await;
    ann.finds(query("new words"), &["new words"]).await;
    // This message is edited before it is indexed.
    let third = ann.say_quietly(&chat, "early").await;
    ann.done("edit-message", edit(&chat, &third, "late")).await;
    ann.index(&chat).await;
    ann.finds(query("early"), &[]).await;
    ann.finds(query("late"), &["late"]).await;
}

#[tokio::test]
async fn an_invalid_search_is_refused() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    for (body, code, field) in [
        (json!({}), "invalid", "query"),
        (json!({ "query": {} }), "invalid", "query.text"),
        (query(""), "invalid", "query.text"),
        (query(" ?! "), "invalid", "query.text"),
        (query(&"a ".repeat(33)), "too_large", "query.text"),
        (query(&"a".repeat(256)), "too_large", "query.text"),
        (json!({ "query": { "text": "a", "before": "b" } }), "invalid", "query.before"),
        (json!({ "query": { "text": "a", "from": "b" } }), "invalid", "query.from"),
        (json!({ "query": { "text": "a", "chat_id": "b" } }), "not_found", "query.chat_id"),
    ] {
        assert_error(&ann.refused("search-messages", body).await, code, Some(field));
    }
    let off = TestServer::with(|config| config.search = Search::Off).await;
    let error = off.user("ann").await.refused("search-messages", query("word")).await;
    assert_error(&error, "forbidden", None);
}

#[tokio::test]
async fn a_search_over_http_finds_the_same() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let chat = ann.chat("tea", false, &[]).await;
    ann.say_quietly(&chat, "word").await;
    ann.index(&chat).await;
    let body = query_in(&chat, "word");
    let answer = server.request("POST", "/api/events/search-messages").json(&body).send().await;
    assert_eq!(answer.json, ann.done("search-messages", body).await);
}

#[tokio::test]
async fn messages_written_on_one_node_are_found_on_another() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let chat = ann.chat("tea", true, &[&bob.id]).await;
    for at in 0..20 {
        let client = if at % 2 == 0 { &mut ann } else { &mut bob };
        client.say_quietly(&chat, &format!("word{at}")).await;
    }
    let all: Vec<_> = (0..20).rev().map(|at| format!("word{at}")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    ann.finds(query("word"), &all).await;
    bob.finds(query("word"), &all).await;
    bob.done("new-message", message(&chat, "word of bob")).await;
    ann.finds(query("word of"), &["word of bob"]).await;
}
