//! A server as a process of its own, and the faults that strike it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::disk::Disk;
use crate::patience::PATIENCE;
use crate::random::Random;
use crate::schedule::{Fault, Step};
use crate::support::clock::Clock;
use crate::support::database::sqlite_in;
use crate::support::patience::{now, within};
use crate::support::program::{Running, send};

/// Rates are unlimited, since these tests are not about them. Frequent pings show a client whether
/// it is still served or its server hangs. An older version does not know all of these variables.
const SETTINGS: [(&str, &str); 15] = [
    ("CHINWAG_CONNECTS_PER_ADDRESS", "0"),
    ("CHINWAG_REQUESTS_PER_ADDRESS", "0"),
    ("CHINWAG_REQUESTS_PER_USER", "0"),
    ("CHINWAG_MESSAGES_PER_USER", "0"),
    ("CHINWAG_ANNOUNCEMENTS_PER_USER", "0"),
    ("CHINWAG_ANNOUNCEMENTS_PER_NODE", "0"),
    ("CHINWAG_WRITTEN_BYTES_PER_USER", "0"),
    ("CHINWAG_WRITTEN_BYTES_PER_ADDRESS", "0"),
    ("CHINWAG_READ_BYTES_PER_USER", "0"),
    ("CHINWAG_READ_BYTES_PER_ADDRESS", "0"),
    ("CHINWAG_SIGN_UPS_PER_ADDRESS", "0"),
    ("CHINWAG_PING_INTERVAL", "5"),
    ("CHINWAG_PING_TIMEOUT", "10"),
    ("CHINWAG_SILENCE_TIMEOUT", "10"),
    ("CHINWAG_LISTEN", "127.0.0.1:0"),
];

pub struct Node {
    directory: TempDir,
    variables: Mutex<Vec<(String, String)>>,
    running: AsyncMutex<Option<Running>>,
    address: Mutex<Option<SocketAddr>>,
    clock: Clock,
    pub disk: Disk,
}

impl Node {
    /// A node with these environment variables, to be started. `PROGRAM` names another version's
    /// binary.
    pub fn new(variables: &[(&str, &str)]) -> Node {
        let directory = TempDir::new().unwrap();
        let clock = Clock::in_directory(directory.path());
        let disk = Disk::in_directory(directory.path());
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = Mutex::new(variables.iter().map(own).collect());
        Node {
            directory,
            variables,
            running: AsyncMutex::default(),
            address: Mutex::default(),
            clock,
            disk,
        }
    }

    /// The same with a database file in its directory; returns the file's URL, too.
    pub fn with_file(variables: &[(&str, &str)]) -> (Node, String) {
        let mut node = Node::new(variables);
        let database = sqlite_in(node.directory.path());
        node.variables
            .get_mut()
            .unwrap()
            .push(("CHINWAG_DATABASE_URL".to_owned(), database.clone()));
        (node, database)
    }

    /// Where it listens; none while it is down.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap()
    }

    /// The id of its process; none while it is down.
    pub async fn id(&self) -> Option<u32> {
        self.running.lock().await.as_ref().map(Running::id)
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// The last 30 lines of its log that are not of level INFO.
    pub fn warnings(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let is_wrong = |line: &&str| !line.contains("\"INFO\"");
        let lines = Vec::from_iter(log.lines().filter(is_wrong));
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// The lines of its log that report a defect.
    pub fn defects(&self) -> Vec<String> {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let is_defect = |line: &&str| line.contains("panicked") || line.contains("are lost");
        log.lines().filter(is_defect).map(str::to_owned).collect()
    }

    /// Starts it, trying again while a service is down. Errors: it does not start in time.
    pub async fn start(&self) -> Result<(), String> {
        let until = now() + PATIENCE;
        while now() < until {
            let (directory, log) = (self.directory.path().to_owned(), self.log());
            let variables = self.variables.lock().unwrap().clone();
            let (clock, disk) = (self.clock.clone(), self.disk.clone());
            let start = move || run(&directory, &log, variables, &clock, &disk);
            if let Some(running) = spawn_blocking(start).await.unwrap() {
                *self.address.lock().unwrap() = Some(running.address);
                *self.running.lock().await = Some(running);
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err("the server does not start".to_owned())
    }

    /// Takes the running process out of this node, so that no new client connects to it. Errors: it
    /// has ended by itself.
    async fn take(&self) -> Result<Running, String> {
        *self.address.lock().unwrap() = None;
        let mut running = self.running.lock().await.take().ok_or("the server is not running")?;
        match running.child.try_wait().unwrap() {
            Some(status) => Err(format!("the server has ended by itself: {status}")),
            None => Ok(running),
        }
    }

    /// Plays a fault against the node, and undoes it. Errors: the node did not do what it promises.
    pub async fn strike(
        &self,
        step: &Step,
        file: &AsyncMutex<()>,
        random: &mut Random,
    ) -> Result<(), String> {
        match step.fault {
            Fault::Killed => self.take().await?.kill(),
            Fault::Ended => self.end().await?,
            Fault::Frozen => {
                self.signal("STOP").await;
                sleep(step.lasts).await;
                self.signal("CONT").await;
                return Ok(());
            }
            Fault::ClockJump => {
                self.clock.set_ahead(random.below(7200) as i64 - 3600);
                sleep(step.lasts).await;
                self.clock.set_ahead(0);
                return Ok(());
            }
            _ => {
                let _file = file.lock().await;
                self.take_file().await?;
            }
        }
        sleep(step.lasts).await;
        self.start().await
    }

    pub async fn signal(&self, signal: &str) {
        if let Some(running) = &*self.running.lock().await {
            send(signal, &running.child);
        }
    }

    /// Ends it with SIGTERM. Errors: its status is not 0, or it does not end in time.
    pub async fn end(&self) -> Result<(), String> {
        let running = self.take().await?;
        send("TERM", &running.child);
        match wait(running).await? {
            0 => Ok(()),
            status => Err(format!("it has ended with {status}, not 0")),
        }
    }

    /// Ends it with SIGTERM, and starts this version in its place. Errors: as for `end` and
    /// `start`.
    pub async fn replace(&self) -> Result<(), String> {
        self.end().await?;
        self.variables.lock().unwrap().retain(|(name, _)| name != "PROGRAM");
        self.start().await
    }

    /// Moves its database file away, and back once the server has ended because of that. Errors: it
    /// ends with another status than 3, or not in time.
    async fn take_file(&self) -> Result<(), String> {
        let running = self.take().await?;
        let (here, away) = (self.directory.path(), TempDir::new_in(self.directory.path()).unwrap());
        let files = ["chat.db", "chat.db-wal"];
        for file in files {
            fs::rename(here.join(file), away.path().join(file)).unwrap();
        }
        let status = wait(running).await?;
        for file in files {
            fs::rename(away.path().join(file), here.join(file)).unwrap();
        }
        let _ = fs::remove_file(here.join("chat.db-shm"));
        if status == 3 { Ok(()) } else { Err(format!("it has ended with {status}, not 3")) }
    }

    /// Limits how long its files may become. A server that is started again has no limit.
    pub async fn limit_files(&self, limit: &str) {
        let Some(id) = self.id().await else { return };
        let arguments = ["--pid", &id.to_string(), &format!("--fsize={limit}:unlimited")];
        // The process may have ended meanwhile.
        let _ = Command::new("prlimit").args(arguments).output();
    }
}

/// Starts a server; none if it ends at once.
fn run(
    directory: &Path,
    log: &Path,
    variables: Vec<(String, String)>,
    clock: &Clock,
    disk: &Disk,
) -> Option<Running> {
    let log = File::options().create(true).append(true).open(log).unwrap();
    Running::try_with(directory, |command| {
        command.envs(SETTINGS).envs(variables).stderr(log);
        clock.lay_over(command);
        disk.lay_over(command);
    })
}

/// The status that a server ends with. Errors: a signal ends it, or it does not end in time.
async fn wait(running: Running) -> Result<i32, String> {
    let mut running = running;
    let ended = within(Duration::from_secs(30), async {
        loop {
            match running.child.try_wait().unwrap() {
                Some(status) => return status,
                None => sleep(Duration::from_millis(20)).await,
            }
        }
    });
    let status = ended.await.ok_or("the server does not end")?;
    status.code().ok_or_else(|| format!("the server was ended by a signal: {status}"))
}
