//! Token buckets, one for each key. A bucket is full at first, each action takes one out of it, and
//! it fills up again over a minute.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::error::Error;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The part of the network that counts as one client: an IPv4 address, or the /64 of an IPv6
/// address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Network {
    pub fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

type Limiter<K> =
    RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// A limit with a bucket for each key; `limiter` is `None` if the limit is turned off.
pub(super) struct Rate<K: Hash + Eq + Clone> {
    pub per_minute: u32,
    limiter: Option<Limiter<K>>,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// A limit of `per_minute` actions; 0 turns it off.
    pub fn new(per_minute: u32) -> Rate<K> {
        let quota = NonZeroU32::new(per_minute).map(Quota::per_minute);
        let limiter = quota.map(|quota| RateLimiter::keyed(quota).with_middleware());
        Rate { per_minute, limiter }
    }

    /// Takes one from the key's bucket. Errors: `rate_limited` if it is empty.
    pub fn take(&self, key: &K) -> Result<(), Error> {
        self.take_one(key).map(|_| ()).map_err(limited)
    }

    /// Takes one from the key's bucket. If that was the last, returns how long it takes until there
    /// is another. The error is this time, too, if the bucket was empty.
    fn take_one(&self, key: &K) -> Result<Option<Duration>, Duration> {
        let Some(limiter) = &self.limiter else {
            return Ok(None);
        };
        match limiter.check_key(key) {
            Ok(left) if left.remaining_burst_capacity() == 0 => {
                Ok(Some(left.quota().replenish_interval()))
            }
            Ok(_) => Ok(None),
            Err(refused) => Err(refused.wait_time_from(limiter.clock().now())),
        }
    }

    pub fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// A limit on failures. Before an attempt nobody knows whether it will fail, so only keys whose
/// bucket is empty are remembered, and refused.
pub(super) struct Failures<K: Hash + Eq + Clone> {
    rate: Rate<K>,
    blocked_until: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Failures<K> {
    pub fn new(per_minute: u32) -> Failures<K> {
        Failures { rate: Rate::new(per_minute), blocked_until: Mutex::default() }
    }

    /// Errors: `rate_limited` if the key has no failures left.
    pub fn check(&self, key: &K) -> Result<(), Error> {
        let until = self.blocked().get(key).copied();
        match until.and_then(|until| until.checked_duration_since(Instant::now())) {
            Some(wait) => Err(limited(wait)),
            None => Ok(()),
        }
    }

    /// Counts a failure. Errors: `rate_limited` if the key had no failures left.
    pub fn count(&self, key: K) -> Result<(), Error> {
        let taken = self.rate.take_one(&key);
        if let Ok(Some(wait)) | Err(wait) = taken {
            self.blocked().insert(key, Instant::now() + wait);
        }
        taken.map(|_| ()).map_err(limited)
    }

    pub fn forget_idle(&self) {
        self.rate.forget_idle();
        let now = Instant::now();
        let mut blocked = self.blocked();
        blocked.retain(|_, until| *until > now);
        blocked.shrink_to_fit();
    }

    fn blocked(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        // No code panics while it holds the lock.
        self.blocked_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn limited(retry_after: Duration) -> Error {
    Error::RateLimited { retry_after }
}
