//! The server as a process of its own, so that its memory is its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How often is not what is tried here; but wrong passwords, which are slow by design.
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
    /// A run that fails leaves no server behind.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What tells how long the server has used a processor.
#[derive(Clone, Copy)]
pub struct Meter(u32);

impl Meter {
    /// To a hundredth of a second.
    pub fn used(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        // Behind the name, which may have spaces, these are the twelfth and the thirteenth.
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
            // What a proxy would say of the address is read.
            .args(["--trusted-proxies", "1", "--access", "open"])
            // Some of the mutated calls log in users of new names.
            .args(["--max-seats-per-address", "1000000"])
            // What is given up is gone soon.
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
        let address = address.expect("it says where it listens").parse().unwrap();
        Server { process, address, directory }
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.expect("the process is there") << 10
    }

    /// The lines of its log that tell of a defect.
    pub fn defects(&self) -> Vec<String> {
        let log = fs::read(self.directory.path().join("log")).unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        let defect = |line: &&str| line.contains("panicked") || line.contains("\"ERROR\"");
        log.lines().filter(defect).map(str::to_owned).collect()
    }

    /// Ends it in order.
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
