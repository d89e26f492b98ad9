//! Users of the host application, as its tokens describe them.

use super::App;
use super::keys::HostClaims;
use crate::clock;
use crate::error::Error;
use crate::model::{Event, Name, Photo, User, UserId};

impl App {
    /// The user that a token of the host application names; the user is made when first seen. If
    /// the data of a protected user cannot be updated now, the token is accepted all the same.
    pub(super) async fn user_of_host(&self, claims: HostClaims) -> Result<UserId, Error> {
        let Some(user) = self.store.find_user_by_external_id(&claims.external_id).await? else {
            return self.keep_user_of_host(claims).await;
        };
        if changed_by(&claims, &user) == user {
            return Ok(user.id);
        }
        match self.keep_user_of_host(claims).await {
            Err(error) if user.protected => {
                error.warn("a user was not updated");
                Ok(user.id)
            }
            kept => kept,
        }
    }

    async fn keep_user_of_host(&self, claims: HostClaims) -> Result<UserId, Error> {
        let mut tx = self.store.begin().await?;
        tx.lock_names(&[claims.external_id.as_ref()]).await?;
        let Some(user) = tx.find_user_by_external_id(&claims.external_id).await? else {
            let user = new_user(claims);
            tx.insert_user(&user).await?;
            tx.commit([]).await?;
            return Ok(user.id);
        };
        let changed = User { modified_at: clock::now(), ..changed_by(&claims, &user) };
        tx.update_user(&changed).await?;
        let protected = Event::UserProtected { user_id: user.id.clone(), by: None };
        let protected = (!user.protected).then_some(protected);
        let updated = self.updated_unlike(&mut tx, &user, &changed, None).await?;
        tx.commit(protected.into_iter().chain(updated)).await?;
        Ok(user.id)
    }
}

/// The user, protected, with the token's name and photo if the token is newer than the user.
fn changed_by(claims: &HostClaims, user: &User) -> User {
    let newer = claims.issued_at.is_some_and(|issued_at| issued_at > user.modified_at);
    let (name, photo) = match newer {
        true => (claims.name.clone(), claims.photo.clone()),
        false => (None, None),
    };
    User {
        name: name.unwrap_or_else(|| user.name.clone()),
        photo: photo.unwrap_or_else(|| user.photo.clone()),
        protected: true,
        ..user.clone()
    }
}

fn new_user(claims: HostClaims) -> User {
    let name = claims.name.unwrap_or_else(|| Name::from(&claims.external_id));
    User {
        external_id: Some(claims.external_id),
        photo: claims.photo.unwrap_or_else(Photo::none),
        protected: true,
        ..User::new(name)
    }
}
