//! A client that was away ends with the same messages as one that stayed, by `after_seq` and
//! `list-changes` alone, whatever happens meanwhile: to the messages, to its own membership and to
//! the connections of the senders.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::socketio::changes::{edit, of_message};
use crate::support::nodes::Nodes;
use crate::support::steps::of_chat;
use crate::support::{Client, TestServer, message};

const STEPS: usize = 200;

/// Random numbers, which are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A client's copy of the messages of a chat.
#[derive(Default)]
struct Copy {
    messages: BTreeMap<i64, Value>,
    last_seq: i64,
    last_change: i64,
}

impl Copy {
    /// Replaces the message in the copy, unless the one there is of a later change.
    fn put(&mut self, mut message: Value) {
        let fields = message.as_object_mut().unwrap();
        fields.remove("changed");
        fields.remove("channel");
        let change = |message: &Value| message["change"].as_i64();
        let known = self.messages.entry(message["seq"].as_i64().unwrap()).or_default();
        if change(known) <= change(&message) {
            *known = message;
        }
    }

    /// Puts a pushed message, whose number must not leave a gap. Returns whether it is new.
    fn hear(&mut self, event: &str, body: Value) -> bool {
        let (last, number) = match event {
            "new-message" => (&mut self.last_seq, &body["seq"]),
            "message-changed" => (&mut self.last_change, &body["change"]),
            _ => return true,
        };
        let (known, number) = (*last, number.as_i64().unwrap());
        assert!(number <= known + 1, "after {known}: {body}");
        *last = known.max(number);
        self.put(body);
        number > known
    }

    /// Asks for what was missed, for some pages at most. Returns whether nothing more is left.
    async fn catch_up(&mut self, client: &mut Client, chat: &str, dice: &mut Dice) -> bool {
        let (limit, mut pages) = (1 + dice.below(20), dice.below(8));
        let mut query = json!({ "after_seq": self.last_seq, "limit": limit });
        while !query["after_seq"].is_null() && pages > 0 {
            pages -= 1;
            let body = json!({ "chat": { "id": chat }, "query": query });
            let page = client.done("list-messages", body).await;
            for message in page["messages"].as_array().unwrap() {
                self.last_seq = message["seq"].as_i64().unwrap();
                self.put(message.clone());
            }
            query["after_seq"] = page["next"]["after_seq"].clone();
        }
        let mut after = json!(self.last_change);
        while pages > 0 {
            pages -= 1;
            let body = json!({ "chat": { "id": chat }, "after": after, "limit": limit });
            let page = client.done("list-changes", body).await;
            for message in page["messages"].as_array().unwrap() {
                self.put(message.clone());
            }
            match page.get("next") {
                Some(next) => after = next.clone(),
                None => {
                    self.last_change = page["last_change"].as_i64().unwrap();
                    return true;
                }
            }
        }
        false
    }
}

/// A user who acts, and whose connection breaks now and then.
struct Actor<'a> {
    server: &'a TestServer,
    name: &'static str,
    client: Client,
}

impl Actor<'_> {
    /// Makes a random request; a conflict is accepted.
    async fn act(&mut self, chat: &str, said: &mut Vec<Value>, dice: &mut Dice) {
        let target = match said.len() {
            0 => Value::Null,
            count => said[dice.below(count)].clone(),
        };
        let mut of_target = of_message(chat, &target);
        let (event, body) = match dice.below(13) {
            _ if said.is_empty() => ("new-message", message(chat, "the first")),
            0..4 => ("new-message", message(chat, &format!("said {}", dice.below(1000)))),
            4..6 => {
                let mut body = message(chat, "an answer");
                body["message"]["reply_to"] = json!({ "id": target["id"] });
                ("new-message", body)
            }
            6..8 => ("edit-message", edit(chat, &target, &format!("edited {}", dice.below(1000)))),
            8 => ("delete-message", of_target),
            9 => {
                of_target["on"] = json!(dice.below(3) > 0);
                ("pin-message", of_target)
            }
            10 => (["leave-chat", "join-chat", "join-chat"][dice.below(3)], of_chat(chat)),
            _ => {
                of_target["reaction"] = json!(["👍", "🎉", "❤"][dice.below(3)]);
                of_target["on"] = json!(dice.below(3) > 0);
                ("react", of_target)
            }
        };
        let answer = match (event, dice.below(6)) {
            ("new-message", 0) => self.send_again(body, &dice.below(usize::MAX).to_string()).await,
            _ => self.client.ask(event, body).await,
        };
        match (event, answer["error"]["code"].as_str()) {
            ("new-message", None) => said.push(answer),
            (_, None | Some("conflict" | "forbidden")) => {}
            _ => panic!("{event}: {answer}"),
        }
    }

    /// Sends a message on a connection that breaks before the answer, and again on another.
    async fn send_again(&mut self, mut body: Value, client_id: &str) -> Value {
        body["message"]["client_id"] = client_id.into();
        self.client.request("new-message", body.clone()).await;
        self.client = self.server.user(self.name).await;
        self.client.ask("new-message", body).await
    }
}

/// A member who comes and goes, and gets some pushes in between.
struct Visitor<'a> {
    server: &'a TestServer,
    client: Option<Client>,
    copy: Copy,
    is_member: bool,
}

impl Visitor<'_> {
    async fn come_or_go(&mut self, chat: &str, dice: &mut Dice) {
        match self.client.take() {
            None => self.come(chat, dice).await,
            Some(mut client) => {
                // Takes the pushes that have come by now, some of which are lost.
                client.done("list-chats", json!({})).await;
                for (event, body) in client.heard().into_iter().take(dice.below(40)) {
                    self.copy.hear(&event, body);
                }
                if dice.below(3) == 0 {
                    client.done("leave-chat", of_chat(chat)).await;
                    self.is_member = false;
                }
            }
        }
    }

    /// Stays away if the connection breaks before it has caught up.
    async fn come(&mut self, chat: &str, dice: &mut Dice) {
        let mut client = self.server.user("dan").await;
        if !self.is_member {
            client.done("join-chat", of_chat(chat)).await;
            self.is_member = true;
        }
        if self.copy.catch_up(&mut client, chat, dice).await {
            self.client = Some(client);
        }
    }
}

/// Ann and bob act on `here`. On `there` cat stays connected, and dan comes and goes.
async fn the_one_who_was_away_knows_as_much(here: &TestServer, there: &TestServer, seed: u64) {
    let mut dice = Dice(seed);
    let mut cat = there.user("cat").await;
    let client = there.user("dan").await;
    let (ann, bob) = (here.user("ann").await, here.user("bob").await);
    let ids = [&*bob.id, &cat.id, &client.id].map(str::to_owned);
    let mut ann = Actor { server: here, name: "ann", client: ann };
    let mut bob = Actor { server: here, name: "bob", client: bob };
    let chat = ann.client.chat("talk", false, &ids.each_ref().map(String::as_str)).await;
    let (client, copy) = (Some(client), Copy::default());
    let mut dan = Visitor { server: there, client, copy, is_member: true };
    let mut said = Vec::new();
    for _ in 0..STEPS {
        let actor = if dice.below(2) == 0 { &mut ann } else { &mut bob };
        actor.act(&chat, &mut said, &mut dice).await;
        if dice.below(10) == 0 {
            dan.come_or_go(&chat, &mut dice).await;
        }
    }
    let all = ann.client.done("list-messages", of_chat(&chat)).await;
    let changes = json!({ "chat": { "id": chat }, "after": 0 });
    let listed = ann.client.done("list-changes", changes).await;
    let last_change = listed["last_change"].as_i64().unwrap();
    let messages = all["messages"].as_array().unwrap();
    let mut of_cat = Copy::default();
    while of_cat.last_seq < messages.len() as i64 || of_cat.last_change < last_change {
        let (event, body) = cat.next_event().await;
        assert!(of_cat.hear(&event, body.clone()), "twice: {body}");
    }
    if dan.client.is_some() {
        dan.come_or_go(&chat, &mut dice).await;
    }
    while dan.client.is_none() {
        dan.come(&chat, &mut dice).await;
    }
    assert_eq!(dan.copy.messages, of_cat.messages, "seed {seed}");
    assert_eq!(Vec::from_iter(of_cat.messages.values()), Vec::from_iter(messages), "seed {seed}");
    let known = (dan.copy.last_seq, dan.copy.last_change);
    assert_eq!(known, (of_cat.last_seq, of_cat.last_change));
}

#[tokio::test]
async fn a_returning_client_catches_up_on_one_node() {
    let server = TestServer::start().await;
    for seed in 1..=5 {
        the_one_who_was_away_knows_as_much(&server, &server, seed).await;
    }
}

#[tokio::test]
async fn a_returning_client_catches_up_on_two_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    for seed in 1..=5 {
        the_one_who_was_away_knows_as_much(&nodes[0], &nodes[1], seed).await;
    }
}
