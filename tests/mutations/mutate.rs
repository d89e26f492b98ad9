//! Mutates valid frames and bodies.

use crate::random::Random;

/// The most bytes of a frame or body: what a server takes by default, and a little more.
const MAX: usize = (1 << 20) + 64;

/// Values to put in place of another value, or anywhere.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "0",
    "-0",
    "-1",
    "5.0",
    "0.5",
    "1e3",
    "1e999",
    "-1e-999",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345678901234567890",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"\u{1f600}\"",
    "\"\u{202e}x\u{200b}\"",
    "\"e\u{301}\u{301}\u{301}\"",
    "\"\u{feff}\"",
    "\" \"",
    "\"2026-01-31T12:00:00Z\"",
    "\"9999-12-31T23:59:59.999999999+23:59\"",
    "\"-262143-01-01T00:00:00Z\"",
    "\"00000000-0000-0000-0000-000000000000\"",
    "\"room-\"",
    "\"../../etc/passwd\"",
    "\"' or 1=1 --\"",
    "{\"_placeholder\":true,\"num\":0}",
    "\"{\\\"user\\\":{}}\"",
];

/// Bytes that mean something to a parser.
const TOKENS: [&[u8]; 24] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"-",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf0\x9f",
    b"\x1e",
    b"\r\n",
    b"&",
    b"%00",
    b"%ff",
    b"+",
    b"42",
    b"451-",
    b"/admin,",
    b"99999999999999999999",
];

/// Makes a frame or body from a valid one; sometimes leaves it valid.
pub fn mutate(random: &mut Random, base: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    if random.one_in(16) {
        return bytes;
    }
    if random.one_in(500) {
        bytes = flood(random, bytes);
    }
    loop {
        bytes = change(random, bytes, others);
        bytes.truncate(MAX);
        if random.one_in(2) {
            return bytes;
        }
    }
}

fn change(random: &mut Random, mut bytes: Vec<u8>, others: &[Vec<u8>]) -> Vec<u8> {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below(bytes.len() - at + 1).min(64);
    match random.below(14) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            drop(bytes.splice(to..to, copy));
        }
        4 => drop(bytes.splice(at..at, random.pick(&TOKENS).iter().copied())),
        5 => drop(bytes.splice(at..at, random.pick(&VALUES).bytes())),
        6..=9 => bytes = change_value(random, bytes, at),
        10 => {
            let other = &others[random.below(others.len())];
            bytes.truncate(at);
            bytes.extend(&other[random.below(other.len() + 1)..]);
        }
        11 => bytes.truncate(at),
        12 => {
            let other = others[random.below(others.len())].clone();
            bytes.splice(at..at, other);
        }
        _ => bytes = nest(random, bytes, at),
    }
    bytes
}

/// Replaces a number or a text that begins after `at`.
fn change_value(random: &mut Random, mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let begins = |byte: &u8| *byte == b'"' || byte.is_ascii_digit();
    let Some(start) = bytes[at..].iter().position(begins).map(|offset| at + offset) else {
        return bytes;
    };
    let rest = &bytes[start + 1..];
    let length = match bytes[start] {
        b'"' => rest.iter().position(|byte| *byte == b'"').map_or(rest.len(), |quote| quote + 1),
        _ => rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len()),
    };
    let value = match random.below(40) {
        0 => format!("\"{}\"", "\u{e9}".repeat(random.below(3000))),
        _ => random.pick(&VALUES).to_owned(),
    };
    drop(bytes.splice(start..start + 1 + length, value.into_bytes()));
    bytes
}

/// Nests a value deeply, and sometimes closes what it opened.
fn nest(random: &mut Random, mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let deep = [1, 2, 100, 127, 128, 129, 5000][random.below(7)];
    let (open, close) = *random.pick(&[&("[", "]"), &("{\"a\":", "}"), &("{\"user\":", "}")]);
    let inner = if random.one_in(2) { close.repeat(deep) } else { String::new() };
    drop(bytes.splice(at..at, format!("{}1{inner}", open.repeat(deep)).into_bytes()));
    bytes
}

/// Inserts very many small parts.
fn flood(random: &mut Random, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = random.below(bytes.len() + 1);
    let member = random.pick(&["\"a\":1,", "[],", "1,", "{\"\":{}},", "\x1e3", "1:3", "a=1&"]);
    let many = (MAX / member.len()) >> random.below(8);
    drop(bytes.splice(at..at, member.repeat(many).into_bytes()));
    bytes
}
