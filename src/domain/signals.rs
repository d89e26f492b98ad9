//! Signals: JSON that a member sends to connected clients. It is not stored.

use super::access::Speaker;
use super::{Actor, App, Viewer};
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
        self.check_speaker(actor, chat_id).await?;
        let user_id = actor.user_id.clone();
        self.tell(Event::Signalled { chat_id, user_id, data, to, by: actor.connection });
        Ok(())
    }

    /// Errors: `not_found`; `forbidden` for an actor who may not send messages; `unavailable` if
    /// the actor's earlier reads take too long.
    pub(super) async fn check_speaker(&self, actor: &Actor, chat_id: ChatId) -> Result<(), Error> {
        let _permit = self.read_permit(&Viewer::from(actor)).await?;
        Speaker::check(&self.store, chat_id, actor).await.map(drop)
    }

    /// Shows an event that is not stored to clients of all nodes; only to those of this node if
    /// Redis does not answer.
    pub(super) fn tell(&self, event: Event) {
        self.carrier.show(&event);
        self.carrier.flush();
        self.streams.tell(event);
    }
}
