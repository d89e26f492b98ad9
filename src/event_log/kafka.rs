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

/// How many partitions the topic gets if it is made here: so many consumers can share it.
const PARTITIONS: i32 = 12;

/// The largest record that the topic takes if it is made here. With the default limits an event
/// may have a little more than the 1 MiB that brokers take by default.
const MAX_RECORD: &str = "4194304";

/// How many bytes of records go into one batch. A larger record is a batch of its own.
const BATCH_SIZE: usize = 250_000;

/// How long the brokers may take to say that the topic is there.
const TOPIC_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the log goes.
pub struct Topic {
    name: String,
    client: ClientConfig,
}

impl Topic {
    /// The topic of this name on these brokers, which need not be there yet.
    pub fn new(brokers: &str, name: &str) -> Result<Topic, StartError> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", brokers).set("client.id", "chinwag");
        client.set("reconnect.backoff.max.ms", "1000").set("log.connection.close", "false");
        Ok(Topic { name: name.to_owned(), client })
    }

    /// Makes the topic if need be, and a producer for it.
    pub(super) async fn open(&self) -> Result<Producer, Trouble> {
        self.create().await?;
        let mut settings = self.client.clone();
        settings
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // A record that were given up could be overtaken by the next of its chat.
            .set("message.timeout.ms", "0")
            // If a broker refuses a record, those after it fail, too. One that were on its way
            // would not: of a producer that is new to it a broker takes any record as the first.
            .set("enable.gapless.guarantee", "true")
            .set("max.in.flight.requests.per.connection", "1")
            // How large is too large, the topic says.
            .set("message.max.bytes", "1000000000")
            .set("compression.type", "lz4")
            // Brokers and topics bound batches and not records.
            .set("batch.size", BATCH_SIZE.to_string())
            // What is there is handed over at once: there is little more to wait for.
            .set("linger.ms", "1")
            // What producers in Java choose for the same key.
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
        // Its end takes a while and would block.
        std::thread::spawn(move || drop(admin));
        match created.map_err(trouble)?.pop() {
            Some(Ok(_)) => tracing::info!(topic = self.name, "made the topic of the event log"),
            None | Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {}
            // A user who may not make a topic may still write to one; if there is none, that fails.
            Some(Err((_, code))) => {
                tracing::debug!(%code, topic = self.name, "could not make the topic");
            }
        }
        Ok(())
    }
}

/// What writes to the topic. Dropped, it gives up what it has not written.
pub(super) struct Producer {
    topic: String,
    producer: Option<FutureProducer<Quiet>>,
}

impl Producer {
    /// Writes events, and adds to `written` the id of each once all replicas in sync have it.
    /// Errors: some may not be written; then the producer is of no use any more.
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
                // The topic may refuse it: nothing is to overtake it then.
                finish(&mut deliveries, written).await?;
            }
        }
        finish(&mut deliveries, written).await
    }

    /// Hands an event over; the future returns its id once it is written.
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

/// Waits until all that was sent is delivered or refused, and adds what is delivered to `written`.
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
        // Its end takes a while and would block.
        std::thread::spawn(move || drop(producer));
    }
}

/// The client tells of every attempt to reach a broker: too much to be a warning. What comes of
/// it is told where the log is written.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, about: &str, message: &str) {
        tracing::debug!(?level, about, message, "Kafka client");
    }

    fn error(&self, error: KafkaError, why: &str) {
        tracing::debug!(%error, why, "Kafka client");
    }
}

/// What records are spread over the partitions by: the id of the chat or the user.
fn key(stream: &str) -> &str {
    stream.split_once('/').map_or(stream, |(_, id)| id)
}

fn trouble(error: KafkaError) -> Trouble {
    Trouble::Kafka(error.to_string())
}
