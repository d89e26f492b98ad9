//! What no request does: every node looks now and then for what has been left behind.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, timeout};

use super::App;
use super::cluster::Cluster;
use crate::clock;
use crate::error::Error;

const EVERY: Duration = Duration::from_secs(30);
/// How long an empty ephemeral chat stays that could not be deleted.
const EMPTY: Duration = Duration::from_secs(60);
/// For how long a committed event is kept at least, for other nodes and for the event log.
const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Cleans up until the server is gone.
pub(super) async fn keep_house(app: Weak<App>) {
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let Some(app) = app.upgrade() else {
            return;
        };
        // In a task of its own, as a write that has begun is to be finished.
        let round = tokio::spawn(async move {
            app.ensure_lock().await;
            if let Err(error) = app.clean_up().await {
                error.warn("what was left behind is still there");
            }
        });
        if round.await.is_err() {
            tracing::error!("housekeeping has failed");
        }
    }
}

impl App {
    async fn ensure_lock(&self) {
        match timeout(PATIENCE, self.store.ensure_lock()).await {
            Ok(Ok(())) => {}
            Ok(Err(error @ sqlx::Error::Configuration(_))) => {
                tracing::error!(%error, "the lock of the database is another server's");
            }
            Ok(Err(error)) => tracing::warn!(%error, "the lock of the database is not held"),
            Err(_) => tracing::warn!("the lock of the database is not held"),
        }
    }

    async fn clean_up(&self) -> Result<(), Error> {
        while self.store.backlog().forget_events(clock::ago(KEPT_FOR)).await? {}
        self.free_nicks().await?;
        let Some(cluster) = self.cluster.as_ref().filter(|cluster| cluster.is_steady()) else {
            return Ok(());
        };
        for node in self.store.list_nick_nodes().await? {
            // Redis has lost it, and with it that it is dead.
            if node != self.node && cluster.redis.is_alive(node).await == Some(false) {
                self.remove_node(cluster, node).await?;
            }
        }
        self.delete_all_empty(cluster).await
    }

    /// Looks for ephemeral chats that nobody is in, and deletes them.
    async fn delete_all_empty(&self, cluster: &Cluster) -> Result<(), Error> {
        let (before, mut last) = (clock::ago(EMPTY), None);
        loop {
            let chats = self.store.list_ephemeral_chats(before, last).await?;
            let Some(of_page) = chats.last() else {
                return Ok(());
            };
            last = Some(*of_page);
            for chat_id in chats {
                if cluster.is_empty(chat_id).await {
                    self.delete_empty(chat_id).await;
                }
            }
        }
    }
}
