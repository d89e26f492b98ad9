//! The rooms API and Socket.IO: the same rooms, the same messages.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::rpc::{assert_fault, call, room_of, state, texts};
use crate::support::steps::{channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer, assert_error, message, soon};

/// A Socket.IO client of the user with this handle.
async fn with_handle(server: &TestServer, handle: &str) -> Client {
    let mut client = server.user(handle).await;
    let user = json!({ "external_id": handle, "handle": handle, "name": handle, "photo": "" });
    client.done("create-user", json!({ "user": user })).await;
    client
}

/// Waits until the server has moved a user of the rooms API back to the waiting room.
async fn sent_back(server: &TestServer, user: &str) {
    let look = call(1, "DumpHistory", json!([state(user, "0")]));
    soon("the user is put back", async {
        while server.rpc(&look).await.get("result").is_none() {}
    })
    .await;
}

#[tokio::test]
async fn a_room_has_participants_of_both_doors_and_ends_with_the_last() {
    let server = TestServer::start().await;
    let mut bob = server.listener("bob").await;
    let ann = server.in_new_room("ann").await;
    let id = room_of(&ann);
    let announced = bob.next("chatroom").await;
    assert_eq!(announced["room"]["id"], id);
    assert_eq!(announced["room"]["name"], "Room of ann");
    assert_eq!(announced["room"]["private"], false);
    assert_eq!(announced["room"]["participants"], 1);

    bob.done("join-chat", of_chat(id)).await;
    assert_eq!(bob.done("subscribe", channel(id)).await["participants"], 2);
    bob.sees_join(id, "bob", 2).await;
    bob.done("new-message", message(id, "from bob")).await;
    assert_eq!(bob.next("chat-message").await["msg"], "from bob");
    server.call("SendMessage", json!(["from ann", ann])).await;
    let heard = bob.next("chat-message").await;
    assert_eq!((&heard["msg"], &heard["type"]), (&json!("from ann"), &json!("text")));
    let picked = server.call("PickUpHistory", json!([ann])).await;
    assert_eq!(texts(&picked["Messages"]), ["from bob", "from ann"]);
    assert_eq!(picked["Messages"][0]["Author"], bob.id, "who has no handle goes by the id");

    let cyd = server.in_room("cyd", id).await;
    bob.sees_join(id, "cyd", 3).await;
    server.call("LeaveRoom", json!([cyd])).await;
    bob.sees_leave(id, "cyd", 2).await;
    server.call("LeaveRoom", json!([ann])).await;
    bob.sees_leave(id, "ann", 1).await;
    assert_eq!(server.count(id).await, 1);
    assert_eq!(bob.done("list-messages", of_chat(id)).await["messages"][1]["msg"], "from ann");

    bob.done("unsubscribe", channel(id)).await;
    let fault = server.fault("EnterRoom", json!([state("ann", "0"), id])).await;
    assert_fault(&fault, "not_found", Some("roomId"));
    assert_error(&bob.refused("subscribe", channel(id)).await, "not_found", Some("channel"));
    assert_error(&bob.refused("list-messages", of_chat(id)).await, "not_found", Some("chat.id"));
    assert_eq!(bob.chats().await, json!([]));
}

#[tokio::test]
async fn a_room_ends_when_its_last_socket_disconnects() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let ann = server.in_new_room("ann").await;
    bob.done("subscribe", channel(room_of(&ann))).await;
    server.call("LeaveRoom", json!([ann])).await;
    assert_eq!(server.count(room_of(&ann)).await, 1);
    drop(bob);
    let count = call(1, "UsersCount", json!([room_of(&ann)]));
    soon("the room ends", async { while server.rpc(&count).await.get("result").is_some() {} })
        .await;
}

#[tokio::test]
async fn a_public_chat_is_a_room() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let chat = bob.make_public(&mut []).await;
    bob.say(&chat, "before").await;
    assert_eq!(server.count(&chat).await, 0);
    let ann = server.in_room("ann", &chat).await;
    bob.sees_join(&chat, "ann", 1).await;
    server.call("SendMessage", json!(["hello", ann])).await;
    assert_eq!(bob.next("new-message").await["msg"], "hello");
    bob.say(&chat, "hi").await;
    assert_eq!(server.picked_up(&ann).await, ["hello", "hi"]);
    let history = server.call("DumpHistory", json!([ann])).await;
    assert_eq!(texts(&history), ["before", "hello", "hi"]);
    server.call("LeaveRoom", json!([ann])).await;
    bob.sees_leave(&chat, "ann", 0).await;
    // The chat stays; ann's membership ends.
    let listed = bob.done("list-chats", json!({})).await;
    assert_eq!(listed["chats"][0]["users"], json!([bob.id]));
}

#[tokio::test]
async fn a_private_chat_is_a_room_to_its_members() {
    let server = TestServer::start().await;
    let mut ann = with_handle(&server, "ann").await;
    let mut bob = server.user("bob").await;
    let chat = bob.make_private(&mut [&mut ann]).await;
    server.new_user("cyd").await;
    for (method, params) in
        [("EnterRoom", json!([state("cyd", "0"), chat])), ("UsersCount", json!([chat]))]
    {
        assert_fault(&server.fault(method, params).await, "not_found", Some("roomId"));
    }
    let room = server.in_room("ann", &chat).await;
    bob.sees_join(&chat, "ann", 1).await;
    bob.say(&chat, "for members").await;
    assert_eq!(server.picked_up(&room).await, ["for members"]);
    server.call("LeaveRoom", json!([room])).await;
    assert_eq!(ann.chats().await, json!([chat]), "the membership is older than the stay");
}

#[tokio::test]
async fn a_user_who_may_not_stay_is_sent_back_to_the_waiting_room() {
    let server = TestServer::start().await;
    let mut ann = with_handle(&server, "ann").await;
    let mut bob = server.user("bob").await;
    let private = bob.make_private(&mut [&mut ann]).await;
    let public = bob.make_public(&mut []).await;
    let team = bob.make_team("the team", &[&ann.id]).await;
    let of_team =
        bob.make(json!({ "name": "t", "private": false, "team_id": team }), &mut []).await;
    server.new_user("ann").await;
    let enter = async |chat: &str| {
        server.call("EnterRoom", json!([state("ann", "0"), chat])).await;
    };
    enter(&private).await;
    ann.done("leave-chat", of_chat(&private)).await;
    sent_back(&server, "ann").await;

    enter(&public).await;
    bob.done("remove-member", of_chat_and(&public, &ann.id)).await;
    sent_back(&server, "ann").await;
    assert_eq!(server.count(&public).await, 0);

    enter(&of_team).await;
    let gone = json!({ "team": { "id": team }, "user": { "id": ann.id } });
    bob.done("remove-from-team", gone).await;
    sent_back(&server, "ann").await;

    enter(&public).await;
    ann.done("leave-chat", of_chat(&public)).await;
    sent_back(&server, "ann").await;
}

#[tokio::test]
async fn a_member_stays_in_a_chat_that_becomes_private() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let chat = bob.make_public(&mut []).await;
    let ann = server.in_room("ann", &chat).await;
    bob.done("update-chat", json!({ "chat": { "id": chat, "private": true } })).await;
    bob.done("new-message", message(&chat, "still here")).await;
    assert_eq!(server.picked_up(&ann).await, ["still here"]);
}

#[tokio::test]
async fn nobody_enters_a_direct_chat_of_others() {
    let server = TestServer::with(|config| config.api_key = Some("the key".into())).await;
    let mut ann = with_handle(&server, "ann").await;
    let mut bob = server.user("bob").await;
    let direct = ann.done("open-direct", json!({ "user": { "id": bob.id } })).await;
    let direct = direct["chat"]["id"].as_str().unwrap();
    let service = "Authorization: Bearer the key\r\n";
    server.call_as(service, "NewUser", json!(["cyd"])).await;
    let fault = server.fault_as(service, "EnterRoom", json!([state("cyd", "0"), direct])).await;
    assert_fault(&fault, "forbidden", None);
    let room = server.in_room("ann", direct).await;
    bob.done("new-message", message(direct, "psst")).await;
    assert_eq!(server.picked_up(&room).await, ["psst"]);
}

#[tokio::test]
async fn subscribing_while_the_last_user_leaves_works_or_is_refused() {
    let server = Arc::new(TestServer::start().await);
    let mut bob = server.user("bob").await;
    for round in 0..40 {
        let ann = server.in_new_room(&format!("ann{round}")).await;
        let room = room_of(&ann).to_owned();
        let leaving = server.clone();
        let leave = tokio::spawn(async move { leaving.call("LeaveRoom", json!([ann])).await });
        if round % 2 == 1 {
            tokio::task::yield_now().await;
        }
        let answer = bob.ask("subscribe", channel(&room)).await;
        leave.await.unwrap();
        let counted = server.rpc(&call(1, "UsersCount", json!([room]))).await;
        if answer.get("error").is_some() {
            assert_error(&answer["error"], "not_found", Some("channel"));
            assert_fault(&counted["error"], "not_found", Some("roomId"));
        } else {
            assert_eq!(counted["result"], 1, "{answer}");
            bob.done("list-messages", of_chat(&room)).await;
            bob.done("unsubscribe", channel(&room)).await;
            let fault = server.fault("UsersCount", json!([room])).await;
            assert_fault(&fault, "not_found", Some("roomId"));
        }
    }
}

#[tokio::test]
async fn users_stay_in_their_rooms_over_a_restart() {
    let server = TestServer::start().await;
    let ann = server.in_new_room("ann").await;
    let room = room_of(&ann);
    let bob = server.in_room("bob", room).await;
    let waiting = server.new_user("cyd").await;
    server.call("SendMessage", json!(["picked up", ann])).await;
    assert_eq!(server.picked_up(&bob).await, ["picked up"]);
    server.call("SendMessage", json!(["kept", ann])).await;
    let server = TestServer::on(server.shutdown().await, |_| {}).await;
    assert_eq!(server.count(room).await, 2);
    assert_eq!(server.call("UsersCount", json!(["0"])).await, 1);
    assert_eq!(server.picked_up(&bob).await, ["kept"]);
    let mut eve = server.user("eve").await;
    assert_eq!(eve.done("subscribe", channel(room)).await["participants"], 3);
    eve.sees_join(room, "eve", 3).await;
    server.call("EnterRoom", json!([waiting, room])).await;
    eve.sees_join(room, "cyd", 4).await;
    for (user, left) in [("ann", 3), ("bob", 2), ("cyd", 1)] {
        server.call("LeaveRoom", json!([state(user, room)])).await;
        eve.sees_leave(room, user, left).await;
    }
    eve.done("unsubscribe", channel(room)).await;
    let fault: Value = server.fault("UsersCount", json!([room])).await;
    assert_fault(&fault, "not_found", Some("roomId"));
}

/// Those sockets come back a moment after the start.
#[tokio::test]
async fn a_room_of_sockets_alone_survives_a_restart() {
    let server = TestServer::start().await;
    let mut bob = server.user("bob").await;
    let ann = server.in_new_room("ann").await;
    let room = room_of(&ann);
    server.call("SendMessage", json!(["kept", ann])).await;
    bob.done("subscribe", channel(room)).await;
    server.call("LeaveRoom", json!([ann])).await;
    let server = TestServer::on(server.shutdown().await, |_| {}).await;
    let mut bob = server.user("bob").await;
    bob.done("subscribe", channel(room)).await;
    assert_eq!(bob.done("list-messages", of_chat(room)).await["messages"][0]["msg"], "kept");
}
