//! The state: a topic that only the owner of the shard writes, read whole when a shard is taken over.

use std::time::Duration;

use bytes::Bytes;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use tokio::runtime::Handle;

use crate::config::KafkaConfig;
use crate::context::Quiet;
use crate::follow::add;
use crate::topics::{ANSWER_TIME_MAX, Topics, offset, pause};

/// The header of the record that says: everything before it counts no more.
pub(crate) const REPLACED: &str = "tidegate-replaced";
/// The header of the record that says: a checkpoint of several batches begins. Its value names the owner.
pub(crate) const BEGUN: &str = "tidegate-begun";
/// The header of the record that says: everything before where this owner's checkpoint began counts no more.
pub(crate) const FINISHED: &str = "tidegate-finished";

/// Reads the state that is committed, up to what was written last.
pub(crate) fn read(
    config: &KafkaConfig,
    topics: &Topics,
    runtime: &Handle,
) -> Result<Vec<Bytes>, KafkaError> {
    let topic = config.state_topic();
    let consumer: BaseConsumer<Quiet> = config.consumer().create_with_context(Quiet)?;
    let (_, written) = topics.watermarks(&topic, config.shard)?;
    let low = committed(&consumer, &topic, config.shard, written, runtime)?;
    let mut state = Vec::new();
    let mut begun: Option<(String, usize)> = None;
    if written == 0 {
        return Ok(state);
    }
    let mut list = TopicPartitionList::new();
    add(&mut list, &topic, config.shard, low)?;
    consumer.assign(&list)?;
    loop {
        match consumer.poll(ANSWER_TIME_MAX) {
            Some(Ok(message)) if said(&message, REPLACED).is_some() => {
                state.clear();
                begun = None;
            }
            Some(Ok(message)) if said(&message, BEGUN).is_some() => {
                begun = said(&message, BEGUN).map(|owner| (owner, state.len()));
            }
            Some(Ok(message)) if said(&message, FINISHED).is_some() => {
                let owner = said(&message, FINISHED);
                if let Some((_, at)) = begun.take_if(|(begun, _)| owner.as_ref() == Some(begun)) {
                    state.drain(..at);
                }
            }
            Some(Ok(message)) => {
                let payload = message.payload().unwrap_or_default();
                state.push(Bytes::copy_from_slice(payload));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(state),
            Some(Err(error)) => tracing::debug!("kafka: {error}"),
            None => return Err(late()),
        }
    }
}

/// Waits until all that was written is decided: committed or given up. Returns where the partition begins.
fn committed(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    partition: i32,
    written: u64,
    runtime: &Handle,
) -> Result<u64, KafkaError> {
    // The owner's own transactions are over; only their marks may be under way.
    for _ in 0..2_000 {
        let (low, decided) = consumer.fetch_watermarks(topic, partition, ANSWER_TIME_MAX)?;
        if offset(decided) >= written {
            return Ok(offset(low));
        }
        pause(runtime, Duration::from_millis(10));
    }
    Err(late())
}

fn late() -> KafkaError {
    KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)
}

/// What the record says under a header; `None` when it has none of that name.
fn said(message: &BorrowedMessage<'_>, name: &str) -> Option<String> {
    let mut headers = message.headers()?.iter();
    let header = headers.find(|header| header.key == name)?;
    Some(String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned())
}
