//! Blocking: whom one blocks may not open a direct chat with one, send into it, or invite one. The
//! blocked are not told. The service does as it likes.

use super::users::find_user;
use super::{Actor, App, Viewer};
use crate::clock;
use crate::error::Error;
use crate::model::{ChatId, Person, UserId};
use crate::store::Tx;

/// How many users one user can block.
const MAX_BLOCKED: i64 = 10_000;

/// A page of the users that one has blocked.
pub struct Blocked {
    pub users: Vec<Person>,
    /// After whom the next page comes, if there is one.
    pub next: Option<UserId>,
}

impl App {
    /// Blocks a user; one who is blocked already stays so. Errors: `not_found`; `conflict` for
    /// oneself; `too_large` for one who has blocked too many.
    pub async fn block_user(&self, actor: &Actor, user_id: &UserId) -> Result<Person, Error> {
        self.set_blocked(actor, user_id, true).await
    }

    /// Unblocks a user; one who is not blocked stays so. Errors: as of
    /// [`block_user`](App::block_user).
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
        // Nobody opens the direct chat of the two meanwhile.
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
            // They may be typing there.
            self.tell_typing((chat_id, user_id.clone()), person.name.clone(), false);
        }
        Ok(person)
    }

    /// The users that the actor has blocked, by id; `after` is a page's `next`. Errors:
    /// `rate_limited`.
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

/// Errors: `forbidden` for an actor whom the user has blocked.
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

/// Notes in a new direct chat who of the two is blocked.
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
