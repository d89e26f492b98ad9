//! Checks the requests of a session before the engine sees them. A request must be of the protocol
//! that its session began with. The body of a POST is read whole and its framing is checked,
//! because the engine's decoder of protocol 3 loops for ever on a length that ends inside a
//! surrogate pair, and copies the rest of the chunk for each packet.

use std::convert::Infallible;
use std::str;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engineioxide::socket::DisconnectReason;
use engineioxide::{ProtocolVersion, TransportType};
use futures_util::stream;

use super::engine::EngineSocket;
use super::pulse::Heard;
use super::{Hub, PATH, parameter};

/// Ends a packet of protocol 4, unless it is the last.
const SEPARATOR: u8 = 0x1e;

/// A length of more digits than this is larger than any body.
const MAX_LENGTH_DIGITS: usize = 8;

/// What a refused client is told.
const WHY: &str = "the body is not a sequence of packets as the session's protocol frames them, or \
                   has too many of them\n";
const OTHER_PROTOCOL: &str = "EIO is not that of the session\n";

/// How the packets of a body are separated from each other.
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

/// Passes on requests of their session's protocol; a POST must also have a correctly framed body.
/// Refuses others with 400. If a body is refused, here or by the engine, its session is closed. A
/// body may hold as many packets as requests may wait on a socket.
pub(super) async fn check(
    State(hub): State<Arc<Hub>>,
    mut request: Request,
    next: Next,
) -> Response {
    // The engine refuses a session that does not exist, and reads no body for it.
    let Some(socket) = parameter(&request, "sid").and_then(|sid| hub.open.get(sid)) else {
        request.extensions_mut().insert(Heard::default());
        return next.run(request).await;
    };
    if parameter(&request, "EIO") != Some(eio(socket.protocol)) {
        return (StatusCode::BAD_REQUEST, OTHER_PROTOCOL).into_response();
    }
    if let Some(heard) = socket.req_parts.extensions.get::<Heard>() {
        heard.hear();
    }
    // The engine does not read a body for a session that does not poll, either.
    if request.method() != Method::POST || socket.transport_type() != TransportType::Polling {
        return next.run(request).await;
    }
    let response = match take(&hub, &socket, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal,
    };
    if !response.status().is_success() {
        socket.close(DisconnectReason::PacketParsingError);
    }
    response
}

/// Closes the session if a body is refused before it comes to [`check`], because the size in its
/// head is too large.
pub(super) async fn close_refused(
    State(hub): State<Arc<Hub>>,
    request: Request,
    next: Next,
) -> Response {
    let of_door = request.uri().path().trim_end_matches('/') == PATH;
    let sid = of_door.then(|| parameter(&request, "sid").map(str::to_owned)).flatten();
    let response = next.run(request).await;
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE
        && let Some(socket) = sid.and_then(|sid| hub.open.get(&sid))
    {
        socket.close(DisconnectReason::PacketParsingError);
    }
    response
}

/// The request with its body as checked packets.
async fn take(hub: &Hub, socket: &EngineSocket, request: Request) -> Result<Request, Response> {
    let (head, body) = request.into_parts();
    let body = Bytes::from_request(Request::from_parts(head.clone(), body), &()).await;
    let body = body.map_err(IntoResponse::into_response)?;
    let content_type = head.headers.get(CONTENT_TYPE);
    let binary = content_type.is_some_and(|value| value == "application/octet-stream");
    let framing = match socket.protocol {
        ProtocolVersion::V4 => Framing::Separated,
        ProtocolVersion::V3 if binary => Framing::Binary,
        ProtocolVersion::V3 => Framing::Counted,
    };
    let limits = hub.app.limits();
    let packets = packets(framing, &body, limits.max_pending);
    let mut packets = packets.ok_or_else(|| (StatusCode::BAD_REQUEST, WHY).into_response())?;
    if let Some(ping) = framing.ping()
        && body.len() + ping.len() <= limits.max_frame
        && socket
            .data
            .pulse
            .beats(packets.iter().any(|packet| packet == ping), limits.ping_interval)
    {
        packets.push(Bytes::from_static(ping));
    }
    // One chunk for each packet, because the engine copies the rest of a chunk for each packet in
    // it.
    let chunks = packets.into_iter().map(Ok::<_, Infallible>);
    Ok(Request::from_parts(head, Body::from_stream(stream::iter(chunks))))
}

fn eio(protocol: ProtocolVersion) -> &'static str {
    match protocol {
        ProtocolVersion::V3 => "3",
        ProtocolVersion::V4 => "4",
    }
}

impl Framing {
    /// A ping of an old client; later protocols have none.
    fn ping(self) -> Option<&'static [u8]> {
        match self {
            Framing::Separated => None,
            Framing::Counted => Some(b"1:2"),
            Framing::Binary => Some(b"\0\x01\xff2"),
        }
    }
}

/// The packets of a body with their framing, in one pass; `None` if the framing is wrong or there
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
    // The packet must end neither inside a surrogate pair nor inside a character.
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

/// The number that these digits write; `None` if there are none, if it is 0, or if one is not a
/// digit.
fn length(digits: impl Iterator<Item = u8>) -> Option<usize> {
    let mut digits = digits.peekable();
    let more = |length: usize, digit: u8| (digit <= 9).then(|| length * 10 + usize::from(digit));
    digits.peek()?;
    digits.try_fold(0, more).filter(|length| *length > 0)
}
