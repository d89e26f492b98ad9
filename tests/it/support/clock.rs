//! A clock of one server, which a test sets.

use std::path::Path;
use std::process::Command;

use super::shim::Shim;

/// `number` is how many seconds the clock is ahead.
const SOURCE: &str = r#"
int clock_gettime(clockid_t id, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, id, time);
    if (!failed && id == CLOCK_REALTIME && number) time->tv_sec += *number;
    return failed;
}
"#;

/// The clock of a server.
#[derive(Clone)]
pub struct Clock(Shim);

impl Clock {
    /// A clock that is right until it is set.
    pub fn in_directory(directory: &Path) -> Clock {
        Clock(Shim::compile(directory, "CLOCK_AHEAD", SOURCE))
    }

    /// Makes the server process use this clock.
    pub fn lay_over(&self, command: &mut Command) {
        self.0.lay_over(command);
    }

    /// Sets it ahead of the right time by so many seconds.
    pub fn set_ahead(&self, seconds: i64) {
        self.0.set(seconds);
    }
}
