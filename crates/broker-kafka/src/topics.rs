//! Topics: which there are, and those that are missing created.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tidegate_base::limit::BATCH_BYTES_MAX;
use tokio::runtime::Handle;

use crate::config::KafkaConfig;
use crate::context::Quiet;

/// How long one answer of the cluster may take.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);

/// Asks the cluster about topics and changes them. It blocks: only threads of their own call it.
pub(crate) struct Topics {
    admin: AdminClient<Quiet>,
    runtime: Handle,
    partitions: i32,
    replication: i32,
}

impl Topics {
    pub(crate) fn new(config: &KafkaConfig, runtime: Handle) -> Result<Self, KafkaError> {
        Ok(Self {
            admin: config.admin().create_with_context(Quiet)?,
            runtime,
            partitions: config.partitions,
            replication: config.replication,
        })
    }

    /// Every topic with its partitions.
    pub(crate) fn list(&self) -> Result<HashMap<String, i32>, KafkaError> {
        let metadata = self.admin.inner().fetch_metadata(None, ANSWER_TIME_MAX)?;
        let topics = metadata.topics().iter().map(|topic| {
            let partitions = i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX);
            (topic.name().to_owned(), partitions)
        });
        Ok(topics.collect())
    }

    /// Creates topics; those that somebody else has created meanwhile are as good.
    ///
    /// Kafka keeps their records until they are deleted: it does not know which of them are still needed.
    pub(crate) fn create(&self, names: &[String], partitions: i32) -> Result<(), KafkaError> {
        let bytes = BATCH_BYTES_MAX.to_string();
        let topics = names.iter().map(|name| {
            NewTopic::new(name, partitions, TopicReplication::Fixed(self.replication))
                .set("cleanup.policy", "delete")
                .set("retention.ms", "-1")
                .set("retention.bytes", "-1")
                .set("max.message.bytes", &bytes)
        });
        let topics: Vec<NewTopic<'_>> = topics.collect();
        let created = self.admin.create_topics(&topics, &options());
        for result in self.runtime.block_on(created)? {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
        Ok(())
    }

    /// Creates a topic, and waits until the cluster knows it. Returns its partitions.
    pub(crate) fn ensure(&self, name: &str) -> Result<i32, KafkaError> {
        let names = [name.to_owned()];
        self.create(&names, self.partitions)?;
        for _ in 0..100 {
            if let Some(partitions) = self.list()?.get(name).filter(|p| **p > 0) {
                return Ok(*partitions);
            }
            pause(&self.runtime, Duration::from_millis(50));
        }
        Err(KafkaError::MetadataFetch(
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ))
    }

    /// Waits until a partition that has just been created has a leader.
    pub(crate) fn settle(&self, topic: &str, partition: i32) -> Result<(), KafkaError> {
        let mut asked = self.watermarks(topic, partition);
        for _ in 0..100 {
            if asked.is_ok() {
                break;
            }
            pause(&self.runtime, Duration::from_millis(50));
            asked = self.watermarks(topic, partition);
        }
        asked.map(drop)
    }

    /// Where a partition begins and ends, what is not committed included.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> Result<(u64, u64), KafkaError> {
        let client = self.admin.inner();
        let (low, high) = client.fetch_watermarks(topic, partition, ANSWER_TIME_MAX)?;
        Ok((offset(low), offset(high)))
    }

    /// Removes what is before a record. Returns where the partition begins now.
    pub(crate) fn delete_before(
        &self,
        topic: &str,
        partition: i32,
        sequence: u64,
    ) -> Result<u64, KafkaError> {
        let mut list = TopicPartitionList::new();
        let raw = i64::try_from(sequence).unwrap_or(i64::MAX);
        list.add_partition_offset(topic, partition, Offset::Offset(raw))?;
        let deleted = self.admin.delete_records(&list, &options());
        let deleted = self.runtime.block_on(deleted)?;
        let found = deleted.find_partition(topic, partition);
        let Some(found) = found else {
            return Ok(0);
        };
        found.error()?;
        Ok(found.offset().to_raw().map_or(0, offset))
    }
}

/// An offset as a sequence.
pub(crate) fn offset(raw: i64) -> u64 {
    u64::try_from(raw).unwrap_or_default()
}

/// Waits in a thread that is not the runtime's.
pub(crate) fn pause(runtime: &Handle, time: Duration) {
    // Made inside: a timer wants the runtime around it.
    runtime.block_on(async { tokio::time::sleep(time).await });
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ANSWER_TIME_MAX))
        .operation_timeout(Some(ANSWER_TIME_MAX))
}
