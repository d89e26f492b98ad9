//! Which connections watch which users.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Recipient;
use crate::cluster::{Following, Streams};
use crate::error::Error;
use crate::model::{ConnectionId, Stream, UserId};

pub(super) struct Watches {
    streams: Streams,
    users: HashMap<UserId, Watched>,
    /// Whom a connection watches.
    connections: HashMap<ConnectionId, HashSet<UserId>>,
}

/// A user whom some connection watches; this node follows the user meanwhile.
struct Watched {
    _following: Following,
    watchers: HashMap<ConnectionId, Arc<dyn Recipient>>,
}

impl Watches {
    pub fn new(streams: Streams) -> Watches {
        Watches { streams, users: HashMap::new(), connections: HashMap::new() }
    }

    /// A connection watches these users, too. Returns those that it did not watch before. Errors:
    /// `too_large` for more than `max` in all.
    pub fn begin(
        &mut self,
        recipient: &Arc<dyn Recipient>,
        users: &[UserId],
        max: usize,
    ) -> Result<Vec<UserId>, Error> {
        let id = recipient.id();
        let watched = self.connections.get(&id);
        let new: HashSet<_> =
            users.iter().filter(|it| !watched.is_some_and(|set| set.contains(*it))).collect();
        if watched.map_or(0, HashSet::len) + new.len() > max {
            let unit = "users that one socket watches";
            return Err(Error::TooLarge { field: "users".into(), max, unit });
        }
        for user_id in &new {
            let watched = self.users.entry((*user_id).clone()).or_insert_with(|| Watched {
                _following: self.streams.follow(Stream::User((*user_id).clone())),
                watchers: HashMap::new(),
            });
            watched.watchers.insert(id, recipient.clone());
        }
        let new = Vec::from_iter(new.into_iter().cloned());
        if !new.is_empty() {
            self.connections.entry(id).or_default().extend(new.iter().cloned());
        }
        Ok(new)
    }

    /// A connection watches these users no more.
    pub fn stop(&mut self, id: ConnectionId, users: &[UserId]) {
        let Some(watched) = self.connections.get_mut(&id) else {
            return;
        };
        let stopped = Vec::from_iter(users.iter().filter(|user_id| watched.remove(*user_id)));
        if watched.is_empty() {
            self.connections.remove(&id);
        }
        stopped.into_iter().for_each(|user_id| self.forget(id, user_id));
    }

    /// A connection watches nobody any more.
    pub fn end(&mut self, id: ConnectionId) {
        for user_id in self.connections.remove(&id).unwrap_or_default() {
            self.forget(id, &user_id);
        }
    }

    /// Who watches a user.
    pub fn watchers(&self, user_id: &UserId) -> impl Iterator<Item = &Arc<dyn Recipient>> {
        self.users.get(user_id).into_iter().flat_map(|watched| watched.watchers.values())
    }

    pub fn clear(&mut self) {
        self.users.clear();
        self.connections.clear();
    }

    fn forget(&mut self, id: ConnectionId, user_id: &UserId) {
        if let Some(watched) = self.users.get_mut(user_id) {
            watched.watchers.remove(&id);
            if watched.watchers.is_empty() {
                self.users.remove(user_id);
            }
        }
    }
}
