//! The table of events: each reads its body, calls the function of the same name in the domain and
//! encodes what that returns. It serves Socket.IO and HTTP alike (docs/protocol.md, "Requests").

mod blocks;
mod changes;
mod chats;
pub mod fields;
mod invitations;
mod members;
mod messages;
mod moderation;
mod named;
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
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::asked::{Asked, nearest};
use super::input::Input;
use super::shape::Shape;
use crate::clock::Time;
use crate::domain::{Actor, App, Connection, Viewer};
use crate::error::Error;
use crate::model::{ChatId, UserId};
use fields::Request;
use views::OfChat;
use views::chats::{ChatView, OwnChat};
use views::messages::MessageView;

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
    /// What it belongs to.
    pub feature: &'static str,
    /// The type of its body, without the fields that say who acts.
    pub request: Shape,
    /// The type of its answer.
    pub answer: Shape,
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

/// What a request is answered with: JSON of the type `Of`, while that is to be compared with the
/// row's.
pub struct Answer<Of = ()> {
    pub json: String,
    /// Whether those who are of the chat also get it as a push: then they need no other event.
    pub pushed: bool,
    // As what takes an `Of`, so that an answer outlives what its body has borrowed.
    of: PhantomData<fn(Of)>,
}

/// What the function of a row gives.
type Answered<Of> = Result<Answer<Of>, Error>;

/// Writes the functions that use the table of events.
macro_rules! events {
    ($($feature:literal {
        $($name:literal ($user:ident) $does:literal
            => $function:path as $request:ty => $answer:ty;)*
    })*) => {
        /// All events.
        pub const EVENTS: &[Row] = &[$($(Row {
            event: $name,
            does: $does,
            feature: $feature,
            request: |schemas| schemas.subschema_for::<$request>(),
            answer: |schemas| schemas.subschema_for::<$answer>(),
            user: User::$user,
        }),*),*];

        async fn call(event: &str, call: Call<'_>) -> Answered<()> {
            match event {
                $($($name => {
                    let asked = <$request as Request>::read(&call.body)?;
                    let Answer { json, pushed, of: PhantomData::<fn($answer)> } =
                        $function(call, asked).await?;
                    Ok(Answer { json, pushed, of: PhantomData })
                })*)*
                _ => Err(no_event(event)),
            }
        }
    };
}

// For each feature its events: what its `user` says, what it does, and by which function, which
// takes the request and gives the answer of these types.
events! {
    "People" {
        "create-user" (Other) "Make or find a user"
            => users::create_user as users::CreateUser => views::OfUser<'_>;
        "list-users" (Other) "List users by name, or by how their names begin"
            => people::list_users as people::ListUsers => people_views::PeopleView<'_>;
        "update-user" (Other) "Change your name, photo, handle or data"
            => people::update_user as people::UpdateUser => people_views::OfPerson<'_>;
        "delete-user" (Other) "Delete yourself, or as the service any user"
            => people::delete_user as people::DeleteUser => people_views::OfUserId<'_>;
        "watch-users" (SocketOther) "Watch when users come, go and change"
            => people::watch_users as people::WatchUsers => people_views::PeopleView<'_>;
        "unwatch-users" (SocketOther) "Stop watching users"
            => people::unwatch_users as people::WatchUsers => people_views::PeopleView<'_>;
        "block-user" (Other) "Block a user, who can no longer reach you"
            => blocks::block_user as named::NamedUser => people_views::OfPerson<'_>;
        "unblock-user" (Other) "Unblock a user"
            => blocks::unblock_user as named::NamedUser => people_views::OfPerson<'_>;
        "list-blocked" (Other) "List the users you have blocked"
            => blocks::list_blocked as blocks::ListBlocked => people_views::BlockedView<'_>;
    }
    "Chats" {
        "create-chat" (Actor) "Make a chat with its first members"
            => chats::create_chat as chats::CreateChat => OfChat<ChatView<'_>>;
        "open-direct" (Other) "Find or make the private chat of you and another user"
            => chats::open_direct as named::NamedUser => OfChat<OwnChat<'_>>;
        "list-chats" (Actor) "List your chats, latest activity first"
            => chats::list_chats as chats::ListChats => views::chats::Chats<'_>;
        "list-public-chats" (Other) "List the public chats, latest activity first"
            => public_chats::list_public_chats as public_chats::ListPublicChats => views::chats::PublicChats<'_>;
        "update-chat" (Actor) "Change a chat: what is said of it, and who may see and send what"
            => chats::update_chat as chats::UpdateChat => OfChat<ChatView<'_>>;
        "delete-chat" (Other) "Delete a chat with all its messages"
            => chats::delete_chat as named::NamedChat => OfChat<views::OfId<ChatId>>;
    }
    "Membership" {
        "join-chat" (Actor) "Become a member of a chat that you may see"
            => chats::join_chat as named::NamedChat => OfChat<OwnChat<'_>>;
        "leave-chat" (Actor) "Leave a chat"
            => chats::leave_chat as named::NamedChat => OfChat<ChatView<'_>>;
        "list-members" (Other) "List the members of a chat"
            => members::list_members as members::ListMembers => people_views::MembersView<'_>;
        "remove-member" (Other) "Remove another member from a chat"
            => chats::remove_member as named::NamedMember => OfChat<ChatView<'_>>;
        "mark-read" (Actor) "Say how far you have read"
            => reading::mark_read as reading::MarkRead => OfChat<views::ReadView>;
        "count-unread" (Other) "Count what is unread in all your chats"
            => reading::count_unread as fields::NoFields => reading::UnreadView;
        "update-membership" (Other) "Mute, pin or archive a chat for yourself"
            => reading::update_membership as reading::UpdateMembership => OfChat<OwnChat<'_>>;
    }
    "Moderation" {
        "set-role" (Other) "Make a member the owner, a moderator or neither"
            => roles::set_role as roles::SetRole => people_views::OfMember<'_>;
        "mute-member" (Other) "Keep a member from sending"
            => roles::mute_member as roles::Restriction => people_views::OfMember<'_>;
        "unmute-member" (Other) "Let a muted member send again"
            => roles::unmute_member as named::NamedMember => people_views::OfMember<'_>;
        "ban-member" (Other) "Ban a user from a chat"
            => moderation::ban_member as roles::Restriction => moderation::Banned<'_>;
        "unban-member" (Other) "End a user's ban"
            => moderation::unban_member as named::NamedMember => moderation::Banned<'_>;
        "list-bans" (Other) "List the users who are banned from a chat"
            => moderation::list_bans as members::ListMembers => moderation::BansView<'_>;
        "report-message" (Other) "Report a message to the service"
            => moderation::report_message as moderation::ReportMessage => Nothing;
    }
    "Messages" {
        "list-messages" (Actor) "List a chat's messages, in the order sent"
            => messages::list_messages as messages::ListMessages => views::messages::Messages<'_>;
        "search-messages" (Other) "Find messages by their words, the latest first"
            => search::search_messages as search::SearchMessages => views::messages::FoundMessages<'_>;
        "new-message" (Actor) "Send a message"
            => messages::new_message as messages::NewMessage => MessageView<'_>;
        "edit-message" (Other) "Change what a message says"
            => changes::edit_message as changes::EditMessage => MessageView<'_>;
        "delete-message" (Other) "Delete a message"
            => changes::delete_message as named::NamedMessage => MessageView<'_>;
        "react" (Other) "React to a message, or take that back"
            => changes::react as changes::React => MessageView<'_>;
        "pin-message" (Other) "Pin a message, or take the pin off"
            => changes::pin_message as changes::PinMessage => MessageView<'_>;
        "list-changes" (Other) "List the messages that were changed"
            => changes::list_changes as changes::ListChanges => views::messages::Changes<'_>;
    }
    "Typing and signals" {
        "typing" (Other) "Say that you are writing, or have stopped"
            => signals::typing as signals::Typing => Nothing;
        "signal" (Other) "Send the others something that is not stored"
            => signals::signal as signals::Signal => Nothing;
    }
    "Rooms" {
        "subscribe" (Socket) "Subscribe to a chat's room, or to the system channel"
            => rooms::subscribe as rooms::Subscription => views::rooms::ChannelView;
        "unsubscribe" (Socket) "Unsubscribe from a chat's room, or from the system channel"
            => rooms::unsubscribe as rooms::Subscription => views::rooms::ChannelView;
    }
    "Invitations" {
        "invite" (Other) "Invite a user to a chat"
            => invitations::invite as named::NamedMember => views::OfInvitation<'_>;
        "list-invitations" (Actor) "List the invitations that wait for your answer"
            => invitations::list_invitations as invitations::ListInvitations => views::Invitations<'_>;
        "accept-invitation" (Actor) "Accept an invitation, and become a member of the chat"
            => invitations::accept_invitation as invitations::NamedInvitation => views::OfInvitation<'_>;
        "decline-invitation" (Actor) "Decline an invitation"
            => invitations::decline_invitation as invitations::NamedInvitation => views::OfInvitation<'_>;
    }
    "Teams" {
        "create-team" (Actor) "Make a team"
            => teams::create_team as teams::CreateTeam => views::teams::OfTeam<'_>;
        "list-teams" (Actor) "List your teams"
            => teams::list_teams as fields::NoFields => views::teams::Teams<'_>;
        "add-to-team" (Other) "Add a user to a team"
            => teams::add_to_team as teams::TeamMember => views::teams::OfTeam<'_>;
        "remove-from-team" (Other) "Remove a user, or yourself, from a team"
            => teams::remove_from_team as teams::TeamMember => views::teams::OfTeam<'_>;
    }
}

impl Row {
    /// Whether its `user` may say who acts.
    pub fn takes_user(&self) -> bool {
        matches!(self.user, User::Actor | User::Socket)
    }

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

/// Answers the request `event`, and notes what its body is asked for. Errors: `invalid`, also for
/// an event that is none; those of the event.
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

/// The answer to what brings none.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Done")]
pub struct Nothing {}

impl<Of: Serialize> Answer<Of> {
    fn new(body: &Of) -> Answered<Of> {
        let json = serde_json::to_string(body).map_err(|_| Error::Internal(None))?;
        Ok(Answer { json, pushed: false, of: PhantomData })
    }

    fn pushed(self, pushed: bool) -> Answer<Of> {
        Answer { pushed, ..self }
    }
}

impl Call<'_> {
    /// Whether the connection hears the chat as one of the users that it acts as; `member` says
    /// whether the actor is a member for sure, of which the audience may hear only now.
    fn hears(&self, actor: &Actor, chat_id: ChatId, member: bool) -> bool {
        let as_actor = member && self.asker.hears_as(actor.user_id());
        as_actor || self.app.hears_as_member(self.asker.connection().id(), chat_id)
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
}

/// What a page calls `next`: the time and the id of its last item.
fn cursor((time, id): (Time, impl Display)) -> String {
    format!("{}.{id}", time.as_micros())
}
