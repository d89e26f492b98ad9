//! Waiting by a clock that goes slower while processes wait for a processor, so that a test does
//! not mistake a busy machine for a server that hangs.

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::sleep;

const TICK: Duration = Duration::from_millis(100);

/// How fast the clock goes at least: one second by this clock takes at most five.
const SLOWEST: f64 = 0.2;

/// The time by this clock. It stands still while this program is frozen.
pub fn now() -> Duration {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    static TICKING: LazyLock<()> = LazyLock::new(|| drop(thread::spawn(|| tick(&PASSED))));
    LazyLock::force(&TICKING);
    Duration::from_micros(PASSED.load(Ordering::Relaxed))
}

fn tick(passed: &AtomicU64) {
    let (mut at, mut waited) = (Instant::now(), waited_for_processors());
    loop {
        thread::sleep(TICK);
        let (took, more) = (at.elapsed(), waited_for_processors());
        let part = (more - waited) as f64 / took.as_micros() as f64;
        let counted = TICK.mul_f64((1.0 - part).clamp(SLOWEST, 1.0));
        passed.fetch_add(counted.as_micros() as u64, Ordering::Relaxed);
        (at, waited) = (Instant::now(), more);
    }
}

/// The microseconds so far in which some process has waited for a processor; 0 where Linux counts
/// none.
fn waited_for_processors() -> u64 {
    let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let total = pressure.lines().next().and_then(|line| line.rsplit_once("total="));
    total.and_then(|(_, total)| total.parse().ok()).unwrap_or(0)
}

/// The result of a future; none if it takes longer than this time.
pub async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let until = now() + time;
    let too_long = async {
        while now() < until {
            sleep(TICK).await;
        }
    };
    tokio::select! {
        biased;
        done = future => Some(done),
        () = too_long => None,
    }
}
