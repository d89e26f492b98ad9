//! What follows from events: a connection that has lost a chat leaves its room, and a room that is
//! then empty is deleted. Consequences begin in the order of the events, but the carrier does not
//! wait for them: a consequence may commit something, and commits wait for the carrier.

use std::sync::Weak;

use tokio::sync::mpsc;

use super::App;
use crate::audience::Lost;
use crate::model::{ChatId, Event, UserId};

/// What must be done because of an event.
pub(super) enum Consequence {
    /// Take a connection that has lost a chat out of its room, unless it has come back.
    Leave(Lost),
    /// A user is no member any more: take them out of the chat's room in the rooms API, too.
    Recall(ChatId, UserId),
}

impl Consequence {
    pub fn of(event: &Event, lost: Vec<Lost>) -> impl Iterator<Item = Consequence> {
        let recalled = match event {
            Event::MemberLeft { chat_id, user_id, .. } => Some((*chat_id, user_id.clone())),
            Event::MemberRemoved { chat, user_id } => Some((chat.id, user_id.clone())),
            _ => None,
        };
        let recalled = recalled.map(|(chat_id, user_id)| Consequence::Recall(chat_id, user_id));
        lost.into_iter().map(Consequence::Leave).chain(recalled)
    }
}

/// Carries out the consequences, until the server is gone.
pub(super) async fn run(app: Weak<App>, mut followed: mpsc::UnboundedReceiver<Consequence>) {
    while let Some(consequence) = followed.recv().await {
        let Some(app) = app.upgrade() else {
            return;
        };
        // Each in a task of its own: one that waits for the store must not block the others.
        app.work.clone().spawn(async move { app.draw(consequence).await });
    }
}

impl App {
    async fn draw(&self, consequence: Consequence) {
        match consequence {
            Consequence::Leave(Lost { connection, chat_id, as_nick: false }) => {
                self.leave_lost_room(connection, chat_id).await;
            }
            Consequence::Leave(Lost { connection, chat_id, as_nick: true }) => {
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
