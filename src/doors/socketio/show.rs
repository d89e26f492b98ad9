//! What the sockets are shown of each event.

use engineioxide::Str;

use super::packets;
use crate::domain::Way;
use crate::doors::requests::people_views::{MemberChangedView, OfPerson, PresenceView};
use crate::doors::requests::views::messages::{ChangedView, MessageView, TouchedView};
use crate::doors::requests::views::reports::ReportView;
use crate::doors::requests::views::{
    Announcement, ChatView, InvitationView, OfChat, OfId, OfInvitation,
};
use crate::doors::requests::views::{
    ParticipantView, ParticipantsView, ReadView, ReceiptView, SignalView, TypingView,
};
use crate::error::Error;
use crate::model::{Chat, Event, Invitation, Posted};

/// The packet for connections that hear of an event in this way; none if they are shown nothing.
pub(super) fn show(event: &Event, way: Way) -> Option<Str> {
    let packet = packet(event, way);
    packet.unwrap_or_else(|_| {
        tracing::error!("an event could not be encoded");
        None
    })
}

fn packet(event: &Event, way: Way) -> Result<Option<Str>, Error> {
    let packet = match (event, way) {
        (Event::ChatCreated(chat), Way::Member) => of_chat("create-chat", chat)?,
        (Event::ChatAnnounced { chat, missed }, Way::Everyone) => {
            packets::push("chatroom", &Announcement::new(chat, *missed))?
        }
        (Event::ChatUpdated(chat), Way::Member | Way::Room) => of_chat("update-chat", chat)?,
        (Event::MemberRemoved { chat, .. }, Way::Member | Way::Room) => {
            of_chat("remove-member", chat)?
        }
        (Event::MemberChanged { chat_id, member }, Way::Member | Way::Room) => {
            packets::push("member-changed", &MemberChangedView::new(*chat_id, member))?
        }
        (Event::ChatDeleted { chat_id }, Way::Member | Way::Room) => {
            packets::push("chat-deleted", &OfChat { chat: OfId { id: *chat_id } })?
        }
        (Event::MessageReported(report), Way::Everyone) => {
            packets::push("report", &ReportView::from(&**report))?
        }
        (Event::MessageTouched { message_id, seq, change, .. }, Way::Member | Way::Room) => {
            packets::push("message-changed", &TouchedView::new(*message_id, *seq, *change))?
        }
        (Event::MessageSent(Posted { message, user, .. }), Way::Member) => {
            packets::push("new-message", &MessageView::new(message, user))?
        }
        (Event::MessageSent(Posted { message, user, .. }), Way::Room) => {
            packets::push("chat-message", &MessageView::new(message, user).on_channel())?
        }
        (Event::MessageChanged(changed), Way::Member | Way::Room) => {
            packets::push("message-changed", &ChangedView::from(changed))?
        }
        (Event::ChatRead { read, .. }, Way::User) => {
            packets::push("mark-read", &OfChat { chat: ReadView::from(read) })?
        }
        (Event::MembershipUpdated { listed, .. }, Way::User) => {
            packets::push("update-membership", &OfChat { chat: ChatView::from(listed) })?
        }
        (Event::MemberRead { chat_id, user_id, read_seq }, Way::Member | Way::Room) => {
            packets::push("read", &ReceiptView::new(*chat_id, user_id, *read_seq))?
        }
        (Event::Invited(invitation), Way::User) => invited(invitation)?,
        (Event::ParticipantJoined { chat_id, user, participants }, Way::Member | Way::Room) => {
            let body = ParticipantView::new(*chat_id, user, *participants);
            packets::push("participant-join", &body)?
        }
        (Event::ParticipantLeft { chat_id, user, participants }, Way::Member | Way::Room) => {
            let body = ParticipantView::new(*chat_id, user, *participants);
            packets::push("participant-leave", &body)?
        }
        (
            Event::ParticipantsMoved { chat_id, participants, joined, left, more },
            Way::Member | Way::Room,
        ) => {
            let body = ParticipantsView::new(*chat_id, *participants, joined, left, *more);
            packets::push("participants", &body)?
        }
        (Event::UserUpdated { user, .. }, Way::Watcher) => {
            packets::push("user-updated", &OfPerson::from(user))?
        }
        (Event::PresenceChanged { user_id, online, last_seen }, Way::Watcher) => {
            packets::push("presence", &PresenceView::new(user_id, *online, *last_seen))?
        }
        (Event::Typing { chat_id, user_id, name, on }, Way::Member | Way::Room) => {
            packets::push("typing", &TypingView::new(*chat_id, user_id, name, *on))?
        }
        (Event::Signalled { chat_id, user_id, data, .. }, Way::Member | Way::Room) => {
            packets::push("signal", &SignalView::new(*chat_id, user_id, data)?)?
        }
        _ => return Ok(None),
    };
    Ok(Some(packet))
}

fn of_chat(event: &str, chat: &Chat) -> Result<Str, Error> {
    packets::push(event, &OfChat { chat: ChatView::from(chat) })
}

/// The push of an invitation.
pub(super) fn invited(invitation: &Invitation) -> Result<Str, Error> {
    packets::push("invitation", &OfInvitation { invitation: InvitationView::from(invitation) })
}
