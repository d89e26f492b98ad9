//! A clock of a server's own, which a test sets.

use std::path::Path;
use std::process::Command;

use super::shim::Shim;

/// The number is that of the seconds by which it is ahead.
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
    /// One that goes right until it is set.
    pub fn in_directory(directory: &Path) -> Clock {
        Clock(Shim::compile(directory, "CLOCK_AHEAD", SOURCE))
    }

    /// Has a server go by it.
    pub fn lay_over(&self, command: &mut Command) {
        self.0.lay_over(command);
    }

    /// Sets it to so many seconds before the right time.
    pub fn set_ahead(&self, seconds: i64) {
        self.0.set(seconds);
    }
}
