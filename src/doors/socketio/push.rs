//! Shows every committed event to the sockets that may see it. An event is encoded once, however
//! many they are.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Hub;
use super::views::{self, ChatView, MessageView, OfChat, ReadView};
use crate::error::Error;
use crate::model::{Committed, Event};

/// Runs until the server has closed its bus.
pub(super) async fn run(hub: Arc<Hub>, mut events: mpsc::Receiver<Arc<Committed>>) {
    while let Some(committed) = events.recv().await {
        if push(&hub, &committed.event).is_err() {
            tracing::error!("an event could not be encoded");
        }
        hub.last_pushed.send_replace(committed.number);
    }
}

fn push(hub: &Hub, event: &Event) -> Result<(), Error> {
    let rooms = &hub.rooms;
    match event {
        Event::ChatCreated(chat) => {
            for user_id in &chat.users {
                rooms.join(chat.id, user_id);
            }
            let body = views::to_json(&OfChat { chat: ChatView::from(chat) })?;
            rooms.broadcast(chat.id, &views::event("create-chat", &body));
        }
        Event::MemberJoined { chat_id, user_id } => rooms.join(*chat_id, user_id),
        Event::MemberLeft { chat_id, user_id } => rooms.leave(*chat_id, user_id),
        Event::MessageSent(message) => {
            let body = views::to_json(&MessageView::from(&**message))?;
            rooms.broadcast(message.chat_id, &views::event("new-message", &body));
        }
        Event::ChatRead { read, user_id, by } => {
            let body = views::to_json(&OfChat { chat: ReadView::from(read) })?;
            rooms.send_to_user(user_id, *by, &views::event("mark-read", &body));
        }
    }
    Ok(())
}
