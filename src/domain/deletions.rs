//! Deleting users: what is theirs goes, what they have said stays, by nobody in particular. The id
//! is never given out again.

use super::chats::{find_chat, leave};
use super::users::KEPT;
use super::{Actor, App, Viewer};
use crate::clock;
use crate::error::Error;
use crate::model::{Chat, ChatId, Event, Name, UserId};
use crate::store::Tx;

/// So many chats are left before the request is answered; housekeeping does the rest.
const AT_ONCE: i64 = 100;

impl App {
    /// Deletes the actor. Errors: `unauthenticated` for one who has become protected since;
    /// `not_found`.
    pub async fn delete_self(&self, actor: &Actor) -> Result<(), Error> {
        let tx = self.begin_as(actor).await?;
        self.delete(tx, &actor.user_id).await
    }

    /// Deletes any user, for the service. Errors: `forbidden` for others; `not_found`.
    pub async fn delete_user(&self, viewer: &Viewer, user_id: &UserId) -> Result<(), Error> {
        if !viewer.service {
            return Err(Error::Forbidden("only the service may delete other users"));
        }
        self.delete(self.store.begin().await?, user_id).await
    }

    async fn delete(&self, mut tx: Tx, user_id: &UserId) -> Result<(), Error> {
        let user = tx.find_user_to_change(user_id).await?.ok_or_else(Error::no_user)?;
        let now = clock::now();
        if let Some(handle) = user.handle.as_ref().filter(|_| user.protected) {
            tx.delete_free_handles(now).await?;
            tx.release_handle(handle, user_id, clock::after(KEPT)).await?;
        }
        let tokens = tx.delete_oldest_tokens(user_id, 0).await?;
        tx.delete_ties(user_id).await?;
        tx.delete_profile(user_id, now).await?;
        let ended = |access_key_id| Event::TokenEnded { user_id: user_id.clone(), access_key_id };
        let ended = tokens.into_iter().map(ended);
        tx.commit(ended.chain([Event::UserDeleted { user_id: user_id.clone() }])).await?;
        self.finish_deletion(user_id).await
    }

    /// Goes on where a deletion was cut short.
    pub(super) async fn finish_deletions(&self) -> Result<(), Error> {
        for user_id in self.store.list_being_deleted().await? {
            self.finish_deletion(&user_id).await?;
        }
        Ok(())
    }

    /// Takes a deleted user out of some chats, or says that this is done.
    async fn finish_deletion(&self, user_id: &UserId) -> Result<(), Error> {
        self.log_out(user_id, clock::after(KEPT)).await?;
        let chats = self.store.list_some_chats(user_id, AT_ONCE).await?;
        for chat_id in &chats {
            self.leave_for_good(user_id, *chat_id).await?;
        }
        if chats.len() < AT_ONCE as usize {
            let mut tx = self.store.begin().await?;
            tx.end_deletion(user_id).await?;
            tx.commit([]).await?;
        }
        Ok(())
    }

    async fn leave_for_good(&self, user_id: &UserId, chat_id: ChatId) -> Result<(), Error> {
        // Not while the transaction is open.
        let participants = self.count_in(chat_id).await;
        let mut tx = self.store.begin().await?;
        let left = leave(&mut tx, chat_id, user_id).await?;
        let renamed = self.rename_direct(&mut tx, chat_id, participants).await?;
        tx.commit(left.into_iter().chain(renamed)).await
    }

    /// A direct chat has both names; one of its users is deleted.
    async fn rename_direct(
        &self,
        tx: &mut Tx,
        chat_id: ChatId,
        participants: usize,
    ) -> Result<Option<Event>, Error> {
        let Some([one, other]) = tx.find_direct_names(chat_id).await? else {
            return Ok(None);
        };
        let chat = find_chat(tx, chat_id, participants).await?;
        let name = Name::joined(&one, ", ", &other, &self.limits);
        let chat = Chat { name, modified_at: clock::now(), ..chat };
        tx.update_chat(&chat).await?;
        Ok(Some(Event::ChatUpdated(chat)))
    }
}
