//! The table of events: each decodes its body, calls the function of the same name in the domain
//! and encodes what that returns.

mod chats;
mod invitations;
mod messages;
mod rooms;
mod signals;
mod teams;
mod users;

use std::fmt::Display;
use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::packets::Answer;
use super::session::Session;
use crate::clock::Time;
use crate::domain::{Actor, App, Connection, Viewer};
use crate::doors::asked::{Asked, nearest};
use crate::doors::input::Input;
use crate::error::Error;
use crate::model::{ChatId, Problem, UserId, parse_id, read_id};

/// One request of one socket.
struct Call<'a> {
    session: &'a Session,
    connection: &'a Connection,
    app: &'a Arc<App>,
    body: Input<'a>,
}

/// Writes the functions that use the table of events.
macro_rules! events {
    ($($name:literal => $function:path,)*) => {
        /// Answers the request `event`, and notes what its body is asked for; an event that is none
        /// is `invalid`.
        pub(super) async fn answer(
            session: &Session,
            connection: &Connection,
            app: &Arc<App>,
            event: &str,
            body: &RawValue,
            asked: Option<&Asked>,
        ) -> Result<Answer, Error> {
            let call = || {
                let body = Input::new(body, app.limits())?.noting(asked);
                if let Some(asked) = asked {
                    // Every event knows it, even if the request is refused before it is read.
                    asked.note("user".to_owned());
                }
                Ok::<_, Error>(Call { session, connection, app, body })
            };
            match event {
                $($name => $function(call()?).await,)*
                _ => Err(no_event(event, &[$($name),*])),
            }
        }

        /// What the log calls an event: a client cannot write names of its own there.
        pub(super) fn name(event: &str) -> &'static str {
            match event {
                $($name => $name,)*
                _ => "unknown event",
            }
        }
    };
}

events! {
    "create-user" => users::create_user,
    "create-chat" => chats::create_chat,
    "open-direct" => chats::open_direct,
    "list-chats" => chats::list_chats,
    "update-chat" => chats::update_chat,
    "join-chat" => chats::join_chat,
    "leave-chat" => chats::leave_chat,
    "mark-read" => chats::mark_read,
    "remove-member" => chats::remove_member,
    "list-messages" => messages::list_messages,
    "new-message" => messages::new_message,
    "typing" => signals::typing,
    "signal" => signals::signal,
    "subscribe" => rooms::subscribe,
    "unsubscribe" => rooms::unsubscribe,
    "invite" => invitations::invite,
    "list-invitations" => invitations::list_invitations,
    "accept-invitation" => invitations::accept_invitation,
    "decline-invitation" => invitations::decline_invitation,
    "create-team" => teams::create_team,
    "list-teams" => teams::list_teams,
    "add-to-team" => teams::add_to_team,
    "remove-from-team" => teams::remove_from_team,
}

fn no_event(event: &str, events: &[&str]) -> Error {
    let why = match nearest(event, events) {
        Some(meant) => format!("there is no event {event}; did you mean {meant}?"),
        None => format!("there is no event {event}"),
    };
    Error::Invalid { field: None, why }
}

impl Call<'_> {
    fn chat_id(&self) -> Result<ChatId, Error> {
        self.body.object("chat")?.text("id", parse_id)
    }

    /// Where a page begins: what an earlier one called `next`.
    fn before<Id: From<Uuid>>(&self) -> Result<Option<(Time, Id)>, Error> {
        let read = |text: &str| {
            let (micros, id) = text.split_once('.')?;
            Some((Time::from_micros(micros.parse().ok()?), read_id(id)?))
        };
        let invalid = Problem::Invalid("must be the next of an earlier page");
        self.body.optional_text("before", |text, _| read(text).ok_or(invalid))
    }

    /// The actor: the request's `user`, as which the socket acts from now on, or else its latest
    /// user.
    async fn actor(&self) -> Result<Actor, Error> {
        self.claim_user().await?;
        self.latest_actor()
    }

    /// The same for requests that need no user.
    async fn viewer(&self) -> Result<Viewer, Error> {
        self.claim_user().await?;
        Ok(self.session.viewer(self.connection))
    }

    async fn claim_user(&self) -> Result<(), Error> {
        match self.body.optional_object("user")? {
            Some(user) => self.session.act_as(&user.id("id", UserId::parse)?).await,
            None => Ok(()),
        }
    }

    /// The actor of a request whose `user` is somebody else: the socket's latest user.
    fn latest_actor(&self) -> Result<Actor, Error> {
        self.session.latest_actor().ok_or(Error::NO_USER)
    }

    /// The request's `user` where that is not the actor.
    fn other_user(&self) -> Result<UserId, Error> {
        self.body.object("user")?.id("id", UserId::parse)
    }
}

/// What a page calls `next`: the time and the id of its last item.
fn cursor((time, id): (Time, impl Display)) -> String {
    format!("{}.{id}", time.as_micros())
}
