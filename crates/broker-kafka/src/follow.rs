//! The thread that follows the ends of all channels of the shard.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::channel::Channel;
use crate::config::KafkaConfig;
use crate::context::Quiet;
use crate::convert;
use crate::topics::{ANSWER_TIME_MAX, offset};

/// How long it listens to the cluster before it looks whether there is anything else to do.
const LISTEN: Duration = Duration::from_millis(20);
/// How far before its end a channel is read at first: what comes last is asked for most.
const BACK: u64 = 2_000;
/// Channels that wait to be followed.
const NEW_MAX: usize = 1_024;

/// Follows channels from where they end.
pub(crate) struct Follower {
    consumer: BaseConsumer<Quiet>,
    shard: i32,
    channels: HashMap<String, Arc<Channel>>,
}

/// Asks the thread to follow another channel.
#[derive(Clone, Debug)]
pub(crate) struct Following {
    new: SyncSender<Arc<Channel>>,
}

impl Following {
    /// Follows a channel that has just been created, from its begin on. Returns whether there is room.
    pub(crate) fn follow(&self, channel: Arc<Channel>) -> bool {
        !matches!(self.new.try_send(channel), Err(TrySendError::Full(_)))
    }
}

impl Follower {
    /// Reads the ends of the channels, so that their tails are known, and stays there.
    pub(crate) fn new(config: &KafkaConfig, channels: &[Arc<Channel>]) -> Result<Self, KafkaError> {
        let mut follower = Self {
            consumer: config.consumer().create_with_context(Quiet)?,
            shard: config.shard,
            channels: HashMap::new(),
        };
        let mut list = TopicPartitionList::new();
        for channel in channels {
            follower.read_end(config, channel)?;
            // What lies between the last record and the end are marks of transactions.
            add(&mut list, &channel.topic, config.shard, channel.tail())?;
            let (topic, channel) = (channel.topic.clone(), Arc::clone(channel));
            follower.channels.insert(topic, channel);
        }
        follower.consumer.assign(&list)?;
        Ok(follower)
    }

    /// Reads so far back from the end of a channel that its last record is found.
    fn read_end(&self, config: &KafkaConfig, channel: &Channel) -> Result<(), KafkaError> {
        // The consumer sees what is committed: that is the end that counts.
        let marks = self
            .consumer
            .fetch_watermarks(&channel.topic, self.shard, ANSWER_TIME_MAX)?;
        let (low, end) = (offset(marks.0), offset(marks.1));
        let mut back = BACK;
        loop {
            let from = end.saturating_sub(back).max(low);
            channel.begin(from, 0);
            if from < end {
                self.read_up(&self.consumer, channel, from)?;
            }
            if channel.tail() == 0 && from == low && from < end {
                // The end that was told may be that of the channel before: one that has heard nothing yet knows.
                let new = config.consumer().create_with_context(Quiet)?;
                self.read_up(&new, channel, from)?;
            }
            if channel.tail() > 0 {
                return Ok(());
            }
            if from == low {
                // Nothing is left of what was there.
                channel.begin(end, end);
                return Ok(());
            }
            back = back.saturating_mul(16);
        }
    }

    /// Reads a channel up to its end.
    fn read_up(
        &self,
        consumer: &BaseConsumer<Quiet>,
        channel: &Channel,
        from: u64,
    ) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        add(&mut list, &channel.topic, self.shard, from)?;
        consumer.assign(&list)?;
        loop {
            match consumer.poll(ANSWER_TIME_MAX) {
                Some(Ok(message)) if message.topic() != channel.topic => {}
                Some(Ok(message)) => channel.add(convert::record(&message, channel)),
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) => tracing::debug!("kafka: {error}"),
                None => {
                    let code = RDKafkaErrorCode::OperationTimedOut;
                    return Err(KafkaError::MessageConsumption(code));
                }
            }
        }
    }

    fn take_in(&self, message: &BorrowedMessage<'_>) {
        if let Some(channel) = self.channels.get(message.topic()) {
            channel.add(convert::record(message, channel));
        }
    }

    /// Goes on in a thread of its own, until it is told to stop.
    pub(crate) fn run(self, stop: Arc<AtomicBool>) -> std::io::Result<Following> {
        let (new, asked) = sync_channel(NEW_MAX);
        thread::Builder::new()
            .name("kafka-follow".to_owned())
            .spawn(move || self.listen(&stop, &asked))?;
        Ok(Following { new })
    }

    fn listen(mut self, stop: &AtomicBool, asked: &Receiver<Arc<Channel>>) {
        while !stop.load(Ordering::Acquire) {
            while let Ok(channel) = asked.try_recv() {
                if let Err(error) = self.follow(channel) {
                    tracing::warn!("kafka: a new channel is not followed: {error}");
                }
            }
            match self.consumer.poll(LISTEN) {
                Some(Ok(message)) => self.take_in(&message),
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                // The library connects again by itself.
                Some(Err(error)) => tracing::debug!("kafka: {error}"),
            }
        }
    }

    fn follow(&mut self, channel: Arc<Channel>) -> KafkaResult<()> {
        if !channel.is_in(self.shard) || self.channels.contains_key(&channel.topic) {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        add(&mut list, &channel.topic, self.shard, 0)?;
        channel.begin(0, channel.tail());
        self.channels.insert(channel.topic.clone(), channel);
        self.consumer.incremental_assign(&list)
    }
}

/// Adds a place to a list of them.
pub(crate) fn add(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    from: u64,
) -> KafkaResult<()> {
    let from = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
    list.add_partition_offset(topic, partition, from)
}
