//! The topic and the producer.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, ClientContext};

use super::record::record;
use super::trouble::Trouble;
use crate::error::StartError;
use crate::store::Unlogged;

/// How many partitions the topic gets if it is created here. As many consumers can share it.
const PARTITIONS: i32 = 12;

/// The largest record, in bytes, that the topic accepts if it is created here. With the default
/// limits an event may be a little larger than 1 MiB, which is what brokers accept by default.
const MAX_RECORD: &str = "4194304";

/// How many bytes of records go into one batch. A larger record is a batch of its own.
const BATCH_SIZE: usize = 250_000;

/// How long the brokers may take to confirm that the topic exists.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(10);

/// The topic of the log, and the settings to reach its brokers.
pub struct Topic {
    name: String,
    client: ClientConfig,
}

impl Topic {
    /// The topic of this name on these brokers. It need not exist yet: nothing is connected here.
    pub fn new(brokers: &str, name: &str) -> Result<Topic, StartError> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", brokers).set("client.id", "chinwag");
        client.set("reconnect.backoff.max.ms", "1000").set("log.connection.close", "false");
        Ok(Topic { name: name.to_owned(), client })
    }

    /// Creates the topic if it does not exist, and a producer for it.
    pub(super) async fn open(&self) -> Result<Producer, Trouble> {
        self.create().await?;
        let mut settings = self.client.clone();
        settings
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // Never give up a record: the next one of its chat would be written before it.
            .set("message.timeout.ms", "0")
            // If a broker refuses a record, the records after it fail, too. A record that is
            // already on its way would not fail: a broker accepts any record as the first of a
            // producer that is new to it. So only one request is on its way at a time.
            .set("enable.gapless.guarantee", "true")
            .set("max.in.flight.requests.per.connection", "1")
            // The topic decides which records are too large.
            .set("message.max.bytes", "1000000000")
            .set("compression.type", "lz4")
            // Brokers and topics limit the size of batches, not of records.
            .set("batch.size", BATCH_SIZE.to_string())
            // Send what is queued at once: waiting longer would add little to a batch.
            .set("linger.ms", "1")
            // For the same key, producers in Java choose the same partition.
            .set("partitioner", "murmur2_random");
        let producer = settings.create_with_context(Quiet).map_err(trouble)?;
        Ok(Producer { topic: self.name.clone(), producer: Some(producer) })
    }

    async fn create(&self) -> Result<(), Trouble> {
        let admin = AdminClient::from_config_and_context(&self.client, Quiet).map_err(trouble)?;
        let topic = NewTopic::new(&self.name, PARTITIONS, TopicReplication::Fixed(-1))
            .set("max.message.bytes", MAX_RECORD);
        let options = AdminOptions::new().request_timeout(Some(TOPIC_TIMEOUT));
        let created = admin.create_topics(&[topic], &options).await;
        // Dropping the client takes a while and would block.
        std::thread::spawn(move || drop(admin));
        match created.map_err(trouble)?.pop() {
            Some(Ok(_)) => tracing::info!(topic = self.name, "made the topic of the event log"),
            None | Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {}
            // A user who may not create a topic may still write to an existing one. If there is
            // none, writing fails.
            Some(Err((_, code))) => {
                tracing::debug!(%code, topic = self.name, "could not make the topic");
            }
        }
        Ok(())
    }
}

/// Writes to the topic. When it is dropped, it discards what it has not written.
pub(super) struct Producer {
    topic: String,
    producer: Option<FutureProducer<Quiet>>,
}

impl Producer {
    /// Writes events, and adds the id of each to `written` once all in-sync replicas have it.
    /// Errors: some events may not be written, and the producer cannot be used any more.
    pub async fn write(&self, events: &[Unlogged], written: &mut Vec<i64>) -> Result<(), Trouble> {
        let mut deliveries = FuturesUnordered::new();
        for event in events {
            let Unlogged { stream, number, committed_at, .. } = event;
            let value = record(stream, *number, *committed_at, &event.event);
            let is_large = value.len() > BATCH_SIZE;
            if is_large {
                finish(&mut deliveries, written).await?;
            }
            match self.send(event, &value) {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => {
                    let finished = finish(&mut deliveries, written).await;
                    return finished.and(Err(error));
                }
            }
            if is_large {
                // The topic may refuse this record, and no other record may overtake it.
                finish(&mut deliveries, written).await?;
            }
        }
        finish(&mut deliveries, written).await
    }

    /// Passes an event to the Kafka client; the future returns its id once it is written.
    fn send(
        &self,
        event: &Unlogged,
        value: &str,
    ) -> Result<impl Future<Output = Result<i64, Trouble>> + use<>, Trouble> {
        let producer = self.producer.as_ref().ok_or(Trouble::Stalled)?;
        let (id, key) = (event.id, key(&event.stream));
        let record = FutureRecord::to(&self.topic).key(key).payload(value);
        let delivery = producer.send_result(record).map_err(|(error, _)| trouble(error))?;
        Ok(async move {
            match delivery.await {
                Ok(Ok(_)) => Ok(id),
                Ok(Err((error, _))) => Err(trouble(error)),
                Err(gone) => Err(Trouble::Kafka(gone.to_string())),
            }
        })
    }
}

/// Waits until each event that was sent is delivered or refused, and adds the ids of the delivered
/// ones to `written`.
async fn finish(
    deliveries: &mut FuturesUnordered<impl Future<Output = Result<i64, Trouble>>>,
    written: &mut Vec<i64>,
) -> Result<(), Trouble> {
    let mut result = Ok(());
    while let Some(delivered) = deliveries.next().await {
        match delivered {
            Ok(id) => written.push(id),
            Err(error) => result = result.and(Err(error)),
        }
    }
    result
}

impl Drop for Producer {
    fn drop(&mut self) {
        let producer = self.producer.take();
        // Dropping the producer takes a while and would block.
        std::thread::spawn(move || drop(producer));
    }
}

/// Logs what the Kafka client says at level debug: it reports every attempt to reach a broker,
/// which is too much for warnings. The task that writes the log warns when writing fails.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, about: &str, message: &str) {
        tracing::debug!(?level, about, message, "Kafka client");
    }

    fn error(&self, error: KafkaError, why: &str) {
        tracing::debug!(%error, why, "Kafka client");
    }
}

/// The key by which records are assigned to partitions: the id of the chat or the user.
fn key(stream: &str) -> &str {
    stream.split_once('/').map_or(stream, |(_, id)| id)
}

fn trouble(error: KafkaError) -> Trouble {
    Trouble::Kafka(error.to_string())
}
