//! Delivers events to the webhook: decides which are tried when, and handles the results.
//!
//! What it promises: each event is delivered at least once, and the events of a stream in their
//! order. Each try has the same id and the same text, unless the message was edited or deleted
//! meanwhile, or a crash has interrupted the first try: then it is determined anew who is offline.
//! An event that fails blocks only its own stream; it is retried, and in the end parked. Waiting
//! events are in the database; only those that are being sent are in memory.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use uuid::Uuid;

use super::App;
use super::calls::Calls;
use super::housekeeping::DROPPED;
use super::sending::{Tried, send};
use crate::clock::{self, Time};
use crate::error::Error;
use crate::event_log::Endpoint;
use crate::logs;
use crate::store::{OutboxLock, Outcome, WebhookQueue};

/// How many due events of each share are read at once, besides those that are being sent.
const MAX_DUE: usize = 256;

/// How long it may take to notice an event of another node, or a retry that is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The pause before a retry after trouble with the database.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The pause before something that could not be read, such as who is offline, is read again.
const ASK_AFTER: Duration = Duration::from_secs(5);

/// How often to look for events that wait for one that somebody else has deleted.
const STALLED_EVERY: Duration = Duration::from_secs(30);

/// How long a node tries without success before it lets another node try.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// For how long it then leaves the lock to other nodes, which ask for it every second.
const GIVE_WAY: Duration = Duration::from_secs(2);

/// The longest pause between two tries of an event.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// How long to wait, when the server ends, for events that are being sent.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// How often the lag is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

const DELIVERED: &str = "chinwag_webhook_delivered_total";
const FAILED: &str = "chinwag_webhook_failed_total";

/// Keeps the metrics current, until the server is gone.
pub(super) async fn measure(app: Weak<App>) {
    let mut every = interval(MEASURE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // So that the counters exist before the first event is delivered.
        for counter in [DELIVERED, FAILED, DROPPED] {
            metrics::counter!(counter).increment(0);
        }
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

/// Delivers whenever this node holds the lock of delivering, until the server ends.
pub(super) async fn deliver(app: Weak<App>, endpoint: Endpoint) {
    let (endpoint, mut has_begun) = (Arc::new(endpoint), false);
    while let Some(delivery) = Delivery::begin(&app, &endpoint) {
        match delivery.run(&mut has_begun).await {
            Ok(()) => {
                let _ = timeout(GIVE_WAY, ended(&app)).await;
            }
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

/// An event that was tried, its stream, and the result.
type Try = (Uuid, String, Tried);

struct Delivery {
    app: Weak<App>,
    queue: WebhookQueue,
    endpoint: Arc<Endpoint>,
    retry_for: Duration,
    /// How long a call may last.
    timeout: Duration,
    /// When this node began to deliver.
    begun: Time,
    tries: JoinSet<Try>,
    calls: Calls,
    /// Since when the endpoint has accepted nothing.
    failing: Option<Instant>,
    /// Since when it has not been known who is offline.
    postponing: Option<Instant>,
}

impl Delivery {
    /// `None` if the server ends.
    fn begin(app: &Weak<App>, endpoint: &Arc<Endpoint>) -> Option<Delivery> {
        let strong = app.upgrade().filter(|app| !app.is_ending())?;
        Some(Delivery {
            app: app.clone(),
            queue: strong.store.webhooks(),
            endpoint: endpoint.clone(),
            retry_for: strong.limits.webhook_retry_for,
            timeout: strong.limits.webhook_timeout,
            begun: clock::now(),
            tries: JoinSet::new(),
            calls: Calls::new(strong.limits.webhook_calls),
            failing: None,
            postponing: None,
        })
    }

    /// Delivers until the server ends, or another node should try. After that, or after an error,
    /// the caller begins anew, with the events that are not noted as delivered.
    async fn run(mut self, has_begun: &mut bool) -> Result<(), Error> {
        let mut lock = tokio::select! {
            lock = self.queue.lock() => lock?,
            () = ended(&self.app) => return Ok(()),
        };
        if !*has_begun {
            self.queue.hurry(&mut lock).await?;
            *has_begun = true;
        }
        self.begun = clock::now();
        let (mut looked, mut seen_to) = (None::<Instant>, String::new());
        while is_on(&self.app) && !self.gives_up() {
            lock.check().await?;
            if looked.is_none_or(|looked| looked.elapsed() >= STALLED_EVERY) {
                seen_to = self.queue.release_stalled(&mut lock, &seen_to).await?;
                looked = Some(Instant::now());
            }
            if let Some(tried) = self.tries.try_join_next() {
                self.finish(&mut lock, tried).await?;
            }
            if self.start_due(&mut lock).await? {
                continue;
            }
            tokio::select! {
                Some(tried) = self.tries.join_next() => self.finish(&mut lock, tried).await?,
                () = self.queue.queued() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
        let wait = if is_on(&self.app) { self.timeout } else { LAST_WAIT };
        let finishing = async {
            while let Some(tried) = self.tries.join_next().await {
                self.finish(&mut lock, tried).await?;
            }
            Ok(())
        };
        // Events whose tries have not ended are sent again.
        timeout(wait, finishing).await.unwrap_or(Ok(()))
    }

    /// Whether this node should let another one try.
    fn gives_up(&self) -> bool {
        let since = [self.failing, self.postponing].into_iter().flatten().min();
        let gives_up =
            self.queue.is_shared() && since.is_some_and(|since| since.elapsed() >= GIVE_UP_AFTER);
        if gives_up {
            logs::rarely("webhook given up", |times| {
                tracing::info!(times, "nothing was delivered for a minute; another node has a try");
            });
        }
        gives_up
    }

    /// Starts to send events that are due, as many as may be sent at the same time. Returns whether
    /// there may be more to start.
    async fn start_due(&mut self, lock: &mut OutboxLock) -> Result<bool, Error> {
        let mut shares = self.calls.shares();
        if shares.are_full() {
            return Ok(false);
        }
        // Events that are being sent are due, too.
        let limit = (MAX_DUE + self.calls.len()) as i64;
        let due = self.queue.list_due(clock::now(), shares.limits(limit)).await?;
        let behind = Vec::from_iter(due.iter().filter(|it| !it.is_first).map(|it| it.id));
        self.queue.hold(lock, &behind).await?;
        let more_may_be_due = !behind.is_empty() && due.len() as i64 >= limit;
        for due in due.into_iter().filter(|it| it.is_first) {
            if self.calls.begin(&mut shares, &due) {
                let (app, queue) = (self.app.clone(), self.queue.clone());
                let sending = send(app, queue, self.endpoint.clone(), (due.id, self.begun));
                self.tries.spawn(async move { (due.id, due.stream, sending.await) });
            }
        }
        Ok(more_may_be_due && !shares.are_full())
    }

    /// Stores the result of a try, and those of all other tries that have ended.
    async fn finish(
        &mut self,
        lock: &mut OutboxLock,
        tried: Result<Try, JoinError>,
    ) -> Result<(), Error> {
        let (mut tried, mut ended, mut outcomes) = (Some(tried), Vec::new(), Vec::new());
        let (mut counters, mut has_panicked) = (Vec::new(), false);
        while let Some(one) = tried {
            match one {
                Ok((id, stream, tried)) => {
                    ended.push(stream.clone());
                    counters.extend(counter(&tried));
                    outcomes.extend(self.outcome(tried).map(|outcome| (id, stream, outcome)));
                }
                // The panic has been logged already.
                Err(_) => has_panicked = true,
            }
            tried = self.tries.try_join_next();
        }
        self.queue.note(lock, &outcomes).await?;
        // Count only now: a result that was not stored is tried again.
        for counter in counters {
            metrics::counter!(counter).increment(1);
        }
        if has_panicked {
            return Err(Error::Internal(None));
        }
        for stream in ended {
            self.calls.end(&stream);
        }
        Ok(())
    }

    /// What is to be stored about a try; `None` if nothing is.
    fn outcome(&mut self, tried: Tried) -> Option<Outcome> {
        let (webhook, problem) = match tried {
            Tried::Cut => return None,
            Tried::Gone => return Some(Outcome::Done),
            Tried::Dropped(why) => {
                logs::rarely(why, move |times| {
                    tracing::warn!(why, times, "an event was dropped that the webhook never took");
                });
                return Some(Outcome::Done);
            }
            Tried::Unread => {
                return Some(Outcome::Postponed { next_at: clock::after(ASK_AFTER) });
            }
            Tried::Postponed => {
                self.postponing.get_or_insert_with(Instant::now);
                return Some(Outcome::Postponed { next_at: clock::after(ASK_AFTER) });
            }
            Tried::Delivered { named_offline } => {
                self.failing = None;
                self.postponing = self.postponing.filter(|_| !named_offline);
                return Some(Outcome::Done);
            }
            Tried::Failed(webhook, problem) => (webhook, problem.to_string()),
        };
        self.failing.get_or_insert_with(Instant::now);
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
            return Some(Outcome::Parked { webhook, since, problem });
        }
        tracing::debug!(id = %webhook.id, problem, "the webhook did not take an event");
        logs::rarely("webhook", move |times| {
            tracing::warn!(
                problem = said,
                times,
                "the webhook did not take an event; it is tried again; those that follow wait"
            );
        });
        let next_at = clock::after(pause(webhook.attempts));
        Some(Outcome::Failed { webhook, since, next_at })
    }
}

/// The metric that counts such a try; `None` if none does.
fn counter(tried: &Tried) -> Option<&'static str> {
    match tried {
        Tried::Delivered { .. } => Some(DELIVERED),
        Tried::Failed(..) => Some(FAILED),
        Tried::Dropped(_) => Some(DROPPED),
        Tried::Cut | Tried::Gone | Tried::Unread | Tried::Postponed => None,
    }
}

/// The pause after a try, if `attempts` others were made before it.
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
