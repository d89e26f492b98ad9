//! A client that was away ends with the same as one that stayed, by `after_seq` and `list-changes`
//! alone, whatever has happened meanwhile.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::socketio::changes::{edit, of_message};
use crate::support::nodes::Nodes;
use crate::support::{Client, TestServer, message};

const STEPS: usize = 200;

/// Random numbers, the same at each run of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// What a client knows of a chat.
#[derive(Default)]
struct Copy {
    messages: BTreeMap<i64, Value>,
    last_seq: i64,
    last_change: i64,
}

impl Copy {
    fn put(&mut self, mut message: Value) {
        let fields = message.as_object_mut().unwrap();
        fields.remove("changed");
        fields.remove("channel");
        self.messages.insert(message["seq"].as_i64().unwrap(), message);
    }

    /// As a push brings it, each number after the last.
    fn hear(&mut self, event: &str, body: Value) {
        match event {
            "new-message" => {
                self.last_seq += 1;
                assert_eq!(body["seq"], self.last_seq, "{body}");
            }
            "message-changed" => {
                self.last_change += 1;
                assert_eq!(body["change"], self.last_change, "{body}");
            }
            _ => return,
        }
        self.put(body);
    }

    /// Asks for what was missed.
    async fn catch_up(&mut self, client: &mut Client, chat: &str, dice: &mut Dice) {
        let limit = 1 + dice.below(20);
        let mut query = json!({ "after_seq": self.last_seq, "limit": limit });
        loop {
            let body = json!({ "chat": { "id": chat }, "query": query });
            let page = client.done("list-messages", body).await;
            for message in page["messages"].as_array().unwrap() {
                self.last_seq = message["seq"].as_i64().unwrap();
                self.put(message.clone());
            }
            match page.get("next") {
                Some(next) => query["after_seq"] = next["after_seq"].clone(),
                None => break,
            }
        }
        let mut after = json!(self.last_change);
        loop {
            let body = json!({ "chat": { "id": chat }, "after": after, "limit": limit });
            let page = client.done("list-changes", body).await;
            for message in page["messages"].as_array().unwrap() {
                self.put(message.clone());
            }
            match page.get("next") {
                Some(next) => after = next.clone(),
                None => {
                    self.last_change = page["last_change"].as_i64().unwrap();
                    break;
                }
            }
        }
    }
}

/// Does something at random; what is a conflict is none of our business.
async fn act(client: &mut Client, chat: &str, said: &mut Vec<Value>, dice: &mut Dice) {
    let target = match said.len() {
        0 => Value::Null,
        count => said[dice.below(count)].clone(),
    };
    let mut of_target = of_message(chat, &target);
    let (event, body) = match dice.below(12) {
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
        _ => {
            of_target["reaction"] = json!(["👍", "🎉", "❤"][dice.below(3)]);
            of_target["on"] = json!(dice.below(3) > 0);
            ("react", of_target)
        }
    };
    let answer = client.ask(event, body).await;
    match (event, answer["error"]["code"].as_str()) {
        ("new-message", None) => said.push(answer),
        (_, None | Some("conflict" | "forbidden")) => {}
        _ => panic!("{event}: {answer}"),
    }
}

/// Ann and bob act on `here`; cat stays, on `there`, and dan, there too, comes and goes.
async fn the_one_who_was_away_knows_as_much(here: &TestServer, there: &TestServer, seed: u64) {
    let mut dice = Dice(seed);
    let (mut bob, mut cat) = (here.user("bob").await, there.user("cat").await);
    let mut dan = Some(there.user("dan").await);
    let mut ann = here.user("ann").await;
    let ids = [&*bob.id, &cat.id, &dan.as_ref().unwrap().id].map(str::to_owned);
    let chat = ann.chat("talk", true, &ids.each_ref().map(String::as_str)).await;
    let (mut said, mut of_cat, mut of_dan) = (Vec::new(), Copy::default(), Copy::default());
    for _ in 0..STEPS {
        let actor = if dice.below(2) == 0 { &mut ann } else { &mut bob };
        act(actor, &chat, &mut said, &mut dice).await;
        if dice.below(10) == 0 {
            dan = match dan {
                // What is on its way is lost.
                Some(_) => None,
                None => {
                    let mut back = there.user("dan").await;
                    of_dan.catch_up(&mut back, &chat, &mut dice).await;
                    Some(back)
                }
            };
        }
    }
    let all = ann.done("list-messages", json!({ "chat": { "id": chat } })).await;
    let listed = ann.done("list-changes", json!({ "chat": { "id": chat }, "after": 0 })).await;
    let last_change = listed["last_change"].as_i64().unwrap();
    let last_seq = all["messages"].as_array().unwrap().len() as i64;
    while (of_cat.last_seq, of_cat.last_change) < (last_seq, last_change)
        || of_cat.last_change < last_change
    {
        let (event, body) = cat.next_event().await;
        of_cat.hear(&event, body);
    }
    let mut back = there.user("dan").await;
    of_dan.catch_up(&mut back, &chat, &mut dice).await;
    assert_eq!(of_dan.messages, of_cat.messages, "seed {seed}");
    let messages = all["messages"].as_array().unwrap();
    assert_eq!(Vec::from_iter(of_cat.messages.values()), Vec::from_iter(messages), "seed {seed}");
    assert_eq!((of_dan.last_seq, of_dan.last_change), (last_seq, last_change));
}

#[tokio::test]
async fn on_one_node() {
    let server = TestServer::start().await;
    for seed in 1..=5 {
        the_one_who_was_away_knows_as_much(&server, &server, seed).await;
    }
}

#[tokio::test]
async fn on_two_nodes() {
    let Some(nodes) = Nodes::start(2).await else { return };
    for seed in 1..=5 {
        the_one_who_was_away_knows_as_much(&nodes[0], &nodes[1], seed).await;
    }
}
