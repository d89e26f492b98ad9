//! Three nodes write their events to Kafka, which faults strike, too. Needs
//! `CHINWAG_FAULTS_KAFKA=1`.

use std::env;
use std::sync::Arc;

use sqlx::{Connection, PgConnection};
use tokio::spawn;

use crate::load::World;
use crate::schedule::Service;
use crate::site::Site;
use crate::support::kafka::{Topic, assert_log, committed_in};
use crate::support::services::Services;
use crate::{SERVICES, Schedules, act, judge};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_log_all_that_they_commit() {
    if env::var_os("CHINWAG_FAULTS_KAFKA").is_none() {
        println!("SKIPPED: CHINWAG_FAULTS_KAFKA is not set");
        return;
    }
    let names = ["postgres", "redis", "kafka"];
    let Some(services) = Services::start(&names).await.map(Arc::new) else { return };
    let struck = [&SERVICES[..], &[Service::Kafka]].concat();
    let Schedules { seeds, lasting } = Schedules::wanted();
    for seed in seeds {
        let topic = Topic::new(&services.url("kafka"));
        topic.make(3, "1048576").await;
        let variables =
            [("CHINWAG_KAFKA_BROKERS", &*topic.brokers), ("CHINWAG_KAFKA_TOPIC", &*topic.name)];
        let site = Site::of_many(3, services.clone(), &variables, &struck).await;
        let (world, plan) = act(site, seed, lasting).await;
        if !world.is_wrong() {
            all_is_logged(&world, topic).await;
        }
        judge(&world, plan).await.must_be_right("three nodes and Kafka", seed);
    }
}

/// Reports an error unless the topic has the events of the database as they were committed.
async fn all_is_logged(world: &World, topic: Topic) {
    let mut database = PgConnection::connect(&world.site.database).await.unwrap();
    let committed = committed_in(&mut database).await;
    let compared = spawn(async move {
        let records = topic.read(&committed).await;
        assert_log(&records, &committed);
        records.len()
    });
    match compared.await {
        Ok(records) => println!("{records} records"),
        Err(panic) => world.wrong(format!("the event log is not as committed: {panic}")),
    }
}
