//! The actors and chats of the table of access.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::steps::{NO_ID, channel, of_chat, of_chat_and};
use crate::support::{Client, TestServer, message};

/// The actors that are users. Requests about another user name one of the last two: another member,
/// and a stranger.
const USERS: [&str; 9] =
    ["owner", "member", "guest", "mate", "invited", "removed", "outsider", "another", "stranger"];

/// The actors of the table.
pub struct Stage {
    actors: HashMap<&'static str, Client>,
    team: String,
}

impl Stage {
    /// All actors but the service connect without a token.
    pub async fn of_trusted(server: &TestServer) -> Stage {
        let mut actors = HashMap::new();
        for name in USERS {
            actors.insert(name, server.user(name).await);
        }
        Stage::set(server, actors).await
    }

    /// All actors but `nobody` have a token.
    pub async fn of_protected(server: &TestServer) -> Stage {
        let mut actors = HashMap::new();
        for name in USERS {
            actors.insert(name, server.token_user(name).await);
        }
        Stage::set(server, actors).await
    }

    async fn set(server: &TestServer, mut actors: HashMap<&'static str, Client>) -> Stage {
        let mut service = server.service().await;
        let user = json!({ "id": "one more outsider", "name": "x", "photo": "" });
        service.done("create-user", json!({ "user": user })).await;
        actors.insert("service", service);
        let mut nobody = Client::open(server.address()).await;
        assert!(nobody.frame().await.starts_with('0'));
        nobody.send("40").await;
        nobody.frame().await;
        actors.insert("nobody", nobody);
        let mut stage = Stage { actors, team: String::new() };
        let (member, mate) = (stage.id("member"), stage.id("mate"));
        stage.team = stage.owner().make_team("crew", &[&member, &mate]).await;
        stage
    }

    fn owner(&mut self) -> &mut Client {
        self.actors.get_mut("owner").unwrap()
    }

    fn id(&self, actor: &str) -> String {
        self.actors[actor].id.clone()
    }

    /// A new chat of this kind, for one cell of the table.
    async fn chat(&mut self, kind: &str) -> String {
        if kind == "direct" {
            return self.direct().await;
        }
        let mut chat = json!({ "name": kind, "private": kind.starts_with("private") });
        if kind.ends_with("team") {
            chat["team_id"] = json!(self.team);
        }
        let users = ["member", "guest", "removed", "another"].map(|actor| self.id(actor));
        let (removed, invited) = (self.id("removed"), self.id("invited"));
        let owner = self.owner();
        let made = owner.done("create-chat", json!({ "chat": chat, "users": users })).await;
        let id = made["chat"]["id"].as_str().unwrap();
        owner.done("remove-member", of_chat_and(id, &removed)).await;
        owner.done("invite", of_chat_and(id, &invited)).await;
        id.to_owned()
    }

    /// The direct chat of the owner and the member.
    async fn direct(&mut self) -> String {
        let member = json!({ "user": { "id": self.id("member") } });
        let mut opened = self.owner().done("open-direct", member).await;
        opened["chat"]["id"].take().as_str().unwrap().to_owned()
    }

    /// The id of a new message of the owner, for requests about a message.
    async fn message(&mut self, event: &str, chat: &str) -> Value {
        match event {
            "edit-message" | "delete-message" | "react" | "pin-message" => {
                self.owner().done("new-message", message(chat, "mine")).await["id"].take()
            }
            _ => Value::Null,
        }
    }

    fn body(&self, event: &str, chat: &str, message_id: &Value) -> Value {
        let of_message = json!({ "chat": { "id": chat }, "message": { "id": message_id } });
        match event {
            "edit-message" => {
                let changed = json!({ "id": message_id, "value": "x" });
                json!({ "chat": { "id": chat }, "message": changed })
            }
            "delete-message" | "pin-message" => of_message,
            "react" => {
                let mut body = of_message;
                body["reaction"] = json!("+1");
                body
            }
            "search-messages" => json!({ "query": { "chat_id": chat, "text": "x" } }),
            "list-changes" => json!({ "chat": { "id": chat }, "after": 0 }),
            "new-message" => message(chat, "hello"),
            "signal" => json!({ "chat": { "id": chat }, "data": 1 }),
            "update-chat" => json!({ "chat": { "id": chat, "name": "new" } }),
            "update-membership" => json!({ "chat": { "id": chat }, "muted": true }),
            "mark-unread" => json!({ "chat": { "id": chat }, "seq": 1, "unread": true }),
            "remove-member" => of_chat_and(chat, &self.id("another")),
            "invite" => of_chat_and(chat, &self.id("stranger")),
            "subscribe" | "unsubscribe" => channel(chat),
            _ => of_chat(chat),
        }
    }

    /// Makes a request, and returns the result in the words of the table.
    pub async fn play(&mut self, event: &str, kind: &str, actor: &str) -> String {
        let chat = self.chat(kind).await;
        let message_id = self.message(event, &chat).await;
        let body = self.body(event, &chat, &message_id);
        let of_none = self.body(event, NO_ID, &message_id);
        let event = if event == "mark-unread" { "mark-read" } else { event };
        let client = self.actors.get_mut(actor).unwrap();
        let error = client.ask(event, body).await["error"].take();
        if kind == "direct" && event == "subscribe" && error.is_null() {
            // The next cell has the same direct chat.
            client.done("unsubscribe", channel(&chat)).await;
        }
        let place = match event {
            "subscribe" | "unsubscribe" => "channel",
            "search-messages" => "query.chat_id",
            _ => "chat.id",
        };
        let (word, field) = match error["code"].as_str() {
            None => return "ok".into(),
            Some("forbidden") => ("forbid", None),
            Some("unauthenticated") => ("unauth", None),
            Some("conflict") => ("confl", Some(place)),
            Some("not_found") => ("none", Some(place)),
            Some(code) => return code.into(),
        };
        if error.get("field").and_then(Value::as_str) != field {
            return format!("{word} with another field: {error}");
        }
        if word == "none" && client.refused(event, of_none).await != error {
            return format!("{word}, but it does not look like no chat: {error}");
        }
        word.into()
    }
}
