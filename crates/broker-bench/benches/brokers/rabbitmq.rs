//! RabbitMQ: lapin alone, on a quorum queue or on a stream, and where Tidegate's shard is.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::future::{FutureExt, try_join_all};
use futures_util::stream::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::protocol::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use tidegate_base::{Envelope, Name};
use tidegate_broker::Shard;
use tidegate_broker_rabbitmq::{RabbitBroker, RabbitConfig};
use tidegate_runtime::TokioClock;
use tidegate_servers::Server;

use crate::load::{Load, Marks, key, produce};
use crate::tidegate_side::channels;

/// Deliveries on their way to here.
const PREFETCH: u16 = 1_024;

/// What the bare client publishes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// It keeps what is acknowledged.
    Quorum,
    /// It keeps nothing of its readers.
    Stream,
}

pub(crate) async fn open(server: Server, name: String) -> Result<Arc<dyn Shard>> {
    let address = server.url.replace("guest:guest@", "");
    let mut config = RabbitConfig::parse(&address, Name::new("shop")?)?;
    config.prefix = format!("{name}.");
    config.channels = channels()?;
    Ok(Arc::new(
        RabbitBroker::open(config, Arc::new(TokioClock::new())).await?,
    ))
}

/// Publishes with confirmations on one connection, and consumes on another.
pub(crate) async fn bare(
    server: Server,
    (name, queue): (String, Queue),
    load: Load,
    marks: Arc<Marks>,
) -> Result<()> {
    let connect = || Connection::connect(&server.url, ConnectionProperties::default());
    let (writing, reading) = (connect().await?, connect().await?);
    let channel = writing.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    let name = format!("{queue:?}.{name}");
    declare(&channel, &name, queue).await?;
    let consumed = reading.create_channel().await?;
    consumed
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let mut arguments = FieldTable::default();
    if queue == Queue::Stream {
        arguments.insert(short("x-stream-offset")?, AMQPValue::LongLongInt(0));
    }
    let consumer = consumed.basic_consume(
        short(&name)?,
        short("")?,
        BasicConsumeOptions::default(),
        arguments,
    );
    let handling = tokio::spawn(handle(
        consumer.await?,
        consumed.clone(),
        load,
        Arc::clone(&marks),
    ));
    let publishing = produce(load, Arc::clone(&marks), move |batch| {
        publish(channel.clone(), name.clone(), batch)
    });
    publishing.await?;
    marks.all_handled().await?;
    let consumer = handling.await??;
    // It answers when it has read what was acknowledged. A consumer that goes before would be cancelled meanwhile.
    consumed.close(200, short("done")?).await?;
    drop(consumer);
    marks.finish();
    writing.close(200, short("done")?).await?;
    reading.close(200, short("done")?).await?;
    Ok(())
}

fn short(text: &str) -> Result<ShortString> {
    ShortString::try_new(text)
        .ok()
        .context("a name that is too long")
}

async fn declare(channel: &Channel, name: &str, queue: Queue) -> Result<()> {
    let kind = match queue {
        Queue::Quorum => "quorum",
        Queue::Stream => "stream",
    };
    let mut arguments = FieldTable::default();
    let kind = AMQPValue::LongString(LongString::from(kind));
    arguments.insert(short("x-queue-type")?, kind);
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(short(name)?, options, arguments)
        .await?;
    Ok(())
}

async fn publish(channel: Channel, queue: String, batch: Vec<Envelope>) -> Result<()> {
    let mut confirmations = Vec::with_capacity(batch.len());
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    for event in &batch {
        let mut headers = FieldTable::default();
        let mut add = |name: &str, value: &str| -> Result<()> {
            let value = AMQPValue::LongString(LongString::from(value));
            headers.insert(short(name)?, value);
            Ok(())
        };
        add("cloudEvents:specversion", "1.0")?;
        add("cloudEvents:partitionkey", &key(event))?;
        for (name, value) in event
            .attributes()
            .filter(|(name, _)| *name != "datacontenttype")
        {
            add(&format!("cloudEvents:{name}"), value)?;
        }
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_content_type(short("application/json")?)
            .with_delivery_mode(2);
        let payload = event.data.as_deref().unwrap_or_default();
        let sent = channel.basic_publish(short("")?, short(&queue)?, options, payload, properties);
        confirmations.push(sent.await?);
    }
    for confirmed in try_join_all(confirmations).await? {
        ensure!(
            matches!(confirmed, Confirmation::Ack(None)),
            "an event was not taken"
        );
    }
    Ok(())
}

async fn handle(
    mut consumer: Consumer,
    channel: Channel,
    load: Load,
    marks: Arc<Marks>,
) -> Result<Consumer> {
    let mut handled = 0;
    while handled < load.events() {
        let first = consumer.next().await.context("no more messages")??;
        let mut next = Some(Ok(first));
        let mut tag = 0;
        // What is here already is acknowledged together.
        let mut together = 0;
        while let Some(delivery) = next {
            let delivery = delivery?;
            tag = delivery.delivery_tag;
            let headers = delivery
                .properties
                .headers()
                .as_ref()
                .context("an event without headers")?;
            let mut headers = headers.inner().iter();
            let id = headers.find(|(name, _)| name.as_str() == "cloudEvents:id");
            let Some((_, AMQPValue::LongString(id))) = id else {
                anyhow::bail!("an event without `id`");
            };
            marks.handle(std::str::from_utf8(id.as_bytes())?);
            together += 1;
            next = match together < usize::from(PREFETCH) / 4 {
                true => consumer.next().now_or_never().flatten(),
                false => None,
            };
        }
        handled += together;
        channel
            .basic_ack(tag, BasicAckOptions { multiple: true })
            .await?;
    }
    Ok(consumer)
}
