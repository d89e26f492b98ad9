//! Channels and Socket.IO: a channel is a public chat, a nick is a user.

use serde_json::json;

use crate::support::chatter::{Chatter, message, of_channel, of_nick, said_by};
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer};

/// A connection that is in a channel and in the room of its chat. It comes into the room after its
/// frame.
async fn in_channel(server: &TestServer, nick: &str) -> Chatter {
    let mut chatter = server.chatter(nick).await;
    chatter.join("here", nick).await;
    chatter.nothing_more().await;
    chatter
}

/// A Socket.IO client that acts as the user of this nick, who is in the room.
async fn socket_of(server: &TestServer, nick: &str, own: &mut Client, chat: &str) -> Client {
    let room = own.done("subscribe", channel(chat)).await;
    let users = room["users"].as_array().unwrap();
    let user = users.iter().find(|user| user["name"] == nick).expect("the nick is in the room");
    let mut socket = server.connect().await;
    let id = user["id"].as_str().unwrap().to_owned();
    socket.done("list-chats", json!({ "user": { "id": id } })).await;
    socket.done("unsubscribe", json!({ "channel": "system" })).await;
    socket.id = id;
    socket
}

#[tokio::test]
async fn a_channel_is_a_public_chat() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let mut ann = server.chatter("ann").await;
    ann.join("#here", "ann").await;
    ann.nothing_more().await;
    let announced = eve.next("chatroom").await;
    assert_eq!(announced["room"]["name"], "#here");
    assert_eq!(announced["room"]["private"], false);
    let chat = announced["room"]["id"].as_str().unwrap().to_owned();
    eve.done("subscribe", channel(&chat)).await;
    eve.sees_join(&chat, "eve", 2).await;

    ann.say("here", "hello", "ann").await;
    let heard = eve.next("chat-message").await;
    assert_eq!(heard["msg"], "hello");
    assert_eq!(heard["user_id"], announced["room"]["user"]);
    assert_eq!(heard["type"], "text");

    let mut bob = server.chatter("bob").await;
    bob.join("here", "bob").await;
    eve.sees_join(&chat, "bob", 3).await;
    bob.ask(json!({ "type": 5, "channel": "here" })).await;
    eve.sees_leave(&chat, "bob", 2).await;
    drop(ann);
    eve.sees_leave(&chat, "ann", 1).await;
    let history = eve.done("list-messages", of_chat(&chat)).await;
    assert_eq!(history["messages"][0]["msg"], "hello");
}

#[tokio::test]
async fn the_channel_hears_messages_of_socket_io_clients() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let mut ann = in_channel(&server, "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    eve.done("join-chat", of_chat(&chat)).await;
    eve.say(&chat, "from outside").await;
    assert_eq!(ann.next().await, message("here", "from outside", &eve.id));

    let user = json!({ "id": eve.id, "handle": "Eve", "name": "eve", "photo": "" });
    eve.done("create-user", json!({ "user": user })).await;
    eve.say(&chat, "with a handle").await;
    assert_eq!(ann.next().await, message("here", "with a handle", "Eve"));
    let list = ann.ask(json!({ "type": 6, "channel": "here" })).await;
    assert_eq!(list["users"], json!(["ann"]), "who is not on this door is not listed");

    // Messages of other chats with the same users are not shown here.
    let mut socket = socket_of(&server, "ann", &mut eve, &chat).await;
    eve.sees_join(&chat, "eve", 2).await;
    let other = socket.make_public(&mut [&mut eve]).await;
    socket.say(&other, "elsewhere").await;
    let direct = socket.done("open-direct", json!({ "user": { "id": eve.id } })).await;
    let id = direct["chat"]["id"].as_str().unwrap();
    socket.done("new-message", crate::support::message(id, "between us")).await;
    ann.nothing_more().await;
}

#[tokio::test]
async fn a_membership_outlives_the_connection() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let ann = in_channel(&server, "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    let mut socket = socket_of(&server, "ann", &mut eve, &chat).await;
    drop(ann);
    eve.next_of("participant-leave").await;
    assert_eq!(socket.chats().await, json!([chat]));
    let mut ann = server.chatter("ann").await;
    ann.join("here", "ann").await;
    ann.ask(json!({ "type": 5, "channel": "here" })).await;
    assert_eq!(socket.chats().await, json!([]), "leaving ends it");
}

#[tokio::test]
async fn a_user_who_is_removed_from_the_chat_is_out_of_the_channel() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let mut ann = in_channel(&server, "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    let mut owner = socket_of(&server, "ann", &mut eve, &chat).await;
    let mut bob = in_channel(&server, "bob").await;
    assert_eq!(ann.next().await, of_nick(2, "bob"));
    assert_eq!(ann.next().await, of_channel(4, "here", "bob"));
    let mut bobs = socket_of(&server, "bob", &mut owner, &chat).await;

    // The owner removes bob; then bob leaves through another door.
    for removed in [true, false] {
        match removed {
            true => owner.done("remove-member", of_chat_and(&chat, &bobs.id)).await,
            false => bobs.done("leave-chat", of_chat(&chat)).await,
        };
        for client in [&mut ann, &mut bob] {
            assert_eq!(client.next().await, of_channel(5, "here", "bob"));
        }
        bob.refused(said_by("here", "hello"), "forbidden", None).await;
        ann.say("here", "he is out", "ann").await;
        bob.nothing_more().await;
        bob.join("here", "bob").await;
        assert_eq!(ann.next().await, of_channel(4, "here", "bob"));
    }
    // A user who joins the chat again at once has still left the channel, and may join it again.
    bobs.request("leave-chat", of_chat(&chat)).await;
    bobs.done("join-chat", of_chat(&chat)).await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.next().await, of_channel(5, "here", "bob"));
    }
    bob.join("here", "bob").await;
    bob.say("here", "back again", "bob").await;
}

#[tokio::test]
async fn a_channel_made_private_stays_with_its_members() {
    let server = TestServer::start().await;
    let mut eve = server.listener("eve").await;
    let mut ann = in_channel(&server, "ann").await;
    let chat = eve.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    let mut owner = socket_of(&server, "ann", &mut eve, &chat).await;
    let mut bob = in_channel(&server, "bob").await;
    ann.next().await;
    ann.next().await;
    let bobs = socket_of(&server, "bob", &mut owner, &chat).await;
    let private = json!({ "chat": { "id": chat, "private": true } });
    owner.done("update-chat", private).await;
    ann.say("here", "among us", "ann").await;
    assert_eq!(bob.next().await, message("here", "among us", "ann"));
    owner.done("remove-member", of_chat_and(&chat, &bobs.id)).await;
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.next().await, of_channel(5, "here", "bob"));
    }
    ann.say("here", "psst", "ann").await;
    bob.refused(json!({ "type": 4, "channel": "here" }), "not_found", Some("channel")).await;
    bob.refused(json!({ "type": 6, "channel": "here" }), "not_found", Some("channel")).await;
    bob.refused(said_by("here", "hello"), "forbidden", None).await;
    bob.nothing_more().await;
}
