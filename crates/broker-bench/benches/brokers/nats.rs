//! NATS JetStream: async-nats alone, and where Tidegate's shard is.

use std::future::IntoFuture;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, stream};
use async_nats::{HeaderMap, HeaderValue};
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tidegate_base::{Envelope, Name};
use tidegate_broker::Shard;
use tidegate_broker_nats::{NatsConfig, Session};
use tidegate_servers::Server;

use crate::load::{Load, Marks, key, produce};
use crate::tidegate_side::channels;

pub(crate) async fn open(server: Server, name: String) -> Result<Arc<dyn Shard>> {
    let mut config = NatsConfig::parse(&server.url, Name::new("shop")?)?;
    config.prefix = name;
    config.channels = channels()?;
    let session = Session::connect(config).await?;
    Ok(Arc::new(session.open(0).await?))
}

/// Publishes to a stream on disk, and acknowledges each message of a durable consumer.
pub(crate) async fn bare(
    server: Server,
    name: String,
    load: Load,
    marks: Arc<Marks>,
) -> Result<()> {
    let client = async_nats::connect(&server.url).await?;
    let context = ContextBuilder::new()
        .max_ack_inflight(16_384)
        .build(client.clone());
    let created = context.create_stream(stream::Config {
        name: name.clone(),
        subjects: vec![name.clone()],
        storage: stream::StorageType::File,
        discard: stream::DiscardPolicy::New,
        ..stream::Config::default()
    });
    let stream = created.await?;
    let consumer = stream.create_consumer(pull::Config {
        durable_name: Some("billing".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: i64::try_from(load.in_flight().max(1_024))?,
        ..pull::Config::default()
    });
    let consumer = consumer.await?;
    let handling = tokio::spawn(handle(consumer, load, Arc::clone(&marks)));
    let publishing = produce(load, Arc::clone(&marks), move |batch| {
        publish(context.clone(), name.clone(), batch)
    });
    publishing.await?;
    marks.all_handled().await?;
    handling.await??;
    // What was acknowledged has left this process.
    client.flush().await?;
    marks.finish();
    Ok(())
}

async fn publish(context: jetstream::Context, subject: String, batch: Vec<Envelope>) -> Result<()> {
    let mut confirmations = Vec::with_capacity(batch.len());
    for event in batch {
        let mut headers = HeaderMap::new();
        headers.insert("ce-specversion", "1.0");
        for (name, value) in event.attributes() {
            headers.insert(format!("ce-{name}"), HeaderValue::from(value));
        }
        headers.insert("ce-partitionkey", key(&event));
        let payload = event.data.unwrap_or_default();
        let message = PublishMessage::build().payload(payload).headers(headers);
        let sent = context.send_publish(subject.clone(), message).await?;
        confirmations.push(sent.into_future());
    }
    try_join_all(confirmations).await?;
    Ok(())
}

async fn handle(consumer: PullConsumer, load: Load, marks: Arc<Marks>) -> Result<()> {
    let mut messages = consumer
        .stream()
        .max_messages_per_batch(512)
        .messages()
        .await?;
    for _ in 0..load.events() {
        let message = messages.next().await.context("no more messages")??;
        let headers = message
            .headers
            .as_ref()
            .context("an event without headers")?;
        let id = headers.get("ce-id").context("an event without `id`")?;
        marks.handle(id.as_str());
        message.ack().await.map_err(|error| anyhow!(error))?;
    }
    Ok(())
}
