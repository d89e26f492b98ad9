//! The scenes: which requests a server gets, and what is measured.

use std::time::{Duration, Instant};

use crate::crowd::{Crowd, Frame, Sockets};
use crate::processes::{cpu_of, cpu_of_all};
use crate::servers::Server;

/// How long a scene runs before it is measured, so that just-in-time compilers have done their
/// part.
const WARM_UP: Duration = Duration::from_secs(2);
/// How long the last answers and pushes may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub trait Scene {
    /// Makes the requests that are due; returns how long it is until the next.
    fn act(&mut self, sockets: &mut Sockets, now: Instant) -> Duration;
    fn hear(&mut self, sockets: &mut Sockets, who: usize, frame: Frame<'_>, now: Instant);
    fn tally(&mut self) -> &mut Tally;
    /// Whether all expected frames have come.
    fn is_over(&self) -> bool;
    /// Pushes that have not come.
    fn lost(&self) -> u64 {
        0
    }
}

/// What a scene has counted.
#[derive(Default)]
pub struct Tally {
    /// If set, no new acts begin.
    pub stopped: bool,
    /// How many microseconds each unit of work took from when it was due.
    pub units: Vec<u32>,
    pub refused: u64,
    pub doubled: u64,
    pub reordered: u64,
}

impl Tally {
    fn add(&mut self, due: Instant, now: Instant) {
        self.units.push((now - due).as_micros().try_into().unwrap_or(u32::MAX));
    }

    fn check(&mut self, answer: &str) {
        self.refused += u64::from(answer.contains("[{\"error\""));
    }
}

/// What one round has measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Microseconds of the server's CPU per unit of work.
    pub cpu: f64,
    /// Units per second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    /// MiB that the server holds at the end.
    pub memory: f64,
    /// How many cores other processes have used, which disturbs the measurement.
    pub others: f64,
    /// KiB held for each connection, if the scene measures that.
    pub each: Option<f64>,
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub refused: u64,
}

/// Plays a scene for `time` after a warm-up, and then until all that was begun has ended.
pub fn measure(
    crowd: &mut Crowd,
    scene: &mut dyn Scene,
    server: &Server,
    time: Duration,
) -> Figures {
    let begun = Instant::now();
    play(crowd, scene, begun + WARM_UP);
    scene.tally().units.clear();
    let (from, before, others) = (Instant::now(), server.cpu(), others(server));
    play(crowd, scene, from + time);
    let (cpu, took) = (server.cpu() - before, from.elapsed().as_secs_f64());
    let others = (self::others(server) - others) / 1e6 / took;
    let (memory, units) = (server.memory(), std::mem::take(&mut scene.tally().units));
    scene.tally().stopped = true;
    let end = Instant::now() + PATIENCE;
    while !scene.is_over() && Instant::now() < end {
        play(crowd, scene, Instant::now() + Duration::from_millis(20));
    }
    let (lost, tally) = (scene.lost(), scene.tally());
    Figures {
        memory: memory / f64::from(1 << 20),
        others,
        lost,
        doubled: tally.doubled,
        reordered: tally.reordered,
        refused: tally.refused,
        ..Figures::of(units, cpu, took)
    }
}

/// Microseconds of CPU that other processes on the machine have used.
fn others(server: &Server) -> f64 {
    cpu_of_all() - server.cpu() - cpu_of(std::process::id())
}

impl Figures {
    /// The figures of units that took these microseconds each, and together this CPU and time.
    pub fn of(mut units: Vec<u32>, cpu: f64, took: f64) -> Figures {
        units.sort_unstable();
        let at = |part: f64| {
            let index = (units.len() as f64 * part) as usize;
            f64::from(units.get(index).or(units.last()).copied().unwrap_or_default()) / 1000.0
        };
        let count = units.len() as f64;
        let (cpu, rate, p50, p99) = (cpu / count, count / took, at(0.5), at(0.99));
        Figures { cpu, rate, p50, p99, ..Figures::default() }
    }
}

fn play(crowd: &mut Crowd, scene: &mut dyn Scene, until: Instant) {
    loop {
        let now = Instant::now();
        if now >= until {
            return;
        }
        let rest = scene.act(&mut crowd.sockets, now).min(until - now);
        // The poll counts in milliseconds and rounds up.
        let rest = if rest < Duration::from_millis(2) { Duration::ZERO } else { rest / 2 };
        crowd.poll(rest, |sockets, who, frame| scene.hear(sockets, who, frame, Instant::now()));
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each sender waits for all answers that its message leads to, or for all its pushes if the
    /// unit is a delivery.
    Closed,
    /// So many messages a second, by all senders in turn, without waiting for answers.
    Open(f64),
}

/// What counts as a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Message,
    /// A message, which the other member marks as read.
    Pair,
    /// A push.
    Delivery,
}

/// Messages to chats.
pub struct Traffic {
    unit: Unit,
    pace: Pace,
    epoch: Instant,
    /// Messages begun.
    begun: u64,
    chats: Vec<Chat>,
    /// By the number of the socket.
    seats: Vec<Seat>,
    senders: Vec<usize>,
    tally: Tally,
}

struct Chat {
    id: String,
    members: usize,
    /// Messages acknowledged.
    sent: u64,
}

struct Seat {
    chat: usize,
    /// The latest `seq` that was pushed, and how many pushes there were.
    seq: u64,
    heard: u64,
    asked: Vec<Asked>,
    /// How many answers or pushes its message still waits for.
    left: usize,
}

#[derive(Clone, Copy)]
struct Asked {
    number: u32,
    /// The socket that sends the message which this is about, and when the message was due.
    sender: usize,
    due: Instant,
}

impl Traffic {
    /// `seats` has the chat of each socket, by number; the first `each` members of a chat send.
    pub fn new(unit: Unit, pace: Pace, chats: Vec<String>, seats: &[usize], each: usize) -> Self {
        let seat = |chat: &usize| Seat { chat: *chat, seq: 0, heard: 0, asked: vec![], left: 0 };
        let members = |chat| seats.iter().filter(|seat| **seat == chat).count();
        let chat = |(chat, id)| Chat { id, members: members(chat), sent: 0 };
        let mut senders = Vec::new();
        for chat in 0..chats.len() {
            senders.extend((0..seats.len()).filter(|seat| seats[*seat] == chat).take(each));
        }
        Traffic {
            unit,
            pace,
            epoch: Instant::now(),
            begun: 0,
            chats: chats.into_iter().enumerate().map(chat).collect(),
            seats: seats.iter().map(seat).collect(),
            senders,
            tally: Tally::default(),
        }
    }

    fn send(&mut self, sockets: &mut Sockets, sender: usize, due: Instant) {
        let (seat, since) = (&mut self.seats[sender], (due - self.epoch).as_nanos());
        let chat = &self.chats[seat.chat];
        // 100 bytes.
        let value = format!("{sender:05} {since:015} {:78}", "and what else there is to say");
        let body = format!(
            "{{\"chat\":{{\"id\":\"{}\"}},\"message\":{{\"value\":\"{value}\",\"type\":\"text\"}}}}",
            chat.id
        );
        let number = sockets.request(sender, "new-message", &body);
        seat.asked.push(Asked { number, sender, due });
        seat.left = match self.unit {
            Unit::Message => 1,
            Unit::Pair => 2,
            Unit::Delivery => 1 + chat.members,
        };
        self.begun += 1;
    }

    fn answered(&mut self, sockets: &mut Sockets, who: usize, number: u32, now: Instant) {
        let seat = &mut self.seats[who];
        let Some(place) = seat.asked.iter().position(|asked| asked.number == number) else {
            return;
        };
        let Asked { sender, due, .. } = seat.asked.remove(place);
        if who == sender {
            self.chats[seat.chat].sent += 1;
        }
        match self.pace {
            Pace::Open(_) => self.tally.add(due, now),
            Pace::Closed => self.come(sockets, sender, due, now),
        }
    }

    /// Counts an answer or push that a message has led to; after the last, the sender goes on.
    fn come(&mut self, sockets: &mut Sockets, sender: usize, due: Instant, now: Instant) {
        self.seats[sender].left -= 1;
        if self.seats[sender].left > 0 {
            return;
        }
        if self.unit != Unit::Delivery {
            self.tally.add(due, now);
        }
        if !self.tally.stopped {
            self.send(sockets, sender, now);
        }
    }

    fn pushed(&mut self, sockets: &mut Sockets, who: usize, text: &str, now: Instant) {
        let seat = &mut self.seats[who];
        let (seq, sender, since) = message(text);
        seat.heard += 1;
        self.tally.doubled += u64::from(seq == seat.seq);
        self.tally.reordered += u64::from(seq < seat.seq || seq > seat.seq + 1);
        seat.seq = seat.seq.max(seq);
        let due = self.epoch + Duration::from_nanos(since);
        if self.unit == Unit::Delivery {
            self.tally.add(due, now);
            self.come(sockets, sender, due, now);
        } else if self.unit == Unit::Pair && who != sender {
            let chat = &self.chats[seat.chat].id;
            let body = format!("{{\"chat\":{{\"id\":\"{chat}\",\"seq\":{seq}}}}}");
            let number = sockets.request(who, "mark-read", &body);
            seat.asked.push(Asked { number, sender, due });
        }
    }
}

impl Scene for Traffic {
    fn act(&mut self, sockets: &mut Sockets, now: Instant) -> Duration {
        match self.pace {
            _ if self.tally.stopped => {}
            Pace::Closed if self.begun == 0 => {
                for sender in self.senders.clone() {
                    self.send(sockets, sender, now);
                }
            }
            Pace::Closed => {}
            Pace::Open(rate) => loop {
                let due = self.epoch + Duration::from_secs_f64(self.begun as f64 / rate);
                if due > now {
                    return due - now;
                }
                let sender = self.senders[self.begun as usize % self.senders.len()];
                self.send(sockets, sender, due);
            },
        }
        Duration::from_secs(1)
    }

    fn hear(&mut self, sockets: &mut Sockets, who: usize, frame: Frame<'_>, now: Instant) {
        match frame {
            Frame::Answer(number, text) => {
                self.tally.check(text);
                self.answered(sockets, who, number, now);
            }
            Frame::Event(text) if text.starts_with("42[\"new-message\"") => {
                self.pushed(sockets, who, text, now);
            }
            _ => {}
        }
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn is_over(&self) -> bool {
        self.seats.iter().all(|seat| seat.asked.is_empty()) && self.lost() == 0
    }

    fn lost(&self) -> u64 {
        let lost = |seat: &Seat| self.chats[seat.chat].sent.saturating_sub(seat.heard);
        self.seats.iter().map(lost).sum()
    }
}

/// The `seq`, the sender and the due time of a pushed message, the time in nanoseconds.
fn message(text: &str) -> (u64, usize, u64) {
    let after = |name: &str| &text[text.find(name).expect(name) + name.len()..];
    let seq = after("\"seq\":");
    let seq = &seq[..seq.find([',', '}']).unwrap()];
    let value = after("\"msg\":\"");
    (seq.parse().unwrap(), value[..5].parse().unwrap(), value[6..21].parse().unwrap())
}

/// Requests that each socket makes again and again, one after the other.
pub struct Asking {
    /// The requests that each socket makes in turn.
    requests: Vec<Vec<(&'static str, String)>>,
    /// How many each socket has made, and since when it waits for an answer.
    turns: Vec<(usize, Option<Instant>)>,
    tally: Tally,
}

impl Asking {
    pub fn new(requests: Vec<Vec<(&'static str, String)>>) -> Asking {
        let turns = vec![(0, None); requests.len()];
        Asking { requests, turns, tally: Tally::default() }
    }

    fn ask(&mut self, sockets: &mut Sockets, who: usize, now: Instant) {
        let (turn, since) = &mut self.turns[who];
        let (event, body) = &self.requests[who][*turn % self.requests[who].len()];
        sockets.request(who, event, body);
        *turn += 1;
        *since = Some(now);
    }
}

impl Scene for Asking {
    fn act(&mut self, sockets: &mut Sockets, now: Instant) -> Duration {
        for who in 0..self.turns.len() {
            if self.turns[who].0 == 0 && !self.requests[who].is_empty() {
                self.ask(sockets, who, now);
            }
        }
        Duration::from_secs(1)
    }

    fn hear(&mut self, sockets: &mut Sockets, who: usize, frame: Frame<'_>, now: Instant) {
        if let Frame::Answer(_, text) = frame
            && let Some(since) = self.turns[who].1.take()
        {
            self.tally.check(text);
            self.tally.add(since, now);
            if !self.tally.stopped {
                self.ask(sockets, who, now);
            }
        }
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    fn is_over(&self) -> bool {
        self.turns.iter().all(|(_, since)| since.is_none())
    }
}
