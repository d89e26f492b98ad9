//! Blocking: what blocked users may not do, through any door.

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::live::Live;
use crate::support::nodes::Nodes;
use crate::support::signing::with_credentials;
use crate::support::steps::of_chat_and;
use crate::support::{Client, TestServer, assert_error, message};

fn of_user(id: &str) -> Value {
    json!({ "user": { "id": id } })
}

impl Client {
    async fn blocked(&mut self) -> Vec<String> {
        let listed = self.done("list-blocked", json!({})).await;
        let users = listed["users"].as_array().unwrap().iter();
        users.map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    }

    async fn direct(&mut self, other: &str) -> String {
        let chat = self.done("open-direct", of_user(other)).await;
        chat["chat"]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_blocked_user_cannot_reach_the_blocker() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    assert_may_not_reach(&mut ann, &mut bob).await;
}

#[tokio::test]
async fn a_blocked_user_cannot_reach_the_blocker_by_another_node() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    assert_may_not_reach(&mut ann, &mut bob).await;
}

async fn assert_may_not_reach(ann: &mut Client, bob: &mut Client) {
    let (of_ann, of_bob) = (of_user(&ann.id), of_user(&bob.id));
    let direct = bob.direct(&ann.id).await;
    bob.done("new-message", message(&direct, "hello")).await;
    let group = bob.chat_of("group").await;

    assert_eq!(ann.done("block-user", of_bob.clone()).await["user"]["id"], bob.id.as_str());
    ann.done("block-user", of_bob.clone()).await;
    assert_eq!(ann.blocked().await, [bob.id.as_str()]);
    assert!(bob.blocked().await.is_empty());
    for (event, body) in [
        ("open-direct", of_ann.clone()),
        ("new-message", message(&direct, "are you there?")),
        ("typing", json!({ "chat": { "id": direct } })),
        ("invite", of_chat_and(&group, &ann.id)),
    ] {
        let error = bob.refused(event, body).await;
        assert_error(&error, "forbidden", None);
        assert!(error["message"].as_str().unwrap().contains("blocked you"), "{event}: {error}");
    }
    // Ann may go on writing, and earlier messages stay.
    ann.done("new-message", message(&direct, "no")).await;
    assert_eq!(ann.direct(&bob.id).await, direct);
    bob.done("list-messages", json!({ "chat": { "id": direct } })).await;

    ann.done("unblock-user", of_bob.clone()).await;
    ann.done("unblock-user", of_bob).await;
    assert!(ann.blocked().await.is_empty());
    bob.done("new-message", message(&direct, "thank you")).await;
    bob.done("open-direct", of_ann).await;
    bob.done("invite", of_chat_and(&group, &ann.id)).await;
}

impl Client {
    /// Makes a chat without taking its event.
    async fn chat_of(&mut self, name: &str) -> String {
        let chat = json!({ "chat": { "name": name }, "users": [] });
        let made = self.done("create-chat", chat).await;
        made["chat"]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_direct_chat_opened_with_a_blocked_user_is_blocked() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    ann.done("block-user", of_user(&bob.id)).await;
    let error = bob.refused("open-direct", of_user(&ann.id)).await;
    assert_error(&error, "forbidden", None);
    let direct = ann.direct(&bob.id).await;
    ann.done("new-message", message(&direct, "listen")).await;
    let error = bob.refused("new-message", message(&direct, "what")).await;
    assert_error(&error, "forbidden", None);
    // In other chats the block has no effect.
    let group = ann.chat_of("group").await;
    ann.done("invite", of_chat_and(&group, &bob.id)).await;
    let waiting = bob.done("list-invitations", json!({})).await;
    let invitation = json!({ "invitation": { "id": waiting["invitations"][0]["id"] } });
    bob.done("accept-invitation", invitation).await;
    bob.done("new-message", message(&group, "here I am")).await;
}

#[tokio::test]
async fn a_block_also_holds_over_rest_and_its_websocket() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let account = server.sign_up("bobby").await;
    let mut ann = server.user("ann").await;
    ann.done("update-user", json!({ "user": { "handle": "ann" } })).await;
    let listed = ann.done("list-users", json!({ "users": [{ "handle": "bobby" }] })).await;
    let bob = listed["users"][0]["id"].as_str().unwrap().to_owned();
    let mut live = Live::connect(&server, account.access()).await;
    live.say("bobby", "ann", "hello").await;
    assert_eq!(ann.next_of("new-message").await["msg"], "hello");
    ann.done("block-user", of_user(&bob)).await;
    live.say("bobby", "ann", "hello?").await;
    assert_eq!(live.next().await["error"]["code"], "forbidden");
}

#[tokio::test]
async fn blocking_oneself_or_an_unknown_user_is_refused() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let own = of_user(&ann.id);
    for event in ["block-user", "unblock-user"] {
        assert_error(&ann.refused(event, own.clone()).await, "conflict", Some("user.id"));
        assert_error(&ann.refused(event, of_user("x")).await, "not_found", Some("user.id"));
        assert_error(&ann.refused(event, json!({})).await, "invalid", Some("user"));
        let error = server.connect().await.refused(event, own.clone()).await;
        assert_error(&error, "unauthenticated", None);
    }
    let error = server.connect().await.refused("list-blocked", json!({})).await;
    assert_error(&error, "unauthenticated", None);
}

#[tokio::test]
async fn blocked_users_are_listed_in_pages() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut all = Vec::new();
    for name in ["b", "c", "d"] {
        let user = server.user(name).await;
        ann.done("block-user", of_user(&user.id)).await;
        all.push(user.id.clone());
    }
    all.sort_unstable();
    let (mut listed, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = ann.done("list-blocked", json!({ "limit": 2, "after": after })).await;
        let users = page["users"].as_array().unwrap().iter();
        listed.extend(users.map(|user| user["id"].as_str().unwrap().to_owned()));
        match page.get("next") {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    assert_eq!(listed, all);
}
