//! Signals: JSON that a member sends to connected clients. Nothing of it is stored.

use super::access::Speaker;
use super::{Actor, App};
use crate::error::Error;
use crate::model::{ChatId, Event, UserId};

impl App {
    /// Sends `data`, any JSON, to these users of a chat, or to all who hear the chat. Errors:
    /// `not_found`; `forbidden` for an actor who may not send messages; `rate_limited`.
    pub async fn signal(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        data: String,
        to: Option<Vec<UserId>>,
    ) -> Result<(), Error> {
        self.admit_signal(actor)?;
        Speaker::check(&self.store, chat_id, actor).await?;
        let user_id = actor.user_id.clone();
        self.tell(Event::Signalled { chat_id, user_id, data, to, by: actor.connection });
        Ok(())
    }

    /// Shows an event that is not stored, here and on the other nodes; only here if Redis does not
    /// answer.
    pub(super) fn tell(&self, event: Event) {
        self.carrier.show(&event);
        self.carrier.flush();
        self.streams.tell(event);
    }
}
