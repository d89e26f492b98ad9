//! Housekeeping: each node regularly cleans up what was left behind.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout};

use super::App;
use crate::clock;
use crate::error::Error;
use crate::logs;
use crate::store::ForgottenTo;

const EVERY: Duration = Duration::from_secs(30);
/// How long an empty ephemeral chat stays if it could not be deleted, or if its room was not empty
/// when the server ended: its users have this long to come back.
const EMPTY: Duration = Duration::from_secs(60);
/// For how long at least a committed event is kept, for other nodes and for the event log.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(60 * 60);
/// Counts the events that were dropped before the webhook took them.
pub(super) const DROPPED: &str = "chinwag_webhook_dropped_total";
/// How many old events are kept in one round because the webhook does not have them; then the round
/// ends.
const MAX_PASSED: usize = 10_000;
/// A minute after a text was edited or deleted, nothing of it may be left.
const ERASE_EVERY: Duration = Duration::from_secs(10);

/// Deletes the rest of chats that have ended, until the server is gone.
pub(super) async fn purge(app: Weak<App>, ended: Arc<Notify>) {
    let mut purged_to = None;
    loop {
        let Some(strong) = app.upgrade() else {
            return;
        };
        let begun = Instant::now();
        // In a task of its own, as a write that has begun must be finished.
        let purging = tokio::spawn(async move { strong.store.purge_ended_chats(purged_to).await });
        match purging.await {
            Ok(Ok(Some(to))) => {
                purged_to = Some(to);
                // Half of the time is left for others.
                sleep(begun.elapsed()).await;
            }
            Ok(Ok(None)) => {
                // Another node may have stopped before it was done.
                let _ = timeout(EVERY, ended.notified()).await;
            }
            Ok(Err(error)) if error.is_closed() => return,
            Ok(Err(error)) => {
                error.warn("the messages of deleted rooms are still there");
                sleep(EVERY).await;
            }
            Err(_) => {
                tracing::error!("deleting the messages of deleted rooms has failed");
                sleep(EVERY).await;
            }
        }
    }
}

/// Removes texts that were edited or deleted from all other places where they stand, until the
/// server is gone.
pub(super) async fn erase(app: Weak<App>) {
    loop {
        sleep(ERASE_EVERY).await;
        let Some(app) = app.upgrade() else {
            return;
        };
        // In a task of its own, as a write that has begun must be finished.
        let round = tokio::spawn(async move {
            while app.store.erase_former_texts().await? {}
            Ok::<_, Error>(())
        });
        match round.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_closed() => return,
            Ok(Err(error)) => error.warn("what was edited or deleted is not erased everywhere yet"),
            Err(_) => tracing::error!("erasing what was edited or deleted has failed"),
        }
    }
}

/// Cleans up until the server is gone.
pub(super) async fn keep_house(app: Weak<App>) {
    let started = Instant::now();
    let mut forgotten_to = None;
    let mut rounds = tokio::time::interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let Some(app) = app.upgrade() else {
            return;
        };
        // In a task of its own, as a write that has begun must be finished.
        let round = tokio::spawn(async move {
            app.store.ensure_lock().await;
            let forgotten_to = app.forget_events(forgotten_to).await.unwrap_or_else(|error| {
                error.warn("old events are still there; it is tried again");
                None
            });
            if let Err(error) = app.clean_up(started.elapsed() >= EMPTY).await {
                error.warn("housekeeping was not finished; it is tried again");
            }
            forgotten_to
        });
        forgotten_to = round.await.unwrap_or_else(|_| {
            tracing::error!("housekeeping has failed");
            None
        });
    }
}

/// Logs out users of the rooms API who have not called for too long, until the server ends.
pub(super) async fn keep_lobby(app: Weak<App>) {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(60);
    while let Some(app) = app.upgrade().filter(|app| !app.is_ending()) {
        let pause = (app.limits().lobby_timeout / 4).clamp(SHORTEST, LONGEST);
        // In a task of its own, as a write that has begun must be finished.
        let round = app.work.clone().spawn(async move { app.log_out_idle().await });
        if round.await.is_err() {
            tracing::error!("idle users were not logged out");
        }
        sleep(pause).await;
    }
}

impl App {
    /// Deletes old events, beginning where the last call ended. It ends at the last old event, or
    /// once it has kept many for the webhook, which then has a backlog.
    async fn forget_events(
        &self,
        mut to: Option<ForgottenTo>,
    ) -> Result<Option<ForgottenTo>, Error> {
        let keep_for = self.limits.webhook_keep_for.max(KEPT_FOR);
        let (before, expired) = (clock::ago(KEPT_FOR), clock::ago(keep_for));
        let mut passed = 0;
        loop {
            let step = self.store.forget_events(to, before, expired).await?;
            if step.dropped > 0 {
                metrics::counter!(DROPPED).increment(step.dropped);
                logs::rarely("webhook events dropped", move |times| {
                    tracing::warn!(times, "events were dropped that the webhook never took");
                });
            }
            passed += step.kept;
            to = step.to;
            if to.is_none() || passed >= MAX_PASSED {
                return Ok(to);
            }
        }
    }

    /// Cleans up; deletes empty rooms, too, if their users have had time to come back.
    async fn clean_up(&self, empty_rooms: bool) -> Result<(), Error> {
        self.free_nicks().await?;
        self.finish_deletions().await?;
        if let Some(cluster) = &self.cluster {
            if !cluster.is_steady() {
                return Ok(());
            }
            for node in self.store.list_nick_nodes().await? {
                // Redis has lost its data about the node, and so does not report it as dead.
                if node != self.node && cluster.redis.is_alive(node).await == Some(false) {
                    self.remove_node(cluster, node).await?;
                }
            }
        }
        match empty_rooms && self.hears_all_nodes().await? {
            true => self.delete_all_empty().await,
            false => Ok(()),
        }
    }

    /// Whether any room may be deleted now: this is asked once for all of them.
    async fn hears_all_nodes(&self) -> Result<bool, Error> {
        match &self.cluster {
            Some(cluster) => cluster.hears_all_nodes(&mut self.store.begin().await?).await,
            None => Ok(true),
        }
    }

    /// Finds ephemeral chats that nobody is in, and deletes them.
    async fn delete_all_empty(&self) -> Result<(), Error> {
        let (before, mut last) = (clock::ago(EMPTY), None);
        loop {
            let chats = self.store.list_ephemeral_chats(before, last).await?;
            let Some(of_page) = chats.last() else {
                return Ok(());
            };
            last = Some(*of_page);
            for chat_id in chats {
                if self.presence.lock().await.count(chat_id) == 0 && self.seems_empty(chat_id).await
                {
                    self.delete_empty(chat_id).await;
                }
            }
        }
    }
}
