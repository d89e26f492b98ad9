//! The table of events: each reads its body, calls the function of the same name in the domain and
//! encodes what that returns. It serves Socket.IO and HTTP alike (docs/protocol.md, "Requests").

mod blocks;
mod changes;
mod chats;
mod invitations;
mod members;
mod messages;
mod moderation;
mod people;
pub mod people_views;
mod public_chats;
mod reading;
mod roles;
mod rooms;
mod search;
mod signals;
mod single;
mod teams;
mod users;
pub mod views;

use std::fmt::Display;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::asked::{Asked, nearest};
use super::input::Input;
use crate::clock::Time;
use crate::domain::{Actor, App, Connection, Viewer};
use crate::error::Error;
use crate::model::{ChatId, Problem, UserId, parse_id, read_id};

pub use single::answer_single;

/// Who asks: a socket, or one request by itself.
pub trait Asker: Sync {
    fn connection(&self) -> &Connection;

    /// Who acts in a request that names this user, if anybody does. Errors: those of
    /// [`App::claim`](crate::domain::App::claim).
    fn act(&self, named: Named) -> BoxFuture<'_, Result<Option<Actor>, Error>>;

    /// Whether it is pushed what this user is pushed.
    fn hears_as(&self, user_id: &UserId) -> bool;
}

/// Whom a request names to act.
pub enum Named {
    Nobody,
    /// For this request, as `actor`.
    Actor(UserId),
    /// For this and those that follow on the same socket, as `user`.
    User(UserId),
}

/// One request.
struct Call<'a> {
    asker: &'a dyn Asker,
    app: &'a Arc<App>,
    body: Input<'a>,
    user: User,
}

/// A row of the table.
pub struct Row {
    pub event: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    user: User,
}

/// What the `user` of an event's body says.
#[derive(Clone, Copy)]
enum User {
    /// Who acts, from now on.
    Actor,
    /// The same, of an event that concerns a socket and is nothing without one.
    Socket,
    /// Something else, or nothing.
    Other,
    /// The same, of an event that concerns a socket.
    SocketOther,
}

/// What a request is answered with.
pub struct Answer {
    pub json: String,
    /// Whether those who are of the chat also get it as a push: then they need no other event.
    pub pushed: bool,
}

/// Writes the functions that use the table of events.
macro_rules! events {
    ($($name:literal ($user:ident) $does:literal => $function:path,)*) => {
        /// All events.
        pub const EVENTS: &[Row] =
            &[$(Row { event: $name, does: $does, user: User::$user }),*];

        async fn call(event: &str, call: Call<'_>) -> Result<Answer, Error> {
            match event {
                $($name => $function(call).await,)*
                _ => Err(no_event(event)),
            }
        }    };
}

events! {
    "create-user" (Other) "Make a user, or find one" => users::create_user,
    "list-users" (Other) "List users by name, or by how their names begin" => people::list_users,
    "update-user" (Other) "Change how one is seen" => people::update_user,
    "delete-user" (Other) "Delete oneself, or as the service any user" => people::delete_user,
    "watch-users" (SocketOther) "Hear when users come, go and change" => people::watch_users,
    "unwatch-users" (SocketOther) "Hear no more of users" => people::unwatch_users,
    "list-members" (Other) "List who is in a chat" => members::list_members,
    "block-user" (Other) "Keep a user from reaching oneself" => blocks::block_user,
    "unblock-user" (Other) "Let a user reach oneself again" => blocks::unblock_user,
    "list-blocked" (Other) "List those one has blocked" => blocks::list_blocked,
    "create-chat" (Actor) "Make a chat with its first members" => chats::create_chat,
    "open-direct" (Other) "Find or make the one private chat of two users" => chats::open_direct,
    "list-chats" (Actor) "List one's chats, latest activity first" => chats::list_chats,
    "list-public-chats" (Other) "List the public chats, latest activity first" => public_chats::list_public_chats,
    "update-chat" (Actor) "Change what is said of a chat, and what holds in it" => chats::update_chat,
    "join-chat" (Actor) "Become a member of a chat that one may see" => chats::join_chat,
    "leave-chat" (Actor) "End one's membership of a chat" => chats::leave_chat,
    "mark-read" (Actor) "Say how far one has read" => reading::mark_read,
    "count-unread" (Other) "Count what is unread in all one's chats" => reading::count_unread,
    "update-membership" (Other) "Mute, pin or archive a chat for oneself" => reading::update_membership,
    "remove-member" (Other) "End another's membership" => chats::remove_member,
    "delete-chat" (Other) "End a chat with all that was said in it" => chats::delete_chat,
    "set-role" (Other) "Make a member the owner, a moderator or neither" => roles::set_role,
    "mute-member" (Other) "Keep a member from sending" => roles::mute_member,
    "unmute-member" (Other) "Let a muted member send again" => roles::unmute_member,
    "ban-member" (Other) "Keep a user out of a chat" => moderation::ban_member,
    "unban-member" (Other) "End a user's ban" => moderation::unban_member,
    "list-bans" (Other) "List who may not enter a chat" => moderation::list_bans,
    "report-message" (Other) "Tell the service of a message" => moderation::report_message,
    "list-messages" (Actor) "List a chat's messages, in the order sent" => messages::list_messages,
    "search-messages" (Other) "Find messages by their words, the latest first" => search::search_messages,
    "new-message" (Actor) "Send a message" => messages::new_message,
    "edit-message" (Other) "Change what a message says" => changes::edit_message,
    "delete-message" (Other) "Delete what a message says" => changes::delete_message,
    "react" (Other) "React to a message, or take that back" => changes::react,
    "pin-message" (Other) "Pin a message, or take the pin off" => changes::pin_message,
    "list-changes" (Other) "List the messages that were changed" => changes::list_changes,
    "typing" (Other) "Say that one is writing, or has stopped" => signals::typing,
    "signal" (Other) "Send something that is not kept" => signals::signal,
    "subscribe" (Socket) "Be in a chat's room, or hear of the system" => rooms::subscribe,
    "unsubscribe" (Socket) "Leave a chat's room, or hear no more of the system" => rooms::unsubscribe,
    "invite" (Other) "Ask a user into a chat" => invitations::invite,
    "list-invitations" (Actor) "List the invitations that wait for one's answer" => invitations::list_invitations,
    "accept-invitation" (Actor) "Become a member of the chat that one was asked into" => invitations::accept_invitation,
    "decline-invitation" (Actor) "Say no to an invitation" => invitations::decline_invitation,
    "create-team" (Actor) "Make a team" => teams::create_team,
    "list-teams" (Actor) "List one's teams" => teams::list_teams,
    "add-to-team" (Other) "Add a user to a team" => teams::add_to_team,
    "remove-from-team" (Other) "Remove a user from a team, or oneself" => teams::remove_from_team,
}

impl Row {
    /// Whether it concerns a socket.
    pub fn is_of_socket(&self) -> bool {
        matches!(self.user, User::Socket | User::SocketOther)
    }
}

/// The row of this event.
pub fn find(event: &str) -> Option<&'static Row> {
    EVENTS.iter().find(|row| row.event == event)
}

fn no_event(event: &str) -> Error {
    let events = Vec::from_iter(EVENTS.iter().map(|row| row.event));
    let why = match nearest(event, &events) {
        Some(meant) => format!("there is no event {event}; did you mean {meant}?"),
        None => format!("there is no event {event}"),
    };
    Error::Invalid { field: None, why }
}

/// What the log calls an event: a client cannot write names of its own there.
pub fn name(event: &str) -> &'static str {
    find(event).map_or("unknown event", |row| row.event)
}

/// Answers the request `event`, and notes what its body is asked for. Errors: `invalid`, also for an
/// event that is none; those of the event.
pub async fn answer(
    asker: &dyn Asker,
    app: &Arc<App>,
    event: &str,
    body: &RawValue,
    asked: Option<&Asked>,
) -> Result<Answer, Error> {
    let row = find(event).ok_or_else(|| no_event(event))?;
    let body = Input::new(body, app.limits())?.noting(asked);
    if let Some(asked) = asked {
        // Every event knows them, even if the request is refused before they are read.
        asked.note("user".to_owned());
        asked.note("actor".to_owned());
    }
    call(row.event, Call { asker, app, body, user: row.user }).await
}

/// `{}`
#[derive(Serialize)]
struct Nothing {}

impl Answer {
    fn new(body: &impl Serialize) -> Result<Answer, Error> {
        let json = serde_json::to_string(body).map_err(|_| Error::Internal(None))?;
        Ok(Answer { json, pushed: false })
    }

    fn pushed(self, pushed: bool) -> Answer {
        Answer { pushed, ..self }
    }
}

impl Call<'_> {
    fn chat_id(&self) -> Result<ChatId, Error> {
        self.body.object("chat")?.text("id", parse_id)
    }

    /// Whether the connection hears the chat as one of the users that it acts as; `member` says
    /// whether the actor is a member for sure, of which the audience may hear only now.
    fn hears(&self, actor: &Actor, chat_id: ChatId, member: bool) -> bool {
        let as_actor = member && self.asker.hears_as(actor.user_id());
        as_actor || self.app.hears_as_member(self.asker.connection().id(), chat_id)
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

    /// After whom a page of users begins: what an earlier one called `next`.
    fn after_user(&self) -> Result<Option<UserId>, Error> {
        self.body.optional_id("after", UserId::parse)
    }

    /// Whom the request names to act. Errors: `invalid`.
    fn named(&self) -> Result<Named, Error> {
        if let Some(actor) = self.body.optional_object("actor")? {
            return Ok(Named::Actor(actor.id("id", UserId::parse)?));
        }
        match (self.user, self.body.optional_object("user")?) {
            (User::Actor | User::Socket, Some(user)) => {
                Ok(Named::User(user.id("id", UserId::parse)?))
            }
            _ => Ok(Named::Nobody),
        }
    }

    /// Who acts. Errors: `unauthenticated` if nobody does; as of [`Asker::act`].
    async fn actor(&self) -> Result<Actor, Error> {
        self.asker.act(self.named()?).await?.ok_or(Error::NO_USER)
    }

    /// The same for requests that need no user.
    async fn viewer(&self) -> Result<Viewer, Error> {
        let actor = self.asker.act(self.named()?).await?;
        Ok(actor.map_or_else(|| self.asker.connection().viewer(), |actor| Viewer::from(&actor)))
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
