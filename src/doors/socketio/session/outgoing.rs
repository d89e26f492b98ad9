//! Sends to a socket: through its wire once it is a WebSocket, and through the engine as long as it
//! polls.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use engineioxide::socket::DisconnectReason;
use engineioxide::{Str, TransportType};

use super::{FAREWELL, MAX_UNPOLLED, MESSAGE, Overflow, Session, lock};
use crate::doors::socketio::engine::EngineSocket;
use crate::doors::socketio::unpolled;
use crate::doors::unsent::{Share, Slow};
use crate::doors::wire::{Kind, Wire};

impl Session {
    /// Sends a packet, or closes the connection of a client that is too far behind to take it.
    pub fn deliver(&self, packet: Str) {
        if self.send(packet).is_err() {
            self.close();
        }
    }

    /// Sends a packet. An error means that the client is too far behind, and must be
    /// [closed](Session::close).
    pub fn send(&self, packet: Str) -> Result<(), Overflow> {
        self.push(packet)?;
        self.flush();
        Ok(())
    }

    /// Queues a packet, which goes out with the next [`flush`](Session::flush) at the latest.
    /// Returns whether it is the first since the last flush. An error means the same as that of
    /// [`send`](Session::send).
    pub fn push(&self, packet: Str) -> Result<bool, Overflow> {
        self.push_as(packet, Kind::Push)
    }

    /// Sends what has been queued.
    pub fn flush(&self) {
        if let Some(wire) = self.wire.get() {
            wire.flush();
        }
    }

    /// Leaves pushed packets to be flushed with the answer, which is about to come.
    pub(super) fn leave_to_answer(&self) {
        if let Some(wire) = self.wire.get() {
            wire.leave_unflushed();
        }
    }

    /// Sends an answer, or closes the connection of a client that is too far behind to take it.
    pub(super) fn answer(&self, packet: Str) {
        match self.push_as(packet, Kind::Answer) {
            Ok(_) => self.flush(),
            Err(Overflow) => self.close(),
        }
    }

    fn push_as(&self, packet: Str, kind: Kind) -> Result<bool, Overflow> {
        let hears_nothing = kind == Kind::Push && self.hears_nothing.load(Ordering::Acquire);
        if hears_nothing || self.closing.load(Ordering::Acquire) {
            return Ok(false);
        }
        let pushed = match self.wire.get() {
            Some(wire) => push_to(wire, packet, kind),
            None => self.push_before_wire(packet, kind),
        };
        pushed.inspect_err(|_| self.closing.store(true, Ordering::Release))
    }

    /// Sends through the engine; or, if the session has become a WebSocket, from now on through its
    /// wire.
    fn push_before_wire(&self, packet: Str, kind: Kind) -> Result<bool, Overflow> {
        // The lock keeps the order: all that goes out through the engine comes before the marker.
        let mut offered = lock(&self.offered);
        if let Some(wire) = self.wire.get() {
            return push_to(wire, packet, kind);
        }
        let Some(socket) = self.socket.upgrade() else {
            return Ok(false);
        };
        if socket.transport_type() == TransportType::Websocket
            && let Some(wire) = offered.take()
        {
            let wire = self.wire.get_or_init(|| wire);
            socket.emit(Wire::marker()).map_err(|_| Overflow)?;
            return push_to(wire, packet, kind);
        }
        match self.emit(&socket, packet, kind) {
            true => Ok(false),
            false => Err(Overflow),
        }
    }

    fn emit(&self, socket: &EngineSocket, packet: Str, kind: Kind) -> bool {
        if self.share.bytes() >= MAX_UNPOLLED {
            return false;
        }
        let this: Weak<dyn Slow> = self.this.clone();
        let (packet, too_many) =
            unpolled::counted(packet, kind, &self.share, &self.unpolled, &this);
        let sent = socket.emit(packet).is_ok();
        for slow in too_many.iter().filter_map(Weak::upgrade) {
            slow.cut();
        }
        sent
    }

    /// Offers a wire: the connection goes on as its WebSocket, if the engine agrees. False if it
    /// has gone on as another WebSocket already, or is about to.
    pub fn offer(&self, wire: Arc<Wire>) -> bool {
        let mut offered = lock(&self.offered);
        let taken = offered.as_ref().is_some_and(|offered| !offered.has_ended());
        if taken || self.wire.get().is_some() {
            return false;
        }
        *offered = Some(wire);
        true
    }

    /// The count of the bytes that the client has not taken yet.
    pub fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Whether there is an answer that it has not taken.
    pub fn has_answers(&self) -> bool {
        self.unpolled.any() || self.wire.get().is_some_and(|wire| wire.has_answers())
    }

    /// Waits until the client has taken most of what it was sent, so that its next answer finds
    /// room. False if the socket has ended before, or the server ends.
    pub(super) async fn taken(&self) -> bool {
        let taken = tokio::select! {
            biased;
            taken = self.share.taken() => taken,
            () = self.hub.stopped.cancelled() => false,
        };
        taken && !self.wire.get().is_some_and(|wire| wire.has_lost())
    }

    /// Closes the connection; the client notices, reconnects and catches up.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.share.end();
        if let Some(socket) = self.socket.upgrade() {
            socket.close(DisconnectReason::TransportError);
        }
        if let Some(wire) = self.wire.get().filter(|wire| wire.has_unsent()).cloned() {
            tokio::spawn(async move {
                tokio::time::sleep(FAREWELL).await;
                wire.cut();
            });
        }
    }
}

impl Slow for Session {
    fn cut(&self) {
        self.give_up();
        if let Some(wire) = self.wire.get() {
            wire.cut();
        }
    }
}

fn push_to(wire: &Wire, packet: Str, kind: Kind) -> Result<bool, Overflow> {
    wire.push(Some(MESSAGE), packet.into(), kind).map_err(|_| Overflow)
}
