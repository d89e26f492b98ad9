//! Users as others see them: users are listed and searched, and change their own data.

use super::users;
use super::{Actor, App, Viewer};
use crate::config::Access;
use crate::error::Error;
use crate::model::{ConnectionId, Event, Naming, Person, User, UserChange, UserId, fold_beginning};
use crate::store::{People, Tx};

/// How many of the users who have a direct chat with a user are told of the user's new profile,
/// beginning with the latest activity.
const TOLD: i64 = 1000;

impl App {
    /// These users, who are named in full, in this order and without unknown ones. Errors:
    /// `rate_limited` for a viewer who has read too much; `unavailable`.
    pub async fn list_users(&self, viewer: &Viewer, users: &[Naming]) -> Result<People, Error> {
        self.admit_reading(viewer).await?;
        let permit = self.read_permit(viewer).await?;
        let found = self.store.list_people(users, self.limits.max_page_bytes).await?;
        drop(permit);
        Ok(self.seen(viewer, found).await)
    }

    /// The users whose handle or name begins with `text`, sorted by name. If clients need a token,
    /// only users who share a chat or a team with the viewer, and the user with exactly this
    /// handle. Errors: those of [`list_users`](App::list_users).
    pub async fn find_users(
        &self,
        viewer: &Viewer,
        text: &str,
        limit: usize,
    ) -> Result<People, Error> {
        let known_to = match self.access {
            Access::Token if !viewer.service => viewer.user_id(),
            Access::Token | Access::Open => None,
        };
        self.admit_reading(viewer).await?;
        let (beginning, max_bytes) = (fold_beginning(text), self.limits.max_page_bytes);
        let permit = self.read_permit(viewer).await?;
        let found = self.store.find_people(&beginning, known_to, limit, max_bytes).await?;
        drop(permit);
        Ok(self.seen(viewer, found).await)
    }

    async fn seen(&self, viewer: &Viewer, mut found: People) -> People {
        self.count_bytes_read(viewer, found.users.iter().map(Person::size).sum()).await;
        self.see_online(&mut found.users).await;
        found
    }

    /// Changes the actor's own data. Errors: `conflict` for a handle that another user has, or had
    /// until lately; `rate_limited`.
    pub async fn update_user(&self, actor: &Actor, change: UserChange) -> Result<Person, Error> {
        if !actor.service {
            self.admit_update(&actor.user_id)?;
        }
        let named = [Naming::Id(actor.user_id.clone())];
        let before = self.store.list_people(&named, usize::MAX).await?.users.pop();
        // Others are sent all of the data, however little changes.
        let size = before.map_or(0, |before| before.size()) + change.size();
        self.admit_writing(&Viewer::from(actor), size).await?;
        let mut tx = self.begin_as(actor).await?;
        let handle = change.handle.as_ref().map(AsRef::as_ref);
        tx.lock_names(&Vec::from_iter(handle)).await?;
        let user = tx.find_user_to_change(&actor.user_id).await?.ok_or_else(Error::no_user)?;
        let changed = changed_by(change, &user);
        let changed = users::change(&mut tx, user.clone(), changed).await?;
        let person = self.find_person(&mut tx, &changed.id).await?;
        let event = match changed == user {
            true => None,
            false => Some(self.updated(&mut tx, person.clone(), Some(actor.connection)).await?),
        };
        tx.commit(event).await?;
        Ok(person)
    }

    /// The event that tells others of a user's changed data; `by` is the connection that knows
    /// already.
    pub(super) async fn updated(
        &self,
        tx: &mut Tx,
        user: Person,
        by: Option<ConnectionId>,
    ) -> Result<Event, Error> {
        let direct_with = tx.list_direct_with(&user.id, TOLD).await?;
        Ok(Event::UserUpdated { user, direct_with, by })
    }

    pub(super) async fn find_person(&self, tx: &mut Tx, id: &UserId) -> Result<Person, Error> {
        let mut person = tx.find_person(id).await?.ok_or_else(Error::no_user)?;
        self.see_online([&mut person]).await;
        Ok(person)
    }
}

fn changed_by(change: UserChange, user: &User) -> User {
    let UserChange { name, photo, handle, data } = change;
    User {
        name: name.unwrap_or_else(|| user.name.clone()),
        photo: photo.unwrap_or_else(|| user.photo.clone()),
        handle: handle.or_else(|| user.handle.clone()),
        data: match data {
            Some(data) => data.kept(),
            None => user.data.clone(),
        },
        ..user.clone()
    }
}
