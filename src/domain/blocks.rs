//! Blocking: a blocked user may not open a direct chat with the user who has blocked them, send
//! into it, or invite that user. Blocked users are not told. Blocks do not bind the service.

use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::clock;
use crate::error::Error;
use crate::model::{ChatId, Person, UserId};
use crate::store::Tx;

/// How many users one user can block.
const MAX_BLOCKED: i64 = 10_000;

/// A page of the users that a user has blocked.
pub struct Blocked {
    pub users: Vec<Person>,
    /// The next page begins after this user; `None` if there is no more.
    pub next: Option<UserId>,
}

impl App {
    /// Blocks a user, if they are not blocked yet. Errors: `not_found`; `conflict` for oneself;
    /// `too_large` if the actor has blocked too many.
    pub async fn block_user(&self, actor: &Actor, user_id: &UserId) -> Result<Person, Error> {
        self.set_blocked(actor, user_id, true).await
    }

    /// Unblocks a user, if they are blocked. Errors: those of [`block_user`](App::block_user).
    pub async fn unblock_user(&self, actor: &Actor, user_id: &UserId) -> Result<Person, Error> {
        self.set_blocked(actor, user_id, false).await
    }

    async fn set_blocked(
        &self,
        actor: &Actor,
        user_id: &UserId,
        blocked: bool,
    ) -> Result<Person, Error> {
        let (own, users) = (&actor.user_id, actor.pair_with(user_id, "user.id")?);
        let mut tx = self.begin_as(actor).await?;
        // Keep others from opening the direct chat of these two meanwhile.
        tx.lock_names(&users.each_ref().map(AsRef::as_ref)).await?;
        find_user(&mut tx, user_id).await?;
        let was_blocked = tx.is_blocked(own, user_id).await?;
        match blocked {
            true if was_blocked => {}
            true => {
                if tx.count_blocked(own).await? >= MAX_BLOCKED {
                    let (field, max) = ("user.id".into(), MAX_BLOCKED as usize);
                    return Err(Error::TooLarge { field, max, unit: "users that one blocks" });
                }
                tx.insert_block(own, user_id, clock::now()).await?;
            }
            false => tx.delete_block(own, user_id).await?,
        }
        let chat_id = tx.find_direct_chat_id(&users).await?;
        if let Some(chat_id) = chat_id {
            tx.update_blocked(chat_id, user_id, blocked).await?;
        }
        let person = self.find_person(&mut tx, user_id).await?;
        tx.commit([]).await?;
        if let Some(chat_id) = chat_id.filter(|_| blocked && !was_blocked) {
            // The blocked user may be typing there.
            self.tell_typing((chat_id, user_id.clone()), person.name.clone(), false);
        }
        Ok(person)
    }

    /// The users that the actor has blocked, in the order of their ids; `after` is a page's `next`.
    /// Errors: `rate_limited`.
    pub async fn list_blocked(
        &self,
        actor: &Actor,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Blocked, Error> {
        let viewer = Viewer::from(actor);
        self.admit_reading(&viewer).await?;
        let permit = self.read_permit(&viewer).await?;
        let max_bytes = self.limits.max_page_bytes;
        let page = self.store.list_blocked(&actor.user_id, after.as_ref(), limit, max_bytes);
        let (mut users, more) = page.await?;
        drop(permit);
        self.count_bytes_read(&viewer, users.iter().map(Person::size).sum()).await;
        self.see_online(&mut users).await;
        let next = users.last().filter(|_| more).map(|user| user.id.clone());
        Ok(Blocked { users, next })
    }
}

/// Errors: `forbidden` if the user has blocked the actor.
pub(super) async fn refuse_blocked(
    tx: &mut Tx,
    actor: &Actor,
    user_id: &UserId,
) -> Result<(), Error> {
    match !actor.service && tx.is_blocked(user_id, &actor.user_id).await? {
        true => Err(Error::BLOCKED),
        false => Ok(()),
    }
}

/// Notes in a new direct chat which of its two users are blocked.
pub(super) async fn note_blocked(
    tx: &mut Tx,
    chat_id: ChatId,
    [one, other]: [&UserId; 2],
) -> Result<(), Error> {
    for (by, user_id) in [(one, other), (other, one)] {
        if tx.is_blocked(by, user_id).await? {
            tx.update_blocked(chat_id, user_id, true).await?;
        }
    }
    Ok(())
}
