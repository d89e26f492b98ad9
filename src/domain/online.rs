//! Who is online: a user as whom some connection acts, by any door, on any node. The audience knows
//! this for its node, and Redis the sum; each change is told to those who watch the user.
//!
//! This module also owns when users were last seen, which is written a little later, for many users
//! at a time.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::App;
use super::cluster::Cluster;
use crate::clock::{self, Time};
use crate::error::Error;
use crate::model::{Event, Person, UserId};

/// How often to check users who have gone but may be back at once.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often times of last being seen are written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How often such a time is written for one user.
const WRITE_ONE_EVERY: Duration = Duration::from_secs(60);
/// How many users one transaction writes.
const AT_ONCE: usize = 1000;
/// How many users Redis is asked about at once.
const ASKED_AT_ONCE: usize = 64;

/// When users were last seen, where that is not written yet.
#[derive(Default)]
pub(super) struct LastSeen {
    /// Held while it is told who has come and gone, so that the other nodes hear it in that order.
    turn: Mutex<()>,
    times: std::sync::Mutex<Times>,
}

#[derive(Default)]
struct Times {
    unwritten: HashMap<UserId, Time>,
    /// When the time of a user was last written, as long as that matters.
    written: HashMap<UserId, Instant>,
}

impl LastSeen {
    fn note(&self, user_id: &UserId, at: Time) {
        self.times().unwritten.insert(user_id.clone(), at);
    }

    /// The times that may be written now, or all of them; the caller writes them.
    fn take(&self, all: bool) -> Vec<(UserId, Time)> {
        let mut times = self.times();
        let Times { unwritten, written } = &mut *times;
        written.retain(|_, at| at.elapsed() < WRITE_ONE_EVERY);
        let due = unwritten.extract_if(|user_id, _| all || !written.contains_key(user_id));
        let due = Vec::from_iter(due);
        written.extend(due.iter().map(|(user_id, _)| (user_id.clone(), Instant::now())));
        due
    }

    /// Takes back times that could not be written.
    fn put_back(&self, seen: &[(UserId, Time)]) {
        let mut times = self.times();
        for (user_id, at) in seen {
            times.written.remove(user_id);
            times.unwritten.entry(user_id.clone()).or_insert(*at);
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        // No code panics while it holds the lock.
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells which users come and go, until the server is gone.
pub(super) async fn follow(app: Weak<App>) {
    let Some(moved) = app.upgrade().map(|app| app.carrier.audience.moved()) else {
        return;
    };
    let (mut written, mut more) = (Instant::now(), false);
    loop {
        let pause = if more { LOOK_EVERY } else { WRITE_EVERY };
        // Users who come are told at once.
        let _ = timeout(pause, moved.notified()).await;
        let Some(app) = app.upgrade() else {
            return;
        };
        let due = written.elapsed() >= WRITE_EVERY;
        if due {
            written = Instant::now();
        }
        // In a task of its own, as a write that has begun must be finished.
        let round = tokio::spawn(async move {
            let more = app.tell_moves().await;
            if due {
                app.write_last_seen(false).await;
            }
            more
        });
        more = round.await.unwrap_or_else(|_| {
            tracing::error!("who has come and gone was not told");
            false
        });
    }
}

impl App {
    /// Fills in whether these users are online, and when they were last seen.
    pub(super) async fn see_online<'a>(&self, people: impl IntoIterator<Item = &'a mut Person>) {
        let mut people = Vec::from_iter(people);
        let online = {
            let users = Vec::from_iter(people.iter().map(|person| &person.id));
            self.are_online(&users).await
        };
        let (now, times) = (clock::now(), self.last_seen.times());
        for (person, online) in people.iter_mut().zip(online) {
            let unwritten = times.unwritten.get(&person.id).copied();
            person.online = online;
            person.last_seen = if online { Some(now) } else { person.last_seen.max(unwritten) };
        }
    }

    /// For each user, whether they are online. While Redis does not answer, only this node's
    /// connections count.
    async fn are_online(&self, users: &[&UserId]) -> Vec<bool> {
        if let Some(cluster) = &self.cluster
            && let Some(online) = cluster.redis.are_online(users).await
        {
            return online;
        }
        self.carrier.audience.are_online(users)
    }

    /// For each user, whether they are online; `None` while Redis does not know all nodes' users.
    pub(super) async fn are_surely_online(&self, users: &[&UserId]) -> Option<Vec<bool>> {
        let online = match &self.cluster {
            None => self.carrier.audience.are_online(users),
            Some(cluster) => cluster.redis.are_online(users).await?,
        };
        // Redis may have been restarted meanwhile, and be empty.
        self.knows_who_is_online().then_some(online)
    }

    /// Whether Redis, if there is one, knows the users of all nodes.
    pub(super) fn knows_who_is_online(&self) -> bool {
        self.cluster.as_ref().is_none_or(Cluster::is_steady)
    }

    /// Tells which users have come to this node and gone from it. Returns whether there are more
    /// users who have gone but may be back at once.
    async fn tell_moves(&self) -> bool {
        let _turn = self.last_seen.turn.lock().await;
        let moves = self.carrier.audience.take_moves(false);
        let now = clock::now();
        let moved = moves.came.into_iter().map(|user_id| (user_id, true));
        let moved = Vec::from_iter(moved.chain(moves.went.into_iter().map(|it| (it, false))));
        for moved in moved.chunks(ASKED_AT_ONCE) {
            join_all(moved.iter().map(|(user_id, online)| self.tell_move(user_id, *online, now)))
                .await;
            self.carrier.flush();
        }
        moves.more
    }

    async fn tell_move(&self, user_id: &UserId, online: bool, now: Time) {
        let told = match &self.cluster {
            None => None,
            Some(cluster) if online => {
                cluster.redis.come_online(user_id, self.node, now, true).await.map(|()| true)
            }
            Some(cluster) => cluster.redis.go_offline(user_id, self.node, now).await,
        };
        if told != Some(false) {
            self.last_seen.note(user_id, now);
        }
        // Redis tells all nodes. If it does not answer, this node's clients are told here, and the
        // other nodes hear of it later.
        if told.is_none() {
            let user_id = user_id.clone();
            self.carrier.show(&Event::PresenceChanged { user_id, online, last_seen: now });
        }
    }

    /// Puts this node's online users into Redis again, and removes this node's users there who are
    /// not online. `None` if Redis does not answer.
    pub(super) async fn restore_online(&self, cluster: &Cluster, announce: bool) -> Option<()> {
        // The lock keeps users from coming and going meanwhile.
        let _turn = self.last_seen.turn.lock().await;
        let (here, now) = (self.carrier.audience.list_online(), clock::now());
        for users in here.chunks(ASKED_AT_ONCE) {
            let coming = users
                .iter()
                .map(|user_id| cluster.redis.come_online(user_id, self.node, now, announce));
            join_all(coming).await.into_iter().collect::<Option<()>>()?;
        }
        let here: HashSet<_> = here.into_iter().collect();
        let known = cluster.redis.list_online(self.node).await?;
        for user_id in known.iter().filter(|user_id| !here.contains(*user_id)) {
            cluster.redis.go_offline(user_id, self.node, now).await?;
        }
        Some(())
    }

    /// Removes the users who were connected to a node that is gone. Errors: `unavailable`.
    pub(super) async fn take_offline(&self, cluster: &Cluster, node: Uuid) -> Result<(), Error> {
        let (unavailable, now) = (|| Error::Unavailable(None), clock::now());
        let users = cluster.redis.list_online(node).await.ok_or_else(unavailable)?;
        for users in users.chunks(ASKED_AT_ONCE) {
            let going = users.iter().map(async |user_id| {
                let last = cluster.redis.go_offline(user_id, node, now).await?;
                if last {
                    self.last_seen.note(user_id, now);
                }
                Some(())
            });
            join_all(going).await.into_iter().collect::<Option<()>>().ok_or_else(unavailable)?;
        }
        Ok(())
    }

    /// Writes when users were last seen, as far as it may be written again, or for all.
    async fn write_last_seen(&self, all: bool) {
        for seen in self.last_seen.take(all).chunks(AT_ONCE) {
            if let Err(error) = self.store_last_seen(seen).await {
                self.last_seen.put_back(seen);
                error.warn("when users were last seen is not written yet");
            }
        }
    }

    async fn store_last_seen(&self, seen: &[(UserId, Time)]) -> Result<(), Error> {
        let mut tx = self.store.begin().await?;
        tx.update_last_seen(seen).await?;
        tx.commit([]).await
    }

    /// Writes, when the server ends, when users were last seen, including users who are still here.
    pub(super) async fn write_all_last_seen(&self) {
        let (audience, now) = (&self.carrier.audience, clock::now());
        let gone = audience.take_moves(true).went;
        for user_id in gone.iter().chain(&audience.list_online()) {
            self.last_seen.note(user_id, now);
        }
        self.write_last_seen(true).await;
    }
}
