//! Messages in the rooms of the rooms API: sent, picked up, and read again.

use super::access::Reader;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{Body, ChatId, Extras, MessageQuery, MessageType, Sent, Signed};

impl App {
    /// Sends a message into the room that the actor is in. Errors: `conflict` if the actor is in
    /// another room, or in the waiting room; those of [`new_message`](App::new_message).
    pub async fn say_in_room(
        &self,
        actor: &Actor,
        room: Option<ChatId>,
        body: Body,
    ) -> Result<Sent, Error> {
        // The seat may change until the message is durable. That is safe: only a member can send.
        self.seat(&actor.user_id, room).await?;
        let waiting = || Error::conflict("user", "this user is in the waiting room");
        let chat_id = room.ok_or_else(waiting)?;
        let extras = Extras::default();
        self.new_message(actor, chat_id, MessageType::Text, body, None, extras).await
    }

    /// The messages in the room since the actor entered it or last picked up messages, in order.
    /// Messages that do not fit come with the next call. No two calls return the same message.
    /// Errors: `conflict` if the actor is not in this room.
    pub async fn pick_up_history(
        &self,
        actor: &Actor,
        room: Option<ChatId>,
    ) -> Result<Vec<Signed>, Error> {
        loop {
            let seat = self.seat(&actor.user_id, room).await?;
            let Some(chat_id) = seat.chat_id else {
                return Ok(Vec::new());
            };
            let said = self.said_after(actor, chat_id, seat.cursor, usize::MAX).await?;
            let Some(last) = said.last() else {
                return Ok(said);
            };
            let mut tx = self.store.begin().await?;
            // Another call may have picked them up meanwhile.
            if tx.move_cursor(&seat, last.message.seq).await? {
                tx.commit([]).await?;
                return Ok(said);
            }
        }
    }

    /// The history of the room that the actor is in, in order, without its first `offset` messages:
    /// at most `limit`, and no more than one call may return. Errors: `conflict` if the actor is
    /// not in this room.
    pub async fn dump_history(
        &self,
        actor: &Actor,
        room: Option<ChatId>,
        offset: i64,
        limit: usize,
    ) -> Result<Vec<Signed>, Error> {
        self.seat(&actor.user_id, room).await?;
        match room {
            Some(chat_id) => self.said_after(actor, chat_id, offset, limit).await,
            None => Ok(Vec::new()),
        }
    }

    async fn said_after(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        seq: i64,
        limit: usize,
    ) -> Result<Vec<Signed>, Error> {
        let query = MessageQuery {
            from: None,
            to: None,
            after_seq: Some(seq),
            before_seq: None,
            only: None,
            limit: limit.min(self.limits.max_history),
        };
        let viewer = Viewer::from(actor);
        self.admit_reading(&viewer).await?;
        let permit = self.read_permit(&viewer).await?;
        let Reader { chat_id, seen_after, .. } = self.reader(&viewer, chat_id).await?;
        let max_bytes = self.limits.max_history_bytes;
        let page = self.store.list_messages(chat_id, seen_after, &query, max_bytes).await?;
        let messages = page.messages;
        drop(permit);
        self.count_read(&viewer, &messages).await;
        Ok(messages)
    }
}
