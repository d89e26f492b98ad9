//! What follows from events: who has lost a chat leaves its room, and a room that is empty then is
//! deleted. It is begun in the order of the events, and not waited for: it may commit something, and
//! commits wait for what shows events.

use std::sync::Weak;

use tokio::sync::mpsc;

use super::App;
use crate::audience::Lost;
use crate::model::{ChatId, ConnectionId, Event, UserId};

/// What an event makes necessary.
pub(super) enum Consequence {
    /// A connection is to be taken out of a chat's room, unless it has come back.
    LeaveRoom(ConnectionId, ChatId),
    /// The nick of a connection is to be taken out of a channel.
    LeaveChannel(ConnectionId, ChatId),
    /// A user is a member no more, and is not to be in the chat's room by the rooms API.
    Recall(ChatId, UserId),
}

impl Consequence {
    pub fn of(event: &Event, lost: Lost) -> impl Iterator<Item = Consequence> {
        let recalled = match event {
            Event::MemberLeft { chat_id, user_id, .. } => Some((*chat_id, user_id.clone())),
            Event::MemberRemoved { chat, user_id } => Some((chat.id, user_id.clone())),
            _ => None,
        };
        let Lost { rooms, channels } = lost;
        let rooms = rooms.into_iter().map(|(id, chat_id)| Consequence::LeaveRoom(id, chat_id));
        let channels = channels.into_iter();
        let channels = channels.map(|(id, chat_id)| Consequence::LeaveChannel(id, chat_id));
        let recalled = recalled.map(|(chat_id, user_id)| Consequence::Recall(chat_id, user_id));
        rooms.chain(channels).chain(recalled)
    }
}

/// Does what follows, until the server is gone.
pub(super) async fn run(app: Weak<App>, mut followed: mpsc::UnboundedReceiver<Consequence>) {
    while let Some(consequence) = followed.recv().await {
        let Some(app) = app.upgrade() else {
            return;
        };
        // None waits for another, of which the store may be in the way.
        app.work.clone().spawn(async move { app.draw(consequence).await });
    }
}

impl App {
    async fn draw(&self, consequence: Consequence) {
        match consequence {
            Consequence::LeaveRoom(connection, chat_id) => {
                self.leave_lost_room(connection, chat_id).await;
            }
            Consequence::LeaveChannel(connection, chat_id) => {
                self.lose_channel(connection, chat_id).await;
            }
            Consequence::Recall(chat_id, user_id) => {
                if let Err(error) = self.recall(chat_id, &user_id).await {
                    error.warn("a user who has lost a chat is in its room still");
                }
            }
        }
    }
}
