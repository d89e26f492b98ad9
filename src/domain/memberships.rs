//! How many chats one user may have: those that they have created, as long as anybody is a member,
//! and those that they have joined. A chat that somebody else has created with them as a member
//! does not count, so that strangers cannot use up their number of chats.

use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::ChatId;

impl App {
    /// Checks whether the actor may create one more chat, or join this one. It is called before the
    /// transaction, because counting would make others wait too long; so requests at the same time
    /// may exceed the limit. Errors: `too_large`, except for the service and for a member of the
    /// chat.
    pub(super) async fn admit_chat(
        &self,
        actor: &Actor,
        chat_id: Option<ChatId>,
    ) -> Result<(), Error> {
        if actor.service {
            return Ok(());
        }
        let _permit = self.read_permit(&Viewer::from(actor)).await?;
        let (user_id, max) = (&actor.user_id, self.limits.max_chats_per_user);
        if self.store.count_chats(user_id, max).await? < max {
            return Ok(());
        }
        if let Some(chat_id) = chat_id {
            let standing = self.store.find_standing(chat_id, Some(user_id)).await?;
            // A chat that does not exist is refused as such later.
            if standing.is_none_or(|standing| standing.member) {
                return Ok(());
            }
        }
        Err(Error::TooLarge { field: "chat".into(), max, unit: "chats of one user" })
    }
}
