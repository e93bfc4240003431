//! Kafka: librdkafka alone, and where Tidegate's shard is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use tidegate_base::{Envelope, Name};
use tidegate_broker::Shard;
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig};
use tidegate_servers::Server;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::load::{Load, Marks, key, produce};
use crate::tidegate_side::channels;

/// How long the consumer waits for a message before it looks whether it is to end.
const LISTEN: Duration = Duration::from_millis(20);
/// Milliseconds from one commit of offsets to the next.
const COMMIT_EVERY_MS: &str = "10";

pub(crate) async fn open(server: Server, name: String) -> Result<Arc<dyn Shard>> {
    let mut config = KafkaConfig::parse(&server.url, Name::new("shop")?)?;
    config.prefix = format!("{name}.");
    config.channels = channels()?;
    Ok(Arc::new(KafkaBroker::open(config).await?))
}

/// Publishes with `acks=all` and idempotence, and commits offsets.
pub(crate) async fn bare(
    server: Server,
    name: String,
    load: Load,
    marks: Arc<Marks>,
) -> Result<()> {
    let mut base = ClientConfig::new();
    let servers = server.url.trim_start_matches("kafka://").to_owned();
    base.set("bootstrap.servers", servers);
    let admin: AdminClient<DefaultClientContext> = base.create()?;
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
    for created in admin.create_topics([&topic], &AdminOptions::new()).await? {
        created.map_err(|(topic, code)| anyhow::anyhow!("topic `{topic}`: {code}"))?;
    }
    let consumer = consumer(&base, &name)?;
    let handling = {
        let marks = Arc::clone(&marks);
        spawn_blocking(move || {
            handle(&consumer, load, &marks)?;
            anyhow::Ok(consumer)
        })
    };
    let producer: ThreadedProducer<Confirming> = base
        .clone()
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .create_with_context(Confirming)?;
    let producer = Arc::new(producer);
    let publishing = produce(load, Arc::clone(&marks), move |batch| {
        publish(Arc::clone(&producer), name.clone(), batch)
    });
    publishing.await?;
    marks.all_handled().await?;
    let consumer = handling.await??;
    marks.finish();
    // It leaves its group.
    spawn_blocking(move || drop(consumer)).await?;
    Ok(())
}

/// Tells whoever waits that a record is there.
struct Confirming;

type Confirmed = oneshot::Sender<Result<(), KafkaError>>;

impl ClientContext for Confirming {}

impl ProducerContext for Confirming {
    type DeliveryOpaque = Box<Confirmed>;

    fn delivery(&self, result: &DeliveryResult<'_>, confirmed: Box<Confirmed>) {
        let result = result
            .as_ref()
            .map(drop)
            .map_err(|(error, _)| error.clone());
        let _left = confirmed.send(result);
    }
}

async fn publish(
    producer: Arc<ThreadedProducer<Confirming>>,
    topic: String,
    batch: Vec<Envelope>,
) -> Result<()> {
    let mut confirmations = Vec::with_capacity(batch.len());
    for event in &batch {
        let mut headers = OwnedHeaders::new_with_capacity(5);
        headers = headers.insert(Header {
            key: "ce_specversion",
            value: Some("1.0"),
        });
        for (name, value) in event.attributes() {
            let name = match name {
                "datacontenttype" => "content-type".to_owned(),
                name => format!("ce_{name}"),
            };
            headers = headers.insert(Header {
                key: &name,
                value: Some(value),
            });
        }
        let key = key(event);
        let (confirmed, confirmation) = oneshot::channel();
        let record = BaseRecord::with_opaque_to(&topic, Box::new(confirmed))
            .key(&key)
            .payload(event.data.as_deref().unwrap_or_default())
            .headers(headers);
        producer.send(record).map_err(|(error, _)| error)?;
        confirmations.push(confirmation);
    }
    for confirmed in try_join_all(confirmations).await? {
        confirmed?;
    }
    Ok(())
}

fn consumer(base: &ClientConfig, topic: &str) -> Result<BaseConsumer> {
    let consumer: BaseConsumer = base
        .clone()
        .set("group.id", topic)
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", COMMIT_EVERY_MS)
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "100")
        // A topic that was just made may not be known to whoever is asked first.
        .set("topic.metadata.refresh.interval.ms", "500")
        .create()?;
    consumer.subscribe(&[topic])?;
    // Joining the group is no part of what is measured.
    while consumer.assignment()?.count() == 0 {
        let _nothing_yet = consumer.poll(LISTEN);
    }
    Ok(consumer)
}

fn handle(consumer: &BaseConsumer, load: Load, marks: &Marks) -> Result<()> {
    let mut handled = 0;
    while handled < load.events() {
        let Some(message) = consumer.poll(LISTEN) else {
            continue;
        };
        let message = message?;
        let headers = message.headers().context("an event without headers")?;
        let id = headers.iter().find(|header| header.key == "ce_id");
        let id = id.and_then(|header| header.value).unwrap_or_default();
        marks.handle(std::str::from_utf8(id)?);
        // What is stored is committed while it reads on.
        consumer.store_offset_from_message(&message)?;
        handled += 1;
    }
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
        rest => Ok(rest?),
    }
}
