//! What comes to a shard from elsewhere: what other clients publish, and what other shards pass on.
//!
//! Both are quorum queues, so what they have taken is kept before it is acknowledged here. A queue has one reader at
//! a time, and what a reader that died has not acknowledged comes again, in its order: with the same identity, which
//! a deduplicated consumer knows again.

use std::sync::Arc;

use futures_util::future::{FutureExt, join_all};
use futures_util::stream::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer, ExchangeKind};
use tidegate_base::{Clock, Name};
use tidegate_broker::{Append, shard_of};
use tidegate_broker_journal::{JournalError, Message, Target};
use tokio::time::timeout;

use crate::RabbitConfig;
use crate::chance::random;
use crate::connect::{
    Backoff, answered, arguments, confirming, connect, declare_queue, short, text,
};
use crate::convert;
use crate::follow::delivery;
use crate::journal::StreamJournal;
use crate::publish::{self, SOMEWHERE};

/// Most bytes of such a queue: beyond it whoever publishes is refused and has to wait.
const QUEUE_BYTES_MAX: i64 = 1 << 30;
/// A delivery that is cut off is no fault of the message: none is ever given up.
const DELIVERY_LIMIT: i64 = i32::MAX as i64;
const PREFETCH: u16 = 256;
/// Messages that are moved together.
const TOGETHER_MAX: usize = 128;
/// How long what is moved may take until it is read back.
const MOVE_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(20);

fn limits() -> FieldTable {
    arguments([
        ("x-single-active-consumer", AMQPValue::Boolean(true)),
        ("x-overflow", text("reject-publish")),
        (
            "x-max-length-bytes",
            AMQPValue::LongLongInt(QUEUE_BYTES_MAX),
        ),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
    ])
}

/// Creates the exchanges and queues of a system, or finds them.
pub(crate) async fn declare(channel: &Channel, config: &RabbitConfig) -> Result<(), JournalError> {
    for shard in 0..config.shards {
        declare_queue(channel, config, &config.arrivals(shard), limits()).await?;
    }
    let inbound = config.inbound();
    declare_queue(channel, config, &inbound, limits()).await?;
    for exchange in [&config.exchange(), &inbound] {
        let options = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let declared = channel.exchange_declare(
            short(exchange),
            ExchangeKind::Topic,
            options,
            FieldTable::default(),
        );
        answered(declared).await?;
    }
    for (event, _) in &config.channels {
        let bound = channel.queue_bind(
            short(&inbound),
            short(&inbound),
            short(event.as_str()),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        answered(bound).await?;
    }
    Ok(())
}

/// Moves what comes to a shard into its journal, until it is ended.
pub(crate) async fn move_in(config: Arc<RabbitConfig>, journal: Arc<StreamJournal>) {
    let mut backoff = Backoff::new();
    loop {
        if let Err(error) = moving(&config, &journal, &mut backoff).await {
            tracing::debug!("rabbitmq: moving into shard {}: {error}", config.shard);
        }
        backoff.pause().await;
    }
}

async fn moving(
    config: &RabbitConfig,
    journal: &StreamJournal,
    backoff: &mut Backoff,
) -> Result<(), JournalError> {
    let connection = connect(config, "mover").await?;
    let channel = answered(connection.create_channel()).await?;
    let mut consumer = consume(&channel, &config.arrivals(config.shard)).await?;
    loop {
        let deliveries = together(&mut consumer).await?;
        let tag = deliveries.last().map_or(0, |last| last.delivery_tag);
        let read = deliveries
            .into_iter()
            .map(|delivery| convert::read(&delivery.properties, delivery.data).message);
        let moved = journal.move_in(read.collect());
        let late = || JournalError::Unknown("nothing comes back of what was moved".to_owned());
        timeout(MOVE_TIME_MAX, moved).await.map_err(|_| late())??;
        acknowledge(&channel, tag).await?;
        backoff.reset();
    }
}

/// Passes what other clients have published to the shards of its keys, until it is ended.
pub(crate) async fn sort(config: Arc<RabbitConfig>, clock: Arc<dyn Clock>) {
    let mut backoff = Backoff::new();
    loop {
        if let Err(error) = sorting(&config, &*clock, &mut backoff).await {
            tracing::debug!("rabbitmq: taking what others publish: {error}");
        }
        backoff.pause().await;
    }
}

async fn sorting(
    config: &RabbitConfig,
    clock: &dyn Clock,
    backoff: &mut Backoff,
) -> Result<(), JournalError> {
    // Two, as an alarm stops whoever publishes, and must not stop who acknowledges.
    let (from, to) = (
        connect(config, "sorter").await?,
        connect(config, "sorter").await?,
    );
    let (channel, out) = (
        answered(from.create_channel()).await?,
        confirming(&to).await?,
    );
    let mut consumer = consume(&channel, &config.inbound()).await?;
    loop {
        let deliveries = together(&mut consumer).await?;
        let tag = deliveries.last().map_or(0, |last| last.delivery_tag);
        let mut sent = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let Some(message) = event(config, clock, delivery) else {
                continue;
            };
            let queue = config.arrivals(shard(&message, config.shards));
            let properties = convert::properties(&message, None);
            let content = (message.payload, properties);
            sent.push(publish::begin(&out, ("", &queue), SOMEWHERE, content).await);
        }
        let confirmed: Result<(), JournalError> = join_all(sent).await.into_iter().collect();
        confirmed?;
        acknowledge(&channel, tag).await?;
        backoff.reset();
    }
}

fn event(config: &RabbitConfig, clock: &dyn Clock, delivery: Delivery) -> Option<Message> {
    let Some((channel, event_type)) = channel(config, delivery.routing_key.as_str()) else {
        tracing::warn!(
            "rabbitmq: a message with the routing key `{}` is dropped: no event can be called so; who has bound it to `{}`?",
            delivery.routing_key,
            config.inbound()
        );
        return None;
    };
    Some(convert::foreign(
        &delivery.properties,
        delivery.data,
        (&channel, &event_type),
        (clock.now(), random()),
    ))
}

/// The channel of a routing key, with the type of its events. One that this process does not know is kept as well: it may be
/// of a newer design, which another process runs already.
fn channel(config: &RabbitConfig, routing_key: &str) -> Option<(Name, String)> {
    let name = Name::new(routing_key).ok()?;
    let mut channels = config.channels.iter();
    let known = channels.find(|(channel, _)| *channel == name);
    Some(known.cloned().unwrap_or_else(|| {
        let event_type = name.to_string();
        (name, event_type)
    }))
}

fn shard(message: &Message, shards: u32) -> u32 {
    let Target::Channel(channel) = &message.target else {
        return 0;
    };
    let append = Append {
        channel: channel.clone(),
        key: message.key.clone(),
        time: message.time,
        headers: message.attributes.clone(),
        payload: message.payload.clone(),
    };
    shard_of(&append, shards)
}

async fn consume(channel: &Channel, queue: &str) -> Result<Consumer, JournalError> {
    answered(channel.basic_qos(PREFETCH, BasicQosOptions::default())).await?;
    let consumer = channel.basic_consume(
        short(queue),
        short(""),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    answered(consumer).await
}

/// What has come, once there is something.
async fn together(consumer: &mut Consumer) -> Result<Vec<Delivery>, JournalError> {
    let mut deliveries = vec![delivery(consumer.next().await)?];
    while deliveries.len() < TOGETHER_MAX
        && let Some(next) = consumer.next().now_or_never()
    {
        deliveries.push(delivery(next)?);
    }
    Ok(deliveries)
}

async fn acknowledge(channel: &Channel, tag: u64) -> Result<(), JournalError> {
    answered(channel.basic_ack(tag, BasicAckOptions { multiple: true })).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_design_has_is_kept() {
        let name = |text| Name::new(text).unwrap();
        let mut config = RabbitConfig::parse("amqp://h:1", name("shop")).unwrap();
        config.channels = vec![(name("OrderPlaced"), "com.shop.OrderPlaced".to_owned())];
        let found = |key| channel(&config, key).map(|(_, event_type)| event_type);
        assert_eq!(
            found("OrderPlaced").as_deref(),
            Some("com.shop.OrderPlaced")
        );
        assert_eq!(found("OrderShipped").as_deref(), Some("OrderShipped"));
        assert_eq!(found("no name"), None);
    }
}
