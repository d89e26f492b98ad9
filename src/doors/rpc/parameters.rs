//! Reads the parameters of a call, by name or by position.

use std::collections::BTreeMap;
use std::sync::Arc;

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::caller::Caller;
use crate::config::Limits;
use crate::domain::{Actor, App};
use crate::doors::input::Input;
use crate::doors::json::Json;
use crate::error::Error;
use crate::model::{Body, ChatId, Problem, parse_id};

/// The id of the waiting room, which is no chat.
const WAITING_ROOM: &str = "0";

/// A call of a method, with its parameters by name.
pub struct Request {
    pub app: Arc<App>,
    pub caller: Caller,
    parameters: Box<RawValue>,
}

/// Who a user is and which room they are in.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ClientState {
    /// The user's handle, or id.
    user_id: String,
    /// `"0"` in the waiting room, empty for a user who is logged out.
    room_id: String,
}

/// A state that a client has sent.
pub struct Claimed {
    pub actor: Actor,
    /// `None` for the waiting room.
    pub room: Option<ChatId>,
    username: String,
}

impl Request {
    /// Names the parameters in the order of `names` if they come by position.
    pub fn new(
        app: Arc<App>,
        caller: Caller,
        params: Option<&RawValue>,
        names: &[&str],
    ) -> Result<Request, Error> {
        let wrong = |why: &str| Error::invalid("params", why);
        let given = params.unwrap_or(RawValue::NULL);
        let items = match Json::read(given) {
            Ok(Json::Object(_)) => {
                return Ok(Request { app, caller, parameters: given.to_owned() });
            }
            Ok(Json::Null) => Vec::new(),
            Ok(Json::List(list)) => {
                list.items(names.len()).ok_or_else(|| wrong("are more than the method has"))?
            }
            _ => return Err(wrong("must be an object or a list")),
        };
        let named: BTreeMap<_, _> = names.iter().zip(items).collect();
        let parameters = to_raw_value(&named).map_err(|_| Error::Internal(None))?;
        Ok(Request { app, caller, parameters })
    }

    pub fn input(&self) -> Result<Input<'_>, Error> {
        Input::new(&self.parameters, self.app.limits())
    }

    /// The state at `key`, of a user that the caller may act as. Errors: `conflict` if there is no
    /// such user, which is answered like a user who is not logged in.
    pub async fn state(&self, key: &'static str) -> Result<Claimed, Error> {
        let state = self.input()?.object(key)?;
        let username = state.text("UserId", |text, _| Ok(text.to_owned()))?;
        let room = state.text("RoomId", parse_room)?;
        let claimed = self.app.claim_username(&self.caller.connection, &username, key).await;
        let actor = claimed.map_err(|error| match error {
            Error::NotFound { .. } => Error::conflict(key, "this user is not logged in"),
            error => error,
        })?;
        Ok(Claimed { actor, room, username })
    }
}

impl Claimed {
    /// The state after a move to `room`, or to the waiting room.
    pub fn moved_to(self, room: Option<ChatId>) -> ClientState {
        ClientState::new(self.username, room)
    }

    /// The state after leaving the waiting room.
    pub fn logged_out(self) -> ClientState {
        ClientState { user_id: self.username, room_id: String::new() }
    }
}

impl ClientState {
    pub fn new(user_id: String, room: Option<ChatId>) -> ClientState {
        let room_id = room.map_or_else(|| WAITING_ROOM.to_owned(), |chat_id| chat_id.to_string());
        ClientState { user_id, room_id }
    }
}

/// Reads the id of a room; `None` is the waiting room.
pub fn parse_room(text: &str, limits: &Limits) -> Result<Option<ChatId>, Problem> {
    match text {
        WAITING_ROOM => Ok(None),
        id => parse_id(id, limits).map(Some),
    }
}

/// What a message's content is written in, if that is no plain text.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "lowercase")]
pub enum Encoding {
    Base64,
}

impl Encoding {
    pub fn parse(text: &str, _: &Limits) -> Result<Encoding, Problem> {
        match text {
            "base64" => Ok(Encoding::Base64),
            _ => Err(Problem::Invalid("must be base64, or absent")),
        }
    }
}

/// Reads the text of a message from base64.
pub fn parse_base64(text: &str, limits: &Limits) -> Result<Body, Problem> {
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| Problem::Invalid("must be base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::Invalid("must be text in UTF-8"))?;
    Body::parse(&text, limits)
}

/// Renames the field of an error to a parameter of the method: an error about the user becomes one
/// about `state`, an error about the chat one about `room`.
pub fn at(state: &'static str, room: &'static str) -> impl FnOnce(Error) -> Error {
    let here = move |field| match field {
        "user" | "user.id" => state,
        _ => room,
    };
    move |error| match error {
        Error::NotFound { field, why } => Error::NotFound { field: here(field), why },
        Error::Conflict { field, why } => Error::Conflict { field: here(field), why },
        error => error,
    }
}
