//! What valid frames can name: users, a chat, a team, a room, tokens.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::Http;
use crate::socketio::Socket;

const PASSWORD: &str = "a password of theirs";

/// The words of the corpus, such as `$CHAT`, and the name that each stands for in this world.
pub struct World {
    names: Vec<(&'static str, String)>,
    /// The secret with which Ann may sign tokens.
    pub secret: String,
}

impl World {
    /// Makes a world; no two may have the same number.
    pub async fn make(address: SocketAddr, number: u64) -> Result<World, String> {
        let (ann, bob) = (format!("ann{number}"), format!("bob{number}"));
        let mut world = World { names: Vec::new(), secret: String::new() };
        world.say("$NUMBER", number.to_string());
        world.say("$BOB", bob.clone());
        world.say("$PASSWORD", PASSWORD.to_owned());
        world.sign_up(address, &ann, &bob).await?;
        // It is replaced after `$ANN_ID`, which begins with it.
        world.say("$ANN", ann);
        world.enter_room(address, number).await?;
        world.chat(address, number).await?;
        Ok(world)
    }

    /// Replaces the words of a template by the names of this world.
    pub fn fill(&self, template: &str) -> String {
        let put = |text: String, (from, to): &(&str, String)| text.replace(from, to);
        self.names.iter().fold(template.to_owned(), put)
    }

    fn say(&mut self, what: &'static str, name: String) {
        self.names.push((what, name));
    }

    async fn sign_up(&mut self, address: SocketAddr, ann: &str, bob: &str) -> Result<(), String> {
        for (name, phone) in [(bob, "2"), (ann, "1")] {
            let account = json!({
                "first_name": name, "last_name": name, "username": name, "password": PASSWORD,
                "email": format!("{name}@example.com"),
                "phone": format!("{phone}{:0>9}", &name[3..]),
            });
            let account = post(address, "/api/register", &account).await?;
            if name == ann {
                self.say("$REFRESH", text(&account, "/data/0/token/refresh_token")?);
                self.say("$TOKEN", text(&account, "/data/0/token/access_token")?);
                self.say("$ANN_ID", text(&account, "/data/0/token/user_id")?);
                self.say("$KEY", text(&account, "/data/0/token/access_key_id")?);
                self.secret = text(&account, "/data/0/token/secret_access_key")?;
            }
        }
        let login = json!({ "username": ann, "password": PASSWORD });
        let token = post(address, "/api/auth_token", &login).await?;
        self.say("$LIVE", text(&token, "/data/0/access_token")?);
        Ok(())
    }

    async fn enter_room(&mut self, address: SocketAddr, number: u64) -> Result<(), String> {
        let call = |method: &str, params: Value| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        for guest in ["eve", "guy"] {
            post(address, "/rpc", &call("NewUser", json!([format!("{guest}{number}")]))).await?;
        }
        let waiting = json!({ "UserId": format!("eve{number}"), "RoomId": "0" });
        let state = post(address, "/rpc", &call("NewRoom", json!([waiting]))).await?;
        self.say("$ROOM", text(&state, "/result/RoomId")?);
        Ok(())
    }

    async fn chat(&mut self, address: SocketAddr, number: u64) -> Result<(), String> {
        let mut socket = Socket::enter(address, 4).await?;
        let mut ids = Vec::new();
        for name in ["other", "self"] {
            let user =
                json!({ "external_id": format!("{name}{number}"), "name": name, "photo": "" });
            let user = socket.ask("create-user", json!({ "user": user })).await?;
            ids.push(text(&user, "/user/id")?);
        }
        let chat = json!({ "chat": { "name": "here", "private": false }, "users": ids });
        let chat = socket.ask("create-chat", chat).await?;
        self.say("$CHAT", text(&chat, "/chat/id")?);
        let path = format!("/api/files?name=a.txt&user={}", ids[1]);
        let plain = "Content-Type: text/plain\r\n";
        let file = Http::new(address).send("POST", &path, plain, b"hello").await?;
        let file = serde_json::from_slice::<Value>(&file.body).map_err(|e| e.to_string())?;
        let body = json!({ "chat": { "id": text(&chat, "/chat/id")? },
                           "message": { "type": "file", "file": { "id": file["file"]["id"] } } });
        let sent = socket.ask("new-message", body).await?;
        self.say("$FILE", text(&sent, "/file/url")?);
        let message = json!({ "chat": { "id": text(&chat, "/chat/id")? },
                              "message": { "type": "text", "value": "hello you" } });
        let message = socket.ask("new-message", message).await?;
        self.say("$MESSAGE", text(&message, "/id")?);
        let own = json!({ "chat": { "name": "own" }, "users": [] });
        self.say("$OWN", text(&socket.ask("create-chat", own).await?, "/chat/id")?);
        let team = json!({ "team": { "name": format!("team {number}") }, "users": ids });
        let team = socket.ask("create-team", team).await?;
        self.say("$TEAM", text(&team, "/team/id")?);
        self.say("$OTHER", ids.swap_remove(0));
        self.say("$SELF", ids.swap_remove(0));
        Ok(())
    }
}

async fn post(address: SocketAddr, path: &str, body: &Value) -> Result<Value, String> {
    let headers = "Content-Type: application/json\r\n";
    let answer =
        Http::new(address).send("POST", path, headers, body.to_string().as_bytes()).await?;
    serde_json::from_slice(&answer.body).map_err(|error| format!("{path}: {error}"))
}

fn text(answer: &Value, place: &str) -> Result<String, String> {
    let text = answer.pointer(place).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("the world could not be made: {answer}"))
}
