//! Dead letters as other frameworks write them, in one form.
//!
//! A framework is told by its headers. Where a message was dead-lettered by several, such as by MassTransit and then by
//! RabbitMQ, the framework speaks: it knows why.

mod dialects;

use serde::Serialize;
use serde_json::Value as Json;

/// The value of a header.
#[derive(Clone, Debug, PartialEq)]
pub enum Header {
    /// Bytes, as Kafka and NATS have them.
    Bytes(Vec<u8>),
    /// Typed, as RabbitMQ has them.
    Json(Json),
}

/// A message as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// The topic, queue or stream.
    pub source: String,
    /// Where it stands there: `PARTITION@OFFSET`, a sequence, or its id.
    pub position: String,
    /// Its key, or its routing key.
    pub key: Option<String>,
    /// Its headers, in order.
    pub headers: Vec<(String, Header)>,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// Who wrote a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Spring for Apache Kafka: `DeadLetterPublishingRecoverer`.
    Spring,
    /// Kafka Connect: the dead letter queue of a sink.
    KafkaConnect,
    /// NServiceBus: its error queue.
    #[serde(rename = "nservicebus")]
    NServiceBus,
    /// MassTransit: a queue `…_error` or `…_skipped`.
    #[serde(rename = "masstransit")]
    MassTransit,
    /// RabbitMQ itself: `x-death`.
    #[serde(rename = "rabbitmq")]
    RabbitMq,
    /// Nobody that is known here.
    Unknown,
}

/// A dead letter, whoever wrote it. What a dialect does not say is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Letter {
    /// Who wrote it.
    pub dialect: Dialect,
    /// The topic, queue or stream where it lies.
    pub source: String,
    /// Where it stands there.
    pub position: String,
    /// The topic or queue that it comes from.
    pub from: Option<String>,
    /// Where it stood there: `PARTITION@OFFSET`.
    pub from_position: Option<String>,
    /// Who could not handle it: a group, a connector, an endpoint, a consumer.
    pub consumer: Option<String>,
    /// Why, in one word: the class of the error, or RabbitMQ's reason.
    pub reason: Option<String>,
    /// Why, in a sentence.
    pub message: Option<String>,
    /// The trace of the error.
    pub trace: Option<String>,
    /// How often it was tried, the first time included.
    pub attempts: Option<u64>,
    /// When it was given up, as it is written there.
    pub failed_at: Option<String>,
    /// Its key, or its routing key.
    pub key: Option<String>,
    /// The type of the message.
    pub message_type: Option<String>,
    /// The payload as text; absent where it is none.
    pub payload: Option<String>,
}

/// Reads a dead letter.
#[must_use]
pub fn read(raw: &Raw) -> Letter {
    let headers = Headers(&raw.headers);
    let mut letter = Letter {
        dialect: Dialect::Unknown,
        source: raw.source.clone(),
        position: raw.position.clone(),
        from: None,
        from_position: None,
        consumer: None,
        reason: None,
        message: None,
        trace: None,
        attempts: None,
        failed_at: None,
        key: raw.key.clone(),
        message_type: headers
            .text("ce_type")
            .or_else(|| headers.text("cloudEvents:type")),
        payload: String::from_utf8(raw.payload.clone()).ok(),
    };
    let known = [
        dialects::spring,
        dialects::kafka_connect,
        dialects::nservicebus,
        dialects::masstransit,
        dialects::rabbitmq,
    ];
    for read in known {
        if read(&headers, &mut letter) {
            break;
        }
    }
    letter
}

/// Headers by name: the last one of a name, as it was written last.
struct Headers<'r>(&'r [(String, Header)]);

impl Headers<'_> {
    fn get(&self, name: &str) -> Option<&Header> {
        let mut headers = self.0.iter().rev();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Header::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Header::Json(Json::String(text)) => Some(text.clone()),
            Header::Json(Json::Null) => None,
            Header::Json(json) => Some(json.to_string()),
        }
        .filter(|text| !text.is_empty())
    }

    fn json(&self, name: &str) -> Option<&Json> {
        match self.get(name)? {
            Header::Json(json) => Some(json),
            Header::Bytes(_) => None,
        }
    }

    /// A number of so many bytes, the highest first, or in digits.
    fn number(&self, name: &str, bytes: usize) -> Option<i64> {
        match self.get(name)? {
            Header::Bytes(raw) => digits(raw).or_else(|| {
                let is_long = raw.len() == bytes && bytes <= 8;
                let value = raw
                    .iter()
                    .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
                is_long.then(|| i64::try_from(value).ok())?
            }),
            Header::Json(json) => json.as_i64().or_else(|| digits(json.as_str()?.as_bytes())),
        }
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    let is_text = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    is_text.then(|| std::str::from_utf8(bytes).ok()?.parse().ok())?
}
