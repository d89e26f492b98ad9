//! Users: created, or found by their `id` or `external_id`.

use std::time::Duration;

use super::identity::NOT_YOURS;
use super::{App, Connection};
use crate::clock;
use crate::error::Error;
use crate::model::{ChatId, ConnectionId, Event, Handle, Name, NewUser, Photo, User, UserId};
use crate::store::Tx;

/// For how long nobody else gets the handle that a protected user gives up: 30 days.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl App {
    /// Finds the user with this `external_id` or `id` and updates the rest, or creates one.
    ///
    /// If the `external_id` is known it decides, unless `id` is another user's, which is a
    /// `conflict`. If it is not known, the user with this `id` gets it, unless they have one
    /// already. Errors: `conflict`; those of [`claim`](App::claim) for a user that the connection
    /// may not act as; `rate_limited` after too many bytes of photos and messages.
    pub async fn create_user(&self, connection: &Connection, new: NewUser) -> Result<User, Error> {
        if let Some(user) = self.find_unchanged(&new).await? {
            connection.may_act_as(&user.id, user.protected)?;
            return Ok(user);
        }
        let photo = new.photo.as_ref().map_or(0, |photo| photo.as_ref().len());
        self.admit_writing(&connection.viewer(), photo).await?;
        let mut tx = self.store.begin().await?;
        tx.lock_names(&names_of(&new)).await?;
        let user = match find(&mut tx, &new).await? {
            Some(user) => {
                connection.may_act_as(&user.id, user.protected)?;
                // Only the host application decides who its users are.
                if connection.user_id().is_some()
                    && user.external_id.is_none()
                    && new.external_id.is_some()
                {
                    return Err(Error::Forbidden("only the service may set your external_id"));
                }
                let by = Some(connection.id());
                let changed = change(&mut tx, user.clone(), changed_by(&new, &user)).await?;
                let event = self.updated_unlike(&mut tx, &user, &changed, by).await?;
                tx.commit(event).await?;
                changed
            }
            None => {
                connection.may_make_users()?;
                let user = insert(&mut tx, new).await?;
                tx.commit([]).await?;
                user
            }
        };
        Ok(user)
    }

    /// The event that tells others of a user's new handle, name or photo; `None` if these have not
    /// changed. Errors: `rate_limited`.
    pub(super) async fn updated_unlike(
        &self,
        tx: &mut Tx,
        before: &User,
        after: &User,
        by: Option<ConnectionId>,
    ) -> Result<Option<Event>, Error> {
        let looks = |user: &User| (user.handle.clone(), user.name.clone(), user.photo.clone());
        if looks(before) == looks(after) {
            return Ok(None);
        }
        self.admit_update(&after.id)?;
        let person = self.find_person(tx, &after.id).await?;
        self.updated(tx, person, by).await.map(Some)
    }

    /// The user, if there is nothing to change. So clients that come again do not wait for writes,
    /// and do not delay them.
    async fn find_unchanged(&self, new: &NewUser) -> Result<Option<User>, Error> {
        let Some(external_id) = &new.external_id else {
            return Ok(None);
        };
        let user = self.store.find_user_by_external_id(external_id).await?;
        Ok(user.filter(|user| {
            new.id.as_ref().is_none_or(|id| *id == user.id) && changed_by(new, user) == *user
        }))
    }

    /// The chats that a user is a member of. Errors: `not_found` if there is no such user.
    pub(super) async fn chats_of(&self, user_id: &UserId) -> Result<Vec<ChatId>, Error> {
        let _permit = self.readers.of_user(user_id).await?;
        let chats = self.store.list_chat_ids(user_id).await?;
        chats.ok_or_else(Error::no_user)
    }
}

/// Errors: `not_found`.
pub(super) async fn find_user(tx: &mut Tx, id: &UserId) -> Result<User, Error> {
    tx.find_user(id).await?.ok_or_else(Error::no_user)
}

/// Gives a free handle to the user that the connection has proved to be, or to a new user. Errors:
/// `forbidden` if the user has another handle; `conflict` if the handle is somebody's id, or is
/// reserved.
pub(super) async fn give_handle(
    tx: &mut Tx,
    connection: &Connection,
    handle: &Handle,
) -> Result<User, Error> {
    let Some(user_id) = connection.user_id() else {
        return insert_nick(tx, handle, false).await;
    };
    let user = tx.find_user_to_change(user_id).await?.ok_or_else(Error::no_user)?;
    if user.handle.is_some() {
        return Err(NOT_YOURS);
    }
    if tx.is_handle_taken(handle, &user.id).await? {
        return Err(Error::conflict("user", "another user has this name"));
    }
    let user = User { handle: Some(handle.clone()), modified_at: clock::now(), ..user };
    tx.update_user(&user).await?;
    Ok(user)
}

/// Creates a user with nothing but a nick. Errors: `conflict` if the nick is somebody's id, or is
/// reserved.
pub(super) async fn insert_nick(
    tx: &mut Tx,
    nick: &Handle,
    protected: bool,
) -> Result<User, Error> {
    let user = User { handle: Some(nick.clone()), protected, ..User::new(Name::from(nick)) };
    if tx.is_handle_taken(nick, &user.id).await? {
        return Err(Error::conflict("user", "another user has this nick"));
    }
    tx.insert_user(&user).await?;
    Ok(user)
}

/// All names in a request, which are to be locked.
fn names_of(new: &NewUser) -> Vec<&str> {
    let external_id = new.external_id.as_ref().map(AsRef::as_ref);
    let id = new.id.as_ref().map(AsRef::as_ref);
    let handle = new.handle.as_ref().map(AsRef::as_ref);
    [external_id, id, handle].into_iter().flatten().collect()
}

async fn find(tx: &mut Tx, new: &NewUser) -> Result<Option<User>, Error> {
    let by_external_id = match &new.external_id {
        Some(external_id) => tx.find_user_by_external_id(external_id).await?,
        None => None,
    };
    let by_id = match (&new.id, &by_external_id) {
        (Some(id), None) => tx.find_user_to_change(id).await?,
        // Only one user is locked: two nodes that lock two users each could wait for each other.
        (Some(id), Some(_)) => tx.find_user(id).await?,
        (None, _) => None,
    };
    match (by_external_id, by_id) {
        (Some(user), Some(other)) if user.id != other.id => Err(taken("user.id")),
        (Some(user), _) => Ok(Some(user)),
        (None, Some(user)) if new.external_id.is_some() && user.external_id.is_some() => {
            Err(taken("user.external_id"))
        }
        (None, found) => Ok(found),
    }
}

/// Stores the changes of a user. Errors: `conflict` for a handle that another user has.
pub(super) async fn change(tx: &mut Tx, user: User, changed: User) -> Result<User, Error> {
    if changed == user {
        return Ok(user);
    }
    if changed.name != user.name {
        refuse_unseen(&changed.name)?;
    }
    // A handle that does not change is not checked: older ones may be those of others in another
    // spelling.
    if changed.handle != user.handle {
        refuse_taken_handle(tx, &changed).await?;
        release_handle(tx, &user, &changed).await?;
    }
    let changed = User { modified_at: clock::now(), ..changed };
    tx.update_user(&changed).await?;
    Ok(changed)
}

/// Refuses a name that others cannot see. A name that is stored already is not checked.
fn refuse_unseen(name: &Name) -> Result<(), Error> {
    name.check_seen().map_err(|problem| problem.at("user.name"))
}

/// Reserves the handle that a protected user gives up, for a while, so that nobody else is taken
/// for this user. Any other handle is free at once.
async fn release_handle(tx: &mut Tx, user: &User, changed: &User) -> Result<(), Error> {
    let form = |user: &User| user.handle.as_ref().map(Handle::folded);
    match &user.handle {
        Some(handle) if user.protected && form(user) != form(changed) => {
            tx.delete_free_handles(clock::now()).await?;
            tx.release_handle(handle, &user.id, clock::after(KEPT)).await
        }
        _ => Ok(()),
    }
}

fn changed_by(new: &NewUser, user: &User) -> User {
    User {
        external_id: user.external_id.clone().or_else(|| new.external_id.clone()),
        handle: new.handle.clone().or_else(|| user.handle.clone()),
        name: new.name.clone(),
        photo: new.photo.clone().unwrap_or_else(|| user.photo.clone()),
        ..user.clone()
    }
}

async fn insert(tx: &mut Tx, new: NewUser) -> Result<User, Error> {
    let user = User {
        external_id: new.external_id,
        handle: new.handle,
        photo: new.photo.unwrap_or_else(Photo::none),
        ..User::new(new.name)
    };
    let user = User { id: new.id.unwrap_or(user.id), ..user };
    // An id that a client chooses must not be another user's handle or id.
    if tx.is_id_taken(&user.id).await? {
        return Err(taken("user.id"));
    }
    refuse_unseen(&user.name)?;
    refuse_taken_handle(tx, &user).await?;
    tx.insert_user(&user).await?;
    Ok(user)
}

/// Errors: `conflict` for a handle that is somebody else's handle or id.
async fn refuse_taken_handle(tx: &mut Tx, user: &User) -> Result<(), Error> {
    match &user.handle {
        Some(handle) if tx.is_handle_taken(handle, &user.id).await? => Err(taken("user.handle")),
        _ => Ok(()),
    }
}

fn taken(field: &'static str) -> Error {
    Error::conflict(field, "another user has it")
}
