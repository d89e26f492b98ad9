//! Watching users: a connection is told when they come and go, and when their data changes.

use super::{App, Viewer};
use crate::error::Error;
use crate::model::{ConnectionId, Naming, UserId};
use crate::store::People;

impl App {
    /// Makes a connection watch these users, and returns those that exist, as they are then.
    /// Errors: `too_large` for a connection that would watch too many; `unavailable`.
    pub async fn watch_users(
        &self,
        connection: ConnectionId,
        viewer: &Viewer,
        users: Vec<UserId>,
    ) -> Result<People, Error> {
        let audience = &self.carrier.audience;
        let new = audience.watch(connection, &users, self.limits.max_watched)?;
        let looking = async {
            self.streams.positioned().await?;
            self.list_users(viewer, &namings(users)).await
        };
        let found = looking.await;
        match &found {
            Ok(found) => {
                let known = |id: &UserId| found.users.iter().any(|user| user.id == *id);
                let unknown = new.into_iter().filter(|id| !known(id));
                audience.unwatch(connection, &Vec::from_iter(unknown));
            }
            Err(_) => audience.unwatch(connection, &new),
        }
        found
    }

    /// Makes a connection stop watching these users; returns them as [`watch_users`] does.
    ///
    /// [`watch_users`]: App::watch_users
    pub async fn unwatch_users(
        &self,
        connection: ConnectionId,
        viewer: &Viewer,
        users: Vec<UserId>,
    ) -> Result<People, Error> {
        self.carrier.audience.unwatch(connection, &users);
        self.list_users(viewer, &namings(users)).await
    }
}

fn namings(users: Vec<UserId>) -> Vec<Naming> {
    users.into_iter().map(Naming::Id).collect()
}
