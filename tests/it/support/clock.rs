//! A clock of a server's own, which a test sets.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Laid over a program, it adds the seconds in the file `CLOCK_AHEAD` to the time of day.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile long *ahead;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CLOCK_AHEAD"), O_RDONLY);
    ahead = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *time) {
    int failed = syscall(SYS_clock_gettime, id, time);
    if (!failed && id == CLOCK_REALTIME && ahead) time->tv_sec += *ahead;
    return failed;
}
"#;

/// The clock of a server.
#[derive(Clone)]
pub struct Clock {
    shim: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that goes right until it is set.
    pub fn in_directory(directory: &Path) -> Clock {
        let (source, shim) = (directory.join("clock.c"), directory.join("clock.so"));
        fs::write(&source, SHIM).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(source);
        assert!(compiler.status().unwrap().success(), "it takes a C compiler");
        let clock = Clock { shim, file: directory.join("ahead") };
        fs::write(&clock.file, 0_i64.to_ne_bytes()).unwrap();
        clock
    }

    /// Has a server go by it.
    pub fn lay_over(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.shim).env("CLOCK_AHEAD", &self.file);
    }

    /// Sets it to so many seconds before the right time.
    pub fn set_ahead(&self, seconds: i64) {
        let file = fs::OpenOptions::new().write(true).open(&self.file).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}
