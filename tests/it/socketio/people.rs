//! Users as others see them: how they are listed, searched for, and changed by themselves.

use chinwag::Access;
use serde_json::{Value, json};

use crate::support::nodes::Nodes;
use crate::support::signing::with_credentials;
use crate::support::{Client, TestServer, assert_error};

impl Client {
    /// The users whom these ids and handles name.
    pub async fn list_users(&mut self, names: Value) -> Vec<Value> {
        let mut listed = self.done("list-users", json!({ "users": names })).await;
        assert!(listed.get("more").is_none(), "{listed}");
        listed["users"].take().as_array().unwrap().clone()
    }

    /// The names of the users whose handle or name begins with this.
    async fn find_users(&mut self, text: &str) -> Vec<String> {
        let found = self.done("list-users", json!({ "text": text })).await;
        names(&found)
    }

    async fn update_user(&mut self, change: Value) -> Value {
        self.done("update-user", json!({ "user": change })).await["user"].take()
    }
}

fn names(listed: &Value) -> Vec<String> {
    let users = listed["users"].as_array().unwrap().iter();
    users.map(|user| user["name"].as_str().unwrap().to_owned()).collect()
}

async fn create(client: &mut Client, user: Value) -> String {
    let made = client.done("create-user", json!({ "user": user })).await;
    made["user"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn users_are_listed_by_id_external_id_or_handle() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let mut maker = server.connect().await;
    let bob = create(&mut maker, json!({ "id": "bob", "name": "Bob", "handle": "Bobby" })).await;
    create(&mut maker, json!({ "external_id": "c", "name": "Cat", "photo": "cat.png" })).await;
    let named = json!([
        { "handle": "BOBBY" },
        { "id": "nobody" },
        { "external_id": "c" },
        { "id": ann.id },
        { "id": bob },
        { "external_id": "nobody" },
        { "handle": "nobody" },
    ]);
    let users = ann.list_users(named).await;
    let listed: Vec<_> = users.iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(listed, ["Bob", "Cat", "ann"]);
    assert_eq!(users[0]["handle"], "Bobby");
    assert_eq!(users[0]["id"], "bob");
    assert_eq!(users[1]["handle"], Value::Null);
    assert_eq!(users[1]["photo"], "cat.png");
    assert_eq!(users[2]["online"], true);
    let keys = |user: &Value| Vec::from_iter(user.as_object().unwrap().keys().cloned());
    let all = ["handle", "id", "last_seen", "name", "online", "photo"];
    let mut of_ann = keys(&users[2]);
    of_ann.sort_unstable();
    assert_eq!(of_ann, all, "without data");
}

#[tokio::test]
async fn a_list_request_that_names_no_user_is_refused() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let error = ann.refused("list-users", json!({})).await;
    assert_error(&error, "invalid", Some("text"));
    for text in ["", " "] {
        let error = ann.refused("list-users", json!({ "text": text })).await;
        assert_error(&error, "invalid", Some("text"));
    }
    let error = ann.refused("list-users", json!({ "text": "a", "limit": 0 })).await;
    assert_error(&error, "invalid", Some("limit"));
    let error = ann.refused("list-users", json!({ "users": [{ "id": "x" }, {}] })).await;
    assert_error(&error, "invalid", Some("users.1.id"));
    let error = ann.refused("list-users", json!({ "users": ["x"] })).await;
    assert_error(&error, "invalid", Some("users.0"));
    let many = vec![json!({ "id": "x" }); 1001];
    let error = ann.refused("list-users", json!({ "users": many })).await;
    assert_error(&error, "too_large", Some("users"));
    assert!(ann.list_users(json!([])).await.is_empty());
}

#[tokio::test]
async fn users_are_found_by_the_beginning_of_a_handle_or_name() {
    let server = TestServer::start().await;
    let mut ann = server.connect().await;
    for (handle, name) in [("zoe", "Émile"), ("emma", "Zora"), ("xy", "emmanuel"), ("q", "Q")] {
        create(&mut ann, json!({ "id": handle, "name": name, "handle": handle })).await;
    }
    assert_eq!(ann.find_users("EM").await, ["emmanuel", "Zora"]);
    assert_eq!(ann.find_users("e\u{301}mile").await, ["Émile"]);
    assert_eq!(ann.find_users("zo").await, ["Zora", "Émile"]);
    assert_eq!(ann.find_users("emmanuela").await, [""; 0]);
    assert_eq!(ann.find_users("%").await, [""; 0]);
    let one = ann.done("list-users", json!({ "text": "em", "limit": 1 })).await;
    assert_eq!(names(&one), ["emmanuel"]);
    assert_eq!(one["more"], true);
}

#[tokio::test]
async fn the_bytes_of_a_page_of_users_are_limited() {
    let server = TestServer::with_limits(|limits| limits.max_page_bytes = 1000).await;
    let mut ann = server.connect().await;
    for id in ["a", "b", "c"] {
        create(&mut ann, json!({ "id": id, "name": "x", "photo": "p".repeat(600) })).await;
    }
    for body in [json!({ "text": "x" }), json!({ "users": [{ "id": "a" }, { "id": "b" }] })] {
        let listed = ann.done("list-users", body).await;
        assert_eq!(listed["users"].as_array().unwrap().len(), 1);
        assert_eq!(listed["more"], true);
    }
}

#[tokio::test]
async fn token_access_hides_users_who_share_no_chat_or_team() {
    let server = TestServer::with_credentials(Access::Token).await;
    let (mut ann, mut bob) = (server.token_user("x ann").await, server.token_user("x bob").await);
    let mut cat = server.token_user("x cat").await;
    let mut dan = server.token_user("x dan").await;
    dan.update_user(json!({ "handle": "x_dan" })).await;
    ann.chat("both", true, &[&bob.id]).await;
    ann.make_team("crew", &[&cat.id]).await;
    assert_eq!(ann.find_users("x").await, ["x ann", "x bob", "x cat"]);
    assert_eq!(bob.find_users("x").await, ["x ann", "x bob"]);
    assert_eq!(cat.find_users("x").await, ["x ann", "x cat"]);
    assert_eq!(dan.find_users("x").await, [""; 0]);
    // A complete handle finds its user.
    assert_eq!(bob.find_users("X_DAN").await, ["x dan"]);
    let named = json!([{ "id": dan.id }, { "external_id": "x cat" }, { "handle": "x_dan" }]);
    assert_eq!(bob.list_users(named).await.len(), 2);
    let mut service = server.service().await;
    assert_eq!(service.find_users("x").await, ["x ann", "x bob", "x cat", "x dan"]);
}

#[tokio::test]
async fn a_user_changes_their_name_photo_handle_and_data() {
    let server = TestServer::start().await;
    let mut ann = server.user("ann").await;
    let data = json!({ "status": "away \u{0}", "n": [1.50] });
    let change = json!({ "name": "Anna", "photo": "a.png", "handle": "anna", "data": data });
    let user = ann.update_user(change).await;
    assert_eq!(user["id"], ann.id.as_str());
    assert_eq!(user["name"], "Anna");
    assert_eq!(user["photo"], "a.png");
    assert_eq!(user["handle"], "anna");
    assert_eq!(user["data"], data);
    assert_eq!(user["online"], true);
    let listed = ann.list_users(json!([{ "id": ann.id }])).await;
    assert_eq!(listed[0]["data"], data);

    // Fields that are not given stay, and data is replaced as a whole.
    let user = ann.update_user(json!({ "data": { "x": 1 }, "id": "somebody else" })).await;
    assert_eq!((&user["name"], &user["data"]), (&json!("Anna"), &json!({ "x": 1 })));
    let user = ann.update_user(json!({ "name": "Ann" })).await;
    assert_eq!((&user["handle"], &user["data"]), (&json!("anna"), &json!({ "x": 1 })));
    let user = ann.update_user(json!({ "data": {} })).await;
    assert!(user.get("data").is_none(), "{user}");
    let user = ann.update_user(json!({})).await;
    assert_eq!(user["name"], "Ann");
    // Other requests show the change, too.
    let chat = ann.chat("own", true, &[]).await;
    ann.done("subscribe", crate::support::steps::channel(&chat)).await;
    assert_eq!(ann.next("participant-join").await["user"]["name"], "Ann");
}

#[tokio::test]
async fn a_forbidden_change_of_a_user_is_refused() {
    let server = TestServer::with_limits(|limits| limits.max_data = 50).await;
    let mut ann = server.user("ann").await;
    let mut bob = server.user("bob").await;
    bob.update_user(json!({ "handle": "bob" })).await;
    let mut refused = async |change: Value, code, field| {
        let error = ann.refused("update-user", json!({ "user": change })).await;
        assert_error(&error, code, Some(field));
    };
    refused(json!({ "handle": "BOB" }), "conflict", "user.handle").await;
    refused(json!({ "handle": "a b" }), "invalid", "user.handle").await;
    refused(json!({ "name": "" }), "invalid", "user.name").await;
    refused(json!({ "name": "\u{200b}" }), "invalid", "user.name").await;
    refused(json!({ "name": "x".repeat(256) }), "too_large", "user.name").await;
    refused(json!({ "photo": "x".repeat(9000) }), "too_large", "user.photo").await;
    refused(json!({ "data": "x" }), "invalid", "user.data").await;
    refused(json!({ "data": [] }), "invalid", "user.data").await;
    refused(json!({ "data": { "x": "y".repeat(50) } }), "too_large", "user.data").await;
    let error = ann.refused("update-user", json!({})).await;
    assert_error(&error, "invalid", Some("user"));
    let error = server.connect().await.refused("update-user", json!({ "user": {} })).await;
    assert_error(&error, "unauthenticated", None);
}

#[tokio::test]
async fn a_protected_users_former_handle_is_kept() {
    let server = TestServer::with(with_credentials(Access::Open)).await;
    let (mut ann, mut bob) = (server.token_user("ann").await, server.user("bob").await);
    ann.update_user(json!({ "handle": "ann" })).await;
    ann.update_user(json!({ "handle": "anna" })).await;
    let error = bob.refused("update-user", json!({ "user": { "handle": "Ann" } })).await;
    assert_error(&error, "conflict", Some("user.handle"));
    assert_eq!(ann.update_user(json!({ "handle": "ann" })).await["handle"], "ann");
    // A handle that another user gives up is free at once.
    bob.update_user(json!({ "handle": "bob" })).await;
    bob.update_user(json!({ "handle": "bobby" })).await;
    ann.update_user(json!({ "handle": "bob" })).await;
}

#[tokio::test]
async fn a_change_reaches_watchers_and_direct_chats_once() {
    let server = TestServer::start().await;
    let (mut ann, mut tab) = (server.user("ann").await, server.user("ann").await);
    let (mut bob, mut cat) = (server.user("bob").await, server.user("cat").await);
    let mut dan = server.user("dan").await;
    assert_hear_of_a_change(&mut ann, &mut tab, &mut bob, &mut cat, &mut dan).await;
}

#[tokio::test]
async fn a_change_reaches_watchers_and_direct_chats_once_on_two_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    let (mut ann, mut tab) = (nodes[0].user("ann").await, nodes[1].user("ann").await);
    let (mut bob, mut cat) = (nodes[1].user("bob").await, nodes[1].user("cat").await);
    let mut dan = nodes[1].user("dan").await;
    assert_hear_of_a_change(&mut ann, &mut tab, &mut bob, &mut cat, &mut dan).await;
}

/// Bob watches Ann and has a direct chat with her, Cat watches her, Dan is in a chat with her.
async fn assert_hear_of_a_change(
    ann: &mut Client,
    tab: &mut Client,
    bob: &mut Client,
    cat: &mut Client,
    dan: &mut Client,
) {
    let of_ann = json!({ "users": [{ "id": ann.id }, { "id": "nobody" }] });
    for watcher in [&mut *bob, &mut *cat] {
        let watched = watcher.done("watch-users", of_ann.clone()).await;
        assert_eq!(names(&watched), ["ann"]);
    }
    bob.done("open-direct", json!({ "user": { "id": ann.id } })).await;
    for client in [&mut *ann, &mut *tab, &mut *bob] {
        client.next_of("create-chat").await;
    }
    ann.make(json!({ "name": "x" }), &mut [tab, dan]).await;
    let user = ann.update_user(json!({ "name": "Anna", "data": { "a": 1 } })).await;
    for client in [&mut *tab, &mut *bob, &mut *cat] {
        let told = client.next_of("user-updated").await;
        for key in ["id", "name", "handle", "photo", "data", "online"] {
            assert_eq!(told["user"][key], user[key], "{told}");
        }
    }
    // This changes nothing, so that nobody gets a push.
    ann.update_user(json!({ "name": "Anna" })).await;
    cat.done("unwatch-users", of_ann).await;
    let again = json!({ "external_id": "ann", "name": "Ann" });
    ann.done("create-user", json!({ "user": again })).await;
    for client in [&mut *tab, &mut *bob] {
        assert_eq!(client.next_of("user-updated").await["user"]["name"], "Ann");
    }
    for client in [ann, tab, bob, cat, dan] {
        client.passes("user-updated").await;
    }
}

impl Client {
    /// Fails if an event of this name comes, now or before the next event.
    pub async fn passes(&mut self, event: &str) {
        let chat = json!({ "chat": { "name": "the last event" }, "users": [] });
        self.tell("create-chat", chat).await;
        self.next_of("create-chat").await;
        assert!(self.take_event(event).is_none());
    }
}

#[tokio::test]
async fn changes_of_a_user_have_their_own_limit() {
    let server = TestServer::with_limits(|limits| limits.updates_per_user = 2).await;
    let mut ann = server.user("ann").await;
    ann.update_user(json!({ "name": "a" })).await;
    ann.update_user(json!({ "name": "b" })).await;
    let error = ann.refused("update-user", json!({ "user": { "name": "c" } })).await;
    assert_error(&error, "rate_limited", None);
    let again = json!({ "external_id": "ann", "name": "d" });
    let error = ann.refused("create-user", json!({ "user": again })).await;
    assert_error(&error, "rate_limited", None);
}
