//! Shows every event to the connections that may see it. An event is encoded once, however many
//! they are.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Hub, frames};
use crate::doors::websocket::Closing;
use crate::model::{ChatId, ConnectionId, Event, Place, Posted, Published};

/// Runs until the bus is closed.
pub async fn run(hub: Arc<Hub>, mut events: mpsc::Receiver<Arc<Published>>) {
    while let Some(published) = events.recv().await {
        if let Some(event) = &published.event {
            push(&hub, event);
        }
        hub.pushed.note(&published);
    }
}

fn push(hub: &Arc<Hub>, event: &Event) {
    let roster = &hub.roster;
    match event {
        Event::MessageSent(Posted { message, author, place, .. }) => match place {
            Place::Channel(channel) => {
                let frame = || frames::message(channel, &message.body, author);
                roster.tell_channel(message.chat_id, frame);
            }
            Place::Chat | Place::Direct { .. } => {}
        },
        Event::NickConnected { nick, user_id, by, anonymous } => {
            roster.connect(nick, user_id, *by, *anonymous);
            roster.tell_all(&frames::of_nick(frames::LOG_IN, nick));
        }
        Event::NickGone { nick, lost } => {
            // Who has taken another nick is told, too.
            roster.tell_all(&frames::of_nick(frames::LOG_OUT, nick));
            if let Some(session) = roster.disconnect(nick).filter(|_| *lost) {
                // Others have taken this node for dead: the client is to come again.
                session.end(Closing::SHUTDOWN);
            }
        }
        Event::ChannelJoined { chat_id, channel, nick } => {
            if roster.join(*chat_id, nick) {
                let frame = || frames::of_channel(frames::JOIN, channel, nick);
                roster.tell_channel(*chat_id, frame);
            }
        }
        Event::ChannelLeft { chat_id, channel, nick } => {
            let frame = frames::of_channel(frames::LEAVE, channel, nick);
            roster.tell_channel(*chat_id, || frame.clone());
            roster.tell_evicted(*chat_id, nick, &frame);
            roster.leave(*chat_id, nick);
        }
        Event::UserProtected { user_id, by } => {
            for session in roster.list_anonymous(user_id, *by) {
                session.expel("to act as this user takes a password or a token");
            }
        }
        Event::MemberLeft { chat_id, user_id, .. } => {
            evict(hub, *chat_id, roster.evict(*chat_id, user_id));
        }
        Event::MemberRemoved { chat, user_id } => {
            evict(hub, chat.id, roster.evict(chat.id, user_id));
        }
        // An ephemeral chat is no channel.
        Event::ChatDeleted { .. } => {}
        // Who is in a channel is a member, and may see it when it is private, too.
        Event::ChatUpdated(_) => {}
        Event::ChatCreated(_)
        | Event::MemberJoined { .. }
        | Event::ChatRead { .. }
        | Event::Invited(_)
        | Event::TokenEnded { .. }
        | Event::ParticipantJoined { .. }
        | Event::ParticipantLeft { .. } => {}
    }
}

/// Tells the domain who is in a channel no more, which then tells everybody. Not awaited: the
/// domain may be waiting for this task to take an event.
fn evict(hub: &Arc<Hub>, chat_id: ChatId, evicted: Vec<ConnectionId>) {
    for connection in evicted {
        let hub = hub.clone();
        hub.work.clone().spawn(async move {
            hub.app.lose_channel(connection, chat_id).await;
        });
    }
}
