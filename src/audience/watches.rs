//! Which connections watch which users.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::register::{Register, Watched};
use super::{Audience, Recipient};
use crate::error::Error;
use crate::model::{ConnectionId, Stream, UserId};

impl Audience {
    /// A connection watches these users, too. Returns those that it did not watch before. Errors:
    /// `too_large` for more than `max` in all; `unavailable` for one that has closed.
    pub fn watch(
        &self,
        id: ConnectionId,
        users: &[UserId],
        max: usize,
    ) -> Result<Vec<UserId>, Error> {
        let Register { streams, connections, watched, .. } = &mut *self.lock();
        let connected = connections.get_mut(&id).ok_or(Error::Unavailable(None))?;
        let new: HashSet<_> = users.iter().filter(|it| !connected.watches.contains(*it)).collect();
        if connected.watches.len() + new.len() > max {
            let unit = "users that one socket watches";
            return Err(Error::TooLarge { field: "users".into(), max, unit });
        }
        let new = Vec::from_iter(new.into_iter().cloned());
        for user_id in &new {
            let watched = watched.entry(user_id.clone()).or_insert_with(|| Watched {
                _following: streams.follow(Stream::User(user_id.clone())),
                watchers: HashMap::new(),
            });
            watched.watchers.insert(id, connected.recipient.clone());
        }
        connected.watches.extend(new.iter().cloned());
        Ok(new)
    }

    /// A connection watches these users no more.
    pub fn unwatch(&self, id: ConnectionId, users: &[UserId]) {
        let mut register = self.lock();
        for user_id in users {
            let connected = register.connections.get_mut(&id);
            if connected.is_some_and(|connected| connected.watches.remove(user_id)) {
                register.forget_watcher(id, user_id);
            }
        }
    }
}

impl Register {
    /// A connection watches nobody any more.
    pub fn watch_nobody(&mut self, id: ConnectionId) {
        let watches = self.connections.get_mut(&id).map(|it| mem::take(&mut it.watches));
        watches.into_iter().flatten().for_each(|user_id| self.forget_watcher(id, &user_id));
    }

    /// Who watches a user.
    pub fn watchers(&self, user_id: &UserId) -> impl Iterator<Item = &Arc<dyn Recipient>> {
        self.watched.get(user_id).into_iter().flat_map(|watched| watched.watchers.values())
    }

    fn forget_watcher(&mut self, id: ConnectionId, user_id: &UserId) {
        if let Some(watched) = self.watched.get_mut(user_id) {
            watched.watchers.remove(&id);
            if watched.watchers.is_empty() {
                self.watched.remove(user_id);
            }
        }
    }
}
