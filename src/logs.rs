//! Limits how often a log line is repeated that clients or other programs can cause at will.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

/// For how long a cause is not logged again.
const PAUSE: Duration = Duration::from_secs(1);

/// The same for a cause that may last for hours.
const LONG_PAUSE: Duration = Duration::from_secs(10 * 60);

/// How often each cause has occurred since it was last logged. A cause that has not occurred for a
/// while is not in the map.
static UNSAID: LazyLock<Mutex<HashMap<String, u64>>> = LazyLock::new(Mutex::default);

/// Logs that something has happened: the first time at once; repetitions with the same `cause`
/// within the next second as one more line. `line` writes the line, and is told how many
/// occurrences it stands for.
///
/// A cause is the place and the kind of trouble, such as `token expired`. Nothing that a client can
/// choose freely belongs in it, else every client causes lines of its own.
pub fn seldom(cause: impl Into<String>, line: impl Fn(u64) + Send + 'static) {
    once_in(PAUSE, cause.into(), line);
}

/// Logs like [`seldom`], but at most one line every ten minutes, for causes that may last for
/// hours.
pub fn rarely(cause: &'static str, line: impl Fn(u64) + Send + 'static) {
    once_in(LONG_PAUSE, cause.to_owned(), line);
}

fn once_in(pause: Duration, cause: String, line: impl Fn(u64) + Send + 'static) {
    let Ok(runtime) = Handle::try_current() else {
        // Without a runtime, nothing could write the second line later.
        return line(1);
    };
    if let Some(unsaid) = unsaid().get_mut(&cause) {
        *unsaid += 1;
        return;
    }
    unsaid().insert(cause.clone(), 0);
    let paused = Paused(cause);
    line(1);
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            match paused.take() {
                0 => return,
                times => line(times),
            }
        }
    });
}

/// A cause that was logged lately. It is dropped even if the runtime ends: servers that start
/// later in the same process log it again.
struct Paused(String);

impl Paused {
    /// How often the cause has occurred meanwhile.
    fn take(&self) -> u64 {
        unsaid().get_mut(&self.0).map_or(0, std::mem::take)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        unsaid().remove(&self.0);
    }
}

fn unsaid() -> MutexGuard<'static, HashMap<String, u64>> {
    // Nothing panics while it is held.
    UNSAID.lock().unwrap_or_else(PoisonError::into_inner)
}
