//! What may happen. It owns the rules: who may do what, and what follows. One rule is the store's,
//! as only the transaction that appends a message can know it: who may send one. It has never seen
//! a socket, a header or JSON.
//!
//! Its functions take an [`Actor`], or the [`Connection`] that is to become one, and values that
//! have been checked. They must run in a task that nothing cancels: a write that has begun is
//! finished.

mod access;
mod accounts;
mod announcements;
mod blocks;
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
mod sending;
mod signals;
mod teams;
mod token_commands;
mod typing;
mod users;
mod watching;
mod webhooks;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, broadcast, mpsc};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::audience::Audience;
use crate::clock;
use crate::cluster::Streams;
use crate::config::{Access, Config, Limits, Registration};
use crate::error::{Error, StartError};
use crate::event_log::EventLog;
use crate::model::{Committed, ConnectionId, Event, Stream, UserId};
use crate::store::{Keeping, Store, Tx};
use carrier::Carrier;
use cluster::Cluster;
use files::Files;
use key_set::KeySet;
use keys::Keys;
use listening::Listeners;
use nicks::Nicks;
use online::LastSeen;
use passwords::Passwords;
use presence::Presence;
use rates::Rates;
use readers::Readers;

pub use crate::audience::{Recipient, Shown, Way};
pub use crate::cluster::Following;
pub use crate::store::People;
pub use blocks::Blocked;
pub use files::Offer;
pub use identity::Connection;
pub use listening::{Listening, MAX_BEHIND, RecvError};
pub use members::Members;
pub use prepared::Prepared;
pub use rates::Network;
pub use rooms::Room;
pub use token_commands::{TokenError, TokenFault, TokenHolder, check_token, host_token};

/// Who asks: a user, on a connection that [may act](App::claim) as this user.
#[derive(Clone, Debug)]
pub struct Actor {
    user_id: UserId,
    connection: ConnectionId,
    /// Whether it is the service that acts as the user: it may see and do everything.
    service: bool,
    /// Whether the connection has proved nothing: then it may not act as the user any more once the
    /// user is protected.
    anonymous: bool,
    /// Where it comes from.
    address: IpAddr,
}

impl Actor {
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }
}

/// Who looks: a user, or nobody in particular.
#[derive(Clone, Debug)]
pub struct Viewer {
    user_id: Option<UserId>,
    /// `None` for a request that has no connection of its own.
    connection: Option<ConnectionId>,
    service: bool,
    /// Where they come from.
    address: IpAddr,
}

impl Viewer {
    /// Nobody in particular, from this address.
    pub fn nobody(address: IpAddr) -> Viewer {
        Viewer { user_id: None, connection: None, service: false, address }
    }

    pub fn user_id(&self) -> Option<&UserId> {
        self.user_id.as_ref()
    }
}

impl From<&Actor> for Viewer {
    fn from(actor: &Actor) -> Viewer {
        let Actor { user_id, connection, service, address, .. } = actor;
        let (connection, service, address) = (Some(*connection), *service, *address);
        Viewer { user_id: Some(user_id.clone()), connection, service, address }
    }
}

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
    /// Notified when a user is deleted whose messages are to be erased.
    deleted: Arc<Notify>,
    /// Set once the server ends: rooms that are empty then are empty because of that.
    ending: AtomicBool,
    nicks: Nicks,
    /// This node's id among all nodes, new at each start.
    node: Uuid,
    /// `None` for a single node.
    cluster: Option<Cluster>,
    rates: Arc<Rates>,
    readers: Readers,
    event_log: Option<EventLog>,
    files: Files,
    /// Work beside the requests that a shutdown waits for.
    work: TaskTracker,
}

impl App {
    /// Opens the store and starts carrying what it commits to the clients. Errors: a store that
    /// cannot be used; a server to which nobody could ever connect.
    pub async fn start(config: &Config, prepared: Prepared) -> Result<Arc<App>, StartError> {
        let Prepared { keys, topic, endpoint, keeping, accounts_only, blobs } = prepared;
        let access = config.access.unwrap_or(Access::Open);
        let (store, committed) = open_store(config, keeping).await?;
        if accounts_only {
            refuse_without_accounts(config, &store).await?;
        }
        let node = Uuid::now_v7();
        let (cluster, streams, follower) = match &config.redis_url {
            Some(url) => {
                let (cluster, streams, follower) = Cluster::join(url, node, &store).await?;
                (Some(cluster), streams, Some(follower))
            }
            None => (None, Streams::default(), None),
        };
        let (carrier, followed) =
            Carrier::new(Audience::new(streams.clone()), config.limits.announced_per_second);
        let carrier = Arc::new(carrier);
        let listening = Listeners::new();
        let listeners = listening.entry();
        match follower {
            Some(follower) => tokio::spawn(follower.run(carrier.clone(), committed, listening)),
            None => tokio::spawn(carrier.clone().run(committed, listening)),
        };
        let everyone = streams.follow(Stream::Everyone);
        streams.positioned().await.map_err(|error| StartError::store(config, error))?;
        let rates = Arc::new(Rates::new(&config.limits));
        tokio::spawn(Rates::forget_idle(Arc::downgrade(&rates)));
        let event_log = topic.map(|topic| EventLog::start(topic, store.backlog()));
        let readers = Readers::of(store.readers_for_one());
        let total = store.count_file_bytes().await;
        let total = total.map_err(|error| StartError::store(config, error))?;
        let files = Files::new(blobs, total, &config.limits, cluster.is_some());
        let app = Arc::new(App {
            access,
            registration: config.registration,
            retention_days: config.retention.into(),
            limits: config.limits.clone(),
            keys,
            passwords: Passwords::default(),
            store,
            carrier,
            listeners,
            streams,
            _everyone: everyone,
            presence: Mutex::default(),
            last_seen: LastSeen::default(),
            ended: Arc::default(),
            deleted: Arc::default(),
            ending: AtomicBool::default(),
            nicks: Nicks::default(),
            node,
            cluster,
            rates,
            readers,
            event_log,
            files,
            work: TaskTracker::new(),
        });
        if app.cluster.is_none() {
            let seated = app.restore_seats().await;
            seated.map_err(|error| StartError::store(config, error))?;
        }
        let alive = Arc::downgrade(&app);
        tokio::spawn(clock::watch_for_jumps(move || alive.strong_count() > 0));
        if let Some(keys) = app.keys.host_keys() {
            tokio::spawn(key_set::follow(Arc::downgrade(keys)));
        }
        tokio::spawn(cluster::keep_alive(Arc::downgrade(&app)));
        tokio::spawn(deletions::erase(Arc::downgrade(&app), app.deleted.clone()));
        tokio::spawn(files::keep(Arc::downgrade(&app)));
        tokio::spawn(online::follow(Arc::downgrade(&app)));
        tokio::spawn(housekeeping::purge(Arc::downgrade(&app), app.ended.clone()));
        tokio::spawn(housekeeping::erase(Arc::downgrade(&app)));
        if let Some(unindexed) = app.store.unindexed() {
            tokio::spawn(search::keep_index(Arc::downgrade(&app), unindexed.clone()));
        }
        tokio::spawn(housekeeping::keep_house(Arc::downgrade(&app)));
        tokio::spawn(housekeeping::keep_lobby(Arc::downgrade(&app)));
        tokio::spawn(retention::run(Arc::downgrade(&app)));
        tokio::spawn(consequences::run(Arc::downgrade(&app), followed));
        if let Some(endpoint) = endpoint {
            tokio::spawn(webhooks::measure(Arc::downgrade(&app)));
            app.work.spawn(webhooks::deliver(Arc::downgrade(&app), endpoint));
        }
        Ok(app)
    }

    /// Who may connect.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Reads again what is read from files.
    pub async fn reload(&self) {
        if let Some(keys) = self.keys.host_keys() {
            keys.aside(KeySet::read_again).await;
        }
    }

    /// The bounds that hold for what clients send.
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

    /// Returns when the database file was deleted or replaced; the server stores nothing any more
    /// then.
    pub async fn database_lost(&self) {
        self.store.lost().await;
    }

    /// The server ends. Rooms that users leave from now on are kept for their return after the next
    /// start.
    pub fn begin_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Finishes what has begun and closes the store; each step takes at most `deadline`.
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

/// Errors: nobody has signed up before.
async fn refuse_without_accounts(config: &Config, store: &Store) -> Result<(), StartError> {
    match store.has_accounts().await.map_err(|error| StartError::store(config, error))? {
        true => Ok(()),
        false => Err(StartError::NoCredentials),
    }
}

/// Opens the store. For a single node nobody is connected after a start, so that what depends on
/// connections is deleted.
async fn open_store(
    config: &Config,
    keeping: Keeping,
) -> Result<(Store, mpsc::Receiver<Committed>), StartError> {
    let base = config.public_url.clone().unwrap_or_default();
    let opened = Store::open(&config.database_url, &config.limits, keeping, base).await;
    let (store, committed) = opened.map_err(|error| StartError::store(config, error))?;
    let folded = store.fold_names(&config.limits).await;
    folded.map_err(|error| StartError::store(config, error))?;
    if !keeping.for_search {
        let deleted = store.delete_index().await;
        deleted.map_err(|error| StartError::store(config, error))?;
    }
    if !keeping.for_nodes {
        let deleted = delete_transient(&store).await;
        deleted.map_err(|error| StartError::store(config, error))?;
    }
    Ok((store, committed))
}

/// Deletes what lasts only while somebody is connected.
async fn delete_transient(store: &Store) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    tx.delete_all_nicks().await?;
    tx.touch_all_seats(clock::now()).await?;
    tx.commit([]).await
}
