//! A disk for a server's database file which a test can make fail.

use std::path::Path;
use std::process::Command;

use crate::load::{Actor, World, said};
use crate::random::Random;
use crate::site::Site;
use crate::support::shim::Shim;

/// `number` is 1 while nothing can be written, and 2 while `fsync` fails.
const SOURCE: &str = r#"
static int is(long state, const char *path) {
    return number && *number == state && strstr(path, "/chat.db");
}

static int is_of(long state, int file) {
    char link[64], path[4096] = "";
    if (!number || *number != state) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    return readlink(link, path, sizeof path - 1) > 0 && is(state, path);
}

static int fails(int error) {
    errno = error;
    return -1;
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (is_of(1, file)) return fails(EROFS);
    return syscall(SYS_write, file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t at) {
    if (is_of(1, file)) return fails(EROFS);
    return syscall(SYS_pwrite64, file, bytes, count, at);
}

int ftruncate64(int file, off_t length) {
    if (is_of(1, file)) return fails(EROFS);
    return syscall(SYS_ftruncate, file, length);
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int fsync(int file) {
    if (is_of(2, file)) return fails(EIO);
    return syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    if (is_of(2, file)) return fails(EIO);
    return syscall(SYS_fdatasync, file);
}

int open64(const char *path, int flags, ...) {
    if (flags & (O_WRONLY | O_RDWR | O_CREAT) && is(1, path)) return fails(EROFS);
    // Without O_CREAT there is no mode, and the kernel ignores this value.
    __builtin_va_list rest;
    __builtin_va_start(rest, flags);
    int mode = __builtin_va_arg(rest, int);
    __builtin_va_end(rest);
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...) {
    __builtin_va_list rest;
    __builtin_va_start(rest, flags);
    int mode = __builtin_va_arg(rest, int);
    __builtin_va_end(rest);
    return open64(path, flags, mode);
}

int unlink(const char *path) {
    if (is(1, path)) return fails(EROFS);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
"#;

#[derive(Clone)]
pub struct Disk(Shim);

#[derive(Clone, Copy)]
pub enum State {
    Well = 0,
    /// Nothing can be written.
    ReadOnly = 1,
    /// `fsync` fails: nobody knows whether what was written is on the disk.
    Unsynced = 2,
}

impl Disk {
    /// A disk that works.
    pub fn in_directory(directory: &Path) -> Disk {
        Disk(Shim::compile(directory, "DISK_STATE", SOURCE))
    }

    /// Makes the server process use this disk.
    pub fn lay_over(&self, command: &mut Command) {
        self.0.lay_over(command);
    }

    pub fn set(&self, state: State) {
        self.0.set(state as i64);
    }
}

/// Shows that this disk does fail: otherwise no schedule would test a failing disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_a_failing_disk_loses_is_refused() {
    let world = World::make(Site::of_one(&[]).await).await;
    let (owner, mut random) = (Actor::named("owner"), Random::new(1, 0));
    for (state, text) in [(State::ReadOnly, "not written"), (State::Unsynced, "not synced")] {
        let message = said(&world.chats.open, text);
        world.site.nodes[0].disk.set(state);
        let refused = world.ask(&owner, "new-message", message.clone(), &mut random).await;
        let refused = refused.expect("an answer");
        assert_eq!(refused["error"]["code"], "unavailable", "{text}: {refused}");
        world.site.nodes[0].disk.set(State::Well);
        world.say_over_http(&owner, &world.chats.open, text, &mut random).await;
    }
    assert!(!world.is_wrong(), "{:?}", world.history().wrong);
    world.site.end().await.unwrap();
}
