//! The servers that are compared. Each runs alone, on the first core, with a database of its own,
//! and ends with the bench.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::processes::{LIMITS, cpu_of, memory_of};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The binary of this build.
    Chinwag,
    /// A binary of Chinwag from elsewhere.
    Other(PathBuf),
    Node,
    Socketioxide,
    Floor,
}

pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Kind {
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Chinwag => "chinwag",
            Kind::Other(_) => "other",
            Kind::Node => "node",
            Kind::Socketioxide => "socketioxide",
            Kind::Floor => "floor",
        }
    }

    /// Starts it on the database in this directory, which is made if there is none.
    pub fn start(&self, directory: &Path) -> Server {
        let mut command = Command::new("setpriv");
        // The server ends with the bench, even if the bench is killed.
        command.args(["--pdeathsig", "KILL", "taskset", "-c", "0"]);
        let database = directory.join("bench.db");
        match self {
            Kind::Chinwag => {
                chinwag(&mut command, env!("CARGO_BIN_EXE_chinwag").as_ref(), &database)
            }
            Kind::Other(path) => chinwag(&mut command, path, &database),
            Kind::Node => {
                command.env("NODE_ENV", "production").arg("node").arg(node().join("server.mjs"));
                command.arg(database);
            }
            Kind::Socketioxide => {
                command.arg(env::current_exe().unwrap()).arg("--serve").arg(database);
            }
            Kind::Floor => {
                command.arg(env::current_exe().unwrap()).arg("--serve-floor").arg(database);
            }
        }
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("setpriv and taskset of util-linux");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.expect("the server says where it listens").parse().unwrap();
        Server { process, address }
    }
}

fn chinwag(command: &mut Command, binary: &Path, database: &Path) {
    command.arg(binary).args(["--listen", "127.0.0.1:0", "--database-url"]);
    command.arg(format!("sqlite:{}", database.display())).env("RUST_LOG", "error").envs(LIMITS);
}

/// Installs what the Node peer needs, unless it is there.
pub fn install_node() {
    if !node().join("node_modules").exists() {
        let done = Command::new("npm").arg("ci").current_dir(node()).status();
        assert!(done.expect("npm").success(), "the Node peer could not be installed");
    }
}

fn node() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/bench/peer/node"].iter().collect()
}

/// Moves this process to the second core: the first is for the servers.
pub fn take_the_second_core() {
    let done = Command::new("taskset")
        .args(["-cp", "1", &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status();
    assert!(done.expect("taskset").success(), "it takes two cores");
}

impl Server {
    /// Microseconds of CPU used so far.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.process.id())
    }

    /// Bytes held.
    pub fn memory(&self) -> f64 {
        memory_of(self.process.id())
    }
}
