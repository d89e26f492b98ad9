//! Servers that share a database and a Redis.

use std::fs::{self, File};
use std::ops::{Index, IndexMut};
use std::path::Path;
use std::process::Command;
use std::thread;

use chinwag::Config;
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::program::Running;
use crate::support::{TestServer, services};

/// The nodes of a cluster, in this process.
pub struct Nodes {
    nodes: Vec<TestServer>,
}

impl Nodes {
    /// None if there is no PostgreSQL or no Redis to test with.
    pub async fn start(count: usize) -> Option<Nodes> {
        Nodes::with(count, |_| {}).await
    }

    pub async fn with(count: usize, change: impl Fn(&mut Config)) -> Option<Nodes> {
        let (postgres, redis) = (services::postgres()?, services::redis()?);
        Some(Nodes::on(&services::database(&postgres).await, &redis, count, change).await)
    }

    /// On this database and this Redis.
    pub async fn on(
        database: &str,
        redis: &str,
        count: usize,
        change: impl Fn(&mut Config),
    ) -> Nodes {
        let mut nodes = Vec::new();
        for _ in 0..count {
            let of_cluster = |config: &mut Config| {
                config.database_url = database.into();
                config.redis_url = Some(redis.into());
                change(config);
            };
            nodes.push(TestServer::on(TempDir::new().unwrap(), of_cluster).await);
        }
        Nodes { nodes }
    }
}

impl Index<usize> for Nodes {
    type Output = TestServer;

    fn index(&self, number: usize) -> &TestServer {
        &self.nodes[number]
    }
}

/// The nodes of a cluster, each a process of its own.
pub struct Processes {
    nodes: Vec<TestServer>,
}

impl Processes {
    /// None if there is no PostgreSQL or no Redis to test with.
    pub async fn start(count: usize) -> Option<Processes> {
        Processes::with(count, &[]).await
    }

    /// The same with further arguments.
    pub async fn with(count: usize, arguments: &[&str]) -> Option<Processes> {
        let (postgres, redis) = (services::postgres()?, services::redis()?);
        let database = services::database(&postgres).await;
        Some(Processes::on(vec![(database, redis); count], arguments).await)
    }

    /// One node for each database and Redis.
    pub async fn on(urls: Vec<(String, String)>, arguments: &[&str]) -> Processes {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Processes::each(urls, move |command| {
            command.args(&arguments);
        })
        .await
    }

    /// One node for each database and Redis; they trust certificates of this authority.
    pub async fn trusting(authority: &Path, urls: Vec<(String, String)>) -> Processes {
        let authority = authority.to_owned();
        Processes::each(urls, move |command| {
            command.env("SSL_CERT_FILE", &authority);
        })
        .await
    }

    async fn each(
        urls: Vec<(String, String)>,
        change: impl Fn(&mut Command) + Clone + Send + 'static,
    ) -> Processes {
        let start = |(database, redis): (String, String)| {
            let change = change.clone();
            spawn_blocking(move || {
                let directory = TempDir::new().unwrap();
                let log = File::create(directory.path().join("log")).unwrap();
                let running = Running::with(directory.path(), |command| {
                    command
                        .args(["--listen", "127.0.0.1:0"])
                        .env("CHINWAG_REDIS_URL", redis)
                        .args(["--database-url", &database])
                        .stderr(log);
                    change(command);
                });
                TestServer::apart(directory, running)
            })
        };
        let nodes = join_all(urls.into_iter().map(start)).await;
        Processes { nodes: nodes.into_iter().map(Result::unwrap).collect() }
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    fn logs(&self) -> impl Iterator<Item = String> {
        (0..self.count()).map(|number| self.log(number))
    }

    /// The log of a node.
    pub fn log(&self, number: usize) -> String {
        fs::read_to_string(self.nodes[number].directory.path().join("log")).unwrap()
    }

    /// Fails if a node has logged a defect.
    #[track_caller]
    pub fn assert_no_defect(&self) {
        for log in self.logs() {
            for word in ["ERROR", "panicked", "are lost"] {
                assert!(!log.contains(word), "{log}");
            }
        }
    }
}

impl Drop for Processes {
    /// Prints the logs of a test that fails, since they may say why.
    fn drop(&mut self) {
        if thread::panicking() {
            self.logs().for_each(|log| println!("{log}"));
        }
    }
}

impl Index<usize> for Processes {
    type Output = TestServer;

    fn index(&self, number: usize) -> &TestServer {
        &self.nodes[number]
    }
}

impl IndexMut<usize> for Processes {
    fn index_mut(&mut self, number: usize) -> &mut TestServer {
        &mut self.nodes[number]
    }
}
