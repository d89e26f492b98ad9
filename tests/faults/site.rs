//! The servers, the proxies between them and their services, and the faults that strike them.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::disk::State;
use crate::node::Node;
use crate::patience::Truce;
use crate::random::Random;
use crate::schedule::{Fault, Lane, Service, Step, Target};
use crate::support::proxy::Proxy;
use crate::support::services::{self, Services};

pub struct Site {
    pub nodes: Vec<Node>,
    pub database: String,
    pub truce: Truce,
    networks: HashMap<&'static str, Vec<Proxy>>,
    services: Option<Arc<Services>>,
    /// The services that faults strike.
    pub struck: Vec<Service>,
    /// Held by whoever uses the database file besides the server.
    file: Mutex<()>,
}

impl Site {
    /// One node with a database file.
    pub async fn of_one(variables: &[(&str, &str)]) -> Site {
        let (node, database) = Node::with_file(variables);
        Site::start(vec![node], database, HashMap::new(), None, &[]).await
    }

    /// Nodes that share a PostgreSQL and a Redis; each reaches them through proxies of its own.
    pub async fn of_many(
        count: usize,
        services: Arc<Services>,
        variables: &[(&str, &str)],
        struck: &[Service],
    ) -> Site {
        let database = services::database(&services.url("postgres")).await;
        let redis = services.url("redis");
        let (mut to_postgres, mut to_redis, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let (of_postgres, of_redis) = (Proxy::to(&database).await, Proxy::to(&redis).await);
            let (postgres, redis) = (of_postgres.url(&database), of_redis.url(&redis));
            let own = [("CHINWAG_DATABASE_URL", &*postgres), ("CHINWAG_REDIS_URL", &*redis)];
            nodes.push(Node::new(&[&own, variables].concat()));
            to_postgres.push(of_postgres);
            to_redis.push(of_redis);
        }
        let networks = HashMap::from([("postgres", to_postgres), ("redis", to_redis)]);
        Site::start(nodes, database, networks, Some(services), struck).await
    }

    async fn start(
        nodes: Vec<Node>,
        database: String,
        networks: HashMap<&'static str, Vec<Proxy>>,
        services: Option<Arc<Services>>,
        struck: &[Service],
    ) -> Site {
        for node in &nodes {
            node.start().await.unwrap();
        }
        let (truce, file) = (Truce::default(), Mutex::default());
        Site { nodes, database, truce, networks, services, struck: struck.to_vec(), file }
    }

    /// Plays a lane as long as `goes_on` says so, and returns how many faults there were. Errors: a
    /// server did not do what it promises.
    pub async fn play(&self, lane: &Lane, goes_on: impl Fn() -> bool) -> Result<usize, String> {
        let mut random = Random::new(lane.seed, 0);
        for (at, step) in lane.steps.iter().enumerate() {
            sleep(step.pause).await;
            self.truce.ends().await;
            if !goes_on() {
                return Ok(at);
            }
            let done = match lane.target {
                Target::Node(node) => self.nodes[node].strike(step, &self.file, &mut random).await,
                Target::File => self.strike_file(step).await,
                Target::Network(node, service) => self.strike_network(node, service, step).await,
                Target::Service(service) => self.strike_service(service, step).await,
            };
            done.map_err(|why| format!("{:?}, {:?}: {why}", lane.target, step.fault))?;
        }
        Ok(lane.steps.len())
    }

    async fn strike_file(&self, step: &Step) -> Result<(), String> {
        let node = &self.nodes[0];
        match step.fault {
            Fault::Full => {
                let until = Instant::now() + step.lasts;
                // A server that is started meanwhile is limited, too. There is room for its log.
                while Instant::now() < until {
                    node.limit_files("100000").await;
                    sleep(Duration::from_millis(100)).await;
                }
                node.limit_files("unlimited").await;
                return Ok(());
            }
            Fault::Locked => {}
            fault => {
                let is_read_only = fault == Fault::ReadOnly;
                node.disk.set(if is_read_only { State::ReadOnly } else { State::Unsynced });
                sleep(step.lasts).await;
                node.disk.set(State::Well);
                return Ok(());
            }
        }
        let _file = self.file.lock().await;
        let options = SqliteConnectOptions::from_str(&self.database).unwrap();
        // Waits a second for a lock that the server may hold, and never creates the file.
        let options = options.busy_timeout(Duration::from_secs(1)).create_if_missing(false);
        let Ok(mut other) = options.connect().await else { return Ok(()) };
        if sqlx::raw_sql("begin immediate").execute(&mut other).await.is_ok() {
            sleep(step.lasts).await;
        }
        // Closing the connection rolls its transaction back.
        let _ = other.close().await;
        Ok(())
    }

    async fn strike_network(
        &self,
        node: usize,
        service: Service,
        step: &Step,
    ) -> Result<(), String> {
        let proxy = &self.networks[service.name()][node];
        match step.fault {
            Fault::Cut => proxy.cut(),
            Fault::CutOff => proxy.cut_off(),
            _ => proxy.slow(Duration::from_millis(100)),
        }
        sleep(step.lasts).await;
        proxy.slow(Duration::ZERO);
        proxy.mend();
        Ok(())
    }

    async fn strike_service(&self, service: Service, step: &Step) -> Result<(), String> {
        let (name, proxies) = (service.name(), self.networks.get(service.name()));
        let Some(services) = &self.services else { return Ok(()) };
        match step.fault {
            Fault::CutForAll => proxies.into_iter().flatten().for_each(Proxy::cut),
            Fault::Frozen => services.freeze(name).await,
            Fault::Killed => services.kill(name).await,
            _ => services.stop(name).await,
        }
        sleep(step.lasts).await;
        match step.fault {
            Fault::CutForAll => proxies.into_iter().flatten().for_each(Proxy::mend),
            Fault::Frozen => services.thaw(name).await,
            _ => services.start_again(name).await,
        }
        Ok(())
    }

    /// Tells all nodes to end. Errors: a node does not end as it should, or has logged a defect.
    pub async fn end(&self) -> Result<(), String> {
        for node in &self.nodes {
            node.end().await?;
        }
        let defects = Vec::from_iter(self.nodes.iter().flat_map(Node::defects));
        if defects.is_empty() { Ok(()) } else { Err(format!("a defect: {}", defects.join("\n"))) }
    }
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Service::Postgres => "postgres",
            Service::Redis => "redis",
            Service::Kafka => "kafka",
        }
    }
}
