//! Delivering events to the webhook: what is tried when, and what becomes of it.
//!
//! What it promises: each event is delivered, those of a stream in their order, at least once, and
//! at each try with the same id and the same words, unless its message was edited or deleted
//! meanwhile. One that fails holds up its own stream alone; it is tried again, and parked in the
//! end. What waits is in the database; no more than what is being sent is in memory.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use super::App;
use super::sending::{Tried, send};
use crate::clock;
use crate::error::Error;
use crate::event_log::Endpoint;
use crate::logs;
use crate::store::{Due, OutboxLock, Outcome, WebhookQueue};

/// A call that lasts for longer keeps no other from being made.
const SHORT_CALL: Duration = Duration::from_secs(1);

/// How many calls there may be in all, for each that may be [short](SHORT_CALL).
const MAX_CALLS: usize = 16;

/// How many are looked at at once, beside those that are being sent.
const MAX_DUE: usize = 256;

/// How long an event of another node, or a retry, may wait to be seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When there is another try after trouble with the database.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// When Redis is asked again of an event who is offline.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// The longest pause between two tries of an event.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// How long what is being sent is waited for when the server ends.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How often the lag is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Keeps the metrics current, until the server is gone.
pub(super) async fn measure(app: Weak<App>) {
    let mut every = interval(MEASURE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // So that they are there before the first is delivered.
        metrics::counter!("chinwag_webhook_delivered_total").increment(0);
        metrics::counter!("chinwag_webhook_failed_total").increment(0);
        let Some(app) = app.upgrade().filter(|app| !app.is_ending()) else {
            return;
        };
        match app.store.webhooks().find_lag().await {
            Ok(lag) => {
                let age = lag.oldest().map_or(0, |oldest| oldest.until(clock::now()));
                metrics::gauge!("chinwag_webhook_lag_events").set(lag.events as f64);
                metrics::gauge!("chinwag_webhook_lag_seconds").set(age as f64 / 1e6);
                metrics::gauge!("chinwag_webhook_parked").set(lag.parked as f64);
            }
            Err(error) => tracing::debug!(%error, "the lag of the webhook cannot be measured"),
        }
    }
}

/// Delivers whenever this node is the one that does, until the server ends.
pub(super) async fn deliver(app: Weak<App>, endpoint: Endpoint) {
    let endpoint = Arc::new(endpoint);
    while let Some(delivery) = Delivery::begin(&app, &endpoint) {
        match delivery.run().await {
            Ok(()) => return,
            Err(error) if error.is_closed() => return,
            Err(error) => {
                let why = error.cause().map_or_else(|| error.to_string(), ToString::to_string);
                logs::rarely("webhook queue", move |times| {
                    tracing::warn!(why, times, "nothing is delivered to the webhook; trying again");
                });
                sleep(RETRY_AFTER).await;
            }
        }
    }
}

fn is_on(app: &Weak<App>) -> bool {
    app.upgrade().is_some_and(|app| !app.is_ending())
}

/// Which was tried, of which stream, and what it has come to.
type Try = (Uuid, String, Tried);

/// What is being sent of a stream.
struct Call {
    is_retry: bool,
    begun: Instant,
}

struct Delivery {
    app: Weak<App>,
    queue: WebhookQueue,
    endpoint: Arc<Endpoint>,
    retry_for: Duration,
    /// How many short calls there may be at the same time.
    max_short: usize,
    tries: JoinSet<Result<Try, Error>>,
    /// By their streams.
    calls: HashMap<String, Call>,
}

impl Delivery {
    /// None if the server ends.
    fn begin(app: &Weak<App>, endpoint: &Arc<Endpoint>) -> Option<Delivery> {
        let strong = app.upgrade().filter(|app| !app.is_ending())?;
        Some(Delivery {
            app: app.clone(),
            queue: strong.store.webhooks(),
            endpoint: endpoint.clone(),
            retry_for: strong.limits.webhook_retry_for,
            max_short: strong.limits.webhook_calls,
            tries: JoinSet::new(),
            calls: HashMap::new(),
        })
    }

    /// Delivers until the server ends. After an error everything begins anew, with what is not
    /// noted as delivered.
    async fn run(mut self) -> Result<(), Error> {
        let mut lock = tokio::select! {
            lock = self.queue.lock() => lock?,
            () = ended(&self.app) => return Ok(()),
        };
        self.queue.release_all(&mut lock).await?;
        while is_on(&self.app) {
            lock.check().await?;
            if self.start_due(&mut lock).await? {
                continue;
            }
            tokio::select! {
                Some(tried) = self.tries.join_next() => self.finish(&mut lock, tried).await?,
                () = self.queue.queued() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
        let finishing = async {
            while let Some(tried) = self.tries.join_next().await {
                self.finish(&mut lock, tried).await?;
            }
            Ok(())
        };
        // What has not come to its end is sent again after the next start.
        timeout(LAST_WAIT, finishing).await.unwrap_or(Ok(()))
    }

    /// Whether another call may be made. Those that are slow do not count, up to a number, so that
    /// they hold up nothing; retries take half of the rest at most.
    fn may_call(&self, is_retry: bool) -> bool {
        let short = self.calls.values().filter(|call| call.begun.elapsed() < SHORT_CALL);
        let short = Vec::from_iter(short.map(|call| call.is_retry));
        let retries = short.iter().filter(|is_retry| **is_retry).count();
        self.calls.len() < MAX_CALLS * self.max_short
            && short.len() < self.max_short
            && (!is_retry || retries < self.max_short.div_ceil(2))
    }

    /// Starts to send what is due, as much as may be sent at the same time. Returns whether there
    /// may be more to start.
    async fn start_due(&mut self, lock: &mut OutboxLock) -> Result<bool, Error> {
        if !self.may_call(false) {
            return Ok(false);
        }
        // What is being sent is due, too.
        let limit = (MAX_DUE + self.calls.len()) as i64;
        let due = self.queue.list_due(clock::now(), limit).await?;
        let behind = Vec::from_iter(due.iter().filter(|it| !it.is_first).map(|it| it.id));
        self.queue.note(lock, &[], &behind).await?;
        for Due { id, stream, attempts, .. } in due.into_iter().filter(|it| it.is_first) {
            let is_retry = attempts > 0;
            if !self.calls.contains_key(&stream) && self.may_call(is_retry) {
                self.calls.insert(stream.clone(), Call { is_retry, begun: Instant::now() });
                let (app, queue) = (self.app.clone(), self.queue.clone());
                let sending = send(app, queue, self.endpoint.clone(), id);
                self.tries.spawn(async move { Ok((id, stream, sending.await?)) });
            }
        }
        Ok(!behind.is_empty() && self.may_call(false))
    }

    /// Notes what has come of a try, and of all others that have ended.
    async fn finish(
        &mut self,
        lock: &mut OutboxLock,
        tried: Result<Result<Try, Error>, JoinError>,
    ) -> Result<(), Error> {
        let (mut tried, mut ended, mut failed) = (Some(tried), Vec::new(), None);
        let mut outcomes = Vec::new();
        while let Some(one) = tried {
            // A task that has panicked has said so.
            match one.unwrap_or(Err(Error::Internal(None))) {
                Ok((id, stream, tried)) => {
                    ended.push(stream.clone());
                    outcomes.extend(self.outcome(tried).map(|outcome| (id, stream, outcome)));
                }
                Err(error) => failed = Some(error),
            }
            tried = self.tries.try_join_next();
        }
        self.queue.note(lock, &outcomes, &[]).await?;
        for stream in ended {
            self.calls.remove(&stream);
        }
        failed.map_or(Ok(()), Err)
    }

    /// What is to be noted of a try, if anything is.
    fn outcome(&self, tried: Tried) -> Option<Outcome> {
        let (webhook, problem) = match tried {
            Tried::Cut => return None,
            Tried::Dropped => return Some(Outcome::Done),
            Tried::Postponed => {
                return Some(Outcome::Postponed { next_at: clock::after(ASK_AFTER) });
            }
            Tried::Delivered => {
                metrics::counter!("chinwag_webhook_delivered_total").increment(1);
                return Some(Outcome::Done);
            }
            Tried::Failed(webhook, problem) => (webhook, problem.to_string()),
        };
        metrics::counter!("chinwag_webhook_failed_total").increment(1);
        let now = clock::now();
        let since = webhook.failing_since.unwrap_or(now).max(webhook.committed_at.unwrap_or(now));
        let said = problem.clone();
        if now.since(since) >= self.retry_for {
            logs::rarely("webhook parked", move |times| {
                tracing::warn!(
                    problem = said,
                    times,
                    "the webhook took an event at no try; it is parked: see `chinwag webhooks list`"
                );
            });
            return Some(Outcome::Parked { since, problem });
        }
        tracing::debug!(id = %webhook.id, problem, "the webhook did not take an event");
        logs::rarely("webhook", move |times| {
            tracing::warn!(
                problem = said,
                times,
                "the webhook did not take an event; it is tried again, as are all that follow"
            );
        });
        Some(Outcome::Failed { since, next_at: clock::after(pause(webhook.attempts)) })
    }
}

/// How long to wait after a try, before which there were so many.
fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(0, 16)).unwrap_or_default();
    (Duration::from_secs(2) * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

/// Returns when the server ends.
async fn ended(app: &Weak<App>) {
    while is_on(app) {
        sleep(LOOK_EVERY).await;
    }
}
