//! What each process has used so far: CPU time, statements, commands, bytes. The difference of two
//! looks is a measurement. All but the CPU time is independent of what else the machine does.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;

use sqlx::{Connection, PgConnection, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::processes::cpu_of;
use crate::stage::Stage;

/// A count for each name, such as that of a command.
pub type Counts = BTreeMap<String, f64>;

#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Microseconds of CPU of each node.
    pub nodes: Vec<f64>,
    /// Microseconds of CPU.
    pub redis: f64,
    pub postgres: f64,
    pub redis_in: f64,
    pub redis_out: f64,
    pub redis_commands: Counts,
    /// How often each statement was executed.
    pub statements: Counts,
    pub rows: f64,
    pub wal_bytes: f64,
    /// As the nodes count them.
    pub messages: f64,
    pub batches: f64,
}

impl Usage {
    pub async fn look(stage: &Stage) -> Usage {
        let mut usage = Usage {
            nodes: stage.node_pids().into_iter().map(cpu_of).collect(),
            redis: cpu_of(stage.pid("redis")),
            postgres: cpu_of_family(stage.pid("postgres")),
            ..Usage::default()
        };
        usage.look_at_redis(stage).await;
        usage.look_at_postgres(stage).await;
        for address in &stage.addresses {
            let metrics = get(&address.to_string(), "/metrics").await;
            usage.messages += metric(&metrics, "chinwag_messages_total ");
            usage.batches += metric(&metrics, "chinwag_message_batches_total ");
        }
        usage
    }

    async fn look_at_redis(&mut self, stage: &Stage) {
        let client = redis::Client::open(stage.redis_url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let info = redis::cmd("INFO").arg("all").query_async(&mut connection).await;
        let info: String = info.unwrap();
        for (name, value) in info.lines().filter_map(|line| line.split_once(':')) {
            match name.strip_prefix("cmdstat_") {
                Some(command) => {
                    let calls = value.split([',', '=']).nth(1).unwrap().parse().unwrap();
                    self.redis_commands.insert(command.to_owned(), calls);
                }
                None if name == "total_net_input_bytes" => self.redis_in = value.parse().unwrap(),
                None if name == "total_net_output_bytes" => self.redis_out = value.parse().unwrap(),
                None => {}
            }
        }
    }

    async fn look_at_postgres(&mut self, stage: &Stage) {
        let url = stage.postgres_url("postgres");
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let rows = sqlx::query(
            "select regexp_replace(query, '\\s+', ' ', 'g') as query, calls::float8, rows::float8
             from pg_stat_statements
             where dbid = (select oid from pg_database where datname = 'bench')",
        );
        for row in rows.fetch_all(&mut connection).await.unwrap() {
            *self.statements.entry(row.get("query")).or_default() += row.get::<f64, _>("calls");
            self.rows += row.get::<f64, _>("rows");
        }
        let wal = "select (pg_current_wal_insert_lsn() - '0/0')::float8";
        self.wal_bytes = sqlx::query_scalar(wal).fetch_one(&mut connection).await.unwrap();
    }
}

impl Sub for Usage {
    type Output = Usage;

    fn sub(self, before: Usage) -> Usage {
        Usage {
            nodes: self.nodes.iter().zip(&before.nodes).map(|(now, then)| now - then).collect(),
            redis: self.redis - before.redis,
            postgres: self.postgres - before.postgres,
            redis_in: self.redis_in - before.redis_in,
            redis_out: self.redis_out - before.redis_out,
            redis_commands: difference(self.redis_commands, &before.redis_commands),
            statements: difference(self.statements, &before.statements),
            rows: self.rows - before.rows,
            wal_bytes: self.wal_bytes - before.wal_bytes,
            messages: self.messages - before.messages,
            batches: self.batches - before.batches,
        }
    }
}

fn difference(now: Counts, before: &Counts) -> Counts {
    now.into_iter()
        .map(|(name, count)| {
            let before = before.get(&name).copied().unwrap_or_default();
            (name, count - before)
        })
        .collect()
}

/// Microseconds that a process and its children have run.
fn cpu_of_family(pid: u32) -> f64 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.filter(|child| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        parent.is_some_and(|parent| parent == pid.to_string())
    });
    cpu_of(pid) + children.map(cpu_of).sum::<f64>()
}

async fn get(host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn metric(metrics: &str, name: &str) -> f64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}
