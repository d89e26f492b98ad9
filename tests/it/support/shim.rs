//! C functions that replace those of libc in a program under test. A number, which the test sets,
//! controls what they do.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The beginning of the C source of each shim.
const BEGINNING: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile long *number;

__attribute__((constructor)) static void begin(void) {
    int file = syscall(SYS_openat, AT_FDCWD, getenv(NUMBER), O_RDONLY);
    number = mmap(0, sizeof *number, PROT_READ, MAP_SHARED, file, 0);
    close(file);
}
"#;

#[derive(Clone)]
pub struct Shim {
    name: &'static str,
    library: PathBuf,
    file: PathBuf,
}

impl Shim {
    /// Compiles the source; the number is 0 at first.
    pub fn compile(directory: &Path, name: &'static str, source: &str) -> Shim {
        let (code, library) = (directory.join(name).with_extension("c"), directory.join(name));
        fs::write(&code, [BEGINNING, source].concat()).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", &format!("-DNUMBER=\"{name}\""), "-o"]);
        assert!(
            compiler.arg(&library).arg(code).status().unwrap().success(),
            "it takes a C compiler"
        );
        let shim = Shim { name, library, file: directory.join(name).with_extension("number") };
        fs::write(&shim.file, 0_i64.to_ne_bytes()).unwrap();
        shim
    }

    /// Makes a program use this shim, besides the shims that it already uses.
    pub fn lay_over(&self, command: &mut Command) {
        let mut all = self.library.clone().into_os_string();
        let before = command.get_envs().find(|(name, _)| *name == "LD_PRELOAD");
        if let Some(before) = before.and_then(|(_, libraries)| libraries) {
            all.push(":");
            all.push(before);
        }
        command.env("LD_PRELOAD", all).env(self.name, &self.file);
    }

    pub fn set(&self, number: i64) {
        let file = fs::OpenOptions::new().write(true).open(&self.file).unwrap();
        file.write_all_at(&number.to_ne_bytes(), 0).unwrap();
    }
}
