//! Owners, moderators and members: what each may do to a chat and to each other.

use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::{Client, TestServer, soon};

/// A chat of ann, its owner, with bob, whom she makes a moderator, and eve.
pub struct Chat {
    pub server: TestServer,
    pub ann: Client,
    pub bob: Client,
    pub eve: Client,
    pub id: String,
}

impl Chat {
    pub async fn new(private: bool) -> Chat {
        let server = TestServer::start().await;
        let (mut ann, bob) = (server.user("ann").await, server.user("bob").await);
        let eve = server.user("eve").await;
        let id = ann.chat("tea", private, &[&bob.id, &eve.id]).await;
        let body = json!({ "chat": { "id": id }, "user": { "id": bob.id }, "role": "moderator" });
        let answer = ann.ask("set-role", body).await;
        assert_eq!(answer["member"]["role"], "moderator");
        Chat { server, ann, bob, eve, id }
    }

    pub fn of(&self, user: &Client) -> Value {
        json!({ "chat": { "id": self.id }, "user": { "id": user.id } })
    }

    /// The roles of all members, by id.
    async fn roles(&mut self) -> Value {
        let members = self.ann.ask("list-members", json!({ "chat": { "id": self.id } })).await;
        let members = members["members"].as_array().unwrap().iter();
        members
            .map(|it| (it["user"]["id"].as_str().unwrap().to_owned(), it["role"].clone()))
            .collect()
    }
}

pub fn text(chat: &str, value: &str) -> Value {
    json!({ "chat": { "id": chat }, "message": { "type": "text", "value": value } })
}

#[tokio::test]
async fn the_owner_gives_roles_and_hands_the_chat_over() {
    let mut chat = Chat::new(true).await;
    let (bob, eve) = (chat.bob.id.clone(), chat.eve.id.clone());
    let pushed = chat.eve.next_of("member-changed").await;
    assert_eq!(pushed["chat"]["id"], chat.id);
    assert_eq!(
        (&pushed["member"]["user"]["id"], &pushed["member"]["role"]),
        (&json!(bob), &json!("moderator"))
    );
    let to = |user: &str, role: &str| json!({ "chat": { "id": chat.id }, "user": { "id": user }, "role": role });
    let (to_eve, wrong) = (to(&eve, "owner"), to(&eve, "king"));
    let (down, stranger) = (to(&chat.ann.id, "member"), to("nobody", "member"));
    // A moderator cannot change roles.
    assert_eq!(chat.bob.refused("set-role", to_eve.clone()).await["code"], "forbidden");
    let refused = chat.ann.refused("set-role", wrong).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid"), &json!("role")));
    assert_eq!(chat.ann.refused("set-role", stranger).await["code"], "not_found");
    // The owner must stay until another is appointed.
    assert_eq!(chat.ann.refused("set-role", down).await["code"], "conflict");
    assert_eq!(chat.ann.ask("set-role", to_eve).await["member"]["role"], "owner");
    let roles = json!({ &chat.ann.id: "moderator", &bob: "moderator", &eve: "owner" });
    assert_eq!(chat.roles().await, roles);
    assert_eq!(
        chat.ann.refused("delete-chat", json!({ "chat": { "id": chat.id } })).await["code"],
        "forbidden"
    );
}

#[tokio::test]
async fn a_moderator_becomes_owner_when_the_owner_leaves() {
    let mut chat = Chat::new(false).await;
    chat.ann.ask("leave-chat", json!({ "chat": { "id": chat.id } })).await;
    let owner = async {
        loop {
            let pushed = chat.eve.next_of("member-changed").await;
            if pushed["member"]["role"] == "owner" {
                break pushed;
            }
        }
    };
    assert_eq!(soon("the chat passes on", owner).await["member"]["user"]["id"], chat.bob.id);
    // Its creator who comes back is an ordinary member.
    chat.ann.ask("join-chat", json!({ "chat": { "id": chat.id } })).await;
    let roles = json!({ &chat.ann.id: "member", &chat.bob.id: "owner", &chat.eve.id: "member" });
    assert_eq!(chat.roles().await, roles);
    for leaver in [&mut chat.bob, &mut chat.eve] {
        leaver.ask("leave-chat", json!({ "chat": { "id": chat.id } })).await;
    }
    assert_eq!(chat.roles().await, json!({ &chat.ann.id: "owner" }));
}

#[tokio::test]
async fn only_moderators_can_write_in_a_frozen_chat() {
    let mut chat = Chat::new(true).await;
    let freeze = |frozen| json!({ "chat": { "id": chat.id, "frozen": frozen } });
    let (on, off) = (freeze(true), freeze(false));
    assert_eq!(chat.eve.refused("update-chat", on.clone()).await["code"], "forbidden");
    assert_eq!(chat.bob.ask("update-chat", on).await["chat"]["frozen"], true);
    assert_eq!(chat.eve.refused("new-message", text(&chat.id, "hm")).await["code"], "forbidden");
    chat.bob.ask("new-message", text(&chat.id, "order")).await;
    assert_eq!(chat.bob.ask("update-chat", off).await["chat"].get("frozen"), None);
    chat.eve.ask("new-message", text(&chat.id, "at last")).await;
}

#[tokio::test]
async fn slow_mode_limits_how_often_a_member_sends() {
    let mut chat = Chat::new(true).await;
    let slow = |slow_mode| json!({ "chat": { "id": chat.id, "slow_mode": slow_mode } });
    let (on, off, wrong) = (slow(3600), slow(0), slow(-1));
    assert_eq!(chat.bob.refused("update-chat", wrong).await["code"], "invalid");
    assert_eq!(chat.bob.ask("update-chat", on).await["chat"]["slow_mode"], 3600);
    chat.eve.ask("new-message", text(&chat.id, "one")).await;
    let refused = chat.eve.refused("new-message", text(&chat.id, "two")).await;
    assert_eq!(refused["code"], "rate_limited");
    let wait = refused["retry_after_ms"].as_u64().unwrap();
    assert!(wait > 3_500_000 && wait <= 3_600_000, "{wait}");
    // Slow mode does not apply to moderators.
    chat.bob.ask("new-message", text(&chat.id, "one")).await;
    chat.bob.ask("new-message", text(&chat.id, "two")).await;
    assert_eq!(chat.bob.ask("update-chat", off).await["chat"].get("slow_mode"), None);
    chat.eve.ask("new-message", text(&chat.id, "two")).await;
}

#[tokio::test]
async fn a_chat_can_hide_messages_from_before_a_member_joined() {
    let mut chat = Chat::new(false).await;
    let since = json!({ "chat": { "id": chat.id, "history": "since-joining" } });
    assert_eq!(chat.bob.ask("update-chat", since).await["chat"]["history"], "since-joining");
    let before = chat.ann.ask("new-message", text(&chat.id, "before")).await;
    let mut late = chat.server.user("late").await;
    let of_chat = json!({ "chat": { "id": chat.id } });
    // A user who is no member is shown no earlier messages.
    assert_eq!(late.ask("list-messages", of_chat.clone()).await["messages"], json!([]));
    late.ask("join-chat", of_chat.clone()).await;
    let after = chat.ann.ask("new-message", text(&chat.id, "after")).await;
    let page = late.ask("list-messages", of_chat.clone()).await;
    assert_eq!(page, json!({ "messages": [after] }));
    let all = chat.eve.ask("list-messages", of_chat).await;
    assert_eq!(all["messages"], json!([before, after]));
    // The push of a change of an earlier message does not have its contents.
    let pin = json!({ "chat": { "id": chat.id }, "message": { "id": before["id"] } });
    let pinned = chat.bob.ask("pin-message", pin).await;
    let told = late.next_of("message-changed").await;
    assert_eq!(told, json!({ "id": before["id"], "seq": 1, "change": pinned["change"] }));
    let changes = json!({ "chat": { "id": chat.id }, "after": 0 });
    let list = late.ask("list-changes", changes.clone()).await;
    assert_eq!((&list["messages"], &list["last_change"]), (&json!([]), &pinned["change"]));
    assert_eq!(chat.eve.ask("list-changes", changes).await["messages"][0]["id"], before["id"]);
}

/// A user who is no member sees such a chat from when they have entered its room.
async fn assert_seen_since_subscribing(mut ann: Client, mut guest: Client) {
    let id = ann.chat("tea", false, &[]).await;
    let since = json!({ "chat": { "id": id, "history": "since-joining" } });
    ann.ask("update-chat", since).await;
    let before = ann.ask("new-message", text(&id, "before")).await;
    let room = json!({ "channel": format!("room-{id}") });
    guest.done("subscribe", room.clone()).await;
    let after = ann.ask("new-message", text(&id, "after")).await;
    let of_chat = json!({ "chat": { "id": id } });
    let page = guest.ask("list-messages", of_chat.clone()).await;
    assert_eq!(page, json!({ "messages": [after] }));
    let react = |message: &Value| {
        let message = json!({ "id": message["id"] });
        json!({ "chat": { "id": id }, "message": message, "reaction": "+1", "on": true })
    };
    ann.done("react", react(&before)).await;
    let told = guest.next_of("message-changed").await;
    assert_eq!(told, json!({ "id": before["id"], "seq": 1, "change": 1 }));
    ann.done("react", react(&after)).await;
    let told = guest.next_of("message-changed").await;
    assert_eq!((&told["id"], &told["msg"]), (&after["id"], &json!("after")));
    let changes = json!({ "chat": { "id": id }, "after": 0 });
    let list = guest.ask("list-changes", changes).await;
    assert_eq!(list["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!((&list["messages"][0]["id"], &list["last_change"]), (&after["id"], &json!(2)));
    // Another visit begins anew.
    guest.done("unsubscribe", room).await;
    assert_eq!(guest.ask("list-messages", of_chat).await["messages"], json!([]));
}

#[tokio::test]
async fn a_chat_can_hide_messages_from_before_a_subscription() {
    let server = TestServer::start().await;
    assert_seen_since_subscribing(server.user("ann").await, server.connect().await).await;
}

#[tokio::test]
async fn hiding_messages_before_a_subscription_works_across_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    assert_seen_since_subscribing(nodes[0].user("ann").await, nodes[1].connect().await).await;
}

#[tokio::test]
async fn hidden_messages_do_not_become_unread() {
    let mut chat = Chat::new(false).await;
    let since = json!({ "chat": { "id": chat.id, "history": "since-joining" } });
    chat.bob.ask("update-chat", since).await;
    for value in ["one", "two"] {
        chat.ann.ask("new-message", text(&chat.id, value)).await;
    }
    let mut late = chat.server.user("late").await;
    let joined = late.ask("join-chat", json!({ "chat": { "id": chat.id } })).await;
    assert_eq!((&joined["chat"]["role"], &joined["chat"]["unread"]), (&json!("member"), &json!(0)));
    chat.ann.ask("new-message", text(&chat.id, "three")).await;
    let back = json!({ "chat": { "id": chat.id }, "seq": 1, "unread": true });
    let read = late.ask("mark-read", back).await;
    assert_eq!((&read["chat"]["read_seq"], &read["chat"]["unread"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn a_users_own_role_and_unread_are_in_answers_and_in_no_push() {
    let server = TestServer::start().await;
    let (mut ann, mut bob) = (server.user("ann").await, server.user("bob").await);
    let new = json!({ "chat": { "name": "tea", "private": false }, "users": [bob.id] });
    let made = ann.ask("create-chat", new).await["chat"].clone();
    assert_eq!((&made["role"], &made["unread"]), (&json!("owner"), &json!(0)));
    assert_eq!(bob.next_of("create-chat").await["chat"].get("role"), None);
    let of_chat = json!({ "chat": { "id": made["id"] } });
    ann.ask("new-message", text(made["id"].as_str().unwrap(), "hi")).await;
    let joined = bob.ask("join-chat", of_chat).await["chat"].clone();
    assert_eq!((&joined["role"], &joined["unread"]), (&json!("member"), &json!(1)));
    let named = json!({ "chat": { "id": made["id"], "name": "coffee" } });
    assert_eq!(ann.ask("update-chat", named).await["chat"]["role"], "owner");
    let pushed = bob.next_of("update-chat").await["chat"].clone();
    assert_eq!((pushed.get("role"), pushed.get("unread")), (None, None));
    let direct = json!({ "user": { "id": bob.id } });
    let direct = ann.ask("open-direct", direct).await["chat"].clone();
    assert_eq!((direct.get("role"), &direct["unread"]), (None, &json!(0)));
}

#[tokio::test]
async fn a_deleted_chat_is_gone_for_all() {
    let mut chat = Chat::new(false).await;
    let of_chat = json!({ "chat": { "id": chat.id } });
    chat.ann.ask("new-message", text(&chat.id, "hi")).await;
    assert_eq!(chat.bob.refused("delete-chat", of_chat.clone()).await["code"], "forbidden");
    assert_eq!(chat.ann.ask("delete-chat", of_chat.clone()).await, of_chat);
    assert_eq!(chat.eve.next_of("chat-deleted").await, of_chat);
    for (event, body) in [("list-messages", of_chat.clone()), ("delete-chat", of_chat)] {
        assert_eq!(chat.ann.refused(event, body).await["code"], "not_found");
    }
    assert_eq!(chat.eve.ask("list-chats", json!({})).await["chats"], json!([]));
    let direct = json!({ "user": { "id": chat.eve.id } });
    let direct = chat.ann.ask("open-direct", direct).await["chat"]["id"].clone();
    let refused = chat.ann.refused("delete-chat", json!({ "chat": { "id": direct } })).await;
    assert_eq!(refused["code"], "forbidden");
}

#[tokio::test]
async fn roles_bans_and_slow_mode_hold_on_every_node() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let mut eve = nodes[1].user("eve").await;
    let id = ann.chat("tea", true, &[&bob.id, &eve.id]).await;
    let of = |user: &Client| json!({ "chat": { "id": id }, "user": { "id": user.id } });
    let (of_bob, of_eve) = (of(&bob), of(&eve));
    let mut role = of_bob.clone();
    role["role"] = json!("moderator");
    ann.ask("set-role", role).await;
    assert_eq!(bob.next_of("member-changed").await["member"]["role"], "moderator");
    bob.ask("update-chat", json!({ "chat": { "id": id, "slow_mode": 3600 } })).await;
    eve.ask("new-message", text(&id, "one")).await;
    let refused = eve.refused("new-message", text(&id, "two")).await;
    assert_eq!(refused["code"], "rate_limited");
    bob.ask("mute-member", of_eve.clone()).await;
    assert_eq!(eve.refused("new-message", text(&id, "two")).await["code"], "forbidden");
    ann.ask("ban-member", of_eve).await;
    eve.next_of("remove-member").await;
    ann.ask("new-message", text(&id, "gone")).await;
    assert_eq!(bob.next_of("new-message").await["msg"], "one");
    assert_eq!(bob.next_of("new-message").await["msg"], "gone");
    eve.nothing_more().await;
    ann.ask("delete-chat", json!({ "chat": { "id": id } })).await;
    assert_eq!(bob.next_of("chat-deleted").await["chat"]["id"], id);
}
