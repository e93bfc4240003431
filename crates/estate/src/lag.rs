//! How far behind a reader is.

use serde::Serialize;

/// How the age of the oldest unread message is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Nothing is unread.
    CaughtUp,
    /// Exact: the timestamp of the record at the committed offset.
    RecordAtCommittedOffset,
    /// Exact: when the first message after the consumer's ack floor was stored.
    MessageAfterAckFloor,
    /// Exact: the timestamp of the message at the head of the queue, which its publisher has set.
    HeadMessageTimestamp,
    /// Estimated: as long as it takes until so many messages arrive, at the rate at which they arrive now.
    ArrivalRate,
    /// Not known: nothing of the above is to be had.
    Unknown,
}

/// How far one reader is behind in one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lag {
    /// The group, the queue, or `STREAM/CONSUMER`.
    pub reader: String,
    /// The topic or the stream; the queue itself.
    pub source: String,
    /// Messages that are not handled yet. Where a topic has marks of transactions, no more than that.
    pub messages: u64,
    /// The age of the oldest of them, in seconds.
    pub seconds: Option<f64>,
    /// How that is known.
    pub method: Method,
    /// How many read now.
    pub members: u64,
}
