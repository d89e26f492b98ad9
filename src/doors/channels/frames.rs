//! The frames that are sent: JSON objects with a `type`.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::doors::failure::{self, Failure};
use crate::doors::shape::Frame;
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

/// What clients get.
pub const GOT: &[Frame] = &[
    Frame::of::<Said<'_>>(MESSAGE, "said", "Something was said in a channel"),
    Frame::of::<OfNick<'_>>(REGISTER, "registered", "One's nick is protected"),
    Frame::of::<OfNick<'_>>(LOG_IN, "logged-in", "A nick has connected"),
    Frame::of::<OfNick<'_>>(LOG_OUT, "logged-out", "A nick is gone"),
    Frame::of::<OfChannel<'_>>(JOIN, "joined", "A nick has come into a channel"),
    Frame::of::<OfChannel<'_>>(LEAVE, "left", "A nick has left a channel"),
    Frame::of::<Nicks<'_>>(LIST, "listed", "The nicks that were asked for, sorted"),
    Frame::of::<Refused>(ERROR, "refused", "A request was refused; the connection stays open"),
];

#[derive(Serialize, JsonSchema)]
struct Said<'a> {
    r#type: i64,
    /// The channel.
    dest: &'a ChannelName,
    /// What was said.
    message: &'a str,
    /// The sender's nick, or id.
    user: &'a Username,
}

#[derive(Serialize, JsonSchema)]
struct OfNick<'a> {
    r#type: i64,
    /// The nick.
    user: &'a Handle,
}

#[derive(Serialize, JsonSchema)]
struct OfChannel<'a> {
    r#type: i64,
    /// The channel.
    channel: &'a ChannelName,
    /// The nick.
    user: &'a Handle,
}

#[derive(Serialize, JsonSchema)]
struct Nicks<'a> {
    r#type: i64,
    /// The nicks.
    users: &'a [Handle],
}

#[derive(Serialize, JsonSchema)]
struct Refused {
    r#type: i64,
    #[serde(flatten)]
    failure: Failure,
    /// The `type` of the request, if that could be read.
    request: Option<i64>,
}

/// What was said in a channel.
pub fn message(dest: &ChannelName, message: &str, user: &Username) -> Utf8Bytes {
    frame(&Said { r#type: MESSAGE, dest, message, user })
}

/// A nick was registered, has connected or is gone.
pub fn of_nick(kind: i64, nick: &Handle) -> Utf8Bytes {
    frame(&OfNick { r#type: kind, user: nick })
}

/// A nick has come into a channel or left it.
pub fn of_channel(kind: i64, channel: &ChannelName, nick: &Handle) -> Utf8Bytes {
    frame(&OfChannel { r#type: kind, channel, user: nick })
}

pub fn list(nicks: &[Handle]) -> Utf8Bytes {
    frame(&Nicks { r#type: LIST, users: nicks })
}

/// A refused request; `request` is its `type`, if that could be read.
pub fn error(error: &Error, request: Option<i64>) -> Utf8Bytes {
    frame(&Refused { r#type: ERROR, failure: failure::object(error), request })
}

fn frame(body: &impl Serialize) -> Utf8Bytes {
    // Texts and numbers: nothing in them can fail to serialize.
    serde_json::to_string(body).unwrap_or_default().into()
}
