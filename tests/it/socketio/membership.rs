//! A member's own settings of a chat: muted, pinned, archived; and how a list of chats shows them.

use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, assert_error, message};

pub fn update(chat: &str, fields: Value) -> Value {
    let mut body = fields;
    body["chat"] = json!({ "id": chat });
    body
}

/// A chat as the user's list shows it.
async fn listed(client: &mut Client, chat: &str) -> Value {
    let chats = client.done("list-chats", json!({})).await;
    let chats = chats["chats"].as_array().unwrap();
    chats.iter().find(|it| it["id"] == chat).unwrap().clone()
}

fn mention(chat: &str, users: Value) -> Value {
    let mut body = message(chat, "look");
    body["message"]["mentions"] = users;
    body
}

/// The user's own fields of a chat.
fn own(chat: &Value) -> Value {
    let fields = ["unread", "mentions", "muted", "pinned", "archived"];
    let there = fields.iter().filter_map(|field| Some(((*field).into(), chat.get(field)?.clone())));
    Value::Object(there.collect())
}

#[tokio::test]
async fn a_member_mutes_pins_and_archives_a_chat_for_themself() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut tab = server.user("ann").await;
    let chat = ann.make_private(&mut [&mut bob, &mut tab]).await;
    assert_eq!(own(&listed(&mut ann, &chat).await), json!({ "unread": 0 }));

    let answer = ann.done("update-membership", update(&chat, json!({ "muted": true }))).await;
    assert_eq!(own(&answer["chat"]), json!({ "unread": 0, "muted": true }));
    assert_eq!(answer["chat"]["users"].as_array().unwrap().len(), 2, "the whole chat");
    assert_eq!(tab.next("update-membership").await, answer);
    let both = json!({ "pinned": true, "archived": true });
    let answer = ann.done("update-membership", update(&chat, both)).await;
    let all = json!({ "unread": 0, "muted": true, "pinned": true, "archived": true });
    assert_eq!(own(&answer["chat"]), all);
    assert_eq!(tab.next("update-membership").await, answer);
    assert_eq!(own(&listed(&mut ann, &chat).await), all);
    assert_eq!(own(&listed(&mut bob, &chat).await), json!({ "unread": 0 }), "only for ann");

    // Pushes that go to others, or to everyone, have none of these fields.
    let renamed = json!({ "chat": { "id": chat, "name": "new" } });
    let answer = ann.done("update-chat", renamed).await;
    assert_eq!(own(&answer["chat"]), all);
    for client in [&mut ann, &mut bob, &mut tab] {
        assert_eq!(own(&client.next("update-chat").await["chat"]), json!({}));
    }

    // With a message it is no longer archived; the other settings stay.
    bob.say(&chat, "hello").await;
    let back = json!({ "unread": 1, "muted": true, "pinned": true });
    assert_eq!(own(&listed(&mut ann, &chat).await), back);
    let archived = update(&chat, json!({ "archived": true }));
    assert_eq!(ann.done("update-membership", archived).await["chat"]["archived"], true);
    let none = json!({ "muted": false, "pinned": false, "archived": false });
    let answer = ann.done("update-membership", update(&chat, none)).await;
    assert_eq!(own(&answer["chat"]), json!({ "unread": 1 }));
    let unchanged = ann.done("update-membership", of_chat(&chat)).await;
    assert_eq!(unchanged["chat"], answer["chat"]);

    let wrong = update(&chat, json!({ "muted": 1 }));
    assert_error(&ann.refused("update-membership", wrong).await, "invalid", Some("muted"));
    ann.next("new-message").await;
    ann.nothing_more().await;
    bob.nothing_more().await;
}

#[tokio::test]
async fn unread_mentions_are_counted() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let chat = ann.make_private(&mut [&mut bob]).await;
    let id = chat.clone();
    let me = json!([ann.id]);
    let mut count = async |(chats, messages, mentions): (i64, i64, i64)| {
        let unread = ann.done("count-unread", json!({})).await;
        let counted = json!({ "chats": chats, "messages": messages, "mentions": mentions });
        assert_eq!(unread, counted);
        let own = own(&listed(&mut ann, &id).await);
        assert_eq!(own["unread"], messages);
        let shown = own.get("mentions").map_or(0, |it| it.as_i64().unwrap());
        assert_eq!(shown, mentions);
        assert!(mentions > 0 || own.get("mentions").is_none(), "{own}");
    };
    bob.done("new-message", mention(&chat, json!([me[0], bob.id]))).await;
    let two = bob.done("new-message", mention(&chat, me.clone())).await;
    let three = bob.done("new-message", message(&chat, "nobody")).await;
    count((1, 3, 2)).await;
    // An edit replaces the mentions of a message.
    let edit = |of: &Value, users: Value| {
        let message = json!({ "id": of["id"], "value": "new", "mentions": users });
        json!({ "chat": { "id": chat }, "message": message })
    };
    bob.done("edit-message", edit(&three, me)).await;
    count((1, 3, 3)).await;
    bob.done("edit-message", edit(&two, json!([]))).await;
    count((1, 3, 2)).await;
    // Other changes do not affect the mentions.
    let react =
        json!({ "chat": { "id": chat }, "message": { "id": three["id"] }, "reaction": "!" });
    bob.done("react", react).await;
    count((1, 3, 2)).await;
    let delete = json!({ "chat": { "id": chat }, "message": { "id": three["id"] } });
    bob.done("delete-message", delete).await;
    count((1, 3, 1)).await;

    let mut tab = server.user("ann").await;
    tab.done("mark-read", json!({ "chat": { "id": chat }, "seq": 1 })).await;
    count((1, 2, 0)).await;
    tab.done("mark-read", json!({ "chat": { "id": chat }, "seq": 1, "unread": true })).await;
    count((1, 3, 1)).await;
    // A mention of oneself does not count as unread.
    tab.done("new-message", mention(&chat, json!([tab.id]))).await;
    count((1, 3, 1)).await;
    let unread = bob.done("count-unread", json!({})).await;
    assert_eq!(unread, json!({ "chats": 1, "messages": 1, "mentions": 0 }));
}

#[tokio::test]
async fn a_list_of_chats_shows_their_latest_messages() {
    let server = TestServer::with_limits(|limits| limits.max_page_bytes = 10_000).await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let mut others = Vec::new();
    for name in ["a", "b", "c"] {
        others.push(ann.chat(name, true, &[]).await);
    }
    let chat = ann.make_private(&mut [&mut bob]).await;
    assert_eq!(listed(&mut bob, &chat).await.get("last_message"), None);
    ann.done("new-message", message(&chat, "one")).await;
    let two = ann.done("new-message", message(&chat, "two")).await;
    assert_eq!(listed(&mut bob, &chat).await["last_message"], two);
    let of_two = json!({ "chat": { "id": chat }, "message": { "id": two["id"] } });
    let deleted = ann.done("delete-message", of_two).await;
    assert_eq!(deleted["msg"], "");
    assert_eq!(listed(&mut bob, &chat).await["last_message"], deleted);

    // Last messages count for how many chats fit on a page.
    for chat in others {
        ann.done("new-message", message(&chat, &"x".repeat(6000))).await;
    }
    let (mut pages, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = ann.done("list-chats", json!({ "before": before })).await;
        pages.push(page["chats"].as_array().unwrap().len());
        match page.get("next") {
            Some(next) => before = next.clone(),
            None => break,
        }
    }
    assert_eq!(pages, [1, 1, 2]);
}

#[tokio::test]
async fn the_users_sockets_on_another_node_get_the_change() {
    let Some(nodes) = Nodes::start(2).await else {
        return;
    };
    let mut ann = nodes[0].user("ann").await;
    let mut tab = nodes[1].user("ann").await;
    let chat = ann.make_private(&mut [&mut tab]).await;
    let answer = ann.done("update-membership", update(&chat, json!({ "pinned": true }))).await;
    assert_eq!(tab.next("update-membership").await, answer);
    ann.nothing_more().await;
}
