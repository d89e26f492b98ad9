//! Servers that share a database and a Redis.

use std::ops::Index;

use chinwag::Config;
use tempfile::TempDir;

use crate::services;
use crate::support::TestServer;

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
