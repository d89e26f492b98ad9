//! Shows every event to the sockets that may see it. An event is encoded once, however many they
//! are.

use std::sync::Arc;

use engineioxide::Str;
use tokio::sync::mpsc;

use super::views::{Announcement, ChatView, InvitationView, MessageView, OfChat, OfInvitation};
use super::views::{ParticipantView, ReadView};
use super::{Hub, packets};
use crate::error::Error;
use crate::model::{Chat, ChatId, ConnectionId, Event, Invitation, Posted, Published};

/// Runs until the bus is closed.
pub(super) async fn run(hub: Arc<Hub>, mut events: mpsc::Receiver<Arc<Published>>) {
    while let Some(published) = events.recv().await {
        let pushed = published.event.as_ref().map_or(Ok(()), |event| push(&hub, event));
        if pushed.is_err() {
            tracing::error!("an event could not be encoded");
        }
        hub.pushed.note(&published);
    }
}

fn push(hub: &Arc<Hub>, event: &Event) -> Result<(), Error> {
    let rooms = &hub.rooms;
    match event {
        Event::ChatCreated(chat) => {
            for user_id in &chat.users {
                rooms.join(chat.id, user_id);
            }
            rooms.broadcast(chat.id, &of_chat("create-chat", chat)?);
            if !chat.private && chat.team_id.is_none() {
                let body = Announcement::from(chat);
                rooms.announce(&packets::push("chatroom", &body)?);
            }
        }
        Event::ChatUpdated(chat) => {
            // First, as those who may not see it any more are not to see what it has become.
            if chat.private {
                evict(hub, chat.id, rooms.restrict(chat.id));
            }
            rooms.broadcast(chat.id, &of_chat("update-chat", chat)?);
        }
        Event::MemberJoined { chat_id, user_id } => rooms.join(*chat_id, user_id),
        Event::MemberLeft { chat_id, user_id, sees } => {
            evict(hub, *chat_id, rooms.leave(*chat_id, user_id, *sees));
        }
        Event::MemberRemoved { chat, user_id } => {
            // The removed user's sockets are still among the room's, and get it as the others do.
            rooms.broadcast(chat.id, &of_chat("remove-member", chat)?);
            evict(hub, chat.id, rooms.leave(chat.id, user_id, false));
        }
        Event::MessageSent(Posted { message, .. }) => {
            let view = MessageView::from(&**message);
            let plain = packets::push("new-message", &view)?;
            let channel = packets::push("chat-message", &view.on_channel())?;
            rooms.send_message(message.chat_id, &plain, &channel);
        }
        Event::ChatRead { read, user_id, by } => {
            let body = OfChat { chat: ReadView::from(read) };
            rooms.send_to_user(user_id, Some(*by), &packets::push("mark-read", &body)?);
        }
        Event::Invited(invitation) => {
            rooms.send_to_user(&invitation.invitee_id, None, &invited(invitation)?);
        }
        Event::UserProtected { user_id, .. } => {
            for (connection, chat_id) in rooms.forget(user_id) {
                let hub = hub.clone();
                hub.work.clone().spawn(async move {
                    // Even if it has come back, it is not as this user.
                    hub.app.leave_room(connection, chat_id, || false).await;
                });
            }
        }
        Event::ChatDeleted { chat_id } => evict(hub, *chat_id, rooms.close_room(*chat_id)),
        // The domain ends the connections themselves.
        Event::TokenEnded { .. } => {}
        // The channels' own; a nick in a channel is a participant of its chat, too.
        Event::NickConnected { .. }
        | Event::NickGone { .. }
        | Event::ChannelJoined { .. }
        | Event::ChannelLeft { .. } => {}
        Event::ParticipantJoined { chat_id, user, participants } => {
            let body = ParticipantView::new(*chat_id, user, *participants);
            rooms.broadcast(*chat_id, &packets::push("participant-join", &body)?);
        }
        Event::ParticipantLeft { chat_id, user, participants } => {
            let body = ParticipantView::new(*chat_id, user, *participants);
            rooms.broadcast(*chat_id, &packets::push("participant-leave", &body)?);
        }
    }
    Ok(())
}

fn of_chat(event: &str, chat: &Chat) -> Result<Str, Error> {
    packets::push(event, &OfChat { chat: ChatView::from(chat) })
}

/// The push of an invitation.
pub(super) fn invited(invitation: &Invitation) -> Result<Str, Error> {
    packets::push("invitation", &OfInvitation { invitation: InvitationView::from(invitation) })
}

/// Tells the domain who is in a room no more. Not awaited: the domain may be waiting for this
/// task to take an event.
fn evict(hub: &Arc<Hub>, chat_id: ChatId, evicted: Vec<ConnectionId>) {
    for connection in evicted {
        let hub = hub.clone();
        hub.work.clone().spawn(async move {
            // It may have got the right back and returned.
            let is_back = || hub.rooms.is_subscribed(connection, chat_id);
            hub.app.leave_room(connection, chat_id, is_back).await;
        });
    }
}
