//! Deleting users. Their own data is deleted. Their messages stay, with "Deleted user" as the
//! sender, or are erased little by little. The id is never given to anybody again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::changes;
use super::chats::find_chat;
use super::users::KEPT;
use super::{Actor, App, Viewer};
use crate::clock;
use crate::error::Error;
use crate::model::{Chat, ChatId, Event, MessageId, Name, UserId};
use crate::store::Tx;

/// How many chats the user is taken out of before the request is answered. Housekeeping does the
/// rest.
const AT_ONCE: i64 = 100;

/// How often to look for messages that a server has left to erase when it ended.
const EVERY: Duration = Duration::from_secs(30);

/// Up to where the messages of a user are erased.
struct Erasing {
    user_id: UserId,
    after: (ChatId, i64),
}

/// Erases the messages of deleted users, until the server is gone.
pub(super) async fn erase(app: Weak<App>, deleted: Arc<Notify>) {
    let mut erasing = None;
    loop {
        let Some(strong) = app.upgrade() else {
            return;
        };
        let begun = Instant::now();
        // In a task of its own, as a write that has begun must be finished.
        let run = tokio::spawn(async move { strong.erase_some(erasing).await });
        erasing = match run.await {
            Ok(Ok(Some(more))) => {
                // Half of the time is left for others.
                sleep(begun.elapsed()).await;
                Some(more)
            }
            Ok(Ok(None)) => {
                let _ = timeout(EVERY, deleted.notified()).await;
                None
            }
            Ok(Err(error)) if error.is_closed() => return,
            Ok(Err(error)) => {
                error.warn("messages of deleted users are still there");
                sleep(EVERY).await;
                None
            }
            Err(_) => {
                tracing::error!("erasing the messages of deleted users has failed");
                sleep(EVERY).await;
                None
            }
        };
    }
}

impl App {
    /// Deletes the actor's user, and with `erase` also their messages. Errors: `unauthenticated`
    /// for a user who has become protected meanwhile; `not_found`.
    pub async fn delete_self(&self, actor: &Actor, erase: bool) -> Result<(), Error> {
        let tx = self.begin_as(actor).await?;
        self.delete(tx, &actor.user_id, erase).await
    }

    /// Deletes any user; only the service may. Errors: `forbidden` for others; `not_found`.
    pub async fn delete_user(
        &self,
        viewer: &Viewer,
        user_id: &UserId,
        erase: bool,
    ) -> Result<(), Error> {
        if !viewer.service {
            return Err(Error::Forbidden("only the service may delete other users"));
        }
        self.delete(self.store.begin().await?, user_id, erase).await
    }

    async fn delete(&self, mut tx: Tx, user_id: &UserId, erase: bool) -> Result<(), Error> {
        let user = tx.find_user_to_change(user_id).await?.ok_or_else(Error::no_user)?;
        let now = clock::now();
        if let Some(handle) = user.handle.as_ref().filter(|_| user.protected) {
            tx.delete_free_handles(now).await?;
            tx.release_handle(handle, user_id, clock::after(KEPT)).await?;
        }
        let tokens = tx.delete_oldest_tokens(user_id, 0).await?;
        tx.delete_ties(user_id).await?;
        tx.expire_unused_files(user_id, now).await?;
        tx.delete_profile(user_id, now, erase).await?;
        let ended = |access_key_id| Event::TokenEnded { user_id: user_id.clone(), access_key_id };
        let ended = tokens.into_iter().map(ended);
        tx.commit(ended.chain([Event::UserDeleted { user_id: user_id.clone() }])).await?;
        self.store.note_deletion();
        if !erase {
            return self.finish_deletion(user_id).await;
        }
        self.leave_some(user_id).await?;
        self.deleted.notify_one();
        Ok(())
    }

    /// Continues deletions that were interrupted.
    pub(super) async fn finish_deletions(&self) -> Result<(), Error> {
        for user_id in self.store.list_being_deleted().await? {
            self.finish_deletion(&user_id).await?;
        }
        Ok(())
    }

    /// Takes a deleted user out of some chats, and notes if the user is in no chats any more.
    async fn finish_deletion(&self, user_id: &UserId) -> Result<(), Error> {
        match self.leave_some(user_id).await? {
            true => self.end_deletion(user_id).await,
            false => Ok(()),
        }
    }

    async fn end_deletion(&self, user_id: &UserId) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.end_deletion(user_id).await?;
        tx.delete_chat_names(user_id).await?;
        tx.commit([]).await?;
        // Also because the names of direct chats were changed.
        self.store.note_deletion();
        Ok(())
    }

    /// Erases some messages of a deleted user, from where the last call ended. Returns where this
    /// one ended; `None` if no user's messages are left to erase.
    async fn erase_some(&self, erasing: Option<Erasing>) -> Result<Option<Erasing>, Error> {
        let erasing = match erasing {
            Some(erasing) => Some(erasing),
            None => self.store.find_being_erased().await?.map(|user_id| {
                let after = (ChatId::from(Uuid::nil()), 0);
                Erasing { user_id, after }
            }),
        };
        let Some(Erasing { user_id, after }) = erasing else {
            return Ok(None);
        };
        if !self.leave_some(&user_id).await? {
            return Ok(Some(Erasing { user_id, after }));
        }
        let said = self.store.list_said(&user_id, after).await?;
        for (chat_id, id) in said.messages {
            self.erase_message(chat_id, id).await?;
        }
        let Some(after) = said.last else {
            self.end_deletion(&user_id).await?;
            return Box::pin(self.erase_some(None)).await;
        };
        Ok(Some(Erasing { user_id, after }))
    }

    async fn erase_message(&self, chat_id: ChatId, id: MessageId) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.lock_chats(&[chat_id]).await?;
        let found = tx.find_message(chat_id, id).await?;
        // The chat may have been deleted meanwhile.
        let Some(signed) = found.filter(|it| it.message.deleted_at.is_none()) else {
            return Ok(());
        };
        let (deleted, answered) = changes::delete(&mut tx, signed).await?;
        tx.commit([&deleted].into_iter().chain(&answered).flat_map(changes::told)).await
    }

    /// Takes a deleted user out of some chats; returns whether these were all.
    async fn leave_some(&self, user_id: &UserId) -> Result<bool, Error> {
        self.log_out(user_id, clock::after(KEPT)).await?;
        let chats = self.store.list_some_chats(user_id, AT_ONCE).await?;
        for chat_id in &chats {
            self.leave_for_good(user_id, *chat_id).await?;
        }
        Ok(chats.len() < AT_ONCE as usize)
    }

    async fn leave_for_good(&self, user_id: &UserId, chat_id: ChatId) -> Result<(), Error> {
        // Count before the transaction is open.
        let participants = self.count_in(chat_id).await;
        let mut tx = self.store.begin().await?;
        let left = self.leave(&mut tx, chat_id, user_id).await?;
        let renamed = self.rename_direct(&mut tx, chat_id, participants).await?;
        tx.commit(left.into_iter().chain(renamed)).await
    }

    /// Renames a direct chat, whose name contains the names of both users, when one of them is
    /// deleted.
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
