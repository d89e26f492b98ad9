//! Clients of all doors under load. Each goes on whatever happens to the servers, and records what
//! it is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::history::{History, Message};
use crate::http::Http;
use crate::patience::Patience;
use crate::random::Random;
use crate::site::Site;
use crate::support::http::registration;
use crate::support::patience::within;
use crate::{channels, direct, malice, rooms, socketio};

/// The last message of each chat.
pub const END: &str = "the end";
/// How long a client waits before it tries again.
pub const PAUSE: Duration = Duration::from_millis(100);
/// An answer that takes longer counts as missing.
pub const ANSWER: Duration = Duration::from_secs(30);

const SPEAKERS: [&str; 3] = ["sue", "sam", "sid"];
const WEB_SPEAKERS: [&str; 2] = ["wes", "win"];
const HEARERS: [&str; 3] = ["hal", "hob", "hue"];
const NICKS: [&str; 2] = ["nan", "ned"];
const ROOM_USERS: [&str; 2] = ["ray", "rex"];
/// A member who joins and leaves, and a member who does not read.
pub const GUEST: &str = "guest";
pub const SLEEPER: &str = "zed";

/// What all clients share.
pub struct World {
    pub site: Site,
    history: Mutex<History>,
    stopping: AtomicBool,
    pub chats: Chats,
    /// Two users with accounts, who share a direct chat.
    pub pair: [Account; 2],
}

#[derive(Default)]
pub struct Chats {
    pub private: Vec<String>,
    /// A public chat, which users of the rooms API and guests also enter.
    pub open: String,
    pub channel: String,
    pub direct: String,
}

#[derive(Clone, Default)]
pub struct Account {
    pub name: String,
    pub id: String,
    pub token: String,
}

/// A user as whom a client acts.
#[derive(Clone, Debug)]
pub struct Actor {
    pub id: String,
    pub token: Option<String>,
}

impl Actor {
    pub fn named(id: &str) -> Actor {
        Actor { id: id.to_owned(), token: None }
    }
}

impl Account {
    pub fn actor(&self) -> Actor {
        Actor { id: self.id.clone(), token: Some(self.token.clone()) }
    }
}

impl Chats {
    /// The chats that all clients that speak or listen are members of.
    pub fn shared(&self) -> Vec<String> {
        let public = [&self.open, &self.channel].map(String::clone);
        self.private.iter().cloned().chain(public).collect()
    }
}

impl World {
    /// Makes the users and the chats.
    pub async fn make(site: Site) -> World {
        let mut world = World {
            site,
            history: Mutex::default(),
            stopping: AtomicBool::new(false),
            chats: Chats::default(),
            pair: [Account::default(), Account::default()],
        };
        let members = [&SPEAKERS[..], &WEB_SPEAKERS, &HEARERS, &[SLEEPER]].concat();
        for name in [&members[..], &NICKS, &["owner", malice::SPY]].concat() {
            let user = json!({ "id": name, "handle": name, "name": name });
            world.done(&Actor::named(name), "create-user", json!({ "user": user })).await;
        }
        let owner = Actor::named("owner");
        for private in [true, true, false] {
            let body = json!({ "chat": { "name": "x", "private": private }, "users": members });
            let made = world.done(&owner, "create-chat", body).await;
            let id = made["chat"]["id"].as_str().unwrap().to_owned();
            if private { world.chats.private.push(id) } else { world.chats.open = id }
        }
        world.chats.channel = channels::make(&world, NICKS[0]).await;
        let body = json!({ "chat": { "id": world.chats.channel } });
        for name in members.iter().chain(&["owner"]) {
            world.done(&Actor::named(name), "join-chat", body.clone()).await;
        }
        for (at, name) in ["ann", "bob"].into_iter().enumerate() {
            let account = world.try_post("/api/register", None, &registration(name)).await;
            let account = account.expect("an account");
            let token = &account["data"][0]["token"];
            let text = |field: &str| token[field].as_str().unwrap().to_owned();
            let (id, token) = (text("user_id"), text("access_token"));
            world.pair[at] = Account { name: name.to_owned(), id, token };
        }
        let body = json!({ "user": { "id": world.pair[1].id } });
        let made = world.done(&world.pair[0].actor(), "open-direct", body).await;
        world.chats.direct = made["chat"]["id"].as_str().unwrap().to_owned();
        world
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }

    pub fn wrong(&self, what: String) {
        self.history().wrong.push(what);
    }

    pub fn is_wrong(&self) -> bool {
        !self.history().wrong.is_empty()
    }

    /// Whether clients are to stop.
    pub fn stops(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Starts all clients but those that listen to the end.
    pub fn start_talk(self: &Arc<World>, seed: u64) -> Vec<JoinHandle<()>> {
        let mut number = 0;
        let mut random = || {
            number += 1;
            Random::new(seed, 1000 + number)
        };
        let mut tasks = Vec::new();
        for name in SPEAKERS {
            tasks.push(tokio::spawn(socketio::speak(self.clone(), name, random())));
        }
        for name in WEB_SPEAKERS {
            tasks.push(tokio::spawn(speak_over_http(self.clone(), name, random())));
        }
        for name in NICKS {
            tasks.push(tokio::spawn(channels::talk(self.clone(), name, random())));
        }
        for name in ROOM_USERS {
            tasks.push(tokio::spawn(rooms::talk(self.clone(), name, random())));
        }
        for at in 0..2 {
            tasks.push(tokio::spawn(direct::talk(self.clone(), at, random())));
        }
        tasks.push(tokio::spawn(socketio::come_and_go(self.clone(), random())));
        for _ in 0..2 {
            tasks.push(tokio::spawn(malice::annoy(self.clone(), random())));
        }
        tasks
    }

    /// Starts the clients that receive everything up to the last message of each chat.
    pub fn start_hearers(self: &Arc<World>, seed: u64) -> Vec<JoinHandle<()>> {
        let direct = vec![self.chats.direct.clone()];
        let members = HEARERS.map(|name| (Actor::named(name), self.chats.shared()));
        let pair = self.pair.iter().map(|account| (account.actor(), direct.clone()));
        let hearers = members.into_iter().chain(pair).zip(2000..);
        hearers
            .map(|((who, chats), stream)| {
                let random = Random::new(seed, stream);
                tokio::spawn(socketio::hear(self.clone(), who, chats, random))
            })
            .collect()
    }

    /// Sends the last message of each chat.
    pub async fn say_end(&self) {
        let (mut random, owner) = (Random::new(0, 0), Actor::named("owner"));
        for chat in self.chats.shared() {
            self.say_over_http(&owner, &chat, END, &mut random).await;
        }
        self.say_over_http(&self.pair[0].actor(), &self.chats.direct, END, &mut random).await;
    }

    /// The address of a node that runs; waits until there is one.
    pub async fn address(&self, random: &mut Random) -> std::net::SocketAddr {
        loop {
            let node = random.below(self.site.nodes.len());
            match self.site.nodes[node].address() {
                Some(address) => return address,
                None => sleep(PAUSE).await,
            }
        }
    }

    /// Sends a POST to any node, and returns the answer. None: there is none, or it is not JSON.
    pub async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
        random: &mut Random,
    ) -> Option<Value> {
        let address = self.address(random).await;
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let headers = format!("Content-Type: application/json\r\n{}", bearer.unwrap_or_default());
        let (mut http, body) = (Http::new(address), body.to_string());
        let answer = http.send("POST", path, &headers, body.as_bytes());
        match within(ANSWER, answer).await {
            Some(answer) => serde_json::from_slice(&answer.ok()?.body).ok(),
            None => {
                self.wrong(format!("{path} is not answered: {body}"));
                None
            }
        }
    }

    async fn try_post(&self, path: &str, token: Option<&str>, body: &Value) -> Option<Value> {
        self.post(path, token, body, &mut Random::new(0, 0)).await
    }

    /// Sends an event over HTTP, and returns the answer as [`World::post`] does.
    pub async fn ask(
        &self,
        actor: &Actor,
        event: &str,
        mut body: Value,
        random: &mut Random,
    ) -> Option<Value> {
        body["actor"] = json!({ "id": actor.id });
        self.post(&format!("/api/events/{event}"), actor.token.as_deref(), &body, random).await
    }

    /// The same while all servers work; panics unless it succeeds.
    pub async fn done(&self, actor: &Actor, event: &str, mut body: Value) -> Value {
        if event != "create-user" {
            body["actor"] = json!({ "id": actor.id });
        }
        let path = format!("/api/events/{event}");
        let answer = self.try_post(&path, actor.token.as_deref(), &body).await;
        let answer = answer.unwrap_or_else(|| panic!("{event} was not answered"));
        assert!(answer.get("error").is_none(), "{event}: {answer}");
        answer
    }

    /// Whether a refused request may be sent again; any other refusal is an error.
    pub fn may_again(&self, what: &str, answer: &Value) -> bool {
        let code = answer["error"]["code"].as_str().unwrap_or_default();
        let may = ["unavailable", "rate_limited"].contains(&code);
        if !may {
            self.wrong(format!("{what} was answered {answer}"));
        }
        may
    }

    /// Sends a message until it is acknowledged.
    pub async fn say_over_http(&self, actor: &Actor, chat: &str, text: &str, random: &mut Random) {
        let (body, began) = (said(chat, text), Instant::now());
        let mut patience = Patience::new(&self.site.truce);
        while patience.lasts() {
            match self.ask(actor, "new-message", body.clone(), random).await {
                Some(answer) if answer.get("error").is_none() => {
                    return self.acknowledged(&answer, text, began.elapsed());
                }
                Some(answer) if !self.may_again("new-message", &answer) => return,
                _ => sleep(PAUSE).await,
            }
        }
        self.wrong(format!("{text:?} is not acknowledged"));
    }

    /// Records the answer to a message.
    pub fn acknowledged(&self, answer: &Value, text: &str, after: Duration) {
        match Message::read(answer) {
            Some(message) if message.text == text => {
                self.history().acknowledge(message, after);
            }
            _ => self.wrong(format!("{text:?} was answered {answer}")),
        }
    }
}

/// The body of a message under a `client_id` of its own.
pub fn said(chat: &str, text: &str) -> Value {
    let message = json!({ "value": text, "type": "text", "client_id": text });
    json!({ "chat": { "id": chat }, "message": message })
}

/// Sends each message as an HTTP request of its own.
async fn speak_over_http(world: Arc<World>, name: &'static str, mut random: Random) {
    let (actor, chats, mut number) = (Actor::named(name), world.chats.shared(), 0);
    while !world.stops() {
        number += 1;
        let chat = &chats[random.below(chats.len())];
        world.say_over_http(&actor, chat, &format!("{name} {number}"), &mut random).await;
        sleep(Duration::from_millis(random.below(80) as u64)).await;
    }
}
