//! A worker: it sends mutated cases through one door after another, and checks that the server
//! answers each or closes its connection.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::corpus::{self, Request};
use crate::http::{self, Http};
use crate::mutate::mutate;
use crate::random::Random;
use crate::server::Meter;
use crate::socketio::{Session, Socket};
use crate::websocket::{BINARY, PING, PONG, TEXT, WebSocket, frame};
use crate::world::World;

/// How many cases follow each other through one door.
pub const ROUND: u64 = 8;

/// After so many rounds a worker makes a new world, since the mutated requests damage the old one.
const WORLD: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    SocketIo4,
    SocketIo3,
    Polling4,
    Polling3,
    Channels,
    Rest,
    Live,
    Rpc,
    Events,
    Heads,
    Tokens,
}

pub const DOORS: [Door; 11] = [
    Door::SocketIo4,
    Door::SocketIo3,
    Door::Polling4,
    Door::Polling3,
    Door::Channels,
    Door::Rest,
    Door::Live,
    Door::Rpc,
    Door::Events,
    Door::Heads,
    Door::Tokens,
];

/// How often the cases of each door ended in each way.
pub type Tally = BTreeMap<(Door, String), u64>;

pub struct Worker {
    address: SocketAddr,
    pub meter: Meter,
    world: World,
    /// The cases of each door before they are mutated, filled in for this world.
    corpora: HashMap<Door, Arc<[Vec<u8>]>>,
    http: Http,
    sockets: HashMap<Door, Socket>,
    plain: HashMap<Door, WebSocket>,
    sessions: HashMap<Door, Session>,
    opened: u64,
    pub tally: Tally,
    /// The processor time that the server has used for each case that was played alone.
    pub used: Vec<(Duration, Door, Vec<u8>)>,
    /// What was sent in this round, to be printed if it fails.
    pub sent: Vec<Vec<u8>>,
}

/// Errors: the server answers `internal`, so that it has a defect.
pub fn check(answer: &str) -> Result<(), String> {
    match answer.contains(r#""code":"internal""#) {
        true => Err(format!("answered {answer}")),
        false => Ok(()),
    }
}

impl Worker {
    pub async fn new(address: SocketAddr, meter: Meter, number: u64) -> Result<Worker, String> {
        Ok(Worker {
            address,
            meter,
            world: World::make(address, number).await?,
            corpora: HashMap::new(),
            http: Http::new(address),
            sockets: HashMap::new(),
            plain: HashMap::new(),
            sessions: HashMap::new(),
            opened: 0,
            tally: Tally::new(),
            used: Vec::new(),
            sent: Vec::new(),
        })
    }

    /// The door of a round, which depends on its number alone.
    pub fn door(round: u64) -> Door {
        DOORS[(round % DOORS.len() as u64) as usize]
    }

    /// Makes a new world, if it is time for one. Errors: it could not be made.
    pub async fn turn(&mut self, round: u64) -> Result<(), String> {
        if round.is_multiple_of(WORLD) {
            self.world = World::make(self.address, 1_000 + round).await?;
            self.corpora.clear();
        }
        Ok(())
    }

    /// Plays the cases of a round. With `alone`, all other workers rest, each case is answered
    /// before the next, and its processor time is recorded. Errors: what went wrong.
    pub async fn round(&mut self, seed: u64, round: u64, alone: bool) -> Result<(), String> {
        self.sent.clear();
        let (mut random, door) = (Random::new(seed, round), Worker::door(round));
        let corpus = self.corpus(door);
        let mut choose = || {
            let chosen = random.below(corpus.len());
            (chosen, mutate(&mut random, &corpus[chosen], &corpus))
        };
        let cases = Vec::from_iter((0..ROUND).map(|_| choose()));
        for (number, (chosen, case)) in (1..).zip(cases) {
            let (before, last) = (alone.then(|| self.meter.used()), alone || number == ROUND);
            self.sent.push(case.clone());
            let end = match door {
                Door::SocketIo4 | Door::SocketIo3 => {
                    self.socket(door, &mut random, case, last).await?
                }
                Door::Polling4 | Door::Polling3 => self.poll(door, &mut random, case, last).await?,
                Door::Channels | Door::Live => self.plain(door, &mut random, case, last).await?,
                Door::Rest => self.rest(&corpus::REST[chosen], &mut random, case).await?,
                Door::Rpc => self.rpc(&mut random, case).await?,
                Door::Events => self.event(&mut random, &case).await?,
                Door::Heads => self.head(&case).await?,
                Door::Tokens => self.token(&mut random, &case).await?,
            };
            if let Some(before) = before {
                let case = self.sent[self.sent.len() - 1].clone();
                self.used.push((self.meter.used() - before, door, case));
            } else {
                *self.tally.entry((door, end)).or_default() += 1;
            }
        }
        Ok(())
    }

    fn corpus(&mut self, door: Door) -> Arc<[Vec<u8>]> {
        let world = &self.world;
        let fill = |templates: &[&str]| {
            templates.iter().map(|template| world.fill(template).into_bytes()).collect()
        };
        let of_door = || match door {
            Door::Channels => fill(&corpus::CHANNELS),
            Door::Live => fill(&corpus::LIVE),
            Door::Rpc => fill(&corpus::RPC),
            Door::Rest => fill(&corpus::REST.map(|request| request.body)),
            Door::Heads => fill(&corpus::HEADS),
            Door::Tokens => fill(&corpus::TOKENS),
            _ => fill(&corpus::PACKETS),
        };
        self.corpora.entry(door).or_insert_with(of_door).clone()
    }

    /// Closes the open connections.
    pub async fn end(self) -> Tally {
        for session in self.sessions.into_values() {
            session.end().await;
        }
        self.tally
    }

    async fn socket(
        &mut self,
        door: Door,
        random: &mut Random,
        case: Vec<u8>,
        last: bool,
    ) -> Result<String, String> {
        let mut socket = match self.sockets.remove(&door) {
            Some(socket) => socket,
            None => {
                let protocol = if door == Door::SocketIo4 { 4 } else { 3 };
                let mut socket = Socket::enter(self.address, protocol).await?;
                let first = self.world.fill(corpus::PACKETS[6]);
                socket.transport.send(TEXT, first.as_bytes()).await;
                socket
            }
        };
        let kind = if random.one_in(12) { BINARY } else { TEXT };
        if random.one_in(32) {
            return self.raw(socket.transport, random, frame(kind, &case)).await;
        }
        let sent = socket.transport.send(kind, &case).await;
        if sent && !last && random.one_in(2) {
            self.sockets.insert(door, socket);
            return Ok("sent".to_owned());
        }
        if !sent || !socket.probe().await? {
            return Ok("closed".to_owned());
        }
        self.sockets.insert(door, socket);
        Ok("answered".to_owned())
    }

    /// Sends the mutated bytes of a frame, or only the beginning of it.
    async fn raw(
        &mut self,
        mut socket: WebSocket,
        random: &mut Random,
        mut bytes: Vec<u8>,
    ) -> Result<String, String> {
        if random.one_in(2) {
            bytes = mutate(random, &bytes, &[frame(PING, b"x"), frame(0, b"{")]);
        } else {
            bytes.truncate(random.below(bytes.len()));
        }
        socket.send_raw(&bytes).await;
        if random.one_in(2) {
            return Ok("abandoned".to_owned());
        }
        socket.end().await;
        Ok("ended".to_owned())
    }

    async fn poll(
        &mut self,
        door: Door,
        random: &mut Random,
        case: Vec<u8>,
        last: bool,
    ) -> Result<String, String> {
        let mut session = match self.sessions.remove(&door) {
            Some(session) => session,
            None => {
                let protocol = if door == Door::Polling4 { 4 } else { 3 };
                let mut session = Session::enter(self.address, protocol).await?;
                let first = self.world.fill(corpus::PACKETS[6]).into_bytes();
                let first = session.frame(&[first]);
                session.post(&first).await?;
                session
            }
        };
        let packets = random.below(3) + 1;
        let status = match random.below(16) {
            0 => {
                session.cut(&session.frame(&[case])).await?;
                return Ok("abandoned".to_owned());
            }
            1 | 2 => {
                let body = Session::frame_bytes(&case, random.one_in(2));
                session.post_as("application/octet-stream", &body).await?
            }
            3..8 => {
                let body = session.frame(&vec![case; packets]);
                let body = mutate(random, &body, std::slice::from_ref(&body));
                session.post(&body).await?
            }
            _ => {
                let body = session.frame(&vec![case; packets]);
                session.post(&body).await?
            }
        };
        if status == 200 && (!last && random.one_in(2) || session.probe().await?) {
            self.sessions.insert(door, session);
            return Ok("200".to_owned());
        }
        session.end().await;
        Ok(status.to_string())
    }

    async fn plain(
        &mut self,
        door: Door,
        random: &mut Random,
        case: Vec<u8>,
        last: bool,
    ) -> Result<String, String> {
        let mut socket = match self.plain.remove(&door) {
            Some(socket) => socket,
            None => self.open_plain(door).await?,
        };
        let kind = if random.one_in(12) { BINARY } else { TEXT };
        if random.one_in(32) {
            return self.raw(socket, random, frame(kind, &case)).await;
        }
        let sent = socket.send(kind, &case).await;
        if sent && !last && random.one_in(2) {
            self.plain.insert(door, socket);
            return Ok("sent".to_owned());
        }
        // The server handles frames in order: the pong comes after all that was sent before.
        let sent = sent && socket.send(PING, b"here?").await;
        while sent && let Some(frame) = socket.receive().await {
            check(&String::from_utf8_lossy(&frame.payload))?;
            if frame.kind == PONG {
                self.plain.insert(door, socket);
                return Ok("answered".to_owned());
            }
            if frame.kind == PING {
                socket.send(PONG, &frame.payload).await;
            }
        }
        Ok("closed".to_owned())
    }

    async fn open_plain(&mut self, door: Door) -> Result<WebSocket, String> {
        self.opened += 1;
        let path = match door {
            Door::Channels => format!("/chat/login/c$NUMBER_{}", self.opened),
            _ => "/api/ws?access_token=$LIVE".to_owned(),
        };
        WebSocket::open(self.address, &self.world.fill(&path)).await
    }

    async fn rest(
        &mut self,
        request: &Request,
        random: &mut Random,
        case: Vec<u8>,
    ) -> Result<String, String> {
        let (mut path, headers) = (self.world.fill(request.path), self.world.fill(request.headers));
        let mut body = case;
        if request.method == "GET" {
            // The head must stay short enough to be read: these cases are not about long heads.
            path.extend(body.iter().take(4096).map(|byte| format!("%{byte:02X}")));
            body.clear();
        }
        self.exchange(random, request.method, &path, &headers, &body).await
    }

    async fn rpc(&mut self, random: &mut Random, case: Vec<u8>) -> Result<String, String> {
        let headers = "Content-Type: application/json\r\n";
        self.exchange(random, "POST", "/rpc", headers, &case).await
    }

    /// Sends a packet's event and body over HTTP; a packet without them names an unknown event.
    async fn event(&mut self, random: &mut Random, case: &[u8]) -> Result<String, String> {
        let begin = case.iter().position(|byte| *byte == b'"').map_or(0, |quote| quote + 1);
        let end = case[begin..].iter().position(|byte| *byte == b'"').unwrap_or(0);
        let (name, rest) = case[begin..].split_at(end);
        let body = rest.strip_prefix(b"\",").unwrap_or(rest);
        let body = body.strip_suffix(b"]").unwrap_or(body);
        let name = name.iter().take(1000).map(|byte| match byte {
            b'a'..=b'z' | b'-' => char::from(*byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        let path = format!("/api/events/{}", String::from_iter(name));
        let headers = "Content-Type: application/json\r\n";
        self.exchange(random, "POST", &path, headers, body).await
    }

    /// Sends a whole request on a connection of its own, and nothing after it.
    async fn head(&mut self, case: &[u8]) -> Result<String, String> {
        let answer = http::say(self.address, case).await?;
        let answer = String::from_utf8_lossy(&answer);
        check(&answer)?;
        match answer.split(' ').nth(1).unwrap_or("closed") {
            "500" => Err(format!("answered {answer}")),
            "closed" => Ok("closed".to_owned()),
            status => Ok(status.chars().take(3).collect()),
        }
    }

    /// Sends a token, mostly with a right signature, through one of the doors that take tokens.
    async fn token(&mut self, random: &mut Random, case: &[u8]) -> Result<String, String> {
        let dot = case.windows(2).position(|pair| pair == b"}.").map_or(case.len(), |at| at + 1);
        let (head, claims) = (&case[..dot], case.get(dot + 1..).unwrap_or_default());
        let part = |bytes: &[u8]| BASE64URL_NOPAD.encode(&bytes[..bytes.len().min(8000)]);
        let signed = format!("{}.{}", part(head), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(self.world.secret.as_bytes()).unwrap();
        mac.update(if random.one_in(8) { b"another" } else { signed.as_bytes() });
        let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()));
        if random.one_in(2) {
            let headers = format!("Authorization: Bearer {token}\r\n");
            let path = "/api/inbox";
            return self.exchange(random, "GET", path, &headers, b"").await;
        }
        let path = "/socket.io/?EIO=4&transport=websocket";
        let mut socket = WebSocket::open(self.address, path).await?;
        socket.send(TEXT, format!("40{}", json!({ "token": token })).as_bytes()).await;
        while let Some(frame) = socket.receive().await {
            check(&String::from_utf8_lossy(&frame.payload))?;
            match frame.payload.get(..2) {
                Some(b"40") => return Ok("let in".to_owned()),
                Some(b"44") => return Ok("refused".to_owned()),
                _ => {}
            }
        }
        Ok("closed".to_owned())
    }

    async fn exchange(
        &mut self,
        random: &mut Random,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<String, String> {
        if random.one_in(32) {
            self.http.cut(method, path, headers, body).await?;
            return Ok("abandoned".to_owned());
        }
        let answer = self.http.send(method, path, headers, body).await?;
        check(&answer.text())?;
        match answer.status {
            500 => Err(format!("{method} {path} is answered {}: {}", answer.status, answer.text())),
            status => Ok(status.to_string()),
        }
    }
}
