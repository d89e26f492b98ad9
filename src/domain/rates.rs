//! How often: what one address and one user may do in a minute.
//!
//! Each limit is a bucket for each key. It is full at first, everything takes one out, and it
//! fills up again over a minute.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Weak;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Actor, App, Viewer};
use crate::config::Limits;
use crate::error::Error;
use crate::model::UserId;

const MINUTE: Duration = Duration::from_secs(60);

/// The buckets. Those that are full again are forgotten every minute.
pub(super) struct Rates {
    connects_per_address: Rate<Network>,
    requests_per_address: Rate<Network>,
    requests_per_user: Rate<UserId>,
    messages_per_user: Rate<UserId>,
}

impl App {
    /// Counts a connection that a client at `address` wants to open, through whichever door.
    /// Errors: `rate_limited`.
    pub fn admit_connect(&self, address: IpAddr) -> Result<(), Error> {
        self.rates.connects_per_address.take(&Network::of(address))
    }

    /// Counts a request from `address`, and of the user that it comes from if that is known. The
    /// service asks as often as it likes. Errors: `rate_limited`.
    pub fn admit_request(&self, address: IpAddr, viewer: &Viewer) -> Result<(), Error> {
        if viewer.service {
            return Ok(());
        }
        self.rates.requests_per_address.take(&Network::of(address))?;
        viewer.user_id().map_or(Ok(()), |user_id| self.rates.requests_per_user.take(user_id))
    }

    /// Counts a message of the actor, unless it is the service that sends it. Errors:
    /// `rate_limited`.
    pub(super) fn admit_message(&self, actor: &Actor) -> Result<(), Error> {
        match actor.service {
            true => Ok(()),
            false => self.rates.messages_per_user.take(&actor.user_id),
        }
    }
}

impl Rates {
    pub fn new(limits: &Limits) -> Rates {
        Rates {
            connects_per_address: Rate::new(limits.connects_per_address),
            requests_per_address: Rate::new(limits.requests_per_address),
            requests_per_user: Rate::new(limits.requests_per_user),
            messages_per_user: Rate::new(limits.messages_per_user),
        }
    }

    /// Forgets who has not come for a minute, until the rates are dropped.
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
        }
    }
}

/// What one client has to itself of the network: an IPv4 address, or the /64 of an IPv6 address.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Network(IpAddr);

impl Network {
    fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

/// One limit; none if it is turned off.
struct Rate<K: Hash + Eq + Clone> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// So many in a minute; 0 turns it off.
    fn new(per_minute: u32) -> Rate<K> {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        Rate { limiter: quota.map(RateLimiter::keyed) }
    }

    /// Takes one from the key's bucket. Errors: `rate_limited` while it is empty.
    fn take(&self, key: &K) -> Result<(), Error> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        limiter.check_key(key).map_err(|refused| Error::RateLimited {
            retry_after: refused.wait_time_from(limiter.clock().now()),
        })
    }

    fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}
