//! How many chats one user may have: those they have made, as long as anybody is a member, and
//! those they have joined. A chat that somebody else has made with them in it does not count for
//! them, so that strangers cannot use up what a user may have.

use super::{Actor, App, Viewer};
use crate::error::Error;
use crate::model::ChatId;

impl App {
    /// Lets the actor make one more chat, or join this one. It is asked before the transaction, as
    /// counting takes longer than others should wait: requests at the same time may go beyond it.
    /// Errors: `too_large`, but for the service and a member.
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
            // What does not exist is refused as such.
            if standing.is_none_or(|standing| standing.member) {
                return Ok(());
            }
        }
        Err(Error::TooLarge { field: "chat".into(), max, unit: "chats of one user" })
    }
}
