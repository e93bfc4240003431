//! Records of the contract as records of Kafka, and back.
//!
//! Events are in CloudEvents' binary mode, so that clients that know nothing of this read them: attributes are
//! headers `ce_…`, the media type is `content-type`. Source: CloudEvents 1.0.2, Kafka protocol binding, 3.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use rdkafka::Timestamp as KafkaTime;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use tidegate_base::Timestamp;
use tidegate_broker::{Append, Record};

use crate::channel::Channel;

const ATTRIBUTE: &str = "ce_";
const MEDIA_TYPE_HEADER: &str = "content-type";
const MEDIA_TYPE: &str = "datacontenttype";
/// When the record was accepted, in nanoseconds: Kafka keeps milliseconds.
const ACCEPTED: &str = "tidegate-accepted";
/// In which clients of Confluent's registry name the schema of a value, as bytes; the attribute that says the same.
///
/// Source: Confluent Schema Registry, "Formats, Serializers, and Deserializers", section "Wire format".
const VALUE_SCHEMA: &str = "__value_schema_id";
const SCHEMA_ATTRIBUTE: &str = "schemaid";
/// Not an attribute of records here: there is one version.
const VERSION: &str = "ce_specversion";

/// The headers of a record.
pub(crate) fn headers(append: &Append) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(append.headers.len() + 2);
    let add = |headers: OwnedHeaders, key: &str, value: &str| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    };
    headers = add(headers, VERSION, "1.0");
    for (name, value) in &append.headers {
        headers = if name == MEDIA_TYPE {
            add(headers, MEDIA_TYPE_HEADER, value)
        } else {
            add(headers, &format!("{ATTRIBUTE}{name}"), value)
        };
    }
    if !append.time.nanos().is_multiple_of(1_000_000) {
        headers = add(headers, ACCEPTED, &append.time.nanos().to_string());
    }
    headers
}

/// Whether Kafka can keep the record at all: the names of its headers end at a zero byte there.
pub(crate) fn fits(append: &Append) -> bool {
    append.headers.iter().all(|(name, _)| !name.contains('\0'))
}

/// The time of a record, as Kafka has it.
pub(crate) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX)
}

/// The record of a message. What others have written may lack what an event has: then it gets that from where
/// it stands.
pub(crate) fn record(message: &BorrowedMessage<'_>, channel: &Channel) -> Record {
    let sequence = u64::try_from(message.offset()).unwrap_or_default();
    let time = match message.timestamp() {
        KafkaTime::NotAvailable => 0,
        KafkaTime::CreateTime(millis) | KafkaTime::LogAppendTime(millis) => millis,
    };
    let mut accepted = Timestamp::from_millis(u64::try_from(time).unwrap_or_default());
    let mut headers = Vec::new();
    let mut ours = false;
    for (key, value) in kept_headers(message) {
        match key.as_str() {
            VERSION => ours = true,
            ACCEPTED => {
                accepted = value.parse().map_or(accepted, Timestamp::from_nanos);
            }
            MEDIA_TYPE_HEADER => headers.push((MEDIA_TYPE.to_owned(), value)),
            VALUE_SCHEMA => headers.push((SCHEMA_ATTRIBUTE.to_owned(), value)),
            key => match key.strip_prefix(ATTRIBUTE) {
                Some(name) => headers.push((name.to_owned(), value)),
                None if is_attribute(key) => headers.push((key.to_owned(), value)),
                None => {}
            },
        }
    }
    if !ours {
        complete(&mut headers, channel, message.partition(), sequence);
    }
    Record {
        sequence,
        key: message
            .key()
            .map(|key| String::from_utf8_lossy(key).into_owned()),
        time: accepted,
        headers,
        payload: message
            .payload()
            .map_or_else(Bytes::new, Bytes::copy_from_slice),
    }
}

/// The headers of a message, as text; that of a schema in base64.
///
/// The library panics at a name that is not UTF-8, which another client may have written: the record is taken
/// without headers then.
fn kept_headers(message: &BorrowedMessage<'_>) -> Vec<(String, String)> {
    let read = || {
        let headers = message.headers();
        let headers = headers.iter().flat_map(|headers| headers.iter());
        let text = |key: &str, value: &[u8]| match key {
            VALUE_SCHEMA => STANDARD.encode(value),
            _ => String::from_utf8_lossy(value).into_owned(),
        };
        headers
            .map(|header| {
                let value = text(header.key, header.value.unwrap_or_default());
                (header.key.to_owned(), value)
            })
            .collect()
    };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_default()
}

/// Whether a header of others, such as `traceparent`, can be an attribute of an event.
fn is_attribute(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !name.is_empty() && name.len() <= 20 && name.chars().all(allowed)
}

/// What every event has and this record does not say: where it stands tells it from all others.
fn complete(headers: &mut Vec<(String, String)>, channel: &Channel, partition: i32, sequence: u64) {
    let topic = &channel.topic;
    let defaults = [
        ("id", format!("{partition}-{sequence}")),
        ("source", format!("/kafka/{topic}")),
        ("type", channel.event_type.clone()),
    ];
    for (name, value) in defaults {
        if !headers.iter().any(|(header, _)| header == name) {
            headers.push((name.to_owned(), value));
        }
    }
}
