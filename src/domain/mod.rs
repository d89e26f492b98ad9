//! The rules of the chat: who may do what, and what follows. One rule belongs to the store: who may
//! send a message, as only the transaction that appends it can know that. The domain knows no
//! sockets, headers or JSON.
//!
//! Its functions take an [`Actor`], or the [`Connection`] that is to become one, and values that
//! have been checked. They must run in a task that nothing cancels: a write that has begun must be
//! finished.

mod access;
mod accounts;
mod actor;
mod announcements;
mod blocks;
mod buckets;
mod budgets;
mod calls;
mod carrier;
mod changes;
mod channels;
mod chats;
mod cluster;
mod consequences;
mod crowds;
mod deletions;
mod direct;
mod extras;
mod faults;
mod files;
mod follower;
mod hearing;
mod history;
mod host;
mod housekeeping;
mod identity;
mod invitations;
mod key_set;
mod keys;
mod leases;
mod listening;
mod lobby;
mod members;
mod membership;
mod memberships;
mod messages;
mod moderation;
mod nick_lists;
mod nicks;
mod offline;
mod online;
mod owed;
mod passwords;
mod people;
mod pins;
mod prepared;
mod presence;
mod public_chats;
mod rates;
mod reactions;
mod readers;
mod receipts;
mod retention;
mod roles;
mod rooms;
mod search;
mod seats;
mod sending;
mod signals;
mod start;
mod teams;
mod token_commands;
mod typing;
mod users;
mod watching;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, broadcast};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::cluster::Streams;
use crate::config::{Access, Limits, Registration};
use crate::error::Error;
use crate::event_log::EventLog;
use crate::model::Event;
use crate::store::{Store, Tx};
use carrier::Carrier;
use cluster::Cluster;
use files::Files;
use key_set::KeySet;
use keys::Keys;
use online::LastSeen;
use passwords::Passwords;
use presence::Presence;
use rates::Rates;
use readers::Readers;

pub use crate::audience::{Recipient, Shown, Way};
pub use crate::cluster::Following;
pub use crate::store::People;
pub use actor::{Actor, Viewer};
pub use blocks::Blocked;
pub use buckets::Network;
pub use files::Offer;
pub use identity::Connection;
pub use listening::{Listening, MAX_BEHIND, RecvError};
pub use members::Members;
pub use prepared::Prepared;
pub use readers::Requester;
pub use rooms::Room;
pub use token_commands::{TokenError, TokenFault, TokenHolder, check_token, host_token};

/// The chat server without its doors.
pub struct App {
    access: Access,
    registration: Registration,
    /// For how many days messages are kept at most; 0 for ever.
    retention_days: i64,
    limits: Limits,
    keys: Keys,
    passwords: Passwords,
    store: Store,
    carrier: Arc<Carrier>,
    listeners: broadcast::WeakSender<Arc<Event>>,
    streams: Streams,
    _everyone: Following,
    presence: Mutex<Presence>,
    last_seen: LastSeen,
    /// Notified when an ephemeral chat has ended.
    ended: Arc<Notify>,
    /// Notified when a user was deleted whose messages are to be erased.
    deleted: Arc<Notify>,
    /// Set once the server ends: from then on, rooms become empty because of that.
    ending: AtomicBool,
    /// This node's id among all nodes, new at each start.
    node: Uuid,
    /// `None` for a single node.
    cluster: Option<Cluster>,
    rates: Arc<Rates>,
    readers: Readers,
    event_log: Option<EventLog>,
    files: Files,
    /// Work besides requests for which a shutdown waits.
    work: TaskTracker,
}

impl App {
    /// Whether a client needs a token to connect.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Reads the files of keys again.
    pub async fn reload(&self) {
        if let Some(keys) = self.keys.host_keys() {
            keys.aside(KeySet::read_again).await;
        }
    }

    /// The limits for what clients send.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Waits until this node's clients have been shown all that it has committed so far.
    pub async fn wait_until_shown(&self) {
        self.carrier.shown(self.store.last_committed()).await;
    }

    /// Whether this node can serve requests now. Errors: the store cannot be written, or Redis does
    /// not take this node's password. A node goes on without Redis while it is away.
    pub async fn ready(&self) -> Result<(), Error> {
        if self.cluster.as_ref().is_some_and(|cluster| cluster.redis.is_refused()) {
            return Err(Error::Unavailable(None));
        }
        self.store.ping().await
    }

    /// Opens a transaction for the actor. Errors: `unauthenticated` for an anonymous connection
    /// whose user has become protected since.
    async fn begin_as(&self, actor: &Actor) -> Result<Tx, Error> {
        let mut tx = self.store.begin().await?;
        if actor.anonymous && tx.is_protected(&actor.user_id).await? {
            return Err(Error::NO_USER);
        }
        Ok(tx)
    }

    /// Returns when the database file was deleted or replaced; then the server stores nothing any
    /// more.
    pub async fn database_lost(&self) {
        self.store.lost().await;
    }

    /// Notes that the server ends. Rooms that become empty from now on are kept, so that their
    /// users can return after the next start.
    pub fn begin_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Finishes the work that has begun, and closes the store; each step takes at most `deadline`.
    pub async fn close(&self, deadline: Duration) {
        let leaving = async {
            if tokio::time::timeout(deadline, self.leave_cluster()).await.is_err() {
                tracing::warn!("the other nodes could not be told in time");
            }
        };
        let logging = async {
            if let Some(event_log) = &self.event_log {
                event_log.close(deadline).await;
            }
        };
        tokio::join!(leaving, logging);
        if tokio::time::timeout(deadline, self.write_all_last_seen()).await.is_err() {
            tracing::warn!("when users were last seen was not written in time");
        }
        self.work.close();
        if tokio::time::timeout(deadline, self.work.wait()).await.is_err() {
            tracing::warn!("what follows from the last events was not done in time");
        }
        self.store.close(deadline).await;
        self.carrier.audience.close();
    }
}
