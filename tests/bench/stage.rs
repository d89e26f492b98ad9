//! What is measured: a PostgreSQL and a Redis for this run only, and nodes on them as real
//! processes. All of them end with the run.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::processes::LIMITS;

pub struct Stage {
    nodes: Vec<Child>,
    pub addresses: Vec<SocketAddr>,
    directory: TempDir,
    database: String,
}

impl Drop for Stage {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
        services("stop", self.directory.path(), &["--kill", "postgres", "redis"]);
    }
}

impl Stage {
    /// Starts so many nodes; `alone` starts a single one without Redis.
    pub async fn start(count: usize, alone: bool) -> Stage {
        let directory = TempDir::new().unwrap();
        let (nodes, addresses) = (Vec::new(), Vec::new());
        let mut stage = Stage { nodes, addresses, directory, database: String::new() };
        services("start", stage.directory.path(), &["postgres", "redis"]);
        count_statements(&stage.postgres_url("postgres")).await;
        services("stop", stage.directory.path(), &["postgres"]);
        services("start", stage.directory.path(), &["postgres"]);
        let mut connection = PgConnection::connect(&stage.postgres_url("postgres")).await.unwrap();
        for statement in ["create extension pg_stat_statements", "create database bench"] {
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        stage.database = "bench".to_owned();
        for _ in 0..count {
            stage.start_node(alone);
        }
        stage
    }

    fn start_node(&mut self, alone: bool) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.args(["--listen", "127.0.0.1:0", "--database-url"]);
        command.arg(self.postgres_url(&self.database)).envs(LIMITS);
        if !alone {
            command.args(["--redis-url", &self.redis_url()]);
        }
        let mut node = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(node.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next());
        self.addresses.push(address.expect("the node says where it listens").parse().unwrap());
        self.nodes.push(node);
    }

    pub fn node_pids(&self) -> Vec<u32> {
        self.nodes.iter().map(Child::id).collect()
    }

    pub fn pid(&self, service: &str) -> u32 {
        let path = self.directory.path().join(service).join("pid");
        fs::read_to_string(path).unwrap().trim().parse().unwrap()
    }

    pub fn redis_url(&self) -> String {
        self.variable("CHINWAG_TEST_REDIS_URL")
    }

    /// The URL of a database.
    pub fn postgres_url(&self, database: &str) -> String {
        let url = self.variable("CHINWAG_TEST_POSTGRES_URL");
        format!("{}/{database}", url.rsplit_once('/').unwrap().0)
    }

    fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(self.directory.path().join("env")).unwrap();
        let pairs = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        pairs.collect::<HashMap<_, _>>()[name].to_owned()
    }
}

/// Makes PostgreSQL count statements, once it is started again.
async fn count_statements(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let statement = "alter system set shared_preload_libraries = 'pg_stat_statements'";
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

fn services(action: &str, directory: &Path, arguments: &[&str]) {
    let script: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/services/services"].iter().collect();
    let done = Command::new(script).arg(action).arg(directory).args(arguments).status().unwrap();
    assert!(done.success(), "the services did not {action}");
}
