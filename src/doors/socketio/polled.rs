//! The bodies that polling clients send. A body is read whole and its framing checked before the
//! engine decodes it: the engine's decoder of protocol 3 loops for ever on a length that ends
//! inside a surrogate pair, and copies the rest of the chunk for each packet.

use std::convert::Infallible;
use std::str;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use crate::domain::App;

/// Ends a packet of protocol 4, unless it is the last.
const SEPARATOR: u8 = 0x1e;

/// A length of more digits than this is larger than any body.
const MAX_LENGTH_DIGITS: usize = 8;

/// What a refused client is told.
const WHY: &str = "the body is not a sequence of packets as the protocol in EIO frames them, or \
                   has too many of them\n";

/// How the engine will decode a body. It goes by the request, whatever the session began with.
#[derive(Clone, Copy)]
enum Framing {
    /// Protocol 4: packets with a separator between them.
    Separated,
    /// Protocol 3 as text: the length in UTF-16 code units, a colon, the packet.
    Counted,
    /// Protocol 3 as bytes: 0 for text or 1 for bytes, the digits of the length in bytes, 255, the
    /// packet.
    Binary,
}

/// Passes on a body whose framing is right, and refuses any other with 400. A body may hold as many
/// packets as requests may wait on a socket.
pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(framing) = framing(&request) else {
        return next.run(request).await;
    };
    let (head, body) = request.into_parts();
    let body = match Bytes::from_request(Request::from_parts(head.clone(), body), &()).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    match packets(framing, &body, app.limits().max_pending) {
        Some(packets) => {
            // A chunk for each packet: the engine copies a chunk's rest for each packet in it.
            let chunks = packets.into_iter().map(Ok::<_, Infallible>);
            let body = Body::from_stream(stream::iter(chunks));
            next.run(Request::from_parts(head, body)).await
        }
        None => (StatusCode::BAD_REQUEST, WHY).into_response(),
    }
}

/// None for a request whose body the engine does not read: one that is no POST, or of a protocol
/// that it refuses.
fn framing(request: &Request) -> Option<Framing> {
    if request.method() != Method::POST {
        return None;
    }
    let mut query = request.uri().query()?.split('&');
    // The engine takes the first one, and of it what stands before a second `=`.
    let protocol = query.find_map(|item| item.strip_prefix("EIO="))?.split('=').next()?;
    let content_type = request.headers().get(CONTENT_TYPE);
    let binary = content_type.is_some_and(|value| value == "application/octet-stream");
    match protocol {
        "4" => Some(Framing::Separated),
        "3" if binary => Some(Framing::Binary),
        "3" => Some(Framing::Counted),
        _ => None,
    }
}

/// The packets of a body with their framing, in one pass; none if the framing is wrong or there
/// are more than `max`.
fn packets(framing: Framing, body: &Bytes, max: usize) -> Option<Vec<Bytes>> {
    let (mut packets, mut rest) = (Vec::new(), body.clone());
    while !rest.is_empty() {
        if packets.len() == max {
            return None;
        }
        let end = match framing {
            Framing::Separated => separated(&rest)?,
            Framing::Counted => counted(&rest)?,
            Framing::Binary => binary(&rest)?,
        };
        packets.push(rest.split_to(end));
    }
    Some(packets)
}

/// Where the first packet ends.
fn separated(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == SEPARATOR);
    let packet = &bytes[..end.unwrap_or(bytes.len())];
    let valid = !packet.is_empty() && str::from_utf8(packet).is_ok();
    valid.then(|| end.map_or(bytes.len(), |end| end + 1))
}

/// Where the first packet ends.
fn counted(bytes: &[u8]) -> Option<usize> {
    let colon = bytes.iter().take(MAX_LENGTH_DIGITS + 1).position(|byte| *byte == b':')?;
    let length = length(bytes[..colon].iter().map(|digit| digit.wrapping_sub(b'0')))?;
    let (mut units, mut end) = (0, colon + 1);
    while units < length {
        // The first byte of a character says how many bytes it has.
        let bytes_of_character = match bytes.get(end)? {
            0x00..=0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return None,
        };
        units += if bytes_of_character == 4 { 2 } else { 1 };
        end += bytes_of_character;
    }
    // Neither inside a surrogate pair nor inside a character.
    let packet = bytes.get(colon + 1..end)?;
    (units == length && str::from_utf8(packet).is_ok()).then_some(end)
}

/// Where the first packet ends.
fn binary(bytes: &[u8]) -> Option<usize> {
    let mark = bytes.iter().take(MAX_LENGTH_DIGITS + 2).position(|byte| *byte == 0xff)?;
    let (kind, digits) = bytes[..mark].split_first()?;
    let length = length(digits.iter().copied())?;
    let end = mark + 1 + length;
    let packet = bytes.get(mark + 1..end)?;
    match kind {
        0 => str::from_utf8(packet).is_ok().then_some(end),
        1 => Some(end),
        _ => None,
    }
}

/// The number of these digits; none for none, for 0 and for what is no digit.
fn length(digits: impl Iterator<Item = u8>) -> Option<usize> {
    let mut digits = digits.peekable();
    let more = |length: usize, digit: u8| (digit <= 9).then(|| length * 10 + usize::from(digit));
    digits.peek()?;
    digits.try_fold(0, more).filter(|length| *length > 0)
}
