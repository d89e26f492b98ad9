//! Topics of a real Kafka, and the records that they should have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::support::patience::within;
use crate::support::{database, soon};

/// Reading a whole log may take longer than a single answer.
pub const PATIENCE: Duration = Duration::from_secs(90);

type Row = (String, i64, i64, String);

const ROWS: &str = "select stream, number, committed_at, event from events
    where event is not null order by id";

/// The record that the log should have for a row.
fn record((stream, number, committed_at, event): Row) -> Value {
    let time = DateTime::from_timestamp_micros(committed_at).unwrap();
    let mut record: Value = serde_json::from_str(&event).unwrap();
    record["stream"] = json!(stream);
    record["number"] = json!(number);
    record["committed_at"] = json!(time.to_rfc3339_opts(SecondsFormat::Micros, true));
    record
}

/// The records that the log should have for a server on this directory.
pub async fn committed(directory: &TempDir) -> Vec<Value> {
    let url = database::url_in(directory.path());
    if database::is_postgres() {
        return committed_in(&mut PgConnection::connect(&url).await.unwrap()).await;
    }
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let rows = sqlx::query_as(ROWS).fetch_all(&mut database).await.unwrap();
    rows.into_iter().map(record).collect()
}

/// The same for the database of this connection.
pub async fn committed_in(database: &mut PgConnection) -> Vec<Value> {
    let rows = sqlx::query_as(ROWS).fetch_all(database).await.unwrap();
    rows.into_iter().map(record).collect()
}

pub async fn count_unlogged(directory: &TempDir) -> i64 {
    let count = "select count(*) from events where not logged";
    let url = database::url_in(directory.path());
    if database::is_postgres() {
        let mut database = PgConnection::connect(&url).await.unwrap();
        return sqlx::query_scalar(count).fetch_one(&mut database).await.unwrap();
    }
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query_scalar(count).fetch_one(&mut database).await.unwrap()
}

/// A topic that one test has for itself.
pub struct Topic {
    pub brokers: String,
    pub name: String,
}

/// A record that was read.
pub struct Record {
    partition: i32,
    key: String,
    pub value: Value,
}

impl Record {
    fn place(&self) -> (String, i64) {
        place(&self.value)
    }
}

fn place(value: &Value) -> (String, i64) {
    (value["stream"].as_str().unwrap().to_owned(), value["number"].as_i64().unwrap())
}

impl Topic {
    pub fn new(brokers: &str) -> Topic {
        let name = format!("events-{}", uuid::Uuid::now_v7().simple());
        Topic { brokers: brokers.to_owned(), name }
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.brokers).set("reconnect.backoff.max.ms", "500");
        client
    }

    pub async fn make(&self, partitions: i32, max_batch: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let topic = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1))
            .set("max.message.bytes", max_batch);
        let made = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
        made.into_iter().next().unwrap().unwrap();
    }

    pub async fn raise_max_batch(&self) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let change = AlterConfig::new(ResourceSpecifier::Topic(&self.name))
            .set("max.message.bytes", "4000000");
        let made = admin.alter_configs(&[change], &AdminOptions::new()).await.unwrap();
        made.into_iter().next().unwrap().unwrap();
    }

    /// How many partitions the topic has; waits until it exists.
    pub async fn partitions(&self) -> i32 {
        let (client, name) = (self.client(), self.name.clone());
        let count = move || {
            let consumer: StreamConsumer = client.create().unwrap();
            loop {
                let about = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
                match about.topics()[0].partitions().len() {
                    0 => std::thread::sleep(Duration::from_millis(50)),
                    count => return count as i32,
                }
            }
        };
        soon("the topic is there", spawn_blocking(count)).await.unwrap()
    }

    /// All records from the beginning, until those with these values are among them.
    pub async fn read(&self, expected: &[Value]) -> Vec<Record> {
        let partitions = self.partitions().await;
        let consumer: StreamConsumer = self.client().set("group.id", &self.name).create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..partitions {
            all.add_partition_offset(&self.name, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let mut missing = BTreeSet::from_iter(expected.iter().map(place));
        let mut records = Vec::new();
        while !missing.is_empty() {
            let Some(message) = within(PATIENCE, consumer.recv()).await else {
                panic!("{} of {} are missing: {missing:?}", missing.len(), expected.len());
            };
            // While Kafka is down there are errors, which pass.
            let Ok(message) = message else { continue };
            let record = Record {
                partition: message.partition(),
                key: String::from_utf8(message.key().unwrap().to_owned()).unwrap(),
                value: serde_json::from_slice(message.payload().unwrap()).unwrap(),
            };
            missing.remove(&record.place());
            records.push(record);
        }
        records
    }
}

/// Fails unless the log is what was committed: it has every event and no other, each with the right
/// key and in the one partition of its stream, and in order but for duplicates.
#[track_caller]
pub fn assert_log(records: &[Record], committed: &[Value]) {
    let committed: BTreeMap<_, _> = committed.iter().map(|value| (place(value), value)).collect();
    let (mut seen, mut partitions) = (BTreeMap::<String, Vec<i64>>::new(), BTreeMap::new());
    for record in records {
        let (stream, number) = record.place();
        assert_eq!(Some(&&record.value), committed.get(&record.place()));
        assert_eq!(record.key, stream.split_once('/').map_or("everyone", |(_, id)| id));
        let partition = *partitions.entry(stream.clone()).or_insert(record.partition);
        assert_eq!(partition, record.partition);
        let numbers = seen.entry(stream).or_default();
        if !numbers.contains(&number) {
            assert!(numbers.last().is_none_or(|last| *last < number), "{}", record.value);
            numbers.push(number);
        }
    }
    let seen: usize = seen.values().map(Vec::len).sum();
    assert_eq!(seen, committed.len());
}
