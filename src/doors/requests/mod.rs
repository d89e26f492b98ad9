//! The table of events. The function of each event reads its body, calls the function of the same
//! name in the domain and encodes what that returns. The table serves Socket.IO and HTTP alike
//! (docs/protocol.md, "Requests").

mod blocks;
mod call;
mod changes;
mod chats;
mod deletions;
mod direct;
pub mod fields;
mod hearing;
mod invitations;
mod members;
mod membership;
mod messages;
mod moderation;
mod named;
pub mod pages;
mod people;
mod pins;
mod public_chats;
mod reactions;
mod receipts;
mod roles;
mod search;
mod signals;
mod single;
mod teams;
mod typing;
mod users;
pub mod views;
mod watching;

use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::input::{Input, Known};
use super::shape::Shape;
use super::warnings::{self, ACTOR, ACTOR_OR_USER, nearest};
use crate::domain::App;
use crate::error::Error;
use crate::model::ChatId;
use call::{Answered, Call, Nothing};
use fields::Request;
use views::OfChat;
use views::chats::{ChatView, OwnChat};
use views::messages::MessageView;

pub use call::{Answer, Asker, Named};
pub use single::answer_single;

/// A row of the table.
pub struct Row {
    pub event: &'static str,
    /// What it does, in a few words.
    pub does: &'static str,
    /// What it belongs to.
    pub feature: &'static str,
    /// The type of its body, without the fields that say who acts.
    pub request: Shape,
    /// The fields of that type.
    pub fields: &'static [Known],
    /// The type of its answer.
    pub answer: Shape,
    user: User,
}

/// What the `user` of an event's body says.
#[derive(Clone, Copy)]
enum User {
    /// Who acts, from now on.
    Actor,
    /// The same, for an event that concerns a socket and means nothing without one.
    Socket,
    /// Something else, or nothing.
    Other,
    /// The same as `Other`, for an event that concerns a socket.
    SocketOther,
}

/// Defines the table of events, and the function that calls the function of an event.
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
            fields: <$request as Request>::FIELDS,
            answer: |schemas| schemas.subschema_for::<$answer>(),
            user: User::$user,
        }),*),*];

        async fn call(event: &str, call: Call<'_>) -> Answered<()> {
            match event {
                $($($name => {
                    let asked = <$request as Request>::read(&call.body)?;
                    let Answer { json, pushed, fresh, of: PhantomData::<fn($answer)> } =
                        $function(call, asked).await?;
                    Ok(Answer { json, pushed, fresh, of: PhantomData })
                })*)*
                _ => Err(no_event(event)),
            }
        }
    };
}

// The events of each feature. A row holds what the `user` of its body says, what the event does,
// its function, and the types of the request and of the answer.
events! {
    "People" {
        "create-user" (Other) "Make or find a user"
            => users::create_user as users::CreateUser => views::OfUser<'_>;
        "list-users" (Other) "List users by name, or by how their names begin"
            => people::list_users as people::ListUsers => views::people::PeopleView<'_>;
        "update-user" (Other) "Change your name, photo, handle or data"
            => people::update_user as people::UpdateUser => views::people::OfPerson<'_>;
        "delete-user" (Other) "Delete yourself, or as the service any user"
            => deletions::delete_user as deletions::DeleteUser => views::people::OfUserId<'_>;
        "watch-users" (SocketOther) "Watch when users come, go and change"
            => watching::watch_users as watching::WatchUsers => views::people::PeopleView<'_>;
        "unwatch-users" (SocketOther) "Stop watching users"
            => watching::unwatch_users as watching::WatchUsers => views::people::PeopleView<'_>;
        "block-user" (Other) "Block a user, who can no longer reach you"
            => blocks::block_user as named::NamedUser => views::people::OfPerson<'_>;
        "unblock-user" (Other) "Unblock a user"
            => blocks::unblock_user as named::NamedUser => views::people::OfPerson<'_>;
        "list-blocked" (Other) "List the users you have blocked"
            => blocks::list_blocked as blocks::ListBlocked => views::people::BlockedView<'_>;
    }
    "Chats" {
        "create-chat" (Actor) "Make a chat with its first members"
            => chats::create_chat as chats::CreateChat => OfChat<ChatView<'_>>;
        "open-direct" (Other) "Find or make the private chat of you and another user"
            => direct::open_direct as named::NamedUser => OfChat<OwnChat<'_>>;
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
            => members::list_members as members::ListMembers => views::people::MembersView<'_>;
        "remove-member" (Other) "Remove another member from a chat"
            => chats::remove_member as named::NamedMember => OfChat<ChatView<'_>>;
        "mark-read" (Actor) "Say how far you have read"
            => receipts::mark_read as receipts::MarkRead => OfChat<views::ReadView>;
        "count-unread" (Other) "Count what is unread in all your chats"
            => receipts::count_unread as fields::NoFields => receipts::UnreadView;
        "update-membership" (Other) "Mute, pin or archive a chat for yourself"
            => membership::update_membership as membership::UpdateMembership => OfChat<OwnChat<'_>>;
    }
    "Moderation" {
        "set-role" (Other) "Make a member the owner, a moderator or neither"
            => roles::set_role as roles::SetRole => views::people::OfMember<'_>;
        "mute-member" (Other) "Keep a member from sending"
            => moderation::mute_member as moderation::Restriction => views::people::OfMember<'_>;
        "unmute-member" (Other) "Let a muted member send again"
            => moderation::unmute_member as named::NamedMember => views::people::OfMember<'_>;
        "ban-member" (Other) "Ban a user from a chat"
            => moderation::ban_member as moderation::Restriction => moderation::Banned<'_>;
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
            => reactions::react as reactions::React => MessageView<'_>;
        "pin-message" (Other) "Pin a message, or take the pin off"
            => pins::pin_message as pins::PinMessage => MessageView<'_>;
        "list-changes" (Other) "List the messages that were changed"
            => changes::list_changes as changes::ListChanges => views::messages::Changes<'_>;
    }
    "Typing and signals" {
        "typing" (Other) "Say that you are writing, or have stopped"
            => typing::typing as typing::Typing => Nothing;
        "signal" (Other) "Send the others something that is not stored"
            => signals::signal as signals::Signal => Nothing;
    }
    "Rooms" {
        "subscribe" (Socket) "Subscribe to a chat's room, or to the system channel"
            => hearing::subscribe as hearing::Subscription => views::rooms::ChannelView;
        "unsubscribe" (Socket) "Unsubscribe from a chat's room, or from the system channel"
            => hearing::unsubscribe as hearing::Subscription => views::rooms::ChannelView;
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

/// The name of an event for the log, into which a client must not be able to write a name of its
/// own.
pub fn name(event: &str) -> &'static str {
    find(event).map_or("unknown event", |row| row.event)
}

/// Warnings of the fields in this body that the event does not know. `error` is what the request
/// was refused with, if it was.
pub fn warnings(event: &str, body: &RawValue, error: Option<&Error>) -> Vec<String> {
    let Some(row) = find(event) else { return Vec::new() };
    let acting = if row.takes_user() { ACTOR_OR_USER } else { ACTOR };
    warnings::warnings([row.fields, acting], body, error)
}

/// Answers the request `event`. Errors: `invalid`, also for an event that does not exist; those
/// of the event.
pub async fn answer(
    asker: &dyn Asker,
    app: &Arc<App>,
    event: &str,
    body: &RawValue,
) -> Result<Answer, Error> {
    let row = find(event).ok_or_else(|| no_event(event))?;
    let body = Input::new(body, app.limits())?;
    call(row.event, Call { asker, app, body, user: row.user }).await
}
