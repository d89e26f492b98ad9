//! What the sockets are shown of each event.

use engineioxide::Str;

use super::pushes;
use crate::domain::Way;
use crate::doors::requests::views::acts::{ReceiptView, SignalView, TypingView};
use crate::doors::requests::views::chats::{ChatView, OwnChat};
use crate::doors::requests::views::messages::{ChangedView, MessageView, TouchedView};
use crate::doors::requests::views::people::{MemberChangedView, OfPerson, PresenceView};
use crate::doors::requests::views::reports::ReportView;
use crate::doors::requests::views::rooms::{Announcement, ParticipantView, ParticipantsView};
use crate::doors::requests::views::{InvitationView, OfChat, OfId, OfInvitation, ReadView};
use crate::error::Error;
use crate::model::{Chat, Event, Invitation, Posted};

/// The packet for connections that hear of an event in this way; `None` if they are shown nothing.
pub(super) fn show(event: &Event, way: Way) -> Option<Str> {
    let packet = packet(event, way);
    packet.unwrap_or_else(|_| {
        tracing::error!("an event could not be encoded");
        None
    })
}

fn packet(event: &Event, way: Way) -> Result<Option<Str>, Error> {
    let packet = match (event, way) {
        (Event::ChatCreated(chat), Way::Member) => pushes::create_chat(&of_chat(chat))?,
        (Event::ChatAnnounced { chat, missed }, Way::Everyone) => {
            pushes::chatroom(&Announcement::new(chat, *missed))?
        }
        (Event::ChatUpdated(chat), Way::Member | Way::Room) => pushes::update_chat(&of_chat(chat))?,
        (Event::MemberRemoved { chat, .. }, Way::Member | Way::Room) => {
            pushes::remove_member(&of_chat(chat))?
        }
        (Event::MemberChanged { chat_id, member }, Way::Member | Way::Room) => {
            pushes::member_changed(&MemberChangedView::new(*chat_id, member))?
        }
        (Event::ChatDeleted { chat_id }, Way::Member | Way::Room) => {
            pushes::chat_deleted(&OfChat { chat: OfId { id: *chat_id } })?
        }
        (Event::MessageReported(report), Way::Everyone) => {
            pushes::report(&ReportView::from(&**report))?
        }
        (Event::MessageTouched { message_id, seq, change, .. }, Way::Member | Way::Room) => {
            pushes::message_touched(&TouchedView::new(*message_id, *seq, *change))?
        }
        (Event::MessageSent(Posted { message, user, .. }), Way::Member) => {
            pushes::new_message(&MessageView::new(message, user))?
        }
        (Event::MessageSent(Posted { message, user, .. }), Way::Room) => {
            pushes::chat_message(&MessageView::new(message, user).on_channel())?
        }
        (Event::MessageChanged(changed), Way::Member | Way::Room) => {
            pushes::message_changed(&ChangedView::from(changed))?
        }
        (Event::ChatRead { read, .. }, Way::User) => {
            pushes::mark_read(&OfChat { chat: ReadView::from(read) })?
        }
        (Event::MembershipUpdated { listed, .. }, Way::User) => {
            pushes::update_membership(&OfChat { chat: OwnChat::new(listed, None) })?
        }
        (Event::MemberRead { chat_id, user_id, read_seq }, Way::Member | Way::Room) => {
            pushes::read(&ReceiptView::new(*chat_id, user_id, *read_seq))?
        }
        (Event::Invited(invitation), Way::User) => invited(invitation)?,
        (Event::ParticipantJoined { chat_id, user, participants }, Way::Member | Way::Room) => {
            let body = ParticipantView::new(*chat_id, user, *participants);
            pushes::participant_join(&body)?
        }
        (Event::ParticipantLeft { chat_id, user, participants }, Way::Member | Way::Room) => {
            let body = ParticipantView::new(*chat_id, user, *participants);
            pushes::participant_leave(&body)?
        }
        (
            Event::ParticipantsMoved { chat_id, participants, joined, left, more },
            Way::Member | Way::Room,
        ) => {
            let body = ParticipantsView::new(*chat_id, *participants, joined, left, *more);
            pushes::participants(&body)?
        }
        (Event::UserUpdated { user, .. }, Way::Watcher) => {
            pushes::user_updated(&OfPerson::from(user))?
        }
        (Event::PresenceChanged { user_id, online, last_seen }, Way::Watcher) => {
            pushes::presence(&PresenceView::new(user_id, *online, *last_seen))?
        }
        (Event::Typing { chat_id, user_id, name, on }, Way::Member | Way::Room) => {
            pushes::typing(&TypingView::new(*chat_id, user_id, name, *on))?
        }
        (Event::Signalled { chat_id, user_id, data, .. }, Way::Member | Way::Room) => {
            pushes::signal(&SignalView::new(*chat_id, user_id, data)?)?
        }
        _ => return Ok(None),
    };
    Ok(Some(packet))
}

fn of_chat(chat: &Chat) -> OfChat<ChatView<'_>> {
    OfChat { chat: ChatView::from(chat) }
}

/// The push of an invitation.
pub(super) fn invited(invitation: &Invitation) -> Result<Str, Error> {
    pushes::invitation(&OfInvitation { invitation: InvitationView::from(invitation) })
}
