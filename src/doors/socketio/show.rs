//! What sockets are shown without asking: the table of pushes. Each says of which events it tells,
//! to whom, and with what body.

use engineioxide::Str;

use super::packets;
use crate::domain::Way;
use crate::doors::requests::views::acts::{ReceiptView, SignalView, TypingView};
use crate::doors::requests::views::chats::{ChatView, OwnChat};
use crate::doors::requests::views::messages::{
    ChangedView, ChannelMessage, MessageView, TouchedView,
};
use crate::doors::requests::views::people::{MemberChangedView, OfPerson, PresenceView};
use crate::doors::requests::views::reports::ReportView;
use crate::doors::requests::views::rooms::{Announcement, ParticipantView, ParticipantsView};
use crate::doors::requests::views::{InvitationView, OfChat, OfId, OfInvitation, ReadView};
use crate::doors::shape::Push;
use crate::error::Error;
use crate::model::{ChatId, Event, Posted};

/// The packet for connections that hear of an event in this way; `None` if they are shown nothing.
pub(super) fn show(event: &Event, way: Way) -> Option<Str> {
    let packet = packet(event, way);
    packet.unwrap_or_else(|_| {
        tracing::error!("an event could not be encoded");
        None
    })
}

/// Writes the table, and the function that makes the packets by it.
macro_rules! pushes {
    ($($name:literal $says:literal to $hearers:literal
        $($shown:pat => $body:ty: $view:expr),+;)*) => {
        /// All pushes.
        pub const PUSHES: &[Push] = &[$(Push {
            event: $name,
            says: $says,
            to: $hearers,
            bodies: &[$(|schemas| schemas.subschema_for::<$body>()),+],
        }),*];

        fn packet(event: &Event, way: Way) -> Result<Option<Str>, Error> {
            match (event, way) {
                $($($shown => packets::push::<$body>($name, &$view).map(Some),)+)*
                _ => Ok(None),
            }
        }
    };
}

// For each push: its name, what it says and who gets it; then the events that it is of, each with
// the ways in which connections hear of them that are shown it, and its body with its type.
pushes! {
    "create-chat" "There is a new chat" to "the sockets of its members"
        (Event::ChatCreated(chat), Way::Member) => OfChat<ChatView<'_>>: OfChat { chat: chat.into() };
    "update-chat" "A chat has been changed" to "the sockets of its members and in its room"
        (Event::ChatUpdated(chat), Way::Member | Way::Room)
            => OfChat<ChatView<'_>>: OfChat { chat: chat.into() };
    "remove-member" "A user is no longer a member"
        to "the sockets of the members and in the room, and the user's"
        (Event::MemberRemoved { chat, .. }, Way::Member | Way::Room)
            => OfChat<ChatView<'_>>: OfChat { chat: chat.into() };
    "member-changed" "A member has another role, or is muted, or no longer"
        to "the sockets of the members and in the room"
        (Event::MemberChanged { chat_id, member }, Way::Member | Way::Room)
            => MemberChangedView<'_>: MemberChangedView::new(*chat_id, member);
    "chat-deleted" "A chat has been deleted" to "the sockets of its members and in its room"
        (Event::ChatDeleted { chat_id }, Way::Member | Way::Room)
            => OfChat<OfId<ChatId>>: OfChat { chat: OfId { id: *chat_id } };
    "chatroom" "There is a new public chat" to "the sockets on the system channel"
        (Event::ChatAnnounced { chat, missed }, Way::Everyone)
            => Announcement<'_>: Announcement::new(chat, *missed);
    "new-message" "There is a new message"
        to "the sockets of the chat's members, the sender's included, that are not in its room"
        (Event::MessageSent(Posted { message, user, .. }), Way::Member)
            => MessageView<'_>: MessageView::new(message, user);
    "chat-message" "There is a new message"
        to "the sockets in the chat's room, in place of `new-message`"
        (Event::MessageSent(Posted { message, user, .. }), Way::Room)
            => ChannelMessage<'_>: MessageView::new(message, user).on_channel();
    "message-changed" "A message has been changed; of one that you do not see you get the numbers"
        to "the sockets of the chat's members and in its room"
        (Event::MessageChanged(changed), Way::Member | Way::Room)
            => ChangedView<'_>: ChangedView::from(changed),
        (Event::MessageTouched { message_id, seq, change, .. }, Way::Member | Way::Room)
            => TouchedView: TouchedView::new(*message_id, *seq, *change);
    "report" "A user has reported a message" to "the sockets with the API key"
        (Event::MessageReported(report), Way::Everyone)
            => ReportView<'_>: ReportView::from(&**report);
    "mark-read" "You have read a chat elsewhere" to "the user's other sockets"
        (Event::ChatRead { read, .. }, Way::User)
            => OfChat<ReadView>: OfChat { chat: ReadView::from(read) };
    "update-membership" "You have muted, pinned or archived a chat elsewhere"
        to "the user's other sockets"
        (Event::MembershipUpdated { listed, .. }, Way::User)
            => OfChat<OwnChat<'_>>: OfChat { chat: OwnChat::new(listed, None) };
    "read" "Another member has read a chat"
        to "the sockets of the other members, in a chat of up to 100"
        (Event::MemberRead { chat_id, user_id, read_seq }, Way::Member | Way::Room)
            => ReceiptView<'_>: ReceiptView::new(*chat_id, user_id, *read_seq);
    "invitation" "You are invited to a chat"
        to "the sockets of the user who is invited; again to each new one while it is pending"
        (Event::Invited(invitation), Way::User)
            => OfInvitation<'_>: OfInvitation { invitation: InvitationView::from(invitation) };
    "participant-join" "A user has come into a room"
        to "the sockets of the chat's members and in its room, of up to 200 participants"
        (Event::ParticipantJoined { chat_id, user, participants }, Way::Member | Way::Room)
            => ParticipantView<'_>: ParticipantView::new(*chat_id, user, *participants);
    "participant-leave" "A user has left a room"
        to "the sockets of the chat's members and in its room, of up to 200 participants"
        (Event::ParticipantLeft { chat_id, user, participants }, Way::Member | Way::Room)
            => ParticipantView<'_>: ParticipantView::new(*chat_id, user, *participants);
    "participants" "Users have come into a larger room, and left it"
        to "the sockets of the chat's members and in its room, at most once a second"
        (
            Event::ParticipantsMoved { chat_id, participants, joined, left, more },
            Way::Member | Way::Room,
        ) => ParticipantsView<'_>:
            ParticipantsView::new(*chat_id, *participants, joined, left, *more);
    "user-updated" "A user's name, photo, handle or data have changed"
        to "the sockets that watch the user or share a direct chat, and the user's others"
        (Event::UserUpdated { user, .. }, Way::Watcher) => OfPerson<'_>: OfPerson::from(user);
    "presence" "A user has come or gone" to "the sockets that watch the user"
        (Event::PresenceChanged { user_id, online, last_seen }, Way::Watcher)
            => PresenceView<'_>: PresenceView::new(user_id, *online, *last_seen);
    "typing" "A member is writing, or has stopped"
        to "the sockets of the other members and in the room"
        (Event::Typing { chat_id, user_id, name, on }, Way::Member | Way::Room)
            => TypingView<'_>: TypingView::new(*chat_id, user_id, name, *on);
    "signal" "A member has sent something that is not stored"
        to "the other sockets of the members and in the room, or of those whom it names"
        (Event::Signalled { chat_id, user_id, data, .. }, Way::Member | Way::Room)
            => SignalView<'_>: SignalView::new(*chat_id, user_id, data)?;
}
