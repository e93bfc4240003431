//! The thread that reads what is not among the latest records.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tidegate_base::Timestamp;
use tidegate_broker::{ReadError, ReadLimit, Record};
use tokio::sync::{mpsc, oneshot};

use crate::channel::Channel;
use crate::config::KafkaConfig;
use crate::context::Quiet;
use crate::convert;
use crate::follow::add;
use crate::topics::{ANSWER_TIME_MAX, offset};

/// Reads that wait for their turn; a further one waits for a place.
const WAITING_MAX: usize = 256;
/// How long it listens before it looks whether it is to end.
const LISTEN: Duration = Duration::from_millis(200);
/// How often a record that must be there is asked for.
const TRIES_MAX: usize = 50;
/// Records that are looked through at once for one of a time.
const LOOK: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 4 << 20,
};

const ONE: ReadLimit = ReadLimit {
    records: 1,
    bytes: 0,
};

/// Something to be read of a channel.
enum Request {
    Records {
        channel: Arc<Channel>,
        from: u64,
        limit: ReadLimit,
        reply: oneshot::Sender<Result<Vec<Record>, ReadError>>,
    },
    At {
        channel: Arc<Channel>,
        time: Timestamp,
        reply: oneshot::Sender<Result<u64, ReadError>>,
    },
    Head {
        channel: Arc<Channel>,
        low: u64,
        reply: oneshot::Sender<Result<(), ReadError>>,
    },
}

/// Asks the thread.
#[derive(Clone, Debug)]
pub(crate) struct Fetching {
    requests: mpsc::Sender<Request>,
}

impl Fetching {
    /// Records of a channel from `from` on. It waits as long as the cluster is away.
    pub(crate) async fn records(
        &self,
        channel: Arc<Channel>,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let name = channel.name.clone();
        self.ask(&name, |reply| Request::Records {
            channel,
            from,
            limit,
            reply,
        })
        .await
    }

    /// The first record of a time, or the tail.
    pub(crate) async fn at(
        &self,
        channel: Arc<Channel>,
        time: Timestamp,
    ) -> Result<u64, ReadError> {
        let name = channel.name.clone();
        self.ask(&name, |reply| Request::At {
            channel,
            time,
            reply,
        })
        .await
    }

    /// Finds the first record that is left of a channel that begins at `low`, and notes it as its head.
    pub(crate) async fn head(&self, channel: Arc<Channel>, low: u64) -> Result<(), ReadError> {
        let name = channel.name.clone();
        self.ask(&name, |reply| Request::Head {
            channel,
            low,
            reply,
        })
        .await
    }

    async fn ask<T>(
        &self,
        channel: &tidegate_base::Name,
        request: impl FnOnce(oneshot::Sender<Result<T, ReadError>>) -> Request,
    ) -> Result<T, ReadError> {
        let ended = || ReadError::Unreadable {
            channel: channel.clone(),
            reason: "the reader has ended".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// Reads one thing after the other.
pub(crate) struct Fetcher {
    config: KafkaConfig,
    consumer: BaseConsumer<Quiet>,
    shard: i32,
    /// The topic and the record that the library would give next.
    place: Option<(String, u64)>,
    stop: Arc<AtomicBool>,
}

impl Fetcher {
    pub(crate) fn start(
        config: &KafkaConfig,
        stop: Arc<AtomicBool>,
    ) -> Result<Fetching, KafkaError> {
        let fetcher = Self {
            config: config.clone(),
            consumer: config.consumer().create_with_context(Quiet)?,
            shard: config.shard,
            place: None,
            stop,
        };
        let (requests, asked) = mpsc::channel(WAITING_MAX);
        thread::Builder::new()
            .name("kafka-fetch".to_owned())
            .spawn(move || fetcher.run(asked))
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Fetching { requests })
    }

    fn run(mut self, mut asked: mpsc::Receiver<Request>) {
        while let Some(request) = asked.blocking_recv() {
            match request {
                Request::Records {
                    channel,
                    from,
                    limit,
                    reply,
                } => {
                    let _left = reply.send(self.records(&channel, from, limit));
                }
                Request::At {
                    channel,
                    time,
                    reply,
                } => {
                    let _left = reply.send(self.at(&channel, time));
                }
                Request::Head {
                    channel,
                    low,
                    reply,
                } => {
                    let _left = reply.send(self.head(&channel, low));
                }
            }
        }
    }

    fn records(
        &mut self,
        channel: &Channel,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        if from >= channel.tail() {
            return Ok(Vec::new());
        }
        let unreadable = |error: KafkaError| ReadError::Unreadable {
            channel: channel.name.clone(),
            reason: error.to_string(),
        };
        let (asked, mut from) = (from, from);
        let mut is_new = false;
        for _ in 0..TRIES_MAX {
            if self.place.as_ref() != Some(&(channel.topic.clone(), from)) {
                self.go_to(channel, from).map_err(unreadable)?;
            }
            let read = self.read(channel, from, limit)?;
            if let Some(first) = read.first() {
                if from > asked {
                    channel.set_head(first.sequence);
                }
                return Ok(read);
            }
            let marks = self
                .consumer
                .fetch_watermarks(&channel.topic, self.shard, ANSWER_TIME_MAX);
            let (low, decided) = marks.map_err(unreadable)?;
            from = from.max(offset(low));
            // What is left before the tail may be marks of transactions alone. But the end that the library tells may be
            // that of an assignment before this one, or of a leader that is behind: only what a consumer without a past
            // says counts, once all before the tail is decided there.
            let is_decided = offset(decided) >= channel.tail();
            if from >= channel.tail() || is_decided && is_new {
                channel.set_head(channel.tail());
                return Ok(Vec::new());
            }
            self.begin_anew().map_err(unreadable)?;
            is_new = is_decided;
        }
        Err(ReadError::Unreadable {
            channel: channel.name.clone(),
            reason: format!("nothing comes from sequence {from} on, where something must be"),
        })
    }

    /// Goes on with a consumer that has heard nothing yet.
    fn begin_anew(&mut self) -> Result<(), KafkaError> {
        self.place = None;
        self.consumer = self.config.consumer().create_with_context(Quiet)?;
        Ok(())
    }

    fn go_to(&mut self, channel: &Channel, from: u64) -> Result<(), KafkaError> {
        self.place = None;
        let mut list = TopicPartitionList::new();
        add(&mut list, &channel.topic, self.shard, from)?;
        self.consumer.assign(&list)?;
        self.place = Some((channel.topic.clone(), from));
        Ok(())
    }

    /// Reads on from where the library is. Nothing, when the end comes first.
    fn read(
        &mut self,
        channel: &Channel,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let mut found: Vec<Record> = Vec::new();
        let mut bytes = 0_usize;
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Err(ReadError::Unreadable {
                    channel: channel.name.clone(),
                    reason: "the broker is closed".to_owned(),
                });
            }
            match self.consumer.poll(LISTEN) {
                Some(Ok(message)) if message.topic() != channel.topic => {}
                Some(Ok(message)) => {
                    let record = convert::record(&message, channel);
                    if record.sequence < from {
                        continue;
                    }
                    bytes = bytes.saturating_add(record.payload.len());
                    if !found.is_empty() && bytes > limit.bytes {
                        // It was taken from the library: next time it has to be asked for again.
                        self.place = None;
                        return Ok(found);
                    }
                    let next = record.sequence.saturating_add(1);
                    found.push(record);
                    if found.len() >= limit.records || next >= channel.tail() {
                        self.place = Some((channel.topic.clone(), next));
                        return Ok(found);
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.place = None;
                    return Ok(found);
                }
                // The library connects again by itself.
                Some(Err(error)) => tracing::debug!("kafka: {error}"),
                None if !found.is_empty() => {
                    self.place = None;
                    return Ok(found);
                }
                None => {}
            }
        }
    }

    fn at(&mut self, channel: &Channel, time: Timestamp) -> Result<u64, ReadError> {
        let unreadable = |error: KafkaError| ReadError::Unreadable {
            channel: channel.name.clone(),
            reason: error.to_string(),
        };
        // Kafka finds nothing for a time that lies before what was removed.
        let first = self.records(channel, channel.head(), ONE)?;
        let Some(first) = first.first() else {
            return Ok(channel.tail());
        };
        if first.time >= time {
            return Ok(first.sequence);
        }
        let mut asked = TopicPartitionList::new();
        let millis = Offset::Offset(convert::millis(time));
        asked
            .add_partition_offset(&channel.topic, self.shard, millis)
            .map_err(unreadable)?;
        let found = self
            .consumer
            .offsets_for_times(asked, ANSWER_TIME_MAX)
            .map_err(unreadable)?;
        let found = found.find_partition(&channel.topic, self.shard);
        // No offset: nothing is so late.
        let Some(Offset::Offset(first)) = found.map(|found| found.offset()) else {
            return Ok(channel.tail());
        };
        // Kafka knows milliseconds, and finds what was given up as well.
        let mut from = offset(first).max(channel.head());
        loop {
            let records = self.records(channel, from, LOOK)?;
            let Some(last) = records.last() else {
                return Ok(channel.tail());
            };
            from = last.sequence.saturating_add(1);
            if let Some(found) = records.iter().find(|record| record.time >= time) {
                return Ok(found.sequence);
            }
        }
    }

    fn head(&mut self, channel: &Channel, low: u64) -> Result<(), ReadError> {
        let first = self.records(channel, low, ONE)?;
        let first = first.first().map(|first| first.sequence);
        channel.set_head(first.unwrap_or_else(|| channel.tail()));
        Ok(())
    }
}
