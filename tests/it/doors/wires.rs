//! Sending over a WebSocket, to a client that reads as slowly as it likes.

#[path = "../../../src/doors/arriving.rs"]
mod arriving;
#[allow(dead_code, reason = "the doors use the rest")]
#[path = "../../../src/doors/unsent.rs"]
mod unsent;
#[allow(dead_code, reason = "the doors use the rest")]
#[path = "../../../src/doors/wire.rs"]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::support::soon;
use arriving::Arriving;
use unsent::{Slow, Unsent};
use wire::{Io, Kind, Wire, wire};

type Library = WebSocketStream<Io>;
type Client = WebSocketStream<TcpStream>;

/// Numbers that only look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A connection with small buffers.
async fn pair(unsent: &Arc<Unsent>, max_frames: usize, held: bool) -> (Arc<Wire>, Library, Client) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: TcpListener = socket.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let client = client.connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let (wire, io) = wire(stream, Bytes::new(), unsent.share(), max_frames, 16 << 20, held);
    let library = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    (wire, library, WebSocketStream::from_raw_socket(client, Role::Client, None).await)
}

/// A text that begins with its number.
fn numbered(kind: char, number: u64, length: u64) -> String {
    format!("{kind}{number} {}", "x".repeat(length as usize))
}

fn push(wire: &Wire, text: &str) -> bool {
    wire.push(Some(b'4'), Bytes::copy_from_slice(text.as_bytes()), Kind::Push).is_ok()
}

/// However the bytes are split into reads, only an incomplete message counts bytes.
#[test]
fn only_an_incomplete_message_counts_bytes() {
    let mut dice = Dice(7);
    for _ in 0..200 {
        let mut bytes = Vec::new();
        for at in 0..3 {
            let length = LENGTHS[dice.below(6) as usize] as usize;
            // The first or a further part of a text, and a ping after it.
            part(&mut bytes, if at == 0 { 0x01 } else { 0x00 }, length);
            part(&mut bytes, 0x89, 4);
        }
        part(&mut bytes, 0x80, 126);
        part(&mut bytes, 0x82, 65_536);
        part(&mut bytes, 0x01, 70_000);
        part(&mut bytes, 0x8a, 0);
        part(&mut bytes, 0x00, 10);
        let mut arriving = Arriving::default();
        let mut left = &bytes[..];
        let mut held = 0;
        while !left.is_empty() {
            let (read, rest) = left.split_at(1 + dice.below(left.len() as u64) as usize);
            held = arriving.take(read);
            left = rest;
        }
        assert_eq!(held, 70_010);
        // The last part completes the text.
        part(&mut bytes, 0x80, 3);
        assert_eq!(arriving.take(&bytes[bytes.len() - 9..]), 0);
    }
}

/// A masked frame with this first byte.
fn part(bytes: &mut Vec<u8>, first: u8, length: usize) {
    bytes.push(first);
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0xfe);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0xff);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0x81; 4]);
    bytes.extend(vec![0x81; length]);
}

const LENGTHS: [u64; 6] = [0, 10, 120, 130, 5000, 70_000];
const COUNT: u64 = 300;

async fn interleave(seed: u64) {
    let unsent = Unsent::new(usize::MAX);
    let (wire, library, client) = pair(&unsent, usize::MAX, false).await;
    let length = |number: u64| LENGTHS[(number * 7 + seed) as usize % LENGTHS.len()];
    let pushing = async {
        let mut dice = Dice(seed + 1);
        for number in 0..COUNT {
            assert!(push(&wire, &numbered('p', number, length(number))));
            if dice.below(3) == 0 {
                wire.flush();
            }
            if dice.below(4) == 0 {
                tokio::time::sleep(Duration::from_micros(dice.below(300))).await;
            }
        }
        wire.flush();
    };
    let (mut sink, mut stream) = library.split();
    let writing = async {
        for number in 0..COUNT {
            sink.send(Message::text(numbered('l', number, length(number)))).await.unwrap();
        }
    };
    // The client answers pings in between.
    let heard = async {
        let mut count = 0;
        while count < COUNT {
            if let Message::Text(text) = stream.next().await.unwrap().unwrap() {
                assert_eq!(text.as_str(), numbered('c', count, length(count)));
                count += 1;
            }
        }
    };
    let (mut out, mut into) = client.split();
    let asking = async {
        let mut dice = Dice(seed + 2);
        for number in 0..COUNT {
            let text = numbered('c', number, length(number));
            out.send(Message::text(text)).await.unwrap();
            if dice.below(5) == 0 {
                out.send(Message::Ping(Bytes::from_static(b"?"))).await.unwrap();
            }
        }
    };
    let reading = async {
        let mut dice = Dice(seed + 3);
        let (mut pushed, mut of_library) = (0, 0);
        while pushed < COUNT || of_library < COUNT {
            if dice.below(10) == 0 {
                tokio::time::sleep(Duration::from_micros(dice.below(2000))).await;
            }
            let Message::Text(text) = into.next().await.unwrap().unwrap() else {
                continue;
            };
            if let Some(text) = text.strip_prefix('4') {
                assert_eq!(text, numbered('p', pushed, length(pushed)));
                pushed += 1;
            } else {
                assert_eq!(text.as_str(), numbered('l', of_library, length(of_library)));
                of_library += 1;
            }
        }
    };
    let all = async { tokio::join!(pushing, writing, heard, asking, reading) };
    soon("all of it goes through", all).await;
    assert!(!wire.has_unsent());
    assert_eq!(wire.share().bytes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_stay_whole_and_in_order() {
    for seed in 0..6 {
        interleave(seed).await;
    }
}

/// A push says when it is the first that waits for a flush; callers rely on that.
#[tokio::test]
async fn a_flush_sends_all_pushes_even_after_a_full_buffer() {
    let unsent = Unsent::new(usize::MAX);
    let (wire, library, mut client) = pair(&unsent, usize::MAX, false).await;
    let (_sink, mut stream) = library.split();
    let idle = tokio::spawn(async move { while stream.next().await.is_some() {} });
    for round in 0..3 {
        for number in 0..40 {
            let body = Bytes::from(numbered('p', number, 5000));
            if wire.push(Some(b'4'), body, Kind::Push).unwrap() {
                wire.flush();
            }
        }
        assert!(wire.has_unsent(), "the buffer was full in round {round}");
        for number in 0..40 {
            assert_eq!(next_text(&mut client).await, format!("4{}", numbered('p', number, 5000)));
        }
    }
    idle.abort();
}

async fn next_text(client: &mut Client) -> String {
    match soon("a text comes", client.next()).await.unwrap().unwrap() {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_push_waits_for_the_marker() {
    let (wire, mut library, mut client) = pair(&Unsent::new(usize::MAX), 100, true).await;
    assert!(push(&wire, "second"));
    wire.flush();
    library.send(Message::text("4first")).await.unwrap();
    library.send(Message::text(format!("4{}", Wire::marker()))).await.unwrap();
    assert!(push(&wire, "third"));
    wire.flush();
    library.send(Message::text("4fourth")).await.unwrap();
    for text in ["4first", "4second", "4third", "4fourth"] {
        assert_eq!(next_text(&mut client).await, text);
    }
}

#[tokio::test]
async fn nothing_follows_a_close_frame() {
    let (wire, mut library, mut client) = pair(&Unsent::new(usize::MAX), 100, false).await;
    assert!(push(&wire, "the last"));
    library.send(Message::Close(None)).await.unwrap();
    assert!(push(&wire, "too late"));
    wire.flush();
    assert_eq!(next_text(&mut client).await, "4the last");
    assert!(matches!(client.next().await, Some(Ok(Message::Close(None)))));
    drop(library);
    assert!(!matches!(client.next().await, Some(Ok(_))));
}

#[tokio::test]
async fn a_close_frame_goes_out_behind_queued_pushes() {
    let (wire, mut library, mut client) = pair(&Unsent::new(usize::MAX), 1000, false).await;
    let text = "x".repeat(10_000);
    for _ in 0..200 {
        assert!(push(&wire, &text));
        wire.flush();
    }
    assert!(wire.has_unsent());
    let closing = tokio::spawn(async move {
        library.send(Message::Close(None)).await.unwrap();
    });
    for _ in 0..200 {
        assert_eq!(next_text(&mut client).await.len(), 10_001);
    }
    assert!(matches!(client.next().await, Some(Ok(Message::Close(None)))));
    closing.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_gets_no_more_pushes() {
    let unsent = Unsent::new(usize::MAX);
    let (wire, _library, mut client) = pair(&unsent, 10, false).await;
    let text = "x".repeat(100_000);
    let mut pushed = 0;
    while push(&wire, &text) {
        wire.flush();
        pushed += 1;
        assert!(pushed < 1000);
    }
    assert!(wire.share().bytes() > 800_000);
    // What was accepted arrives whole, and there is room again once it is read.
    let share = wire.share().clone();
    let taken = tokio::spawn(async move { share.taken().await });
    for _ in 0..pushed {
        assert_eq!(next_text(&mut client).await.len(), 100_001);
    }
    soon("it is taken", taken).await.unwrap();
    assert_eq!(wire.share().bytes(), 0);
    assert!(push(&wire, "more"));
    wire.flush();
    assert_eq!(next_text(&mut client).await, "4more");
}

#[tokio::test]
async fn the_client_with_most_unsent_bytes_is_closed_at_the_limit() {
    let unsent = Unsent::new(10 << 20);
    let (first, mut library, mut client) = pair(&unsent, 1000, false).await;
    let (second, _library, mut other) = pair(&unsent, 1000, false).await;
    let text = "x".repeat(1 << 20);
    for _ in 0..7 {
        assert!(push(&first, &text));
    }
    first.flush();
    let read = tokio::spawn(async move { library.next().await });
    for _ in 0..6 {
        assert!(push(&second, &text));
        second.flush();
    }
    assert!(first.has_lost() && !second.has_lost());
    assert_eq!(first.share().bytes(), 0);
    // The library sees that the connection has ended, and so does the client.
    let read = soon("the library reads the end", read).await.unwrap();
    assert!(!matches!(read, Some(Ok(_))));
    while let Some(Ok(_)) = soon("there is an end", client.next()).await {}
    for _ in 0..6 {
        assert_eq!(next_text(&mut other).await.len(), text.len() + 1);
    }
    // All of this may be repeated.
    second.cut();
    assert!(push(&second, "to nobody"));
    second.flush();
}
