//! The traces of the last minutes, as they come in.
//!
//! Messages are held as they came, compressed or not, and read when somebody asks: what is asked for
//! seldom should cost little while nobody asks. The caller brings the time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_base::limit::{
    RECEIVED_BYTES_A_SECOND_MAX, RECEIVED_BYTES_MAX, RECEIVED_MESSAGE_BYTES_MAX,
};

use crate::{Format, Ingest, ReadError, Source, Traces};

/// What is kept at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a message is kept.
    pub age: Duration,
    /// Bytes of all messages; beyond it the oldest go before their time.
    pub bytes: usize,
    /// Bytes that are taken in one second.
    pub bytes_a_second: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(15 * 60),
            bytes: RECEIVED_BYTES_MAX,
            bytes_a_second: RECEIVED_BYTES_A_SECOND_MAX,
        }
    }
}

/// Messages of the last minutes.
#[derive(Debug, Default)]
pub struct Window {
    limits: Limits,
    messages: VecDeque<Message>,
    bytes: usize,
    /// The second that is counted, and the bytes that came in it.
    second: (u64, usize),
    forgotten: u64,
}

#[derive(Debug)]
struct Message {
    received: Timestamp,
    bytes: Arc<[u8]>,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Messages.
    pub messages: usize,
    /// Their bytes, as they came.
    pub bytes: usize,
    /// Messages that went before their time, since the beginning.
    pub forgotten: u64,
}

impl Window {
    /// An empty window.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Counts bytes that come in now.
    ///
    /// # Errors
    ///
    /// How long to wait when there were too many in this second; then they count for nothing.
    pub fn admit(&mut self, now: Timestamp, bytes: usize) -> Result<(), Duration> {
        const SECOND: u64 = 1_000_000_000;
        let second = now.nanos() / SECOND;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        // One message is always taken, however large: else it never would be.
        let came = self.second.1;
        if came > 0 && came + bytes > self.limits.bytes_a_second {
            return Err(Duration::from_nanos(SECOND - now.nanos() % SECOND));
        }
        self.second.1 = came + bytes;
        Ok(())
    }

    /// Keeps a message that [`check`] has taken.
    pub fn push(&mut self, now: Timestamp, bytes: Arc<[u8]>) {
        self.bytes += bytes.len();
        self.messages.push_back(Message {
            received: now,
            bytes,
        });
        self.forget(now);
        while self.bytes > self.limits.bytes && self.messages.len() > 1 {
            self.drop_oldest();
            self.forgotten += 1;
        }
    }

    /// The messages that are kept.
    pub fn messages(&mut self, now: Timestamp) -> Vec<Arc<[u8]>> {
        self.forget(now);
        let messages = self.messages.iter();
        messages.map(|message| Arc::clone(&message.bytes)).collect()
    }

    /// What is held.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            messages: self.messages.len(),
            bytes: self.bytes,
            forgotten: self.forgotten,
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let age = self.limits.age;
        let is_old = |message: &Message| now.since(message.received) > age;
        while self.messages.front().is_some_and(is_old) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(message) = self.messages.pop_front() {
            self.bytes -= message.bytes.len();
        }
    }
}

/// Whether bytes are a message of OTLP, JSON or protobuf, and what it holds. A message without
/// anything is one as well.
///
/// # Errors
///
/// When it is malformed, or larger than is taken once it is decompressed.
pub fn check(bytes: &[u8]) -> Result<usize, ReadError> {
    let mut ingest = ingest();
    match ingest.read("the message", bytes) {
        Ok(Source {
            format: Format::OtlpJson | Format::OtlpProtobuf,
            spans,
            ..
        }) => Ok(*spans),
        Ok(Source { format, name, .. }) => Err(ReadError::Unknown {
            name: name.clone(),
            start: format!("{format}, which is not OTLP"),
            hint: "export the traces as OTLP".to_owned(),
        }),
        Err(ReadError::Empty { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}

/// The traces of messages.
///
/// # Errors
///
/// When they take more memory than is allowed for spans.
pub fn traces(messages: &[Arc<[u8]>]) -> Result<Traces, ReadError> {
    let mut ingest = ingest();
    for message in messages {
        match ingest.read("received", &message[..]) {
            Ok(_) | Err(ReadError::Empty { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    ingest.into_traces()
}

fn ingest() -> Ingest {
    Ingest::new().with_capture_limit(RECEIVED_MESSAGE_BYTES_MAX)
}
