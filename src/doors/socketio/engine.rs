//! A connection's life: the functions that engineioxide calls when a transport opens, brings a
//! packet or closes.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use engineioxide::handler::EngineIoHandler;
use engineioxide::socket::{DisconnectReason, Socket};
use engineioxide::{ProtocolVersion, Str};
use serde_json::value::RawValue;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;

use super::pulse::{Heard, Pulse};
use super::session::Session;
use super::{Hub, packets};
use crate::doors::client::Client;
use crate::doors::credential::credential;
use crate::doors::json::Json;
use crate::doors::wire::Wire;

/// The state that engineioxide keeps for each of its sockets.
#[derive(Default)]
pub(super) struct Attached {
    pub session: OnceLock<Arc<Session>>,
    parser: ParserState,
    /// For a polling client of an old protocol.
    pub pulse: Pulse,
}

impl Attached {
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.get()
    }
}

pub(super) type EngineSocket = Socket<Attached>;

pub(super) struct Engine {
    hub: Arc<Hub>,
    parse: ParseConfig,
}

// engineioxide requires `Debug`.
impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl EngineIoHandler for Engine {
    type Data = Attached;

    fn on_connect(self: Arc<Self>, socket: Arc<EngineSocket>) {
        metrics::gauge!("chinwag_sockets").increment(1);
        self.hub.open.add(&socket);
        let Ok(client) = Client::of_request(&socket.req_parts) else {
            return socket.close(DisconnectReason::ClosingServer);
        };
        let Some(slot) = self.hub.slots.take_of_address(client) else {
            return socket.close(DisconnectReason::ClosingServer);
        };
        let (hub, weak) = (self.hub.clone(), Arc::downgrade(&socket));
        let wire = socket.req_parts.extensions.get::<Arc<Wire>>();
        let share = wire.map_or_else(|| hub.unsent.share(), |wire| wire.share().clone());
        let session = Session::new(hub, weak, client.address, slot, share);
        // Set before anything can close the socket, so that `on_disconnect` finds the session. The
        // cell is empty, as `on_connect` is called once for each connection.
        let _ = socket.data.session.set(session.clone());
        if let Some(wire) = wire {
            session.offer(wire.clone());
        }
        let limits = self.hub.app.limits();
        let full = self.hub.open.count() > limits.max_connections;
        if full || self.hub.stopping.is_cancelled() || !self.hub.app.open(session.clone()) {
            return socket.close(DisconnectReason::ClosingServer);
        }
        match socket.protocol {
            // An old client asks for the namespace `/` just by connecting. The engine does not say
            // whether the transport ever opened, and keeps one that did not; so a client that never
            // sends anything is disconnected.
            ProtocolVersion::V3 => {
                enter(&socket, &session, None);
                let heard = socket.req_parts.extensions.get::<Heard>().cloned().unwrap_or_default();
                self.expect(limits.silence_timeout, &session, move |_| heard.anything());
            }
            ProtocolVersion::V4 => {}
        }
        self.expect(limits.handshake_timeout, &session, Session::has_entered);
    }

    fn on_disconnect(&self, socket: Arc<EngineSocket>, reason: DisconnectReason) {
        metrics::gauge!("chinwag_sockets").decrement(1);
        self.hub.open.remove(socket.id);
        tracing::debug!(?reason, "a socket closed");
        if let Some(session) = socket.data.session.get() {
            session.share().end();
            let (hub, id) = (self.hub.clone(), session.id);
            self.hub.work.spawn(async move { hub.app.close_connection(id).await });
        }
    }

    fn on_message(self: &Arc<Self>, message: Str, socket: Arc<EngineSocket>) {
        let parser = &socket.data.parser;
        let mut packet = CommonParser.decode_str(&self.parse, parser, message.clone());
        match &mut packet {
            Ok(packet) => give_ack(packet, &message),
            // The parser keeps the packet until its attachments have come.
            Err(ParseError::NeedsMoreBinaryData) => {
                let mut partial =
                    parser.partial_bin_packet.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(partial) = &mut *partial {
                    give_ack(&mut partial.packet, &message);
                }
            }
            Err(_) => {}
        }
        self.receive(packet, &socket);
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, socket: Arc<EngineSocket>) {
        let packet = CommonParser.decode_bin(&self.parse, &socket.data.parser, data);
        self.receive(packet, &socket);
    }
}

impl Engine {
    pub fn new(hub: Arc<Hub>) -> Engine {
        let parse = ParseConfig {
            max_incoming_binary_buf_size: hub.app.limits().max_frame,
            ..ParseConfig::default()
        };
        Engine { hub, parse }
    }

    fn receive(&self, packet: Result<Packet, ParseError>, socket: &Arc<EngineSocket>) {
        let packet = match packet {
            Ok(packet) => packet,
            Err(ParseError::NeedsMoreBinaryData) => return,
            Err(_) => return socket.close(DisconnectReason::PacketParsingError),
        };
        let Some(session) = socket.data.session.get() else {
            return;
        };
        let root = packet.ns == "/";
        match packet.inner {
            PacketData::Connect(payload) if root => enter(socket, session, payload),
            PacketData::Connect(_) => {
                session.deliver(packets::no_namespace(socket.protocol, packet.ns));
            }
            PacketData::Event(Value::Str(data, _), ack)
            | PacketData::BinaryEvent(Value::Str(data, _), ack)
                if root =>
            {
                session.receive(data, ack);
            }
            PacketData::Disconnect if root => session.leave(),
            PacketData::Disconnect => {}
            // The server asks clients for no acknowledgements, and so ignores them.
            PacketData::EventAck(..) | PacketData::BinaryAck(..) => {}
            _ => socket.close(DisconnectReason::PacketParsingError),
        }
    }

    /// Closes the connection after `timeout`, unless it is `done` by then.
    fn expect(
        &self,
        timeout: Duration,
        session: &Arc<Session>,
        done: impl Fn(&Session) -> bool + Send + 'static,
    ) {
        let session = Arc::downgrade(session);
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            if let Some(session) = session.upgrade().filter(|session| !done(session)) {
                session.close();
            }
        });
    }
}

/// Lets a connection into the namespace `/`, by the `token` of its packet or by the credential that
/// its first request brought along.
fn enter(socket: &EngineSocket, session: &Arc<Session>, payload: Option<Value>) {
    let credential = match token(payload) {
        Some(token) => Some(token),
        None => credential(&socket.req_parts.headers, &socket.req_parts.uri),
    };
    session.enter(
        credential,
        match socket.protocol {
            ProtocolVersion::V3 => packets::connect(None),
            ProtocolVersion::V4 => packets::connect(Some(socket.id)),
        },
    );
}

/// Gives a packet the number of its acknowledgement if the parser did not see it, because no JSON
/// follows it.
fn give_ack(packet: &mut Packet, message: &str) {
    if let PacketData::Event(Value::Str(data, _), ack @ None)
    | PacketData::BinaryEvent(Value::Str(data, _), ack @ None) = &mut packet.inner
        && !data.starts_with(['[', '{'])
    {
        *ack = packets::ack_before(message, data);
    }
}

/// The client's `auth.token`. A token that is not a text, or cannot be read, is returned as it is,
/// to be refused as invalid.
fn token(payload: Option<Value>) -> Option<String> {
    let Value::Str(payload, _) = payload? else {
        return None;
    };
    let Ok(raw) = serde_json::from_str::<&RawValue>(&payload) else {
        return Some(payload.to_string());
    };
    let Ok(Json::Object(auth)) = Json::read(raw) else {
        return None;
    };
    let token = auth.get("token")?;
    match Json::read(token) {
        Ok(Json::Null) => None,
        Ok(Json::Text(token)) => Some(token.into_owned()),
        _ => Some(token.get().to_owned()),
    }
}
