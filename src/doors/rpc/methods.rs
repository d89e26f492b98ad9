//! A function for each method.

use std::num::NonZeroU64;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::answers::{Done, Fault};
use super::caller::Caller;
use super::parameters::{ClientState, Encoding, Request, at, parse_base64, parse_room};
use crate::domain::App;
use crate::doors::failure;
use crate::doors::shape::{Method, Parameter};
use crate::error::Error;
use crate::model::{Body, ChatId, Handle, Signed, Username};

/// A message as its readers get it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
#[schemars(rename = "RoomMessage")]
struct MessageView {
    /// Milliseconds since the Unix epoch.
    timestamp: i64,
    /// Who has sent it.
    author: Username,
    /// What it says.
    text: String,
    /// The room's id.
    room: ChatId,
}

impl From<Signed> for MessageView {
    fn from(signed: Signed) -> MessageView {
        let author = signed.username();
        let message = signed.message;
        MessageView {
            timestamp: message.created_at.as_micros() / 1000,
            author,
            text: message.plain_text().into_owned(),
            room: message.chat_id,
        }
    }
}

/// What has been picked up.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct PickedUp {
    /// Where the user is.
    state: ClientState,
    /// What was said since the user entered or last picked up.
    messages: Vec<MessageView>,
}

/// Defines the table of methods, and the function that calls them.
macro_rules! methods {
    ($($name:literal [$($needed:literal: $type:ty),*] $([$($optional:literal: $of:ty),*])?
        => $function:ident -> $result:ty;)*) => {
        /// All methods.
        pub const METHODS: &[Method] = &[$(Method {
            name: $name,
            parameters: &[
                $(Parameter::of::<$type>($needed, false),)*
                $($(Parameter::of::<$of>($optional, true),)*)?
            ],
            result: |schemas| schemas.subschema_for::<$result>(),
        }),*];

        /// Calls the method of this name, which may have the prefix `Chatty.`.
        pub async fn call(
            name: &str,
            app: &Arc<App>,
            caller: &Caller,
            params: Option<&RawValue>,
        ) -> Done {
            match name.strip_prefix("Chatty.").unwrap_or(name) {
                $($name => {
                    let done = async {
                        let names = &[$($needed,)* $($($optional),*)?];
                        let request = Request::new(app.clone(), caller.clone(), params, names)?;
                        let result: $result = $function(request).await?;
                        to_raw_value(&result).map_err(|_| Error::Internal(None))
                    };
                    let done: Result<_, Error> = done.await;
                    done.inspect_err(|error| failure::log($name, error)).map_err(Fault::from)
                })*
                _ => Err(Fault::no_method()),
            }
        }
    };
}

// The parameters are in their order: first those that are needed, then those that may be left out.
methods! {
    "NewUser" ["userId": Handle] => new_user -> ClientState;
    "NewRoom" ["keyHolder": ClientState] => new_room -> ClientState;
    "EnterRoom" ["user": ClientState, "roomId": String] => enter_room -> ClientState;
    "LeaveRoom" ["user": ClientState] => leave_room -> ClientState;
    "UsersCount" ["roomId": String] => users_count -> usize;
    "SendMessage" ["content": String, "user": ClientState] ["encoding": Encoding]
        => send_message -> ();
    "PickUpHistory" ["user": ClientState] => pick_up_history -> PickedUp;
    "DumpHistory" ["user": ClientState] ["offset": u64, "limit": NonZeroU64]
        => dump_history -> Vec<MessageView>;
}

async fn new_user(request: Request) -> Result<ClientState, Error> {
    let name = request.input()?.text("userId", Handle::parse)?;
    let seated = request.app.log_in_to_lobby(&request.caller.connection, &name).await;
    let (username, room) = seated.map_err(at("userId", "userId"))?;
    Ok(ClientState::new(username.as_ref().to_owned(), room))
}

async fn new_room(request: Request) -> Result<ClientState, Error> {
    let state = request.state("keyHolder").await?;
    let made = request.app.new_room(&state.actor, state.room).await;
    let room = made.map_err(at("keyHolder", "keyHolder"))?;
    Ok(state.moved_to(Some(room)))
}

async fn enter_room(request: Request) -> Result<ClientState, Error> {
    let to = request.input()?.text("roomId", parse_room)?;
    let state = request.state("user").await?;
    // The waiting room cannot be entered: a user comes there by leaving a room.
    let to = to.ok_or_else(Error::no_chat).map_err(at("user", "roomId"))?;
    request.app.change_room(&state.actor, state.room, to).await.map_err(at("user", "roomId"))?;
    Ok(state.moved_to(Some(to)))
}

async fn leave_room(request: Request) -> Result<ClientState, Error> {
    let state = request.state("user").await?;
    match request.app.go_back(&state.actor, state.room).await.map_err(at("user", "user"))? {
        true => Ok(state.moved_to(None)),
        false => Ok(state.logged_out()),
    }
}

async fn users_count(request: Request) -> Result<usize, Error> {
    let room = request.input()?.text("roomId", parse_room)?;
    let viewer = request.caller.connection.viewer();
    request.app.count_users(&viewer, room).await.map_err(at("roomId", "roomId"))
}

async fn send_message(request: Request) -> Result<(), Error> {
    let input = request.input()?;
    let body = match input.optional_text("encoding", Encoding::parse)? {
        None => input.text("content", Body::parse)?,
        Some(Encoding::Base64) => input.text("content", parse_base64)?,
    };
    let state = request.state("user").await?;
    let said = request.app.say_in_room(&state.actor, state.room, body).await;
    said.map(|_| ()).map_err(at("user", "user"))
}

async fn pick_up_history(request: Request) -> Result<PickedUp, Error> {
    let state = request.state("user").await?;
    let said =
        request.app.pick_up_history(&state.actor, state.room).await.map_err(at("user", "user"))?;
    let room = state.room;
    Ok(PickedUp { state: state.moved_to(room), messages: views(said) })
}

async fn dump_history(request: Request) -> Result<Vec<MessageView>, Error> {
    let input = request.input()?;
    let offset = input.optional_number("offset", 0)?.unwrap_or(0);
    let limit = input.optional_number("limit", 1)?.unwrap_or(i64::MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let state = request.state("user").await?;
    let said = request.app.dump_history(&state.actor, state.room, offset, limit).await;
    said.map(views).map_err(at("user", "user"))
}

fn views(said: Vec<Signed>) -> Vec<MessageView> {
    said.into_iter().map(MessageView::from).collect()
}
