//! Being one of several nodes: each says that it is alive, keeps its part of the shared presence
//! up, and takes away what a dead one has left.

use std::collections::HashSet;
use std::sync::Weak;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::App;
use super::carrier::{said_of_joining, said_of_leaving};
use crate::bus::{self, Buckets, Entry, Heartbeat, Holder, LOBBY, Redis, Roll, SharedPresence};
use crate::clock;
use crate::error::Error;
use crate::model::{ChatId, Event, UserId};

/// After so many beats without a miss the other nodes, too, have put back into Redis what it may
/// have lost.
const STEADY: u32 = 3;
/// Every so many beats a node looks for what has been left behind.
const ROUND: u32 = 15;
/// How long an empty ephemeral chat that nobody has deleted stays.
const EMPTY: Duration = Duration::from_secs(60);

/// What this node has to do with the others.
pub(super) struct Nodes {
    pub node: Uuid,
    /// What the node is called where presence is shared.
    pub name: String,
    pub presence: SharedPresence,
    pub buckets: Buckets,
    roll: Roll,
    /// How many beats there were since Redis was last missed.
    beats: AtomicU32,
}

impl Nodes {
    pub fn new(node: Uuid, redis: &Redis) -> Nodes {
        Nodes {
            node,
            name: node.to_string(),
            presence: SharedPresence::new(redis),
            buckets: Buckets::new(redis),
            roll: Roll::new(redis),
            beats: AtomicU32::new(0),
        }
    }

    /// Whether it is certain that nobody is in a room, by any node.
    pub async fn is_empty(&self, chat_id: ChatId) -> bool {
        let steady = self.beats.load(Ordering::Relaxed) >= STEADY;
        steady && self.presence.count(&[chat_id]).await.is_some_and(|counts| counts == [0])
    }
}

/// Who stays in the shared presence.
#[derive(Clone, Copy)]
enum Keep<'a> {
    Nobody,
    These(&'a HashSet<(ChatId, UserId)>),
    /// Who is in a room by this node now.
    Present,
}

/// Tends to what no request does, until the server is gone.
pub(super) async fn tend(app: Weak<App>) {
    let mut beats = tokio::time::interval(bus::BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut memory = None;
    for number in 0u32.. {
        beats.tick().await;
        let Some(app) = app.upgrade() else {
            return;
        };
        // In a task of its own, as a write that has begun is to be finished.
        let round = tokio::spawn(async move {
            app.beat(&mut memory).await;
            if number % ROUND == ROUND - 1 {
                app.tidy().await;
            }
            memory
        });
        memory = round.await.unwrap_or_else(|_| {
            tracing::error!("a node's housekeeping has failed");
            None
        });
    }
}

impl App {
    /// Says that this node is alive. `memory` is the name of what Redis held the last time.
    async fn beat(&self, memory: &mut Option<String>) {
        let Some(nodes) = &self.nodes else {
            return;
        };
        let Some(Heartbeat { memory: held, known, dead }) = nodes.roll.say(nodes.node).await else {
            return nodes.beats.store(0, Ordering::Relaxed);
        };
        let kept = memory.replace(held.clone()) == Some(held);
        // Redis has lost what it held, or others have taken this node for dead.
        if !kept || !known || self.presence.lock().await.is_unshared() {
            // Of those who were there all the time nobody has heard that they were gone.
            self.share_again(nodes, kept && !known).await;
        }
        if nodes.beats.fetch_add(1, Ordering::Relaxed) < STEADY {
            return;
        }
        for dead in dead {
            match self.bury(nodes, dead).await {
                Ok(()) => tracing::warn!(%dead, "a node was lost; what it left is taken away"),
                Err(error) => tracing::warn!(%error, "what a dead node left is still there"),
            }
        }
    }

    /// Puts this node's part of the shared presence into Redis again, and the lobby's.
    async fn share_again(&self, nodes: &Nodes, loud: bool) {
        let entries = self.presence.lock().await.list();
        for (chat_id, user, shared) in entries {
            let mut presence = self.presence.lock().await;
            if !presence.is_in(chat_id, &user.id) {
                continue;
            }
            let said = (loud || !shared).then(|| said_of_joining(chat_id, &user));
            let holder = &nodes.name;
            let entry = Entry { chat_id, user: &user, holder, into_company: false, said };
            if nodes.presence.enter(entry).await.is_none() {
                return;
            }
            presence.set_shared(chat_id, &user.id, true);
        }
        self.take_away(nodes, &nodes.name, Keep::Present).await;
        let Ok(seated) = self.store.list_seated().await else {
            return;
        };
        let mut held = HashSet::new();
        for (chat_id, user) in seated {
            let entry =
                Entry { chat_id, user: &user, holder: LOBBY, into_company: false, said: None };
            nodes.presence.enter(entry).await;
            held.insert((chat_id, user.id));
        }
        self.take_away(nodes, LOBBY, Keep::These(&held)).await;
    }

    /// Takes away what a holder has in the shared presence, but for whom it is to keep. False if Redis
    /// does not answer.
    async fn take_away(&self, nodes: &Nodes, holder: &Holder, keep: Keep<'_>) -> bool {
        let Some(held) = nodes.presence.list_held(holder).await else {
            return false;
        };
        for entry in held {
            let kept = match keep {
                Keep::Nobody => false,
                Keep::These(entries) => entries.contains(&entry),
                Keep::Present => self.presence.lock().await.is_in(entry.0, &entry.1),
            };
            if kept {
                continue;
            }
            let (chat_id, user_id) = entry;
            let said = said_of_leaving(chat_id);
            match nodes.presence.leave(chat_id, &user_id, holder, said).await {
                Some(Some(0)) => self.delete_empty(chat_id).await,
                Some(_) => {}
                None => return false,
            }
        }
        true
    }

    /// Takes away what a node has left that is gone. Errors: what is left is tried again later.
    async fn bury(&self, nodes: &Nodes, dead: Uuid) -> Result<(), Error> {
        if !self.take_away(nodes, &dead.to_string(), Keep::Nobody).await {
            return Err(Error::Unavailable(None));
        }
        let mut tx = self.store.begin().await?;
        let gone = tx.delete_nicks_of(dead).await?;
        tx.commit(gone.into_iter().map(|nick| Event::NickGone { nick, lost: true })).await?;
        nodes.roll.strike(dead).await;
        Ok(())
    }

    /// Leaves nothing behind for the others to find.
    pub(super) async fn leave_cluster(&self) {
        if let Some(nodes) = &self.nodes
            && let Err(error) = self.bury(nodes, nodes.node).await
        {
            tracing::warn!(%error, "the other nodes will find out that this one is gone");
        }
    }

    /// Looks for what has been left behind when it could not be taken away.
    async fn tidy(&self) {
        if let Err(error) = self.store.renew_claim().await {
            tracing::error!(%error, "the database may be used by a server that this one cannot hear");
        }
        let tidied = async {
            self.free_nicks().await?;
            if let Some(nodes) = &self.nodes {
                for chat_id in self.store.list_ephemeral_chats(clock::before(EMPTY)).await? {
                    if nodes.is_empty(chat_id).await {
                        self.delete_empty(chat_id).await;
                    }
                }
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = tidied.await {
            tracing::warn!(%error, "what was left behind is still there");
        }
    }
}
