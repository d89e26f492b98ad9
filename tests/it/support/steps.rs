//! Steps that the tests of rooms, owners, invitations and teams share.

use serde_json::{Value, json};

use crate::support::{Client, TestServer};

/// An id that no chat, team or invitation has.
pub const NO_ID: &str = "00000000-0000-4000-8000-000000000000";

pub fn channel(chat: &str) -> Value {
    json!({ "channel": format!("room-{chat}") })
}

pub fn of_chat(chat: &str) -> Value {
    json!({ "chat": { "id": chat } })
}

/// The body of a request about another user in a chat.
pub fn of_chat_and(chat: &str, user: &str) -> Value {
    json!({ "chat": { "id": chat }, "user": { "id": user } })
}

/// What a subscriber is shown of a message.
pub fn on_channel(message: &Value) -> Value {
    let mut message = message.clone();
    message["channel"] = message["room"].clone();
    message
}

/// This field of each item in a list, sorted.
pub fn sorted<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let text = |item: &'a Value| item[field].as_str().unwrap();
    let mut texts: Vec<_> = list.as_array().unwrap().iter().map(text).collect();
    texts.sort();
    texts
}

/// Fails unless a list has these ids, in any order.
#[track_caller]
pub fn assert_ids<const N: usize>(list: &Value, expected: [&str; N]) {
    let ids = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    let (mut ids, mut expected) = (Vec::from_iter(ids), Vec::from(expected));
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected, "{list}");
}

/// Fails unless a `participant-join` or `-leave` has this room, user and count.
#[track_caller]
pub fn assert_presence(event: &Value, chat: &str, name: &str, participants: usize) {
    let told = (&event["room"], &event["user"]["name"], &event["participants"]);
    let room = json!(format!("room-{chat}"));
    assert_eq!(told, (&room, &json!(name), &json!(participants)), "{event}");
}

impl TestServer {
    /// The same as `user`, but the socket has not left the system channel.
    pub async fn listener(&self, name: &str) -> Client {
        let mut client = self.connect().await;
        let user = json!({ "external_id": name, "name": name, "photo": "" });
        let answer = client.done("create-user", json!({ "user": user })).await;
        client.id = answer["user"]["id"].as_str().unwrap().to_owned();
        client
    }
}

impl Client {
    /// Sends a request that must not be refused.
    pub async fn done(&mut self, event: &str, body: Value) -> Value {
        let answer = self.ask(event, body).await;
        assert!(answer.get("error").is_none(), "{event} was refused: {answer}");
        answer
    }

    /// Sends requests without waiting between them; none of them must be refused.
    pub async fn done_at_once(&mut self, requests: impl IntoIterator<Item = (&str, Value)>) {
        let mut asked = Vec::new();
        for (event, body) in requests {
            asked.push((event, self.request(event, body).await));
        }
        for (event, ack) in asked {
            let answer = self.answer(ack).await;
            assert!(answer.get("error").is_none(), "{event} was refused: {answer}");
        }
    }

    /// Makes a chat of this and other users; all of them take its event. Returns its id.
    pub async fn make(&mut self, chat: Value, others: &mut [&mut Client]) -> String {
        let users: Vec<_> = others.iter().map(|other| other.id.clone()).collect();
        let answer = self.done("create-chat", json!({ "chat": chat, "users": users })).await;
        self.next("create-chat").await;
        for other in others {
            other.next("create-chat").await;
        }
        answer["chat"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn make_private(&mut self, others: &mut [&mut Client]) -> String {
        self.make(json!({ "name": "private", "private": true }), others).await
    }

    pub async fn make_public(&mut self, others: &mut [&mut Client]) -> String {
        self.make(json!({ "name": "public", "private": false }), others).await
    }

    /// Makes a team of this and other users; returns its id.
    pub async fn make_team(&mut self, name: &str, users: &[&str]) -> String {
        let body = json!({ "team": { "name": name }, "users": users });
        self.done("create-team", body).await["team"]["id"].as_str().unwrap().to_owned()
    }

    /// Invites a user; returns the invitation.
    pub async fn invite(&mut self, chat: &str, user: &str) -> Value {
        self.done("invite", of_chat_and(chat, user)).await["invitation"].take()
    }

    /// Takes the next event, which must say that this user has entered the room.
    pub async fn sees_join(&mut self, chat: &str, name: &str, participants: usize) {
        let join = self.next("participant-join").await;
        assert_presence(&join, chat, name, participants);
    }

    /// Takes the next event, which must say that this user has left the room.
    pub async fn sees_leave(&mut self, chat: &str, name: &str, participants: usize) {
        let leave = self.next("participant-leave").await;
        assert_presence(&leave, chat, name, participants);
    }

    /// The ids of this user's chats, sorted.
    pub async fn chats(&mut self) -> Value {
        json!(sorted(&self.done("list-chats", json!({})).await["chats"], "id"))
    }
}

/// The cells of a table in plain text: the first row, and the other rows.
pub fn table(text: &str) -> (Vec<&str>, Vec<Vec<&str>>) {
    let rows = text.lines().map(|line| Vec::from_iter(line.split_whitespace()));
    let mut rows = rows.filter(|row| !row.is_empty());
    let header = rows.next().unwrap();
    let rows = Vec::from_iter(rows);
    assert!(rows.iter().all(|row| row.len() == header.len()), "a cell is missing");
    (header, rows)
}
