//! What the doors tell the contract about their types, pushes, frames and methods.

use schemars::transform::Transform;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// Gives the schema of a type.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// Says in one schema of a type that this field is always there, though other schemas of the type
/// may lack it.
pub struct Always(pub &'static str);

impl Transform for Always {
    fn transform(&mut self, schema: &mut Schema) {
        let required = schema.ensure_object().entry("required").or_insert_with(|| json!([]));
        if let Value::Array(names) = required {
            names.push(self.0.into());
        }
        let kind = schema.pointer_mut(&format!("/properties/{}/type", self.0));
        if let Some(Value::Array(kinds)) = kind {
            kinds.retain(|kind| kind != "null");
        }
    }
}

/// An event that sockets get without asking.
pub struct Push {
    pub event: &'static str,
    /// What it says, in a few words.
    pub says: &'static str,
    /// Who gets it.
    pub to: &'static str,
    /// The types of its body, mostly one.
    pub bodies: &'static [Shape],
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
    pub parameters: &'static [Parameter],
    pub result: Shape,
}

/// A parameter of a method.
pub struct Parameter {
    pub name: &'static str,
    pub shape: Shape,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Parameter {
    pub const fn of<T: JsonSchema>(name: &'static str, optional: bool) -> Parameter {
        Parameter { name, shape: |schemas| schemas.subschema_for::<T>(), optional }
    }
}
