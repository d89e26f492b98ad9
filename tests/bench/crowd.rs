//! The simulated users: where they are connected, in which chats they are, and what they do.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval_at, sleep};

use crate::client::{Client, Frame};

/// After so long without a frame, everything has come.
const REST: Duration = Duration::from_millis(500);
/// How many connect at the same time.
const DOOR: usize = 16;

/// What is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Act {
    /// A message to a chat.
    Message,
    /// Entering the room of a chat; the next is leaving it.
    Join,
    /// A message; the next is reading what others have sent to the chat.
    Read,
    /// The list of one's chats.
    List,
    /// A new public chat, which everyone hears of.
    PublicChat,
    /// A new connection as a user who is known, and its end.
    Connect,
}

/// How often acts begin.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each acting user has so many acts under way, and begins the next after an answer.
    AtOnce(usize),
    /// Each acting user begins an act in each such interval, without waiting for answers.
    Every(Duration),
}

/// What all acting users do, and until when.
#[derive(Clone)]
pub struct Load {
    pub act: Act,
    pub pace: Pace,
    /// The end of the text of each message.
    pub text: String,
    pub until: Instant,
}

/// One connection and what it takes part in.
pub struct Person {
    number: usize,
    node: usize,
    address: SocketAddr,
    name: String,
    id: String,
    client: Client,
    /// The ids of the chats in which this user acts.
    acts_in: Vec<String>,
    acts: usize,
}

/// What was measured; times are in microseconds.
#[derive(Default)]
pub struct Seen {
    /// From each request to its answer.
    pub answers: Vec<u32>,
    /// From each message to each of its deliveries, by node.
    pub deliveries: Vec<Vec<u32>>,
    /// How many events of any kind came, by node.
    pub events: Vec<usize>,
}

/// The chats and their members: so many on each node, of whom the first `senders` act.
pub struct Plan {
    pub chats: usize,
    pub members: Vec<usize>,
    pub senders: Vec<usize>,
    /// How many users there are on each node.
    pub users: Vec<usize>,
}

impl Plan {
    /// Connects all users.
    pub async fn connect(&self, addresses: &[SocketAddr]) -> Vec<Person> {
        let mut people = Vec::new();
        for (node, (count, address)) in self.users.iter().zip(addresses).enumerate() {
            let names = Vec::from_iter((0..*count).map(|number| format!("user-{node}-{number}")));
            for names in names.chunks(DOOR) {
                let connect = |(number, name): (usize, &String)| {
                    Person::connect(people.len() + number, node, *address, name.clone())
                };
                people.extend(join_all(names.iter().enumerate().map(connect)).await);
            }
        }
        people
    }

    /// Makes the chats.
    pub async fn make_chats(&self, people: &mut [Person]) {
        for chat in 0..self.chats {
            let (mut members, mut senders) = (Vec::new(), Vec::new());
            for (node, count) in self.members.iter().enumerate() {
                let start = self.users[..node].iter().sum::<usize>();
                let place = |member| start + (chat * count + member) % self.users[node];
                senders.extend((0..self.senders[node]).map(place));
                members.extend((0..*count).map(place));
            }
            let ids = Vec::from_iter(members.iter().map(|member| people[*member].id.as_str()));
            let chat = json!({ "name": format!("chat {chat}"), "private": true });
            let body = json!({ "chat": chat, "users": ids });
            let answer = people[members[0]].client.ask("create-chat", &body).await;
            let id = answer["chat"]["id"].as_str().expect("a chat");
            senders.iter().for_each(|sender| people[*sender].acts_in.push(id.to_owned()));
        }
    }
}

/// Lets all users act until the load ends, and waits until everything has come.
pub async fn run(people: Vec<Person>, nodes: usize, load: &Load) -> (Vec<Person>, Seen) {
    let lives = people.into_iter().map(|person| tokio::spawn(person.live(load.clone())));
    let mut all =
        Seen { deliveries: vec![Vec::new(); nodes], events: vec![0; nodes], ..Seen::default() };
    let mut people = Vec::new();
    for life in Vec::from_iter(lives) {
        let (person, seen) = life.await.unwrap();
        all.answers.extend(seen.answers);
        all.deliveries[person.node].extend(seen.deliveries.into_iter().flatten());
        all.events[person.node] += seen.events.iter().sum::<usize>();
        people.push(person);
    }
    (people, all)
}

impl Person {
    async fn connect(number: usize, node: usize, address: SocketAddr, name: String) -> Person {
        let (client, id) = Client::connect_as(address, &name).await;
        Person { number, node, address, name, id, client, acts_in: Vec::new(), acts: 0 }
    }

    pub fn acts(&self) -> bool {
        !self.acts_in.is_empty()
    }

    async fn live(mut self, load: Load) -> (Person, Seen) {
        let seen = match load.act {
            Act::Connect if self.acts() => self.come_and_go(&load).await,
            _ => self.act_and_hear(&load).await,
        };
        (self, seen)
    }

    /// Connects as another user again and again, beside the connection that stays open.
    async fn come_and_go(&mut self, load: &Load) -> Seen {
        let name = format!("{} again", self.name);
        let mut seen = Seen::default();
        while Instant::now() < load.until {
            let since = Instant::now();
            let (client, _) = Client::connect_as(self.address, &name).await;
            seen.answers.push(micros(since));
            client.close().await;
        }
        seen
    }

    async fn act_and_hear(&mut self, load: &Load) -> Seen {
        let (mut asked, mut last) = (HashMap::new(), Instant::now());
        let (mut answers, mut deliveries, mut events) = (Vec::new(), Vec::new(), 0);
        let (mut free, every) = match load.pace {
            Pace::AtOnce(count) => (count, None),
            Pace::Every(every) => (0, Some(every)),
        };
        // Users begin at different times.
        let phase = (self.number as f64 * 0.618).fract();
        let every_or_rest = every.unwrap_or(REST);
        let mut ticks =
            interval_at((Instant::now() + every_or_rest.mul_f64(phase)).into(), every_or_rest);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            let over = Instant::now() >= load.until;
            while !over && free > 0 && self.acts() {
                free -= 1;
                asked.insert(self.act(load).await, Instant::now());
            }
            if over && asked.is_empty() && last.elapsed() >= REST {
                break;
            }
            tokio::select! {
                frame = self.client.frame() => {
                    last = Instant::now();
                    match frame {
                        Frame::Answer(number, answer) => {
                            assert!(!answer.contains("\"error\""), "{answer}");
                            answers.extend(asked.remove(&number).map(micros));
                            free += usize::from(every.is_none());
                        }
                        Frame::Event(text) => {
                            events += 1;
                            deliveries.extend(age(&text));
                        }
                    }
                }
                _ = ticks.tick(), if !over && every.is_some() => free += 1,
                () = sleep(REST) => {}
            }
        }
        Seen { answers, deliveries: vec![deliveries], events: vec![events] }
    }

    /// Begins an act; returns its number.
    async fn act(&mut self, load: &Load) -> u64 {
        self.acts += 1;
        let turn = match load.act {
            Act::Join | Act::Read => (self.acts - 1) / 2,
            _ => self.acts,
        };
        let chat = &self.acts_in[turn % self.acts_in.len()];
        let (event, body) = match load.act {
            Act::Read if self.acts.is_multiple_of(2) => {
                ("mark-read", json!({ "chat": { "id": chat } }))
            }
            Act::Message | Act::Read => {
                let value = format!("{:020} {}", now(), load.text);
                let message = json!({ "value": value, "type": "text" });
                ("new-message", json!({ "chat": { "id": chat }, "message": message }))
            }
            Act::Join => {
                let event = if self.acts.is_multiple_of(2) { "unsubscribe" } else { "subscribe" };
                (event, json!({ "channel": format!("room-{chat}") }))
            }
            Act::List => ("list-chats", json!({})),
            Act::PublicChat => {
                let chat = json!({ "name": "new", "private": false });
                ("create-chat", json!({ "chat": chat, "users": [] }))
            }
            Act::Connect => unreachable!("it takes no connection that there is"),
        };
        self.client.request(event, &body.to_string()).await
    }
}

fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Microseconds since the epoch; they are compared only within this process.
fn now() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(now.as_micros()).unwrap()
}

/// How many microseconds ago the message in this event was begun.
fn age(event: &str) -> Option<u32> {
    let text = event.split_once("\"msg\":\"")?.1;
    let begun: u64 = text.get(..20)?.parse().ok()?;
    u32::try_from(now().saturating_sub(begun)).ok()
}
