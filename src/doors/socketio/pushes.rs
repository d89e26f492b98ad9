//! The table of pushes: which events sockets get without asking, with what body, and who gets them.

use engineioxide::Str;

use super::packets;
use crate::doors::requests::people_views::{MemberChangedView, OfPerson, PresenceView};
use crate::doors::requests::views::acts::{ReceiptView, SignalView, TypingView};
use crate::doors::requests::views::messages::{
    ChangedView, ChannelMessage, MessageView, TouchedView,
};
use crate::doors::requests::views::reports::ReportView;
use crate::doors::requests::views::rooms::{Announcement, ParticipantView, ParticipantsView};
use crate::doors::requests::views::{ChatView, OfChat, OfId, OfInvitation, ReadView};
use crate::doors::shape::Push;
use crate::error::Error;
use crate::model::ChatId;

/// Writes the table, and a function for each row that makes the packet.
macro_rules! pushes {
    ($($name:literal $function:ident($body:ty) $says:literal to $hearers:literal;)*) => {
        /// All pushes. One that may have different bodies has a row for each.
        pub const PUSHES: &[Push] = &[$(Push {
            event: $name,
            says: $says,
            to: $hearers,
            body: |schemas| schemas.subschema_for::<$body>(),
        }),*];

        $(pub(super) fn $function(body: &$body) -> Result<Str, Error> {
            packets::push($name, body)
        })*
    };
}

pushes! {
    "create-chat" create_chat(OfChat<ChatView<'_>>)
        "There is a new chat" to "the sockets of its members";
    "update-chat" update_chat(OfChat<ChatView<'_>>)
        "A chat has been changed" to "the sockets of its members and in its room";
    "remove-member" remove_member(OfChat<ChatView<'_>>)
        "A user is no longer a member" to "the sockets of the members and in the room, and the user's";
    "member-changed" member_changed(MemberChangedView<'_>)
        "A member has another role, or is muted, or no longer"
        to "the sockets of the members and in the room";
    "chat-deleted" chat_deleted(OfChat<OfId<ChatId>>)
        "A chat is gone" to "the sockets of its members and in its room";
    "chatroom" chatroom(Announcement<'_>)
        "There is a new public chat" to "the sockets on the system channel";
    "new-message" new_message(MessageView<'_>)
        "There is a new message"
        to "the sockets of the chat's members, the sender's included, that are not in its room";
    "chat-message" chat_message(ChannelMessage<'_>)
        "There is a new message" to "the sockets in the chat's room, in place of `new-message`";
    "message-changed" message_changed(ChangedView<'_>)
        "A message has been changed" to "the sockets of the chat's members and in its room";
    "message-changed" message_touched(TouchedView)
        "A message has been changed that one does not see"
        to "the sockets of members who have joined since it was sent";
    "report" report(ReportView<'_>)
        "A message should not be there" to "the sockets with the API key";
    "mark-read" mark_read(OfChat<ReadView>)
        "One has read a chat elsewhere" to "the user's other sockets";
    "update-membership" update_membership(OfChat<ChatView<'_>>)
        "One has muted, pinned or archived a chat elsewhere" to "the user's other sockets";
    "read" read(ReceiptView<'_>)
        "Another member has read a chat"
        to "the sockets of the other members, in a chat of up to 100";
    "invitation" invitation(OfInvitation<'_>)
        "One is asked into a chat"
        to "the sockets of the user who is asked; again to each new one while it is pending";
    "participant-join" participant_join(ParticipantView<'_>)
        "A user has come into a room"
        to "the sockets of the chat's members and in its room, of up to 200 participants";
    "participant-leave" participant_leave(ParticipantView<'_>)
        "A user has left a room"
        to "the sockets of the chat's members and in its room, of up to 200 participants";
    "participants" participants(ParticipantsView<'_>)
        "Users have come into a larger room, and left it"
        to "the sockets of the chat's members and in its room, at most once a second";
    "user-updated" user_updated(OfPerson<'_>)
        "A user is seen otherwise"
        to "the sockets that watch the user or share a direct chat, and the user's others";
    "presence" presence(PresenceView<'_>)
        "A user has come or gone" to "the sockets that watch the user";
    "typing" typing(TypingView<'_>)
        "A member is writing, or has stopped"
        to "the sockets of the other members and in the room";
    "signal" signal(SignalView<'_>)
        "A member has sent something that is not kept"
        to "the other sockets of the members and in the room, or of those whom it names";
}
