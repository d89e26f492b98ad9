//! What is said in the rooms of the rooms API: sent, picked up, read again.

use super::access::Reader;
use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::{Body, ChatId, Extras, MessageQuery, MessageType, Sent, Signed};

impl App {
    /// Sends a message into the room that the actor is in. Errors: `conflict` for an
    /// actor who is not there, or waits; those of [`new_message`](App::new_message).
    pub async fn say_in_room(
        &self,
        actor: &Actor,
        room: Option<ChatId>,
        body: Body,
    ) -> Result<Sent, Error> {
        // It may change until the message is durable: it takes a member to send one.
        self.seat(&actor.user_id, room).await?;
        let waiting = || Error::conflict("user", "this user is in the waiting room");
        let chat_id = room.ok_or_else(waiting)?;
        let extras = Extras::default();
        self.new_message(actor, chat_id, MessageType::Text, body, None, extras).await
    }

    /// What has been said in the room since the actor entered it or last picked up, in order;
    /// what does not fit is there the next time. No two calls return the same message. Errors:
    /// `conflict` for an actor who is not there.
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
            // Another call may have picked it up meanwhile.
            if tx.move_cursor(&seat, last.message.seq).await? {
                tx.commit([]).await?;
                return Ok(said);
            }
        }
    }

    /// The history of the room that the actor is in, in order, without its first `offset`
    /// messages: at most `limit`, and no more than one call gives. Errors: `conflict` for an
    /// actor who is not there.
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
