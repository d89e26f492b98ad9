//! The start: opens the store, and starts the tasks that run until the end.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Mutex, mpsc};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::carrier::Carrier;
use super::cluster::{self, Cluster};
use super::consequences::{self, Consequence};
use super::files::{self, Files};
use super::key_set;
use super::listening::Listeners;
use super::online::{self, LastSeen};
use super::passwords::Passwords;
use super::rates::Rates;
use super::readers::Readers;
use super::{App, Prepared, deletions, housekeeping, retention, search, webhooks};
use crate::audience::Audience;
use crate::clock;
use crate::cluster::Streams;
use crate::config::{Access, Config};
use crate::error::{Error, StartError};
use crate::event_log::{Endpoint, EventLog};
use crate::model::{Committed, Stream};
use crate::store::{Keeping, Store};

impl App {
    /// Opens the store, and starts to show clients what it commits. Errors: the store cannot be
    /// used, or nobody could ever connect.
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
        app.keep_going(followed, endpoint);
        Ok(app)
    }

    /// Starts the tasks that run beside the requests, until the last owner of the app drops it.
    fn keep_going(
        self: &Arc<App>,
        followed: mpsc::UnboundedReceiver<Consequence>,
        endpoint: Option<Endpoint>,
    ) {
        let app = self;
        let alive = Arc::downgrade(app);
        tokio::spawn(clock::watch_for_jumps(move || alive.strong_count() > 0));
        if let Some(keys) = app.keys.host_keys() {
            tokio::spawn(key_set::follow(Arc::downgrade(keys)));
        }
        tokio::spawn(cluster::keep_alive(Arc::downgrade(app)));
        tokio::spawn(deletions::erase(Arc::downgrade(app), app.deleted.clone()));
        tokio::spawn(files::keep(Arc::downgrade(app)));
        tokio::spawn(online::follow(Arc::downgrade(app)));
        tokio::spawn(housekeeping::purge(Arc::downgrade(app), app.ended.clone()));
        tokio::spawn(housekeeping::erase(Arc::downgrade(app)));
        if let Some(unindexed) = app.store.unindexed() {
            tokio::spawn(search::keep_index(Arc::downgrade(app), unindexed.clone()));
        }
        tokio::spawn(housekeeping::keep_house(Arc::downgrade(app)));
        tokio::spawn(housekeeping::keep_lobby(Arc::downgrade(app)));
        tokio::spawn(retention::run(Arc::downgrade(app)));
        tokio::spawn(consequences::run(Arc::downgrade(app), followed));
        if let Some(endpoint) = endpoint {
            tokio::spawn(webhooks::measure(Arc::downgrade(app)));
            app.work.spawn(webhooks::deliver(Arc::downgrade(app), endpoint));
        }
    }
}

/// Errors: nobody has signed up yet.
async fn refuse_without_accounts(config: &Config, store: &Store) -> Result<(), StartError> {
    match store.has_accounts().await.map_err(|error| StartError::store(config, error))? {
        true => Ok(()),
        false => Err(StartError::NoCredentials),
    }
}

/// Opens the store. When a single node starts, nobody is connected, so what depends on connections
/// is deleted.
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

/// Deletes what exists only while somebody is connected.
async fn delete_transient(store: &Store) -> Result<(), Error> {
    let mut tx = store.begin().await?;
    tx.delete_all_nicks().await?;
    tx.touch_all_seats(clock::now()).await?;
    tx.commit([]).await
}
