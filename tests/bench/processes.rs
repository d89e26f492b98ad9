//! The settings of every server under load, and what a process uses.

use std::fs;

/// Limits far above what a load generator does: they are counted, but never reached.
pub const LIMITS: [(&str, &str); 10] = [
    ("CHINWAG_REQUESTS_PER_USER", "6000000"),
    ("CHINWAG_MESSAGES_PER_USER", "6000000"),
    ("CHINWAG_ANNOUNCEMENTS_PER_USER", "0"),
    ("CHINWAG_ANNOUNCEMENTS_PER_NODE", "0"),
    ("CHINWAG_REQUESTS_PER_ADDRESS", "0"),
    ("CHINWAG_CONNECTS_PER_ADDRESS", "0"),
    ("CHINWAG_WRITTEN_BYTES_PER_USER", "4000000000"),
    ("CHINWAG_WRITTEN_BYTES_PER_ADDRESS", "4000000000"),
    ("CHINWAG_READ_BYTES_PER_USER", "4000000000"),
    ("CHINWAG_READ_BYTES_PER_ADDRESS", "4000000000"),
];

/// Microseconds that all threads of a process have run.
pub fn cpu_of(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let times = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    times.sum::<f64>() / 1000.0
}

/// Microseconds that the whole machine has worked, to a hundredth of a second.
#[allow(dead_code, reason = "one of the benches asks")]
pub fn cpu_of_all() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let times = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // The fourth and the fifth field are idle time.
    let times = times.take(8).enumerate().filter(|(place, _)| ![3, 4].contains(place));
    times.filter_map(|(_, ticks)| ticks.parse::<f64>().ok()).sum::<f64>() * 10_000.0
}

/// Bytes of memory that a process holds.
pub fn memory_of(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() * 1024.0
}
