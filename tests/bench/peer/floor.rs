//! The floor: what the kernel and the disk take for the same work at least. One thread stores all
//! waiting messages as bare rows in one transaction, encodes each push once, and writes all that is
//! for a socket in one call. It checks nothing, and knows no other requests.

use std::io::{IoSlice, Read, Write};
use std::mem;
use std::path::Path;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::Value;

const SCHEMA: &str = "
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table messages (chat int, seq int, user int, body text, primary key (chat, seq))
        without rowid;";

/// The padding of a push, which makes it as long as those of the other servers.
const BESIDE: usize = 240;

const LISTENER: Token = Token(usize::MAX);

/// The messages: a table without a further index.
pub struct Rows(Connection);

impl Rows {
    pub fn open(database: &Path) -> Rows {
        let connection = Connection::open(database).unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        Rows(connection)
    }

    /// Stores messages, each as its chat, `seq`, user and text; returns when they are durable.
    pub fn append<'a>(&mut self, messages: impl Iterator<Item = (usize, u64, usize, &'a str)>) {
        let transaction = self.0.transaction().unwrap();
        let mut insert =
            transaction.prepare_cached("insert into messages values (?1, ?2, ?3, ?4)").unwrap();
        for (chat, seq, user, body) in messages {
            insert.execute((chat as i64, seq as i64, user as i64, body)).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
}

/// Serves until the process ends.
pub fn serve(database: &Path) {
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(1024));
    let mut listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let mut floor = Floor {
        rows: Rows::open(database),
        sockets: Vec::new(),
        chats: Vec::new(),
        messages: Vec::new(),
        asked: Vec::new(),
        buffer: vec![0; 1 << 16],
    };
    loop {
        poll.poll(&mut events, None::<Duration>).unwrap();
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    let token = Token(floor.sockets.len());
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, token, interest).unwrap();
                    stream.set_nodelay(true).unwrap();
                    floor.sockets.push(Socket { stream, input: vec![], output: vec![] });
                }
            } else if event.is_readable() {
                floor.read(event.token().0);
            } else {
                floor.sockets[event.token().0].write(&[]);
            }
        }
        floor.store_and_push();
    }
}

struct Floor {
    rows: Rows,
    sockets: Vec<Socket>,
    chats: Vec<Chat>,
    /// The messages to be stored: chat, `seq`, socket, text.
    messages: Vec<(usize, u64, usize, String)>,
    /// The sockets that have sent a request.
    asked: Vec<usize>,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct Chat {
    members: Vec<usize>,
    last_seq: u64,
    /// The frames to be written to all its members.
    frames: Vec<u8>,
}

struct Socket {
    stream: TcpStream,
    input: Vec<u8>,
    /// Answers, and what the kernel has not taken yet.
    output: Vec<u8>,
}

#[derive(Deserialize)]
struct NewMessage<'a> {
    #[serde(borrow)]
    chat: ChatId<'a>,
    #[serde(borrow)]
    message: Text<'a>,
}

#[derive(Deserialize)]
struct ChatId<'a> {
    id: &'a str,
}

#[derive(Deserialize)]
struct Text<'a> {
    value: &'a str,
}

impl Floor {
    fn read(&mut self, who: usize) {
        let socket = &mut self.sockets[who];
        while let Ok(count @ 1..) = socket.stream.read(&mut self.buffer) {
            socket.input.extend(&self.buffer[..count]);
            if count < self.buffer.len() {
                break;
            }
        }
        let input = mem::take(&mut socket.input);
        let mut rest = &input[..];
        if rest.starts_with(b"GET ") && rest.ends_with(b"\r\n\r\n") {
            socket.output.extend(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
            put_frame(&mut socket.output, r#"0{"sid":"a"}"#);
            rest = &[];
        }
        // The generator masks with zeros, so that there is nothing to unmask.
        while let Some((start, end)) = frame(rest) {
            self.hear(who, str::from_utf8(&rest[start..end]).unwrap());
            rest = &rest[end..];
        }
        self.sockets[who].input = rest.to_vec();
        self.asked.push(who);
    }

    fn hear(&mut self, who: usize, text: &str) {
        let answer = match text.strip_prefix("42") {
            Some(request) => {
                let (number, event) = request.split_once("[\"").unwrap();
                let (event, body) = event.split_once("\",").unwrap();
                format!("43{number}[{}]", self.answer(who, event, body.strip_suffix(']').unwrap()))
            }
            None if text == "40" => "40{\"sid\":\"a\"}".to_owned(),
            None => return,
        };
        put_frame(&mut self.sockets[who].output, &answer);
    }

    fn answer(&mut self, who: usize, event: &str, body: &str) -> String {
        if event == "new-message" {
            let NewMessage { chat, message } = serde_json::from_str(body).unwrap();
            let chat = chat.id.parse().unwrap();
            let Chat { last_seq, frames, .. } = &mut self.chats[chat];
            *last_seq += 1;
            put_frame(
                frames,
                &format!(
                    "42[\"new-message\",{{\"msg\":\"{}\",\"seq\":{last_seq},\"beside\":\"{:BESIDE$}\"}}]",
                    message.value, ""
                ),
            );
            self.messages.push((chat, *last_seq, who, message.value.to_owned()));
            return format!("{{\"seq\":{last_seq}}}");
        }
        let body: Value = serde_json::from_str(body).unwrap();
        match event {
            "create-user" => format!("{{\"user\":{{\"id\":\"{who}\"}}}}"),
            "create-chat" => {
                let users = body["users"].as_array().unwrap().iter();
                let members = users.map(|user| user.as_str().unwrap().parse().unwrap()).collect();
                self.chats.push(Chat { members, ..Chat::default() });
                format!("{{\"chat\":{{\"id\":\"{}\"}}}}", self.chats.len() - 1)
            }
            "join-chat" => {
                let chat: usize = body["chat"]["id"].as_str().unwrap().parse().unwrap();
                self.chats[chat].members.push(who);
                "{}".to_owned()
            }
            event => panic!("{event} is no part of the floor"),
        }
    }

    fn store_and_push(&mut self) {
        if !self.messages.is_empty() {
            let messages = self.messages.iter();
            self.rows.append(messages.map(|(chat, seq, who, text)| (*chat, *seq, *who, &**text)));
        }
        // Each chat once, as its frames hold all its messages.
        self.messages.sort_unstable_by_key(|message| message.0);
        self.messages.dedup_by_key(|message| message.0);
        for (chat, ..) in self.messages.drain(..) {
            let Chat { members, frames, .. } = &mut self.chats[chat];
            for who in members {
                self.sockets[*who].write(frames);
            }
            frames.clear();
        }
        for who in self.asked.drain(..) {
            self.sockets[who].write(&[]);
        }
    }
}

impl Socket {
    /// Writes the waiting output and then these frames, in one call.
    fn write(&mut self, frames: &[u8]) {
        if self.output.is_empty() && frames.is_empty() {
            return;
        }
        let bufs = [IoSlice::new(&self.output), IoSlice::new(frames)];
        let used = match self.output.is_empty() {
            true => self.stream.write(frames),
            false => self.stream.write_vectored(&bufs),
        };
        let used = used.unwrap_or_default();
        let waiting = self.output.len();
        self.output.drain(..used.min(waiting));
        self.output.extend(&frames[used.saturating_sub(waiting)..]);
    }
}

fn put_frame(into: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ ..126 => into.extend([0x81, length as u8]),
        length => {
            into.extend([0x81, 126]);
            into.extend(u16::try_from(length).expect("a short frame").to_be_bytes());
        }
    }
    into.extend(text.as_bytes());
}

/// Where the payload of the first masked frame begins and ends; None while it is incomplete.
fn frame(input: &[u8]) -> Option<(usize, usize)> {
    let (start, length) = match *input {
        [_, 0xfe, a, b, ..] => (8, u16::from_be_bytes([a, b]).into()),
        [_, length, ..] => (6, usize::from(length & 0x7f)),
        _ => return None,
    };
    (start + length <= input.len()).then_some((start, start + length))
}
