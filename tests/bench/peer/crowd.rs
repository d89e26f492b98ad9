//! Many Socket.IO connections on one thread: bare WebSocket clients around one poll, so cheap that
//! the server under load is always the bottleneck.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde_json::{Value, json};

/// How long a server may take for anything while a scene is set up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many connect at the same time, unless all do.
pub const DOOR: usize = 16;

pub enum Frame<'a> {
    /// The connection may be used.
    Connected,
    /// An answer, to the request of this number.
    Answer(u32, &'a str),
    Event(&'a str),
}

/// The sockets, by number, for writing to them.
#[derive(Default)]
pub struct Sockets {
    all: Vec<Socket>,
    frame: Vec<u8>,
}

struct Socket {
    stream: TcpStream,
    upgraded: bool,
    last_ack: u32,
    input: Vec<u8>,
    /// What the kernel has not taken yet.
    output: Vec<u8>,
}

pub struct Crowd {
    address: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    pub sockets: Sockets,
}

impl Crowd {
    pub fn new(address: SocketAddr) -> Crowd {
        let (poll, events) = (Poll::new().unwrap(), Events::with_capacity(1024));
        Crowd { address, poll, events, buffer: vec![0; 1 << 18], sockets: Sockets::default() }
    }

    /// Connects as users with these external ids, `at_once` of them at the same time. Returns the
    /// id of each and how long it took.
    pub fn connect(&mut self, names: &[String], at_once: usize) -> Vec<(String, Duration)> {
        let first = self.sockets.all.len();
        let mut users: Vec<Option<(String, Duration)>> = vec![None; names.len()];
        let (mut since, mut done) = (Vec::with_capacity(names.len()), 0);
        while done < names.len() {
            while since.len() < names.len() && since.len() - done < at_once {
                since.push(Instant::now());
                self.open();
            }
            self.wait(|sockets, who, frame| match frame {
                Frame::Connected if who >= first => {
                    let name = &names[who - first];
                    let user = json!({ "external_id": name, "name": name, "photo": "" });
                    let body = json!({ "user": user });
                    sockets.request(who, "create-user", &body.to_string());
                }
                Frame::Answer(_, text) if who >= first => {
                    let id = answer(text)["user"]["id"].as_str().expect("an id").to_owned();
                    users[who - first] = Some((id, since[who - first].elapsed()));
                    done += 1;
                }
                _ => {}
            });
        }
        users.into_iter().map(Option::unwrap).collect()
    }

    fn open(&mut self) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let token = Token(self.sockets.all.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, token, interest).unwrap();
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.address
        );
        // It is sent once the connection is established.
        let (input, output) = (Vec::new(), request.into_bytes());
        self.sockets.all.push(Socket { stream, upgraded: false, last_ack: 0, input, output });
    }

    /// Makes these requests, each as (socket, event, body), `at_once` of them at the same time. The
    /// answers are in the same order.
    pub fn ask(&mut self, requests: &[(usize, &str, String)], at_once: usize) -> Vec<Value> {
        let (mut next, mut asked) = (0, HashMap::new());
        let mut answers = vec![Value::Null; requests.len()];
        while next < requests.len() || !asked.is_empty() {
            while next < requests.len() && asked.len() < at_once {
                let (who, event, body) = &requests[next];
                asked.insert((*who, self.sockets.request(*who, event, body)), next);
                next += 1;
            }
            self.wait(|_, who, frame| {
                if let Frame::Answer(number, text) = frame
                    && let Some(request) = asked.remove(&(who, number))
                {
                    answers[request] = answer(text);
                }
            });
        }
        answers
    }

    /// Waits for frames, and panics if none comes in time.
    fn wait(&mut self, hear: impl FnMut(&mut Sockets, usize, Frame<'_>)) {
        assert!(self.poll(PATIENCE, hear), "the server keeps silent");
    }

    /// Waits for frames, at most for `patience`, and passes each to `hear` with the number of its
    /// socket. Returns whether anything happened.
    pub fn poll(
        &mut self,
        patience: Duration,
        mut hear: impl FnMut(&mut Sockets, usize, Frame<'_>),
    ) -> bool {
        self.poll.poll(&mut self.events, Some(patience)).unwrap();
        for event in &self.events {
            let who = event.token().0;
            if event.is_writable() {
                self.sockets.flush(who);
            }
            if event.is_readable() {
                let mut input = mem::take(&mut self.sockets.all[who].input);
                self.sockets.all[who].read(&mut self.buffer, &mut input);
                let used = self.sockets.show(who, &input, &mut hear);
                input.drain(..used);
                self.sockets.all[who].input = input;
            }
        }
        !self.events.is_empty()
    }
}

impl Sockets {
    /// Sends a request; returns its number.
    pub fn request(&mut self, who: usize, event: &str, body: &str) -> u32 {
        self.all[who].last_ack += 1;
        let number = self.all[who].last_ack;
        self.send(who, &format!("42{number}[\"{event}\",{body}]"));
        number
    }

    /// Sends a frame, masked with zeros.
    fn send(&mut self, who: usize, text: &str) {
        self.frame.clear();
        self.frame.push(0x81);
        match u16::try_from(text.len()).expect("a short frame") {
            length @ ..126 => self.frame.push(0x80 | length as u8),
            length => {
                self.frame.push(0x80 | 126);
                self.frame.extend(length.to_be_bytes());
            }
        }
        self.frame.extend([0; 4]);
        self.frame.extend(text.as_bytes());
        let socket = &mut self.all[who];
        let sent = if socket.output.is_empty() { socket.write(&self.frame) } else { 0 };
        socket.output.extend(&self.frame[sent..]);
    }

    fn flush(&mut self, who: usize) {
        let socket = &mut self.all[who];
        if !socket.output.is_empty() {
            let output = mem::take(&mut socket.output);
            let sent = socket.write(&output);
            socket.output.extend(&output[sent..]);
        }
    }

    /// Passes all complete frames of the input to `hear`; returns how many bytes they take.
    fn show(
        &mut self,
        who: usize,
        input: &[u8],
        hear: &mut impl FnMut(&mut Sockets, usize, Frame<'_>),
    ) -> usize {
        let mut used = 0;
        if !self.all[who].upgraded {
            let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else { return 0 };
            assert!(input.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(input));
            self.all[who].upgraded = true;
            used = end + 4;
        }
        while let Some((start, end)) = frame(&input[used..]) {
            assert_eq!(input[used], 0x81, "the server sends text frames until the end");
            let text = str::from_utf8(&input[used + start..used + end]).unwrap();
            match text.as_bytes() {
                [b'0', ..] => self.send(who, "40"),
                [b'2'] => self.send(who, "3"),
                [b'4', b'0', ..] => hear(self, who, Frame::Connected),
                [b'4', b'2', ..] => hear(self, who, Frame::Event(text)),
                [b'4', b'3', ..] => {
                    let (number, _) = text[2..].split_once('[').unwrap();
                    hear(self, who, Frame::Answer(number.parse().unwrap(), text));
                }
                _ => panic!("{text}"),
            }
            used += end;
        }
        used
    }
}

impl Socket {
    fn read(&mut self, buffer: &mut [u8], input: &mut Vec<u8>) {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(count) => {
                    input.extend(&buffer[..count]);
                    // The kernel had no more: later bytes wake the poll again.
                    if count < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        match self.stream.write(bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Where the payload of the first frame begins and ends; None while the frame is incomplete.
fn frame(input: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *input {
        [_, 127, a, b, c, d, e, f, g, h, ..] => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        [_, 126, a, b, ..] => (4, u16::from_be_bytes([a, b]).into()),
        [_, length @ ..126, ..] => (2, length.into()),
        _ => return None,
    };
    let end = start + usize::try_from(length).unwrap();
    (end <= input.len()).then_some((start, end))
}

/// The answer in a frame, which must not be an error.
fn answer(text: &str) -> Value {
    let start = text.find('[').unwrap();
    let [answer] = serde_json::from_str::<[Value; 1]>(&text[start..]).unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
    answer
}
