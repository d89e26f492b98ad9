//! Limits on amounts: how many bytes a user and an address may write and read in a minute, and
//! upload in a day. Limits on frequency are in [`rates`](super::rates), which also says what is
//! counted over all nodes.
//!
//! The size of a page is known only after the page was read. So a budget may be overdrawn by one
//! message or page; then nothing more may be taken from it until it has recovered.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::buckets::{MINUTE, Network, limited};
use super::{Actor, App, Viewer};
use crate::config::Limits;
use crate::error::Error;
use crate::model::{Message, Signed, UserId};
use crate::store::Blob;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The budgets of all users and addresses.
pub(super) struct Budgets {
    written: Pair,
    read: Pair,
    uploaded: Pair,
}

struct Pair {
    /// The name of the budget in Redis.
    name: &'static str,
    of_user: Budget<UserId>,
    of_address: Budget<Network>,
}

impl App {
    /// Counts bytes that the viewer is about to write. Errors: `rate_limited` if the budget was
    /// overdrawn before.
    pub(super) async fn admit_writing(&self, viewer: &Viewer, bytes: usize) -> Result<(), Error> {
        match bytes {
            0 => Ok(()),
            _ => self.spend(&self.rates.bytes.written, viewer, bytes, false).await,
        }
    }

    /// Errors: `rate_limited` if the actor has uploaded too much before.
    pub(super) async fn admit_upload(&self, actor: &Actor) -> Result<(), Error> {
        self.spend(&self.rates.bytes.uploaded, &Viewer::from(actor), 0, false).await
    }

    /// Counts the bytes that have come of an uploaded file, even if the file was refused.
    pub(super) async fn count_upload(&self, actor: &Actor, bytes: usize) {
        // The bytes are here already, even if they were too many.
        let _ = self.spend(&self.rates.bytes.uploaded, &Viewer::from(actor), bytes, true).await;
    }

    /// Errors: `rate_limited` if the viewer has read too much before.
    pub(super) async fn admit_reading(&self, viewer: &Viewer) -> Result<(), Error> {
        self.spend(&self.rates.bytes.read, viewer, 0, false).await
    }

    /// Errors: `rate_limited` if the actor has written too much before.
    pub(super) async fn admit_more_writing(&self, viewer: &Viewer) -> Result<(), Error> {
        self.spend(&self.rates.bytes.written, viewer, 0, false).await
    }

    /// Counts a message that is pushed again because of the actor, even if the request was small.
    pub(super) async fn count_change(&self, actor: &Actor, message: &Message) {
        self.count_bytes_pushed(actor, message.size()).await;
    }

    /// Counts bytes that are pushed because of the actor, even if the request was small.
    pub(super) async fn count_bytes_pushed(&self, actor: &Actor, bytes: usize) {
        let viewer = Viewer::from(actor);
        // They are pushed already, even if they were too many.
        let _ = self.spend(&self.rates.bytes.written, &viewer, bytes, true).await;
    }

    /// Counts messages that the viewer has read.
    pub(super) async fn count_read(&self, viewer: &Viewer, messages: &[Signed]) {
        let bytes = messages.iter().map(|signed| signed.message.size()).sum();
        self.count_bytes_read(viewer, bytes).await;
    }

    /// Counts bytes that the viewer has read.
    pub(super) async fn count_bytes_read(&self, viewer: &Viewer, bytes: usize) {
        // What was read is answered, even if it was too much.
        let _ = self.spend(&self.rates.bytes.read, viewer, bytes, true).await;
    }

    /// Counts the bytes of a file against the budget of the viewer's address, as they are read.
    pub(super) fn count_as_read(&self, viewer: &Viewer, bytes: Blob) -> Blob {
        let (rates, network) = (self.rates.clone(), Network::of(viewer.address));
        let count = move |more: &Bytes| rates.bytes.read.of_address.take(&network, more.len());
        Box::pin(bytes.inspect_ok(count))
    }

    /// Takes bytes from the budgets of the viewer's address and user, if neither is overdrawn; with
    /// `always`, even if one is. The user's budget is shared by all nodes, if there are others and
    /// Redis answers.
    async fn spend(
        &self,
        budgets: &Pair,
        viewer: &Viewer,
        bytes: usize,
        always: bool,
    ) -> Result<(), Error> {
        if viewer.service {
            return Ok(());
        }
        let network = Network::of(viewer.address);
        if !always {
            budgets.of_address.check(&network)?;
        }
        if let Some(user_id) = &viewer.user_id {
            let spent = self.spend_shared(budgets, user_id, bytes, always).await;
            match spent {
                Some(spent) => spent.map_err(limited)?,
                None if always => budgets.of_user.take(user_id, bytes),
                None => {
                    budgets.of_user.check(user_id)?;
                    budgets.of_user.take(user_id, bytes);
                }
            }
        }
        // If the user's budget refuses, this is not reached: other users of the address are not
        // charged.
        budgets.of_address.take(&network, bytes);
        Ok(())
    }

    async fn spend_shared(
        &self,
        budgets: &Pair,
        user_id: &UserId,
        bytes: usize,
        always: bool,
    ) -> Option<Result<(), Duration>> {
        let Budget { size, period, .. } = budgets.of_user;
        let cluster = self.cluster.as_ref().filter(|_| size > 0)?;
        let name = format!("{}:{}", budgets.name, user_id.as_ref());
        cluster.redis.take_from_budget(&name, size, period, bytes, always).await
    }
}

impl Budgets {
    pub fn new(limits: &Limits) -> Budgets {
        let written = Pair {
            name: "written",
            of_user: Budget::new(limits.written_bytes_per_user, MINUTE),
            of_address: Budget::new(limits.written_bytes_per_address, MINUTE),
        };
        let read = Pair {
            name: "read",
            of_user: Budget::new(limits.read_bytes_per_user, MINUTE),
            of_address: Budget::new(limits.read_bytes_per_address, MINUTE),
        };
        let uploaded = Pair {
            name: "uploaded",
            of_user: Budget::new(limits.uploaded_bytes_per_user, DAY),
            of_address: Budget::new(limits.uploaded_bytes_per_address, DAY),
        };
        Budgets { written, read, uploaded }
    }

    pub fn forget_idle(&self) {
        for Pair { of_user, of_address, .. } in [&self.written, &self.read, &self.uploaded] {
            of_user.forget_idle();
            of_address.forget_idle();
        }
    }
}

/// How many bytes each key may use in a period.
struct Budget<K> {
    /// 0 for no limit.
    size: u32,
    period: Duration,
    /// When the budget of each key will be full again. If that is more than a period from now, the
    /// budget is overdrawn.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Budget<K> {
    fn new(size: u32, period: Duration) -> Budget<K> {
        Budget { size, period, full_at: Mutex::default() }
    }

    /// Errors: `rate_limited` if the key's budget is overdrawn.
    fn check(&self, key: &K) -> Result<(), Error> {
        let full_at = self.full_at().get(key).copied();
        let spent = full_at.map(|at| at.saturating_duration_since(Instant::now()));
        match spent.and_then(|spent| spent.checked_sub(self.period)) {
            Some(wait) if !wait.is_zero() => Err(limited(wait)),
            _ => Ok(()),
        }
    }

    fn take(&self, key: &K, bytes: usize) {
        if self.size == 0 || bytes == 0 {
            return;
        }
        let cost = self.period.mul_f64(bytes as f64 / f64::from(self.size));
        let now = Instant::now();
        let mut full_at = self.full_at();
        let at = full_at.entry(key.clone()).or_insert(now);
        *at = (*at).max(now) + cost;
    }

    fn forget_idle(&self) {
        let now = Instant::now();
        let mut full_at = self.full_at();
        full_at.retain(|_, at| *at > now);
        full_at.shrink_to_fit();
    }

    fn full_at(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        // No code panics while it holds the lock.
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
