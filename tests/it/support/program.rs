//! The program, run as operators run it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use super::database;
#[cfg(target_os = "linux")]
use super::soon;

/// A program that should not start but does is ended by `timeout`, with an unexpected status.
pub fn program() -> Command {
    let mut command = Command::new("timeout");
    command.args(["20", env!("CARGO_BIN_EXE_chinwag")]);
    command
}

pub fn output(arguments: &[&str]) -> (Output, String) {
    let output = program().args(arguments).output().unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output, String::from_utf8(text).unwrap())
}

/// A running program.
pub struct Running {
    pub child: Child,
    pub address: SocketAddr,
    pub first_line: String,
    said: BufReader<ChildStdout>,
}

impl Drop for Running {
    /// Ends the server even if the test fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

impl Running {
    pub fn start(directory: &Path) -> Running {
        Running::with(directory, |command| {
            command.args(["--listen", "127.0.0.1:0"]);
        })
    }

    /// With further arguments and variables, which must say where it listens.
    pub fn with(directory: &Path, change: impl FnOnce(&mut Command)) -> Running {
        Running::try_with(directory, change).expect("it starts")
    }

    /// The same where it may not be able to start: then there is none.
    pub fn try_with(directory: &Path, change: impl FnOnce(&mut Command)) -> Option<Running> {
        let database = database::url_in(directory);
        // A full disk must be an error for the program and not a signal. `IGNORED` names more
        // signals for it to ignore, as `nohup` does, and `PROGRAM` another program to run.
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                r#"trap "" XFSZ $IGNORED; exec "${PROGRAM:-$0}" "$@""#,
                env!("CARGO_BIN_EXE_chinwag"),
            ])
            .env("CHINWAG_DATABASE_URL", database)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(files) = database::files_in(directory) {
            command.env("CHINWAG_FILES_URL", files);
        }
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let (mut said, mut first_line) =
            (BufReader::new(child.stdout.take().unwrap()), String::new());
        said.read_line(&mut first_line).unwrap();
        if first_line.is_empty() {
            child.wait().unwrap();
            return None;
        }
        let address = first_line.split("http://").nth(1).unwrap().split(' ').next().unwrap();
        Some(Running { address: address.parse().unwrap(), child, first_line, said })
    }

    /// What it prints after its first line. Older versions print nothing more.
    pub fn hints(&mut self) -> String {
        let mut hints = String::new();
        for _ in 0..3 {
            self.said.read_line(&mut hints).unwrap();
        }
        hints
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        send(signal, &self.child);
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal, waits for the end, and returns what was logged.
    pub fn end(self, signal: &str) -> (ExitStatus, String) {
        send(signal, &self.child);
        self.wait()
    }

    /// Waits for the end, and returns what was logged.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log).unwrap();
        }
        (self.child.wait().unwrap(), log)
    }
}

pub fn send(signal: &str, child: &Child) {
    signal_to(child.id(), signal);
}

/// Sends a signal to a process.
pub fn signal_to(process: u32, signal: &str) {
    let id = process.to_string();
    assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
}

/// The most memory that a process has had so far, in KiB.
pub fn most_memory(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Stops a process as it is, until it gets `CONT`. The signal alone reaches one thread after the
/// other.
#[cfg(target_os = "linux")]
pub async fn freeze(process: u32) {
    signal_to(process, "STOP");
    let stands = || {
        let mut threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        threads.all(|thread| {
            let state = fs::read_to_string(thread.unwrap().path().join("stat"));
            // After the name, which may have any characters. A thread that has ended has none.
            state.is_ok_and(|it| it.rsplit_once(") ").is_some_and(|it| it.1.starts_with('T')))
        })
    };
    soon("it stands still", async {
        while !stands() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
