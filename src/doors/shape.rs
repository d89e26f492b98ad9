//! Types, as the contract asks for them.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Gives the schema of a type.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// An event that sockets get without asking.
pub struct Push {
    pub event: &'static str,
    /// What it says, in a few words.
    pub says: &'static str,
    /// Who gets it.
    pub to: &'static str,
    pub body: Shape,
}

/// A frame of a plain WebSocket.
pub struct Frame {
    pub name: &'static str,
    /// What it says, in a few words.
    pub says: &'static str,
    /// The number that is its `type`, if it has one.
    pub kind: Option<i64>,
    pub body: Shape,
}

impl Frame {
    /// A frame whose `type` is this number.
    pub const fn of<T: JsonSchema>(kind: i64, name: &'static str, says: &'static str) -> Frame {
        Frame { name, says, kind: Some(kind), body: |schemas| schemas.subschema_for::<T>() }
    }
}

/// What goes over a plain WebSocket.
pub struct Frames {
    pub address: &'static str,
    /// What clients send.
    pub sent: &'static [Frame],
    /// What they get.
    pub got: &'static [Frame],
}

/// A method of the rooms API.
pub struct Method {
    pub name: &'static str,
    /// In their order.
    pub parameters: &'static [&'static str],
    pub result: Shape,
}
