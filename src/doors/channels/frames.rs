//! The frames that are sent: JSON objects with a `type`.

use axum::extract::ws::Utf8Bytes;
use serde_json::{Value, json};

use crate::doors::failure;
use crate::error::Error;
use crate::model::{ChannelName, Handle, Username};

pub const MESSAGE: i64 = 0;
pub const REGISTER: i64 = 1;
pub const LOG_IN: i64 = 2;
pub const LOG_OUT: i64 = 3;
pub const JOIN: i64 = 4;
pub const LEAVE: i64 = 5;
pub const LIST: i64 = 6;
const ERROR: i64 = -1;

/// What was said in a channel.
pub fn message(dest: &ChannelName, message: &str, user: &Username) -> Utf8Bytes {
    frame(&json!({ "type": MESSAGE, "dest": dest, "message": message, "user": user }))
}

/// A nick was registered, has connected or is gone.
pub fn of_nick(kind: i64, nick: &Handle) -> Utf8Bytes {
    frame(&json!({ "type": kind, "user": nick }))
}

/// A nick has come into a channel or left it.
pub fn of_channel(kind: i64, channel: &ChannelName, nick: &Handle) -> Utf8Bytes {
    frame(&json!({ "type": kind, "channel": channel, "user": nick }))
}

pub fn list(nicks: &[Handle]) -> Utf8Bytes {
    frame(&json!({ "type": LIST, "users": nicks }))
}

/// A refused request; `request` is its `type`, if that could be read.
pub fn error(error: &Error, request: Option<i64>) -> Utf8Bytes {
    let mut object = failure::object(error);
    object["type"] = ERROR.into();
    object["request"] = request.into();
    frame(&object)
}

fn frame(object: &Value) -> Utf8Bytes {
    object.to_string().into()
}
