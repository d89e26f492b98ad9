//! Signals: JSON that a member sends to connected clients. Nothing of it is stored.

use super::access::Speaker;
use super::{Actor, App};
use crate::error::Error;
use crate::model::{ChatId, Event, UserId};

impl App {
    /// Sends `data`, any JSON, to these users of a chat, or to all who hear the chat. Errors:
    /// `not_found`; `forbidden` for an actor who is not a member; `rate_limited`.
    pub async fn signal(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        data: String,
        to: Option<Vec<UserId>>,
    ) -> Result<(), Error> {
        self.admit_signal(actor)?;
        self.check_speaker(actor, chat_id).await?;
        let user_id = actor.user_id.clone();
        self.tell(Event::Signalled { chat_id, user_id, data, to, by: actor.connection });
        Ok(())
    }

    /// Whether the actor may say something in a chat, which costs nothing for a member who hears of
    /// it already. Errors: `not_found`; `forbidden`.
    pub(super) async fn check_speaker(
        &self,
        actor: &Actor,
        chat_id: ChatId,
    ) -> Result<Speaker, Error> {
        match self.carrier.audience.is_member(chat_id, &actor.user_id) {
            true => Ok(Speaker),
            false => Speaker::check(&self.store, chat_id, actor).await,
        }
    }

    /// Shows an event that is not stored, here and on the other nodes; only here if Redis does not
    /// answer.
    pub(super) fn tell(&self, event: Event) {
        self.carrier.show(&event);
        self.carrier.flush(None);
        self.streams.tell(event);
    }
}
