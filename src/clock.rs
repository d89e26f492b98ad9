//! Time, in microseconds: what the database stores and the wire shows.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use rustix::time::{ClockId, clock_gettime};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::watch;

/// A point in time: microseconds since the Unix epoch, UTC.
///
/// Shown as RFC 3339 with six decimals and a `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx_macros::Type)]
#[sqlx(transparent)]
pub struct Time(i64);

/// The current time.
pub fn now() -> Time {
    Time(Utc::now().timestamp_micros())
}

/// The time that was this long ago.
pub fn ago(duration: Duration) -> Time {
    now().before(duration)
}

/// The timestamp for rows that are stored in order: normally the current time. A clock that has
/// jumped ahead by a day or more while the server runs is taken to be wrong, and the time from
/// before the jump goes on: such timestamps never fall, so a single one far in the future would
/// hold all later ones there.
pub fn stamp() -> Time {
    let (Time(now), trusted) = (now(), TRUSTED.load(Ordering::Relaxed) + uptime());
    Time(if now - trusted < DAY { now } else { trusted })
}

/// How often the clock is compared with the machine's uptime, and how far the two may differ before
/// the difference counts as a jump.
const EVERY: Duration = Duration::from_secs(1);
const SLEW: Duration = Duration::from_millis(500);

/// A jump ahead that is too long to be a correction of the clock, in microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// When the machine started, according to the clock as it was before it jumped ahead by a [`DAY`]
/// or more. Microseconds.
static TRUSTED: LazyLock<AtomicI64> = LazyLock::new(|| AtomicI64::new(now().0 - uptime()));

/// Wakes the tasks in [`reaches`] when the clock has jumped.
static JUMPS: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// The clock that [`uptime`] reads. Outside Linux it stops while the machine sleeps, so that waking
/// up counts as a jump.
#[cfg(target_os = "linux")]
const UP: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UP: ClockId = ClockId::Monotonic;

/// How long ago the machine started, its sleep included, so that waking up is no jump.
/// Microseconds.
fn uptime() -> i64 {
    let time = clock_gettime(UP);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// Waits until the clock shows this time, whether it gets there by running or by being set.
pub async fn reaches(time: Time) {
    let mut jumps = JUMPS.subscribe();
    loop {
        let left = Duration::from_micros(now().until(time));
        if left.is_zero() {
            return;
        }
        // After either, look at the clock again.
        let _ = tokio::time::timeout(left, jumps.changed()).await;
    }
}

/// Wakes the tasks that wait for a time when the clock jumps because it was set, or when the
/// machine wakes up. Runs as long as `go_on` returns true.
pub async fn watch_for_jumps(go_on: impl Fn() -> bool) {
    let slew = SLEW.as_micros() as i64;
    let (mut before, mut woken) = (TRUSTED.load(Ordering::Relaxed), uptime());
    while go_on() {
        tokio::time::sleep(EVERY).await;
        let (started, up) = (now().0 - uptime(), uptime());
        let (jump, slept) = (started - before, up - woken - EVERY.as_micros() as i64);
        if jump.abs() > slew {
            tracing::warn!(seconds = jump / 1_000_000, "the clock has jumped");
        }
        if jump.abs() > slew || slept > slew {
            JUMPS.send_replace(());
        }
        if started - TRUSTED.load(Ordering::Relaxed) < DAY {
            TRUSTED.store(started, Ordering::Relaxed);
        } else if jump.abs() > slew {
            tracing::error!(
                "messages keep to the time before the jump; if the clock is right now, restart"
            );
        }
        (before, woken) = (started, up);
    }
}

/// The time that it will be after this duration.
pub fn after(duration: Duration) -> Time {
    Time(now().0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
}

impl Time {
    /// Later than all other times. Do not write it as a date.
    pub const FOREVER: Time = Time(i64::MAX);

    /// Reads an RFC 3339 text of any offset; digits after the microseconds are dropped.
    pub fn parse(text: &str) -> Option<Time> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Time(time.timestamp_micros()))
    }

    /// The last microsecond of the span that an RFC 3339 text names. A text with fewer than six
    /// decimals names a whole second, or the whole tenth, hundredth… of a second.
    pub fn parse_last(text: &str) -> Option<Time> {
        let Time(first) = Time::parse(text)?;
        let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
        let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
        let length = 10_i64.pow(6_u32.saturating_sub(u32::try_from(digits).unwrap_or(6)));
        Some(Time(first.saturating_add(length - 1)))
    }

    /// The time that is so many microseconds after the Unix epoch.
    pub fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// The next microsecond.
    pub fn next(self) -> Time {
        Time(self.0.saturating_add(1))
    }

    /// The duration from another time to this one; zero if the other is later.
    pub fn since(self, other: Time) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(other.0)).unwrap_or_default())
    }

    /// The time that is this much earlier.
    pub fn before(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The microseconds from this time to `later`; 0 if that is in fact earlier.
    pub fn until(self, later: Time) -> u64 {
        u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0)
    }

    /// Microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = String::deserialize(deserializer)?;
        Time::parse(&text).ok_or_else(|| D::Error::custom("no time"))
    }
}
