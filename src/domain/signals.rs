//! Signals: what a member sends to those who are connected now, and nobody keeps.

use super::access::Member;
use super::{Actor, App};
use crate::error::Error;
use crate::model::{ChatId, Event, UserId};

impl App {
    /// Sends `data`, any JSON, to these users of a chat, or to all who hear of it. Errors:
    /// `not_found`; `forbidden` for who is no member; `rate_limited`.
    pub async fn signal(
        &self,
        actor: &Actor,
        chat_id: ChatId,
        data: String,
        to: Option<Vec<UserId>>,
    ) -> Result<(), Error> {
        self.admit_signal(actor)?;
        self.check_hearing(actor, chat_id).await?;
        let user_id = actor.user_id.clone();
        self.tell(Event::Signalled { chat_id, user_id, data, to, by: actor.connection });
        Ok(())
    }

    /// Whether the actor is a member, which costs nothing for one who hears of the chat already.
    /// Errors: `not_found`; `forbidden`.
    pub(super) async fn check_hearing(&self, actor: &Actor, chat_id: ChatId) -> Result<(), Error> {
        if !self.carrier.audience.is_member(chat_id, &actor.user_id) {
            Member::check(&self.store, chat_id, actor).await?;
        }
        Ok(())
    }

    /// Shows what is not stored to those who hear of it, on all nodes: once or, where Redis does not
    /// answer, only here.
    pub(super) fn tell(&self, event: Event) {
        self.carrier.show(&event);
        self.carrier.flush(None);
        self.streams.tell(event);
    }
}
