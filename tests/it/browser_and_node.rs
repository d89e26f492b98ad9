//! The suites that run outside Rust: `tests/node` with the real clients, `tests/browser` with a
//! real browser. Each installs its packages from its lock file first. These tests take longest, so
//! that their names make them the first ones to run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

#[test]
fn node() {
    run("node");
}

#[test]
fn browser() {
    run("browser");
}

fn run(suite: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(suite);
    if !can_use_node(&format!("tests/{suite}")) {
        return;
    }
    install(&folder);
    let mut tests: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    tests.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
    tests.sort();
    assert!(!tests.is_empty());
    let passed = Command::new("node")
        // This reporter lists at the end what has failed and why.
        .args(["--test", "--test-reporter=spec"])
        .args(tests)
        .current_dir(&folder)
        .env("CHINWAG_BIN", env!("CARGO_BIN_EXE_chinwag"))
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(passed.success(), "tests/{suite} failed");
}

/// Whether Node.js can be used. If not, prints that `what` is skipped; in CI it panics instead.
pub fn can_use_node(what: &str) -> bool {
    has_node() || skip(what, "Node.js 18 or later with npm is needed for it")
}

/// Prints that a test is skipped; in CI it panics instead.
pub fn skip(what: &str, why: &str) -> bool {
    assert!(env::var_os("CI").is_none(), "{what} cannot run: {why}");
    eprintln!("{what} was SKIPPED: {why}; then run cargo test again");
    false
}

fn has_node() -> bool {
    ["node", "npm"].iter().all(|program| {
        let mut version = Command::new(program);
        version.arg("--version").stdout(Stdio::null()).status().is_ok_and(|done| done.success())
    })
}

/// Installs the packages of the lock file, unless that was done since it last changed.
pub fn install(folder: &Path) {
    let lock = fs::read(folder.join("package-lock.json")).unwrap();
    let done = folder.join("node_modules/.installed-lock");
    if fs::read(&done).is_ok_and(|installed| installed == lock) {
        return;
    }
    let installed = Command::new("npm").arg("ci").current_dir(folder).status().unwrap();
    assert!(installed.success(), "npm ci failed in {}", folder.display());
    fs::write(done, lock).unwrap();
}
