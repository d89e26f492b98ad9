//! Runs a node as one of several: each node says that it is alive, keeps its part of the shared
//! presence current, and removes what a dead node has left.

use std::collections::HashSet;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use super::App;
use super::follower::Follower;
use crate::cluster::{BEAT, Beat, Entry, Holder, Left, Redis, Streams};
use crate::config::Url;
use crate::error::{Error, StartError};
use crate::model::{ChatId, Event, Profile};
use crate::store::{Store, Tx};

/// After this many successful heartbeats in a row, the other nodes have had time, too, to put back
/// into Redis what Redis may have lost.
const STEADY: u32 = 3;

/// How many users are put back into Redis at once.
const AT_ONCE: usize = 64;

/// What this node needs to work with the other nodes.
pub(super) struct Cluster {
    pub redis: Redis,
    /// How many heartbeats there were since Redis last failed to answer, or had lost something.
    beats: AtomicU32,
    /// Set once this node is leaving the cluster.
    leaving: AtomicBool,
}

impl Cluster {
    /// Makes this node one of those that share the store. Errors: the URL is malformed.
    pub async fn join(
        url: &Url,
        node: Uuid,
        store: &Store,
    ) -> Result<(Cluster, Streams, Follower), StartError> {
        let unusable = |why: String| StartError::Redis { url: url.clone(), why };
        let id = store.find_cluster_id().await.map_err(|error| unusable(error.to_string()))?;
        let redis = Redis::open(url.expose(), id).map_err(|error| unusable(error.to_string()))?;
        tracing::info!(%node, "one of several nodes");
        let (streams, shared, hearing, waiters) = Streams::start(&redis, node);
        let follower = Follower { reader: store.event_reader(), shared, hearing, waiters };
        let cluster = Cluster { redis, beats: AtomicU32::new(0), leaving: AtomicBool::new(false) };
        Ok((cluster, streams, follower))
    }

    /// Whether the room seems to be empty: no node has reported anybody in it.
    pub async fn seems_empty(&self, chat_id: ChatId) -> bool {
        self.is_steady() && self.redis.count_rooms(&[chat_id]).await.is_some_and(|it| it == [0])
    }

    /// Whether Redis knows everybody in all rooms: no node is missing or was missing until lately,
    /// and none has somebody in a room without Redis knowing it.
    pub async fn hears_all_nodes(&self, tx: &mut Tx) -> Result<bool, Error> {
        match self.redis.count_nodes().await {
            Some(nodes) => tx.are_all_nodes_heard(nodes).await,
            None => Ok(false),
        }
    }

    /// Whether Redis holds everything that the nodes have put there.
    pub fn is_steady(&self) -> bool {
        self.beats.load(Ordering::Relaxed) >= STEADY && !self.redis.is_interrupted()
    }

    fn unsteady(&self) {
        self.beats.store(0, Ordering::Relaxed);
    }
}

/// What a node knows about its own heartbeats.
#[derive(Default)]
struct Pulse {
    /// The epoch of Redis's data, if this node's part is in it.
    epoch: Option<String>,
    /// When this node last sent a heartbeat that was answered.
    said_at: Option<Instant>,
}

impl Pulse {
    /// Whether the others may have taken this node for dead, and begun to remove its data from
    /// Redis.
    fn is_late(&self) -> bool {
        self.said_at.is_some_and(|said_at| said_at.elapsed() > 2 * BEAT)
    }
}

/// Sends heartbeats until the server is gone.
pub(super) async fn keep_alive(app: Weak<App>) {
    let mut beats = tokio::time::interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pulse = Pulse::default();
    loop {
        beats.tick().await;
        let Some(app) = app.upgrade().filter(|app| app.cluster.is_some()) else {
            return;
        };
        // In a task of its own, as a write that has begun must be finished.
        let beating = tokio::spawn(async move {
            app.beat(&mut pulse).await;
            pulse
        });
        pulse = beating.await.unwrap_or_else(|_| {
            tracing::error!("a heartbeat has failed");
            Pulse::default()
        });
    }
}

impl App {
    /// Sends a heartbeat, and then does what the answer asks for: restores presence that Redis has
    /// lost, and removes dead nodes.
    async fn beat(&self, pulse: &mut Pulse) {
        let Some(cluster) = &self.cluster else {
            return;
        };
        if cluster.leaving.load(Ordering::Relaxed) {
            return;
        }
        let interrupted = cluster.redis.take_interrupted();
        let Some(Beat { epoch, known, dead }) = cluster.redis.beat(self.node).await else {
            cluster.unsteady();
            return self.while_beating(cluster, pulse, self.hold_rooms()).await;
        };
        let late = pulse.is_late();
        pulse.said_at = Some(Instant::now());
        let kept = pulse.epoch.as_ref() == Some(&epoch);
        let whole = kept && known && !late;
        if !whole || interrupted {
            cluster.unsteady();
        }
        // If Redis has failed to answer, it may have lost something even if its epoch is the same.
        if cluster.redis.take_presence_missed() || !whole || interrupted {
            // If Redis lost its data, no client was told that these users were gone, so none is
            // told that they are back.
            let restored = async {
                self.hold_rooms().await;
                self.restore_presence(cluster, kept).await
            };
            match self.while_beating(cluster, pulse, restored).await {
                Some(()) => pulse.epoch = Some(epoch),
                None => return cluster.redis.note_presence_missed(),
            }
        }
        self.while_beating(cluster, pulse, self.release_rooms(cluster)).await;
        if cluster.beats.fetch_add(1, Ordering::Relaxed) < STEADY {
            return;
        }
        for node in dead {
            let removed = self.remove_node(cluster, node);
            match self.while_beating(cluster, pulse, removed).await {
                Ok(()) => {
                    tracing::warn!(%node, "a node was lost; what it left is taken away");
                    // The dead node may have been moving users of the rooms API.
                    cluster.redis.note_presence_missed();
                }
                Err(error) => error.warn("the presence and nicks of a lost node were not removed"),
            }
        }
    }

    /// Keeps the other nodes from deleting rooms with users of this node, of whom they cannot know
    /// now.
    async fn hold_rooms(&self) {
        if self.presence.lock().await.is_empty() {
            return;
        }
        if let Err(error) = self.store.hold_rooms().await {
            error.warn("the other nodes could not be kept from deleting rooms");
        }
    }

    async fn release_rooms(&self, cluster: &Cluster) {
        let all_is_known = || !cluster.redis.is_presence_missed();
        if let Err(error) = self.store.release_rooms(all_is_known).await {
            error.warn("the other nodes are kept from deleting rooms still");
        }
    }

    /// Goes on sending heartbeats during work that may take longer than a node may be silent.
    async fn while_beating<T>(
        &self,
        cluster: &Cluster,
        pulse: &mut Pulse,
        work: impl Future<Output = T>,
    ) -> T {
        let beating = async {
            loop {
                tokio::time::sleep(BEAT).await;
                if cluster.leaving.load(Ordering::Relaxed) {
                    continue;
                }
                if let Some(beat) = cluster.redis.beat(self.node).await {
                    let late = pulse.is_late();
                    pulse.said_at = Some(Instant::now());
                    if !beat.known || late {
                        cluster.redis.note_presence_missed();
                    }
                }
            }
        };
        tokio::select! {
            done = work => done,
            never = beating => never,
        }
    }

    /// Puts back into Redis which users are in rooms by this node or the rooms API, and removes
    /// users who are not. `None` if Redis or the database does not answer.
    async fn restore_presence(&self, cluster: &Cluster, announce: bool) -> Option<()> {
        let holder = Holder::Node(self.node);
        let entries = self.presence.lock().await.list();
        for entries in entries.chunks(AT_ONCE) {
            // Held until all of these are in, so that a user who leaves meanwhile leaves after
            // that.
            let mut presence = self.presence.lock().await;
            let here =
                entries.iter().filter(|(chat_id, user, _)| presence.is_in(*chat_id, &user.id));
            let entering = here.map(async |(chat_id, user, shared)| {
                let announce = announce || !shared;
                let entry =
                    Entry { chat_id: *chat_id, user, holder, only_if_occupied: false, announce };
                cluster.redis.enter_room(entry).await.map(|_| (*chat_id, &user.id))
            });
            for entered in join_all(entering).await {
                let (chat_id, user_id) = entered?;
                presence.set_shared(chat_id, user_id, true);
            }
        }
        for (chat_id, user_id) in cluster.redis.list_held(holder).await? {
            // Held until the user is out, so that a user who comes meanwhile comes after that.
            let presence = self.presence.lock().await;
            if !presence.is_in(chat_id, &user_id) {
                let left = cluster.redis.leave_room(chat_id, &user_id, holder).await?;
                drop(presence);
                self.delete_if_empty(chat_id, left).await;
            }
        }
        self.restore_online(cluster, announce).await?;
        let restored = self.restore_seated(cluster).await;
        restored.inspect_err(|error| error.warn("the users in rooms could not be read")).ok()?
    }

    /// Restores the presence of the users of the rooms API. No user can change rooms while this
    /// moves them.
    async fn restore_seated(&self, cluster: &Cluster) -> Result<Option<()>, Error> {
        let seated = self.store.list_seated().await?;
        let Some(held) = cluster.redis.list_held(Holder::Lobby).await else {
            return Ok(None);
        };
        let seated: HashSet<_> =
            seated.into_iter().map(|seated| (seated.chat_id, seated.user.id)).collect();
        let held: HashSet<_> = held.into_iter().collect();
        let wrong: HashSet<_> = seated.symmetric_difference(&held).map(|(_, id)| id).collect();
        for user_id in wrong {
            let mut tx = self.store.begin().await?;
            let seat = tx.find_seat(user_id).await?;
            let room = seat.and_then(|seat| seat.chat_id);
            for (chat_id, _) in
                held.iter().filter(|(chat_id, id)| id == user_id && room != Some(*chat_id))
            {
                if cluster.redis.leave_room(*chat_id, user_id, Holder::Lobby).await.is_none() {
                    return Ok(None);
                }
            }
            let (Some(chat_id), Some(user)) = (room, tx.find_user(user_id).await?) else {
                continue;
            };
            let user = &Profile { id: user.id, name: user.name, photo: user.photo };
            let holder = Holder::Lobby;
            let entry = Entry { chat_id, user, holder, only_if_occupied: false, announce: false };
            if cluster.redis.enter_room(entry).await.is_none() {
                return Ok(None);
            }
            // Check that the transaction, and so its lock, still exists: PostgreSQL ends a
            // transaction that is idle for too long.
            tx.find_seat(user_id).await?;
        }
        Ok(Some(()))
    }

    async fn delete_if_empty(&self, chat_id: ChatId, left: Left) {
        if left == (Left::Gone { remaining: 0 }) {
            self.delete_empty(chat_id).await;
        }
    }

    /// Removes what a dead node has left. Errors: some of it could not be removed; try again later.
    pub(super) async fn remove_node(&self, cluster: &Cluster, node: Uuid) -> Result<(), Error> {
        let unavailable = || Error::Unavailable(None);
        let holder = Holder::Node(node);
        for (chat_id, user_id) in cluster.redis.list_held(holder).await.ok_or_else(unavailable)? {
            let left = cluster.redis.leave_room(chat_id, &user_id, holder).await;
            self.delete_if_empty(chat_id, left.ok_or_else(unavailable)?).await;
        }
        self.take_offline(cluster, node).await?;
        let mut tx = self.store.begin().await?;
        let gone = tx.delete_nicks_of(node).await?;
        tx.commit(gone.into_iter().map(|nick| Event::NickGone { nick, lost: true })).await?;
        cluster.redis.remove_node(node).await;
        Ok(())
    }

    /// Removes this node's own data, so that the others have nothing to clean up.
    pub(super) async fn leave_cluster(&self) {
        let Some(cluster) = &self.cluster else {
            return;
        };
        cluster.leaving.store(true, Ordering::Relaxed);
        cluster.redis.leave(self.node).await;
        if let Err(error) = self.remove_node(cluster, self.node).await {
            error.warn("the other nodes will find out that this one is gone");
        }
    }
}
