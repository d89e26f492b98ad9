//! Limits on frequency: what an address and a user may do in a minute, and how often a password may
//! be wrong.
//!
//! Each limit has a [bucket](super::buckets) for each key. All nodes share the users' buckets for
//! requests, messages and announcements; the other buckets are each node's own.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Weak;

use super::buckets::{Failures, MINUTE, Network, Rate, limited};
use super::budgets::Budgets;
use super::{Actor, App, Viewer};
use crate::config::Limits;
use crate::error::Error;
use crate::model::UserId;

/// How many times more often a login to an account may fail from everywhere than from one address:
/// otherwise anyone could lock its owner out.
const EVERYWHERE: u32 = 10;

/// How many times as many announcements one address may make as one user.
const USERS_OF_AN_ADDRESS: u32 = 10;

/// All buckets. Once a minute, those that are full again are dropped.
pub(super) struct Rates {
    connects_per_address: Rate<Network>,
    requests_per_address: Rate<Network>,
    requests_per_user: Rate<UserId>,
    messages_per_user: Rate<UserId>,
    signals_per_user: Rate<UserId>,
    updates_per_user: Rate<UserId>,
    announcements_per_user: Rate<UserId>,
    announcements_per_address: Rate<Network>,
    announcements_per_node: Rate<()>,
    sign_ups_per_address: Rate<Network>,
    /// The key is a hash of the account, so that long names need no more memory than short ones.
    failed_logins_per_account: Failures<u64>,
    /// The key is an account and an address.
    failed_logins_per_pair: Failures<(u64, Network)>,
    failed_logins_per_address: Failures<Network>,
    accounts: RandomState,
    pub bytes: Budgets,
}

impl App {
    /// Counts a connection that a client at `address` wants to open, through whichever door.
    /// Errors: `rate_limited`.
    pub fn admit_connect(&self, address: IpAddr) -> Result<(), Error> {
        self.rates.connects_per_address.take(&Network::of(address))
    }

    /// Counts a request for the address, and for the user that it comes from, if that is known. The
    /// service may ask as often as it likes. Errors: `rate_limited`.
    pub async fn admit_request(&self, viewer: &Viewer) -> Result<(), Error> {
        if viewer.service {
            return Ok(());
        }
        self.rates.requests_per_address.take(&Network::of(viewer.address))?;
        match viewer.user_id() {
            Some(user_id) => {
                self.take_one("requests", &self.rates.requests_per_user, user_id).await
            }
            None => Ok(()),
        }
    }

    /// Takes one from a user's bucket: from the one that all nodes share, if there are others and
    /// Redis answers.
    async fn take_one(
        &self,
        what: &str,
        rate: &Rate<UserId>,
        user_id: &UserId,
    ) -> Result<(), Error> {
        if let Some(cluster) = &self.cluster
            && rate.per_minute > 0
        {
            let name = format!("{what}:{}", user_id.as_ref());
            if let Some(taken) = cluster.redis.take_from_bucket(&name, rate.per_minute).await {
                return taken.map_err(limited);
            }
        }
        rate.take(user_id)
    }

    /// Counts an account that `address` wants to make. Errors: `rate_limited`.
    pub(super) fn admit_sign_up(&self, address: IpAddr) -> Result<(), Error> {
        self.rates.sign_ups_per_address.take(&Network::of(address))
    }

    /// Checks whether a password for `account`, which is folded, may be verified now; this counts
    /// nothing. Errors: `rate_limited` while the account or the address has failed too often.
    pub(super) fn admit_login(&self, account: &str, address: IpAddr) -> Result<(), Error> {
        let (rates, network) = (&self.rates, Network::of(address));
        let account = rates.accounts.hash_one(account);
        rates.failed_logins_per_account.check(&account)?;
        rates.failed_logins_per_pair.check(&(account, network.clone()))?;
        rates.failed_logins_per_address.check(&network)
    }

    /// Counts a wrong password for `account`, which need not exist. Errors: `rate_limited` if it
    /// was one too many, as several may have been [admitted](App::admit_login) at the same time.
    pub(super) fn failed_login(&self, account: &str, address: IpAddr) -> Result<(), Error> {
        let (rates, network) = (&self.rates, Network::of(address));
        let account = rates.accounts.hash_one(account);
        let of_account = rates.failed_logins_per_account.count(account);
        let of_pair = rates.failed_logins_per_pair.count((account, network.clone()));
        let of_address = rates.failed_logins_per_address.count(network);
        of_account.and(of_pair).and(of_address)
    }

    /// Counts a message of `bytes` bytes for the actor, unless the service sends it. Errors:
    /// `rate_limited`.
    pub(super) async fn admit_message(&self, actor: &Actor, bytes: usize) -> Result<(), Error> {
        if actor.service {
            return Ok(());
        }
        self.take_one("messages", &self.rates.messages_per_user, &actor.user_id).await?;
        self.admit_writing(&Viewer::from(actor), bytes).await
    }

    /// Counts a change of a message like a message; its bytes are [counted](App::count_change) once
    /// they are known. Errors: `rate_limited`.
    pub(super) async fn admit_change(&self, actor: &Actor) -> Result<(), Error> {
        if actor.service {
            return Ok(());
        }
        self.take_one("messages", &self.rates.messages_per_user, &actor.user_id).await?;
        self.admit_more_writing(&Viewer::from(actor)).await
    }

    /// Counts a signal of the actor's on this node, unless it is the service's. Errors:
    /// `rate_limited`.
    pub(super) fn admit_signal(&self, actor: &Actor) -> Result<(), Error> {
        match actor.service {
            true => Ok(()),
            false => self.rates.signals_per_user.take(&actor.user_id),
        }
    }

    /// Counts a change of a user's data on this node. Errors: `rate_limited`.
    pub(super) fn admit_update(&self, user_id: &UserId) -> Result<(), Error> {
        self.rates.updates_per_user.take(user_id)
    }

    /// Counts an action of which everybody who is connected hears, unless the service does it.
    /// Errors: `rate_limited`.
    pub(super) async fn admit_announcement(&self, viewer: &Viewer) -> Result<(), Error> {
        if viewer.service {
            return Ok(());
        }
        let rates = &self.rates;
        if let Some(user_id) = viewer.user_id() {
            self.take_one("announcements", &rates.announcements_per_user, user_id).await?;
        }
        rates.announcements_per_address.take(&Network::of(viewer.address))?;
        rates.announcements_per_node.take(&())
    }
}

impl Rates {
    pub fn new(limits: &Limits) -> Rates {
        let of_account = limits.failed_logins_per_account;
        Rates {
            connects_per_address: Rate::new(limits.connects_per_address),
            requests_per_address: Rate::new(limits.requests_per_address),
            requests_per_user: Rate::new(limits.requests_per_user),
            messages_per_user: Rate::new(limits.messages_per_user),
            signals_per_user: Rate::new(limits.signals_per_user),
            updates_per_user: Rate::new(limits.updates_per_user),
            announcements_per_user: Rate::new(limits.announcements_per_user),
            announcements_per_address: Rate::new(
                limits.announcements_per_user.saturating_mul(USERS_OF_AN_ADDRESS),
            ),
            announcements_per_node: Rate::new(limits.announcements_per_node),
            sign_ups_per_address: Rate::new(limits.sign_ups_per_address),
            failed_logins_per_account: Failures::new(of_account.saturating_mul(EVERYWHERE)),
            failed_logins_per_pair: Failures::new(of_account),
            failed_logins_per_address: Failures::new(limits.failed_logins_per_address),
            accounts: RandomState::new(),
            bytes: Budgets::new(limits),
        }
    }

    /// Drops the buckets that are full again, once a minute, until the rates are dropped.
    pub async fn forget_idle(rates: Weak<Rates>) {
        let mut minutes = tokio::time::interval(MINUTE);
        loop {
            minutes.tick().await;
            let Some(rates) = rates.upgrade() else {
                return;
            };
            rates.connects_per_address.forget_idle();
            rates.requests_per_address.forget_idle();
            rates.requests_per_user.forget_idle();
            rates.messages_per_user.forget_idle();
            rates.signals_per_user.forget_idle();
            rates.updates_per_user.forget_idle();
            rates.announcements_per_user.forget_idle();
            rates.announcements_per_address.forget_idle();
            rates.announcements_per_node.forget_idle();
            rates.sign_ups_per_address.forget_idle();
            rates.failed_logins_per_account.forget_idle();
            rates.failed_logins_per_pair.forget_idle();
            rates.failed_logins_per_address.forget_idle();
            rates.bytes.forget_idle();
        }
    }
}
