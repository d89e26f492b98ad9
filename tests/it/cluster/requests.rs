//! Every request of the table: made on one node, and what a client of the other node sees of it.

use std::collections::BTreeSet;
use std::fmt::Debug;

use chinwag::Access;
use serde_json::{Value, json};

use crate::house::pages::events;
use crate::support::nodes::Nodes;
use crate::support::signing::with_credentials;
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, assert_error, message, soon};

/// Ann on the first node, and on the second bob, another socket of ann's and the service.
struct Stage {
    ann: Client,
    bob: Client,
    tab: Client,
    service: Client,
    /// The requests that have been made.
    asked: BTreeSet<&'static str>,
    _nodes: Nodes,
}

impl Stage {
    async fn set() -> Option<Stage> {
        let nodes = Nodes::with(2, |config| with_credentials(Access::Open)(config)).await?;
        let ann = nodes[0].user("ann").await;
        let (bob, tab) = (nodes[1].user("bob").await, nodes[1].user("ann").await);
        let service = nodes[1].service().await;
        Some(Stage { ann, bob, tab, service, asked: BTreeSet::new(), _nodes: nodes })
    }

    async fn ann(&mut self, event: &'static str, body: Value) -> Value {
        self.asked.insert(event);
        self.ann.done(event, body).await
    }

    async fn bob(&mut self, event: &'static str, body: Value) -> Value {
        self.asked.insert(event);
        self.bob.done(event, body).await
    }

    /// A request on ann's other socket.
    async fn tab(&mut self, event: &'static str, body: Value) -> Value {
        self.asked.insert(event);
        self.tab.done(event, body).await
    }

    /// Makes a chat of ann's, with or without bob, and waits for its events.
    async fn chat(&mut self, private: bool, with_bob: bool) -> String {
        let users = if with_bob { json!([self.bob.id]) } else { json!([]) };
        let chat = json!({ "name": "ours", "private": private });
        let made = self.ann("create-chat", json!({ "chat": chat, "users": users })).await;
        let id = made["chat"]["id"].as_str().unwrap();
        while self.ann.next_of("create-chat").await["chat"]["id"] != id {}
        while with_bob && self.bob.next_of("create-chat").await["chat"]["id"] != id {}
        id.to_owned()
    }

    /// How many members the chat has for ann.
    async fn members(&mut self, chat: &str) -> usize {
        self.ann("list-members", of_chat(chat)).await["members"].as_array().unwrap().len()
    }
}

/// Fails unless `body` has this value at this place.
#[track_caller]
fn has<V: Debug + ?Sized>(body: &Value, place: &str, value: &V)
where
    Value: PartialEq<V>,
{
    let found = body.pointer(place).unwrap_or(&Value::Null);
    assert!(*found == *value, "{place} is not {value:?} but {found}");
}

fn of_user(id: &str) -> Value {
    json!({ "user": { "id": id } })
}

fn of_users(id: &str) -> Value {
    json!({ "users": [{ "id": id }] })
}

async fn people(on: &mut Stage) {
    let (ann, bob) = (on.ann.id.clone(), on.bob.id.clone());
    let named = |name: &str| json!({ "user": { "id": ann, "name": name } });
    on.ann("create-user", named("Anna")).await;
    let listed = on.bob("list-users", of_users(&ann)).await;
    has(&listed, "/users/0/name", "Anna");
    has(&listed, "/users/0/online", &true);

    has(&on.bob("watch-users", of_users(&ann)).await, "/users/0/name", "Anna");
    on.ann("update-user", json!({ "user": { "name": "Ann" } })).await;
    has(&on.bob.next_of("user-updated").await, "/user/name", "Ann");
    on.bob("unwatch-users", of_users(&ann)).await;
    let chat = on.chat(true, true).await;
    on.ann("update-user", json!({ "user": { "name": "Annie" } })).await;
    on.ann("new-message", message(&chat, "I have a new name")).await;
    // This is the next message that bob is shown.
    has(&on.bob.next("new-message").await, "/user/name", "Annie");

    on.ann("block-user", of_user(&bob)).await;
    assert_error(&on.bob.refused("open-direct", of_user(&ann)).await, "forbidden", None);
    has(&on.tab("list-blocked", json!({})).await, "/users/0/id", bob.as_str());
    on.ann("unblock-user", of_user(&bob)).await;
    on.bob("open-direct", of_user(&ann)).await;
    has(&on.ann.next_of("create-chat").await, "/chat/direct", &true);
}

async fn chats(on: &mut Stage) {
    let chat = on.chat(false, true).await;
    has(&on.bob("list-chats", json!({})).await, "/chats/0/id", chat.as_str());
    has(&on.bob("list-public-chats", json!({})).await, "/chats/0/id", chat.as_str());
    on.ann("update-chat", json!({ "chat": { "id": chat, "name": "new" } })).await;
    has(&on.bob.next_of("update-chat").await, "/chat/name", "new");
    on.ann("delete-chat", of_chat(&chat)).await;
    has(&on.bob.next_of("chat-deleted").await, "/chat/id", chat.as_str());
}

async fn membership(on: &mut Stage) {
    let (bob, chat) = (on.bob.id.clone(), on.chat(false, false).await);
    on.bob("join-chat", of_chat(&chat)).await;
    assert_eq!(on.members(&chat).await, 2);
    on.bob("leave-chat", of_chat(&chat)).await;
    assert_eq!(on.members(&chat).await, 1);
    on.bob("join-chat", of_chat(&chat)).await;

    let before = on.bob("count-unread", json!({})).await["messages"].as_i64().unwrap();
    on.ann("new-message", message(&chat, "read me")).await;
    has(&on.bob("count-unread", json!({})).await, "/messages", &(before + 1));
    on.bob("mark-read", of_chat(&chat)).await;
    has(&on.ann.next_of("read").await, "/read_seq", &1);
    on.ann("update-membership", json!({ "chat": { "id": chat }, "muted": true })).await;
    has(&on.tab.next_of("update-membership").await, "/chat/muted", &true);

    on.ann("remove-member", of_chat_and(&chat, &bob)).await;
    has(&on.bob.next_of("remove-member").await, "/chat/id", chat.as_str());
}

async fn moderation(on: &mut Stage) {
    let (bob, chat) = (on.bob.id.clone(), on.chat(false, true).await);
    let of_bob = of_chat_and(&chat, &bob);
    for role in ["moderator", "member"] {
        let mut body = of_bob.clone();
        body["role"] = role.into();
        on.ann("set-role", body).await;
        has(&on.bob.next_of("member-changed").await, "/member/role", role);
    }
    on.ann("mute-member", of_bob.clone()).await;
    has(&on.bob.next_of("member-changed").await, "/member/muted", &true);
    let refused = on.bob.refused("new-message", message(&chat, "too late")).await;
    assert_error(&refused, "forbidden", None);
    on.ann("unmute-member", of_bob.clone()).await;
    has(&on.bob.next_of("member-changed").await, "/member/muted", &Value::Null);

    let said = on.bob("new-message", message(&chat, "as rude as before")).await;
    let mut report = of_chat(&chat);
    report["message"] = json!({ "id": said["id"] });
    on.ann("report-message", report).await;
    has(&on.service.next_of("report").await, "/message/id", &said["id"]);

    on.ann("ban-member", of_bob.clone()).await;
    has(&on.bob.next_of("remove-member").await, "/chat/id", chat.as_str());
    has(&on.tab("list-bans", of_chat(&chat)).await, "/bans/0/user/id", bob.as_str());
    assert_error(&on.bob.refused("join-chat", of_chat(&chat)).await, "forbidden", None);
    on.ann("unban-member", of_bob).await;
    on.bob("join-chat", of_chat(&chat)).await;
}

async fn messages(on: &mut Stage) {
    let chat = on.chat(true, true).await;
    let said = on.ann("new-message", message(&chat, "unheard of")).await;
    assert_eq!(on.bob.next_of("new-message").await, said);
    has(&on.bob("list-messages", of_chat(&chat)).await, "/messages/0", &said);
    let query = json!({ "query": { "text": "unheard" } });
    let found =
        async { while on.bob("search-messages", query.clone()).await["messages"][0] != said {} };
    soon("the message is found", found).await;

    let mut of_message = of_chat(&chat);
    of_message["message"] = json!({ "id": said["id"] });
    let (mut reaction, mut edit) = (of_message.clone(), of_message.clone());
    reaction["reaction"] = "+1".into();
    edit["message"]["value"] = "new".into();
    let changes = [
        ("react", reaction, "reactions", "/reactions/0/reaction", "+1"),
        ("edit-message", edit, "edited", "/msg", "new"),
        ("pin-message", of_message.clone(), "pinned", "/msg", "new"),
        ("delete-message", of_message, "deleted", "/msg", ""),
    ];
    for (before, (event, body, changed, place, value)) in changes.into_iter().enumerate() {
        let answer = on.ann(event, body).await;
        let pushed = on.bob.next_of("message-changed").await;
        has(&pushed, "/changed", changed);
        has(&pushed, place, value);
        let mut after = of_chat(&chat);
        after["after"] = before.into();
        has(&on.bob("list-changes", after).await, "/messages/0", &answer);
    }
}

async fn without_a_trace(on: &mut Stage) {
    let chat = on.chat(true, true).await;
    on.ann("typing", of_chat(&chat)).await;
    has(&on.bob.next_of("typing").await, "/on", &true);
    let mut signal = of_chat(&chat);
    signal["data"] = json!([1, 2]);
    on.ann("signal", signal).await;
    has(&on.bob.next_of("signal").await, "/data", &json!([1, 2]));
}

async fn rooms(on: &mut Stage) {
    let (bob, chat) = (on.bob.id.clone(), on.chat(true, true).await);
    for (event, push) in [("subscribe", "participant-join"), ("unsubscribe", "participant-leave")] {
        on.bob(event, channel(&chat)).await;
        has(&on.ann.next_of(push).await, "/user/id", bob.as_str());
    }
}

async fn invitations(on: &mut Stage) {
    let (bob, chat) = (on.bob.id.clone(), on.chat(true, false).await);
    for answer in ["decline-invitation", "accept-invitation"] {
        // A second invitation is possible only once the first is answered.
        let invited = on.ann("invite", of_chat_and(&chat, &bob)).await;
        let invitation = json!({ "id": invited["invitation"]["id"] });
        has(&on.bob.next_of("invitation").await, "/invitation/id", &invitation["id"]);
        let listed = on.bob("list-invitations", json!({})).await;
        has(&listed, "/invitations/0/id", &invitation["id"]);
        on.bob(answer, json!({ "invitation": invitation })).await;
    }
    assert_eq!(on.members(&chat).await, 2);
}

async fn teams(on: &mut Stage) {
    let bob = on.bob.id.clone();
    let made = on.ann("create-team", json!({ "team": { "name": "crew" } })).await;
    let of_team = json!({ "team": { "id": made["team"]["id"] }, "user": { "id": bob } });
    has(&on.tab("list-teams", json!({})).await, "/teams/0/id", &made["team"]["id"]);
    on.ann("add-to-team", of_team.clone()).await;
    has(&on.bob("list-teams", json!({})).await, "/teams/0/id", &made["team"]["id"]);
    on.ann("remove-from-team", of_team).await;
    has(&on.bob("list-teams", json!({})).await, "/teams", &json!([]));
}

async fn deletion(on: &mut Stage) {
    let (ann, chat) = (on.ann.id.clone(), on.chat(true, true).await);
    on.ann("delete-user", json!({ "messages": "keep" })).await;
    // The direct chat of ann and bob.
    has(&on.bob.next_of("update-chat").await, "/chat/name", "Deleted user, bob");
    has(&on.bob("list-users", of_users(&ann)).await, "/users", &json!([]));
    has(&on.bob("list-members", of_chat(&chat)).await, "/members/0/role", "owner");
}

#[tokio::test]
async fn every_request_is_seen_on_another_node() {
    let Some(mut stage) = Stage::set().await else { return };
    let on = &mut stage;
    people(on).await;
    chats(on).await;
    membership(on).await;
    moderation(on).await;
    messages(on).await;
    without_a_trace(on).await;
    rooms(on).await;
    invitations(on).await;
    teams(on).await;
    deletion(on).await;
    let events = events();
    let unasked = events.iter().filter(|event| !stage.asked.contains(event.as_str()));
    let unasked = Vec::from_iter(unasked);
    assert!(unasked.is_empty(), "no case on two nodes has {unasked:?}");
}
