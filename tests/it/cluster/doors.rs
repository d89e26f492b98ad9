//! The table of crossings over several nodes: a message sent through one door of one node, and what
//! the clients of each door of each node see of it, in their own form.

use serde_json::{Value, json};

use crate::support::chatter::{Chatter, of_channel, said_by};
use crate::support::crowd::UNBOUNDED;
use crate::support::http::Account;
use crate::support::live::Live;
use crate::support::nodes::Processes;
use crate::support::steps::{channel, of_chat};
use crate::support::{Client, message};

const DOORS: [&str; 3] = ["socketio", "channels", "rpc"];

/// The clients of one node that are in the channel.
struct Company {
    /// Subscribed to its room.
    sam: Client,
    /// A member who is not subscribed.
    mia: Client,
    cat: Chatter,
    ray: Value,
}

impl Company {
    async fn meet(nodes: &Processes, node: usize, chat: &str) -> Company {
        let server = &nodes[node];
        let mut sam = server.connect().await;
        let mut mia = server.connect().await;
        for (client, name) in [(&mut sam, "sam"), (&mut mia, "mia")] {
            let name = format!("{name}{node}");
            let user = json!({ "id": name, "handle": name, "name": name, "photo": "" });
            client.done("create-user", json!({ "user": user })).await;
            client.done("join-chat", of_chat(chat)).await;
        }
        sam.done("subscribe", channel(chat)).await;
        let nick = format!("cat{node}");
        let mut cat = server.chatter(&nick).await;
        cat.tell(json!({ "type": 4, "channel": "django" })).await;
        let joined = of_channel(4, "django", &nick);
        cat.until(|frame| *frame == joined).await;
        let ray = server.in_room(&format!("ray{node}"), chat).await;
        Company { sam, mia, cat, ray }
    }

    /// Sends a message; returns its author's name at the channels and the rooms API.
    async fn send(&mut self, nodes: &Processes, node: usize, chat: &str, door: &str) -> String {
        let text = format!("through {door}");
        match door {
            "socketio" => {
                self.sam.request("new-message", message(chat, &text)).await;
                format!("sam{node}")
            }
            "channels" => {
                self.cat.tell(said_by("#django", &text)).await;
                format!("cat{node}")
            }
            _ => {
                nodes[node].call("SendMessage", json!([text, self.ray])).await;
                format!("ray{node}")
            }
        }
    }

    /// Fails unless this is the next message that each client sees, in the form of its door.
    async fn see(&mut self, nodes: &Processes, node: usize, text: &str, from: &str) {
        let seen = self.sam.next_of("chat-message").await;
        assert_eq!(seen["msg"], text, "{seen}");
        let plain = self.mia.next_of("new-message").await;
        assert_eq!((&plain["id"], &plain["seq"]), (&seen["id"], &seen["seq"]), "{plain}");
        let frame = self.cat.until(|frame| frame["type"] == 0).await;
        let expected = json!({ "type": 0, "dest": "django", "message": text, "user": from });
        assert_eq!(frame, expected);
        let picked = nodes[node].call("PickUpHistory", json!([self.ray])).await;
        let [message] = picked["Messages"].as_array().unwrap().as_slice() else {
            panic!("not one message: {picked}");
        };
        assert_eq!((&message["Author"], &message["Text"]), (&json!(from), &json!(text)));
    }
}

impl Chatter {
    /// The next frame that `found` accepts; drops those before it.
    async fn until(&mut self, found: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.next().await;
            if found(&frame) {
                return frame;
            }
        }
    }
}

#[tokio::test]
async fn a_channel_message_reaches_every_door_of_every_node() {
    for count in [2, 3] {
        let Some(nodes) = Processes::with(count, &UNBOUNDED).await else { return };
        let mut announced = nodes[0].listener("anybody").await;
        nodes[count - 1].chatter("cat").await.join("django", "cat").await;
        let chat = announced.next("chatroom").await["room"]["id"].as_str().unwrap().to_owned();
        let mut companies = Vec::new();
        for node in 0..count {
            companies.push(Company::meet(&nodes, node, &chat).await);
        }
        // Picks up what has come to the rooms API while the others arrived.
        for (node, company) in companies.iter().enumerate() {
            nodes[node].call("PickUpHistory", json!([company.ray])).await;
        }
        for from in 0..count {
            for door in DOORS {
                let author = companies[from].send(&nodes, from, &chat, door).await;
                for (node, company) in companies.iter_mut().enumerate() {
                    company.see(&nodes, node, &format!("through {door}"), &author).await;
                }
            }
        }
        nodes.assert_no_defect();
    }
}

/// One of the two users of a direct chat, connected to both doors of each node.
struct Half {
    account: Account,
    sockets: Vec<Client>,
    lives: Vec<Live>,
}

impl Half {
    async fn meet(nodes: &Processes, name: &str) -> Half {
        let account = nodes[0].sign_up(name).await;
        let (mut sockets, mut lives) = (Vec::new(), Vec::new());
        for node in 0..nodes.count() {
            sockets.push(nodes[node].connect_with(account.access()).await);
            lives.push(Live::connect(&nodes[node], account.access()).await);
        }
        Half { account, sockets, lives }
    }
}

#[tokio::test]
async fn a_direct_message_reaches_every_connection_of_every_node() {
    let Some(nodes) = Processes::with(3, &UNBOUNDED).await else { return };
    let (mut ann, mut bob) = (Half::meet(&nodes, "ann").await, Half::meet(&nodes, "bob").await);
    // The first message makes the chat, which no node knows yet.
    ann.lives[0].say("ann", "bob", "first").await;
    let mut chat = Value::Null;
    for socket in ann.sockets.iter_mut().chain(&mut bob.sockets) {
        let made = socket.next_of("create-chat").await;
        chat = made["chat"]["id"].clone();
        assert_eq!(socket.next("new-message").await["msg"], "first");
    }
    for live in bob.lives.iter_mut().chain(&mut ann.lives[1..]) {
        assert_eq!(live.next().await["message"], "first");
    }
    for from in 0..nodes.count() {
        for door in ["socketio", "rest"] {
            let text = format!("through {door} of {from}");
            match door {
                "socketio" => {
                    let body = message(chat.as_str().unwrap(), &text);
                    bob.sockets[from].request("new-message", body).await;
                }
                _ => bob.lives[from].say("bob", "ann", &text).await,
            }
            for socket in ann.sockets.iter_mut().chain(&mut bob.sockets) {
                assert_eq!(socket.next("new-message").await["msg"], text);
            }
            for (node, live) in bob.lives.iter_mut().enumerate() {
                // The connection that sends a message is not shown it.
                if door == "rest" && node == from {
                    continue;
                }
                assert_eq!(live.next().await["message"], text);
            }
            for live in &mut ann.lives {
                let packet = live.next().await;
                assert_eq!((&packet["author"], &packet["message"]), (&json!("bob"), &json!(text)));
            }
        }
    }
    for live in ann.lives.iter_mut().chain(&mut bob.lives) {
        live.is_open().await;
    }
    let thread = nodes[2].fetch("/api/thread/bob", ann.account.access()).await;
    assert_eq!(thread.as_array().unwrap().len(), 7);
    nodes.assert_no_defect();
}
