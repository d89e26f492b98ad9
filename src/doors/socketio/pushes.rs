//! The table of pushes: which events sockets get without asking, with what body, and who gets them.

use engineioxide::Str;

use super::packets;
use crate::doors::requests::views::acts::{ReceiptView, SignalView, TypingView};
use crate::doors::requests::views::chats::{ChatView, OwnChat};
use crate::doors::requests::views::messages::{
    ChangedView, ChannelMessage, MessageView, TouchedView,
};
use crate::doors::requests::views::people::{MemberChangedView, OfPerson, PresenceView};
use crate::doors::requests::views::reports::ReportView;
use crate::doors::requests::views::rooms::{Announcement, ParticipantView, ParticipantsView};
use crate::doors::requests::views::{OfChat, OfId, OfInvitation, ReadView};
use crate::doors::shape::Push;
use crate::error::Error;
use crate::model::ChatId;

/// Writes the table, and for each body of a row a function that makes the packet.
macro_rules! pushes {
    ($($name:literal $says:literal to $hearers:literal
        => $($function:ident($body:ty)),+;)*) => {
        /// All pushes.
        pub const PUSHES: &[Push] = &[$(Push {
            event: $name,
            says: $says,
            to: $hearers,
            bodies: &[$(|schemas| schemas.subschema_for::<$body>()),+],
        }),*];

        $($(pub(super) fn $function(body: &$body) -> Result<Str, Error> {
            packets::push($name, body)
        })+)*
    };
}

pushes! {
    "create-chat" "There is a new chat" to "the sockets of its members"
        => create_chat(OfChat<ChatView<'_>>);
    "update-chat" "A chat has been changed" to "the sockets of its members and in its room"
        => update_chat(OfChat<ChatView<'_>>);
    "remove-member" "A user is no longer a member"
        to "the sockets of the members and in the room, and the user's"
        => remove_member(OfChat<ChatView<'_>>);
    "member-changed" "A member has another role, or is muted, or no longer"
        to "the sockets of the members and in the room"
        => member_changed(MemberChangedView<'_>);
    "chat-deleted" "A chat has been deleted" to "the sockets of its members and in its room"
        => chat_deleted(OfChat<OfId<ChatId>>);
    "chatroom" "There is a new public chat" to "the sockets on the system channel"
        => chatroom(Announcement<'_>);
    "new-message" "There is a new message"
        to "the sockets of the chat's members, the sender's included, that are not in its room"
        => new_message(MessageView<'_>);
    "chat-message" "There is a new message"
        to "the sockets in the chat's room, in place of `new-message`"
        => chat_message(ChannelMessage<'_>);
    "message-changed" "A message has been changed; of one that you do not see you get the numbers"
        to "the sockets of the chat's members and in its room"
        => message_changed(ChangedView<'_>), message_touched(TouchedView);
    "report" "A user has reported a message" to "the sockets with the API key"
        => report(ReportView<'_>);
    "mark-read" "You have read a chat elsewhere" to "the user's other sockets"
        => mark_read(OfChat<ReadView>);
    "update-membership" "You have muted, pinned or archived a chat elsewhere"
        to "the user's other sockets"
        => update_membership(OfChat<OwnChat<'_>>);
    "read" "Another member has read a chat"
        to "the sockets of the other members, in a chat of up to 100"
        => read(ReceiptView<'_>);
    "invitation" "You are invited to a chat"
        to "the sockets of the user who is invited; again to each new one while it is pending"
        => invitation(OfInvitation<'_>);
    "participant-join" "A user has come into a room"
        to "the sockets of the chat's members and in its room, of up to 200 participants"
        => participant_join(ParticipantView<'_>);
    "participant-leave" "A user has left a room"
        to "the sockets of the chat's members and in its room, of up to 200 participants"
        => participant_leave(ParticipantView<'_>);
    "participants" "Users have come into a larger room, and left it"
        to "the sockets of the chat's members and in its room, at most once a second"
        => participants(ParticipantsView<'_>);
    "user-updated" "A user's name, photo, handle or data have changed"
        to "the sockets that watch the user or share a direct chat, and the user's others"
        => user_updated(OfPerson<'_>);
    "presence" "A user has come or gone" to "the sockets that watch the user"
        => presence(PresenceView<'_>);
    "typing" "A member is writing, or has stopped"
        to "the sockets of the other members and in the room"
        => typing(TypingView<'_>);
    "signal" "A member has sent something that is not stored"
        to "the other sockets of the members and in the room, or of those whom it names"
        => signal(SignalView<'_>);
}
