//! The table of crossings: a message sent through one door, and what the clients of each door see
//! of it, in their own form.

use serde_json::{Value, json};

use crate::support::chatter::Chatter;
use crate::support::http::Account;
use crate::support::live::Live;
use crate::support::steps::channel as subscription;
use crate::support::{Client, TestServer};

/// The `user` that a channel's message shows, by the door of the sender.
const SENDERS: [(&str, &str); 3] = [("socketio", "sam"), ("channels", "cat"), ("rpc", "ray")];

/// A #channel that has a client of every door with channels.
struct Channel<'a> {
    server: &'a TestServer,
    id: String,
    /// Subscribed to its room.
    sam: Client,
    /// A member who is not subscribed.
    mia: Client,
    cat: Chatter,
    ray: Value,
    /// Connected to the direct messages, and must be shown nothing of the channel.
    dan: Live,
}

impl<'a> Channel<'a> {
    async fn set(server: &'a TestServer) -> Channel<'a> {
        let account = server.sign_up("dan").await;
        let dan = Live::connect(server, account.access()).await;
        let mut announced = server.listener("anybody").await;
        let mut cat = server.chatter("cat").await;
        cat.join("django", "cat").await;
        let id = announced.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
        let (mut sam, mut mia) = (server.named("sam").await, server.named("mia").await);
        for client in [&mut sam, &mut mia] {
            client.done("join-chat", json!({ "chat": { "id": id } })).await;
        }
        sam.done("subscribe", subscription(&id)).await;
        let ray = server.in_room("ray", &id).await;
        Channel { server, id, sam, mia, cat, ray, dan }
    }

    async fn send(&mut self, door: &str, text: &str) {
        let message = json!({ "value": text, "type": "text" });
        match door {
            "socketio" => {
                let body = json!({ "chat": { "id": self.id }, "message": message });
                self.sam.request("new-message", body).await;
            }
            "channels" => {
                let packet = json!({ "type": 0, "dest": "#django", "message": text });
                self.cat.tell(packet).await;
            }
            _ => {
                self.server.call("SendMessage", json!([text, self.ray])).await;
            }
        }
    }

    /// Fails unless each client in it sees the message once, in the form of its door.
    async fn see(&mut self, text: &str, from: &str) {
        let seen = self.sam.next_of("chat-message").await;
        assert_eq!((&seen["msg"], &seen["chat_id"]), (&json!(text), &json!(self.id)), "{seen}");
        let plain = self.mia.next_of("new-message").await;
        assert_eq!((&plain["id"], &plain["msg"]), (&seen["id"], &json!(text)), "{plain}");
        let frame = json!({ "type": 0, "dest": "django", "message": text, "user": from });
        assert_eq!(self.cat.next().await, frame);
        let picked = self.server.call("PickUpHistory", json!([self.ray])).await;
        let [message] = picked["Messages"].as_array().unwrap().as_slice() else {
            panic!("not one message: {picked}");
        };
        assert_eq!((&message["Author"], &message["Text"]), (&json!(from), &json!(text)));
        assert_eq!(message["Room"], self.id);
        self.dan.is_open().await;
    }
}

#[tokio::test]
async fn a_channel_message_from_any_door_reaches_every_door() {
    let server = TestServer::start().await;
    let mut channel = Channel::set(&server).await;
    for (door, from) in SENDERS {
        let text = format!("through {door}");
        channel.send(door, &text).await;
        channel.see(&text, from).await;
    }
}

/// The two users of a direct chat, each connected to both doors that have direct chats.
struct Pair {
    accounts: [Account; 2],
    sockets: [Client; 2],
    lives: [Live; 2],
    chat: String,
}

impl Pair {
    async fn set(server: &TestServer) -> Pair {
        let accounts = [server.sign_up("ann").await, server.sign_up("bob").await];
        let [ann, bob] = &accounts;
        let mut sockets =
            [server.connect_with(ann.access()).await, server.connect_with(bob.access()).await];
        let lives =
            [Live::connect(server, ann.access()).await, Live::connect(server, bob.access()).await];
        let body = json!({ "user": { "id": bob.id() } });
        let opened = sockets[0].done("open-direct", body).await;
        let chat = opened["chat"]["id"].as_str().unwrap().to_owned();
        // From here on both are shown the messages of the chat.
        for socket in &mut sockets {
            socket.next_of("create-chat").await;
        }
        Pair { accounts, sockets, lives, chat }
    }
}

#[tokio::test]
async fn a_direct_message_from_either_door_reaches_both_doors() {
    let server = TestServer::start().await;
    let mut pair = Pair::set(&server).await;
    let mut stranger = server.chatter("eve").await;
    for (at, door) in ["socketio", "rest"].into_iter().enumerate() {
        let text = format!("through {door}");
        match door {
            "socketio" => {
                let message = json!({ "value": text, "type": "text" });
                let body = json!({ "chat": { "id": pair.chat }, "message": message });
                pair.sockets[0].request("new-message", body).await;
            }
            _ => pair.lives[0].say("ann", "bob", &text).await,
        }
        for socket in &mut pair.sockets {
            let seen = socket.next_of("new-message").await;
            assert_eq!((&seen["msg"], &seen["seq"]), (&json!(text), &json!(at + 1)));
        }
        let [own, other] = &mut pair.lives;
        // The connection that sends a message is not shown it.
        let receivers = if door == "rest" { vec![other] } else { vec![own, other] };
        for live in receivers {
            let packet = live.next().await;
            assert_eq!(packet["message"], text);
            assert_eq!((&packet["author"], &packet["recipient"]), (&json!("ann"), &json!("bob")));
        }
    }
    for live in &mut pair.lives {
        live.is_open().await;
    }
    let [ann, _] = &pair.accounts;
    assert_eq!(server.fetch("/api/thread/bob", ann.access()).await.as_array().unwrap().len(), 2);
    stranger.nothing_more().await;
}

impl TestServer {
    /// A Socket.IO user whose handle is the name.
    async fn named(&self, name: &str) -> Client {
        let mut client = self.connect().await;
        let user = json!({ "id": name, "handle": name, "name": name, "photo": "" });
        client.done("create-user", json!({ "user": user })).await;
        client
    }
}

#[tokio::test]
async fn a_user_who_leaves_a_room_stays_in_its_channel() {
    let server = TestServer::start().await;
    let mut announced = server.listener("anybody").await;
    let mut ann = server.chatter("ann").await;
    ann.join("django", "ann").await;
    let id = announced.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
    let state = server.in_room("cat", &id).await;
    let mut cat = server.chatter("cat").await;
    cat.join("django", "cat").await;
    server.call("LeaveRoom", json!([state])).await;
    cat.say("django", "still here", "cat").await;
}
