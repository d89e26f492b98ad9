//! A user who is muted, banned or blocked through one door, and a chat that is frozen or slow, are
//! so at all doors.

use serde_json::{Value, json};

use crate::support::chatter::{of_channel, said_by};
use crate::support::live::Live;
use crate::support::rpc::{assert_fault, room_of};
use crate::support::steps::{channel, of_chat};
use crate::support::{Client, TestServer, assert_error};

const KEY: &str = "the service's key";

/// The host application's connection, and a chat that it moderates.
struct Host {
    client: Client,
    chat: String,
    owner: Value,
}

impl Host {
    async fn of(server: &TestServer, chat: &str) -> Host {
        let client = server.connect_with(KEY).await;
        let mut host = Host { client, chat: chat.to_owned(), owner: Value::Null };
        host.owner = host.user("ann").await;
        host
    }

    /// The id of the user of this name, who is in the room.
    async fn user(&mut self, name: &str) -> Value {
        let room = self.client.done("subscribe", channel(&self.chat)).await;
        self.client.done("unsubscribe", channel(&self.chat)).await;
        let users = room["users"].as_array().unwrap();
        users.iter().find(|user| user["name"] == name).expect(name)["id"].clone()
    }

    /// Makes a request as the owner of the chat.
    async fn does(&mut self, event: &str, mut body: Value) {
        body["actor"] = json!({ "id": self.owner });
        body["chat"]["id"] = self.chat.as_str().into();
        self.client.done(event, body).await;
    }

    async fn sets(&mut self, field: &str, value: Value) {
        self.does("update-chat", json!({ "chat": { field: value } })).await;
    }
}

async fn with_key() -> TestServer {
    TestServer::with(|config| config.api_key = Some(KEY.into())).await
}

#[tokio::test]
async fn moderators_restrictions_hold_in_a_channel() {
    let server = with_key().await;
    let mut eve = server.listener("eve").await;
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    let mut bob = server.chatter("bob").await;
    bob.join("here", "bob").await;
    ann.next().await;
    let mut host = Host::of(&server, &chat).await;
    let of_bob = json!({ "user": { "id": host.user("bob").await } });

    host.sets("frozen", json!(true)).await;
    bob.refused(said_by("here", "frozen"), "forbidden", None).await;
    host.sets("frozen", json!(false)).await;
    host.sets("slow_mode", json!(3600)).await;
    bob.say("here", "the first", "bob").await;
    bob.refused(said_by("here", "too soon"), "rate_limited", None).await;
    host.sets("slow_mode", json!(0)).await;
    host.does("mute-member", of_bob.clone()).await;
    bob.refused(said_by("here", "muted"), "forbidden", None).await;
    host.does("unmute-member", of_bob.clone()).await;
    bob.say("here", "the second", "bob").await;
    host.does("ban-member", of_bob).await;
    assert_eq!(bob.next().await, of_channel(5, "here", "bob"));
    bob.refused(said_by("here", "banned"), "forbidden", None).await;
    bob.refused(json!({ "type": 4, "channel": "here" }), "forbidden", None).await;
}

#[tokio::test]
async fn moderators_restrictions_hold_in_the_rooms_api() {
    let server = with_key().await;
    let ann = server.in_new_room("ann").await;
    let bob = server.in_room("bob", room_of(&ann)).await;
    let mut host = Host::of(&server, room_of(&ann)).await;
    let of_bob = json!({ "user": { "id": host.user("bob").await } });
    let says = async |text: &str| server.fault("SendMessage", json!([text, bob])).await;

    host.sets("frozen", json!(true)).await;
    assert_fault(&says("frozen").await, "forbidden", None);
    host.sets("frozen", json!(false)).await;
    host.sets("slow_mode", json!(3600)).await;
    server.call("SendMessage", json!(["the first", bob])).await;
    assert_fault(&says("too soon").await, "rate_limited", None);
    host.sets("slow_mode", json!(0)).await;
    host.does("mute-member", of_bob.clone()).await;
    assert_fault(&says("muted").await, "forbidden", None);
    host.does("unmute-member", of_bob.clone()).await;
    server.call("SendMessage", json!(["the second", bob])).await;
    host.does("ban-member", of_bob).await;
    // By then bob may be back in the waiting room.
    let code = says("banned").await["data"]["code"].take();
    assert!(code == "forbidden" || code == "conflict", "{code}");
}

#[tokio::test]
async fn a_block_holds_in_direct_messages() {
    let server = with_key().await;
    let (bob, ann) = (server.sign_up("bob").await, server.sign_up("ann").await);
    let mut of_bob = Live::connect(&server, bob.access()).await;
    let mut of_ann = Live::connect(&server, ann.access()).await;
    of_bob.say("bob", "ann", "hello").await;
    of_ann.next().await;
    let mut ann = server.connect_with(ann.access()).await;
    let chats = ann.done("list-chats", json!({})).await;
    let members =
        ann.done("list-members", of_chat(chats["chats"][0]["id"].as_str().unwrap())).await;
    let mut users = members["members"].as_array().unwrap().iter().map(|member| &member["user"]);
    let blocked =
        json!({ "user": { "id": users.find(|user| user["handle"] == "bob").unwrap()["id"] } });
    ann.done("block-user", blocked.clone()).await;
    let error = of_bob
        .refused(json!({ "author": "bob", "recipient": "ann", "message": "?" }).to_string())
        .await;
    assert_error(&error, "forbidden", None);
    ann.done("unblock-user", blocked).await;
    of_bob.say("bob", "ann", "again").await;
    assert_eq!(of_ann.next().await["message"], "again");
}
