//! The server as a process of its own, so that its memory can be measured.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// These rates are unlimited, since these tests are not about them. Wrong passwords stay limited,
/// as they are slow by design.
const WITHOUT_RATES: [&str; 12] = [
    "CHINWAG_CONNECTS_PER_ADDRESS",
    "CHINWAG_REQUESTS_PER_ADDRESS",
    "CHINWAG_REQUESTS_PER_USER",
    "CHINWAG_MESSAGES_PER_USER",
    "CHINWAG_SIGNALS_PER_USER",
    "CHINWAG_ANNOUNCEMENTS_PER_USER",
    "CHINWAG_ANNOUNCEMENTS_PER_NODE",
    "CHINWAG_WRITTEN_BYTES_PER_USER",
    "CHINWAG_WRITTEN_BYTES_PER_ADDRESS",
    "CHINWAG_READ_BYTES_PER_USER",
    "CHINWAG_READ_BYTES_PER_ADDRESS",
    "CHINWAG_SIGN_UPS_PER_ADDRESS",
];

pub struct Server {
    process: Child,
    pub address: SocketAddr,
    directory: TempDir,
}

impl Drop for Server {
    /// Ends the process even if the test fails.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Measures how much processor time the server has used.
#[derive(Clone, Copy)]
pub struct Meter(u32);

impl Meter {
    /// The processor time so far, to a hundredth of a second.
    pub fn used(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        // After the name, which may contain spaces, fields 12 and 13 are the times in ticks.
        let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
        let ticks = rest.split_whitespace().skip(11).take(2);
        let ticks = ticks.filter_map(|ticks| ticks.parse::<u64>().ok());
        Duration::from_millis(10 * ticks.sum::<u64>())
    }
}

impl Server {
    pub fn meter(&self) -> Meter {
        Meter(self.process.id())
    }

    pub fn start() -> Server {
        let directory = TempDir::new().unwrap();
        let database = format!("sqlite:{}", directory.path().join("chat.db").display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command
            .args(["--listen", "127.0.0.1:0", "--database-url", &database])
            // So that the headers of a proxy about the client's address are read.
            .args(["--trusted-proxies", "1", "--access", "open"])
            // Some of the mutated calls log in users with new names.
            .args(["--max-seats-per-address", "1000000"])
            // So that abandoned connections are closed soon.
            .args(["--ping-interval", "5", "--ping-timeout", "5", "--silence-timeout", "10"])
            .envs(WITHOUT_RATES.map(|name| (name, "0")))
            .env("RUST_LOG", "warn")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.path().join("log")).unwrap());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.expect("the address that the server listens on").parse().unwrap();
        Server { process, address, directory }
    }

    /// Bytes of resident memory.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.expect("the server process runs") << 10
    }

    /// The lines of its log that report a defect.
    pub fn defects(&self) -> Vec<String> {
        let log = fs::read(self.directory.path().join("log")).unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        let defect = |line: &&str| line.contains("panicked") || line.contains("\"ERROR\"");
        log.lines().filter(defect).map(str::to_owned).collect()
    }

    /// Ends it with SIGTERM.
    pub fn end(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        let asked = Instant::now();
        let status = loop {
            match self.process.try_wait().unwrap() {
                Some(status) => break status,
                None if asked.elapsed() > Duration::from_secs(15) => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(status.success(), "{status}");
    }
}
