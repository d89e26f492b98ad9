//! The scenes by name: who connects, in which chats, and what they then do.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::crowd::{Crowd, DOOR};
use crate::scenes::{Asking, Figures, Pace, Scene, Traffic, Unit, measure};
use crate::servers::{Kind, Server};

/// How many requests are under way while a stage is set up.
const AT_ONCE: usize = 16;
/// How many sockets share an open loop.
const OPEN_SENDERS: usize = 200;
/// How many public chats are joined and left.
const PUBLIC_CHATS: usize = 10;
/// How many users one `create-chat` may name.
const MAX_USERS: usize = 1000;
/// How many sockets ask for lists.
const READERS: usize = 4;
/// Messages of a page.
const PAGE: usize = 50;
/// How many sockets write the history that is read, and how many messages each has under way.
const WRITERS: usize = 16;
/// How long connections rest before their memory is measured.
const REST: Duration = Duration::from_secs(2);

/// Databases that are filled once for several rounds, by server and contents.
pub type Kept = HashMap<String, TempDir>;

#[derive(Clone, Copy, Debug)]
pub enum Stage {
    /// So many senders in chats of two, each waiting for its answer.
    Ingest(usize),
    /// So many messages a second in chats of two.
    Open(usize),
    /// As ingest, and each message is marked as read by the other member.
    Mixed(usize),
    /// So many sockets in chats of two, each reacting to a message and taking that back.
    Reactions(usize),
    /// So many sockets that join public chats and leave them.
    Joins(usize),
    /// A room of so many members, with so many messages under way.
    FanOut(usize, usize),
    /// The latest page of so many messages.
    Latest(usize),
    /// A page from the middle of so many messages.
    Middle(usize),
    /// The list of so many chats.
    Chats(usize),
    /// So many known users connect, each with so many chats.
    Connects(usize, usize),
    /// The server is killed while so many such users are connected, and all come back at once.
    Storm(usize, usize),
}

impl Stage {
    /// Its title, and the unit of its work.
    pub fn title(self) -> (String, &'static str) {
        match self {
            Stage::Ingest(senders) => (format!("ingest, {senders} senders"), "message"),
            Stage::Open(rate) => (format!("open loop, {rate}/s"), "message"),
            Stage::Mixed(senders) => (format!("mixed, {senders} senders"), "message and mark-read"),
            Stage::Reactions(sockets) => (format!("reactions, {sockets} sockets"), "reaction"),
            Stage::Joins(sockets) => (format!("joins, {sockets} sockets"), "join or leave"),
            Stage::FanOut(members, at_once) => {
                (format!("fan-out, room of {members}, {at_once} in flight"), "delivery")
            }
            Stage::Latest(stored) => (format!("list-messages, latest {PAGE} of {stored}"), "page"),
            Stage::Middle(stored) => (format!("list-messages, middle of {stored}"), "page"),
            Stage::Chats(count) => (format!("list-chats of {count} chats"), "list"),
            Stage::Connects(users, 0) => (format!("idle, {users} connections"), "connection"),
            Stage::Connects(users, chats) => {
                (format!("connects, {users} users with {chats} chats"), "connection")
            }
            Stage::Storm(users, chats) => {
                (format!("storm, {users} users with {chats} chats, from the kill"), "connection")
            }
        }
    }

    /// The title of the curve that this stage is a point of, and its place on the curve.
    pub fn curve(self) -> Option<(String, usize)> {
        let (title, size) = match self {
            Stage::Ingest(senders) => ("ingest: CPU µs per message, by senders", senders),
            Stage::Mixed(senders) => {
                ("mixed: CPU µs per message and mark-read, by senders", senders)
            }
            Stage::FanOut(members, at_once) => {
                let title =
                    format!("fan-out, {at_once} in flight: CPU µs per delivery, by members");
                return Some((title, members));
            }
            Stage::Latest(stored) => {
                ("list-messages, latest: CPU µs per page, by messages", stored)
            }
            Stage::Middle(stored) => {
                ("list-messages, middle: CPU µs per page, by messages", stored)
            }
            _ => return None,
        };
        Some((title.to_owned(), size))
    }

    /// Whether this kind of server supports this stage.
    pub fn is_known_to(self, kind: &Kind) -> bool {
        match self {
            Stage::Ingest(_) | Stage::Open(_) | Stage::FanOut(..) => true,
            Stage::Reactions(_) => matches!(kind, Kind::Chinwag | Kind::Other(_)),
            _ => *kind != Kind::Floor,
        }
    }

    /// One round on a server of this kind.
    pub fn round(self, kind: &Kind, time: Duration, kept: &mut Kept) -> Figures {
        // Not in the temporary directory, which may be in memory.
        let empty = || TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let Some(contents) = self.contents() else {
            let directory = empty();
            return self.play(&|| kind.start(directory.path()), time);
        };
        let directory = kept.entry(format!("{} {contents}", kind.name())).or_insert_with(|| {
            let directory = empty();
            self.fill(&kind.start(directory.path()));
            directory
        });
        self.play(&|| kind.start(directory.path()), time)
    }

    /// What the database must have beforehand, if anything.
    fn contents(self) -> Option<String> {
        match self {
            Stage::Latest(stored) | Stage::Middle(stored) => Some(format!("{stored} messages")),
            Stage::Connects(users, chats) | Stage::Storm(users, chats) => {
                Some(format!("{users} users, {chats} chats"))
            }
            _ => None,
        }
    }

    fn fill(self, server: &Server) {
        let mut crowd = Crowd::new(server.address);
        match self {
            Stage::Latest(stored) | Stage::Middle(stored) => write_history(&mut crowd, stored),
            Stage::Connects(users, chats) | Stage::Storm(users, chats) => {
                make_ring(&mut crowd, users, chats)
            }
            _ => {}
        }
    }

    fn play(self, start: &dyn Fn() -> Server, time: Duration) -> Figures {
        let server = start();
        let mut crowd = Crowd::new(server.address);
        let mut scene: Box<dyn Scene> = match self {
            Stage::Connects(users, _) => return connects(&mut crowd, &server, users),
            Stage::Storm(users, _) => return storm(crowd, server, start, users),
            Stage::Ingest(senders) => {
                Box::new(pairs(&mut crowd, Unit::Message, Pace::Closed, senders))
            }
            Stage::Open(rate) => {
                let pace = Pace::Open(rate as f64);
                Box::new(pairs(&mut crowd, Unit::Message, pace, OPEN_SENDERS))
            }
            Stage::Mixed(senders) => Box::new(pairs(&mut crowd, Unit::Pair, Pace::Closed, senders)),
            Stage::FanOut(members, at_once) => Box::new(room(&mut crowd, members, at_once)),
            Stage::Reactions(sockets) => Box::new(reactions(&mut crowd, sockets)),
            Stage::Joins(sockets) => Box::new(joins(&mut crowd, sockets)),
            Stage::Latest(_) => Box::new(pages(&mut crowd, false)),
            Stage::Middle(_) => Box::new(pages(&mut crowd, true)),
            Stage::Chats(count) => Box::new(lists(&mut crowd, count)),
        };
        measure(&mut crowd, &mut *scene, &server, time)
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user-{number}")).collect()
}

/// Connects so many users; returns their ids.
fn users(crowd: &mut Crowd, count: usize) -> Vec<String> {
    crowd.connect(&names(count), DOOR).into_iter().map(|(id, _)| id).collect()
}

/// Makes chats, each by the socket of this number and with these users; returns their ids.
fn chats(crowd: &mut Crowd, private: bool, chats: Vec<(usize, Vec<&String>)>) -> Vec<String> {
    let request = |(who, users)| {
        let body = json!({ "chat": { "name": "a chat", "private": private }, "users": users });
        (who, "create-chat", body.to_string())
    };
    let answers = crowd.ask(&Vec::from_iter(chats.into_iter().map(request)), AT_ONCE);
    answers.iter().map(|chat| chat["chat"]["id"].as_str().expect("an id").to_owned()).collect()
}

fn of_chat(id: &str) -> String {
    json!({ "chat": { "id": id } }).to_string()
}

/// Connects so many users, two by two in a chat; returns these chats.
fn chats_of_two(crowd: &mut Crowd, sockets: usize) -> Vec<String> {
    let users = users(crowd, sockets);
    let pairs = users.chunks(2).enumerate().map(|(chat, pair)| (2 * chat, pair.iter().collect()));
    chats(crowd, true, pairs.collect())
}

/// Messages in chats of two, where both send.
fn pairs(crowd: &mut Crowd, unit: Unit, pace: Pace, senders: usize) -> Traffic {
    let chats = chats_of_two(crowd, senders);
    let seats = Vec::from_iter((0..senders).map(|number| number / 2));
    Traffic::new(unit, pace, chats, &seats, 2)
}

/// The two members of each chat react to one message and take that back, again and again.
fn reactions(crowd: &mut Crowd, sockets: usize) -> Asking {
    let chats = chats_of_two(crowd, sockets);
    let send = |(chat, id): (usize, &String)| {
        // As long as the messages of `Ingest`.
        let message = json!({ "value": format!("message {chat:92}"), "type": "text" });
        (2 * chat, "new-message", json!({ "chat": { "id": id }, "message": message }).to_string())
    };
    let sent = crowd.ask(&Vec::from_iter(chats.iter().enumerate().map(send)), AT_ONCE);
    let acts = |who: usize| {
        let (chat, message) = (&chats[who / 2], &sent[who / 2]["id"]);
        let act = |on: bool| {
            let (chat, message) = (json!({ "id": chat }), json!({ "id": message }));
            let body = json!({ "chat": chat, "message": message, "reaction": "👍", "on": on });
            ("react", body.to_string())
        };
        vec![act(true), act(false)]
    };
    Asking::new((0..sockets).map(acts).collect())
}

/// Messages in one room.
fn room(crowd: &mut Crowd, members: usize, senders: usize) -> Traffic {
    let users = users(crowd, members);
    let first = users.iter().take(MAX_USERS).collect();
    let chats = chats(crowd, false, vec![(0, first)]);
    let join = |who| (who, "join-chat", of_chat(&chats[0]));
    crowd.ask(&Vec::from_iter((MAX_USERS..members).map(join)), AT_ONCE);
    Traffic::new(Unit::Delivery, Pace::Closed, chats, &vec![0; members], senders)
}

/// The first user makes public chats; the others join and leave them.
fn joins(crowd: &mut Crowd, sockets: usize) -> Asking {
    users(crowd, sockets + 1);
    let chats = chats(crowd, false, vec![(0, vec![]); PUBLIC_CHATS]);
    let acts = |who: usize| {
        let body = of_chat(&chats[who % PUBLIC_CHATS]);
        vec![("join-chat", body.clone()), ("leave-chat", body)]
    };
    Asking::new((0..=sockets).map(|who| if who == 0 { vec![] } else { acts(who) }).collect())
}

/// One chat with so many messages.
fn write_history(crowd: &mut Crowd, stored: usize) {
    let users = users(crowd, WRITERS);
    let chats = chats(crowd, true, vec![(0, users.iter().collect())]);
    let message = |number: usize| {
        let value = format!("message {number:92}");
        let message = json!({ "value": value, "type": "text" });
        let body = json!({ "chat": { "id": chats[0] }, "message": message });
        (number % WRITERS, "new-message", body.to_string())
    };
    let numbers = Vec::from_iter(0..stored);
    for numbers in numbers.chunks(10_000) {
        let requests = Vec::from_iter(numbers.iter().copied().map(message));
        crowd.ask(&requests, WRITERS * WRITERS);
    }
}

/// Pages of that chat.
fn pages(crowd: &mut Crowd, middle: bool) -> Asking {
    users(crowd, READERS);
    let listed = crowd.ask(&[(0, "list-chats", "{}".to_owned())], 1).remove(0);
    let chat = &listed["chats"][0];
    let half = chat["last_seq"].as_u64().expect("a number") / 2;
    let query =
        if middle { json!({ "after_seq": half, "limit": PAGE }) } else { json!({ "limit": PAGE }) };
    let body = json!({ "chat": { "id": chat["id"] }, "query": query });
    Asking::new(vec![vec![("list-messages", body.to_string())]; READERS])
}

/// Lists of so many chats, with a message in each.
fn lists(crowd: &mut Crowd, count: usize) -> Asking {
    let users = users(crowd, READERS);
    let chats = chats(crowd, true, vec![(0, users.iter().collect()); count]);
    let message = |(number, id): (usize, &String)| {
        let message = json!({ "value": "the latest message", "type": "text" });
        let body = json!({ "chat": { "id": id }, "message": message });
        (number % READERS, "new-message", body.to_string())
    };
    crowd.ask(&Vec::from_iter(chats.iter().enumerate().map(message)), AT_ONCE);
    Asking::new(vec![vec![("list-chats", "{}".to_owned())]; READERS])
}

/// As many chats as users, each user in so many of them.
fn make_ring(crowd: &mut Crowd, count: usize, each: usize) {
    let users = users(crowd, count);
    let members = |first| (first..first + each).map(|member| &users[member % count]).collect();
    if each > 0 {
        chats(crowd, true, (0..count).map(|first| (first, members(first))).collect());
    }
}

fn connects(crowd: &mut Crowd, server: &Server, count: usize) -> Figures {
    let (since, cpu, memory) = (Instant::now(), server.cpu(), server.memory());
    let connected = crowd.connect(&names(count), DOOR);
    let (took, cpu) = (since.elapsed().as_secs_f64(), server.cpu() - cpu);
    thread::sleep(REST);
    let (held, micros) = (server.memory(), connected.iter().map(|(_, took)| took.as_micros()));
    Figures {
        memory: held / f64::from(1 << 20),
        each: Some((held - memory) / 1024.0 / count as f64),
        ..Figures::of(micros.map(|took| took as u32).collect(), cpu, took)
    }
}

/// Kills a server with so many connected users, starts it again, and reconnects all users at once
/// as soon as it listens. Measures from the kill.
fn storm(mut crowd: Crowd, server: Server, start: &dyn Fn() -> Server, count: usize) -> Figures {
    crowd.connect(&names(count), DOOR);
    let since = Instant::now();
    drop((server, crowd));
    let server = start();
    let down = since.elapsed();
    let back = Crowd::new(server.address).connect(&names(count), count);
    let (took, micros) = (since.elapsed(), back.iter().map(|(_, took)| (down + *took).as_micros()));
    Figures {
        memory: server.memory() / f64::from(1 << 20),
        ..Figures::of(micros.map(|took| took as u32).collect(), server.cpu(), took.as_secs_f64())
    }
}
