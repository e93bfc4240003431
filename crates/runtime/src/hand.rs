//! Events at hand: read with their channel and not started yet, so that an attempt need not read again.

use std::collections::BTreeMap;

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use tidegate_base::ConsumerId;
use tidegate_base::limit::AT_HAND_BYTES_MAX;
use tidegate_broker::Record;

/// Records by consumer and sequence, each consumer with its share. What finds no room is read again when it starts.
#[derive(Debug)]
pub(crate) struct AtHand {
    of: HashMap<ConsumerId, Share>,
    /// Most bytes of one consumer.
    most: usize,
}

#[derive(Debug, Default)]
struct Share {
    records: BTreeMap<u64, Record>,
    bytes: usize,
}

impl AtHand {
    /// For so many consumers.
    pub(crate) fn new(consumers: usize) -> Self {
        Self {
            of: HashMap::new(),
            most: AT_HAND_BYTES_MAX / consumers.max(1),
        }
    }

    /// Keeps what a consumer has read, as far as there is room: the first will start first.
    pub(crate) fn keep(
        &mut self,
        consumer: &ConsumerId,
        records: impl IntoIterator<Item = Record>,
    ) {
        let share = self.of.entry(consumer.clone()).or_default();
        for mut record in records {
            let bytes = size(&record);
            if share.bytes + bytes > self.most {
                return;
            }
            // The payload may be a view of something larger, which would stay as long as it does.
            record.payload = Bytes::copy_from_slice(&record.payload);
            if share.records.insert(record.sequence, record).is_none() {
                share.bytes += bytes;
            }
        }
    }

    /// The record of a delivery that starts or needs none any more.
    pub(crate) fn take(&mut self, consumer: &ConsumerId, sequence: u64) -> Option<Record> {
        let share = self.of.get_mut(consumer)?;
        let record = share.records.remove(&sequence)?;
        share.bytes -= size(&record);
        Some(record)
    }

    /// Lets go of the records of a consumer that are not `wanted`.
    pub(crate) fn retain(&mut self, consumer: &ConsumerId, wanted: impl Fn(u64) -> bool) {
        if let Some(share) = self.of.get_mut(consumer) {
            share.records.retain(|sequence, _| wanted(*sequence));
            share.bytes = share.records.values().map(size).sum();
        }
    }
}

fn size(record: &Record) -> usize {
    let headers = record.headers.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    size_of::<Record>() + record.payload.len() + headers
}

#[cfg(test)]
mod tests {
    use tidegate_base::Timestamp;

    use super::*;

    fn record(sequence: u64, bytes: usize) -> Record {
        Record {
            sequence,
            key: None,
            time: Timestamp::EPOCH,
            headers: Vec::new(),
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    #[test]
    fn what_finds_no_room_is_left_and_what_is_taken_makes_room() {
        let consumer = "billing/OrderPlaced".parse().unwrap();
        let mut at_hand = AtHand::new(1);
        let half = AT_HAND_BYTES_MAX / 2;
        at_hand.keep(
            &consumer,
            vec![record(0, half), record(1, half), record(2, 1)],
        );
        assert!(at_hand.take(&consumer, 1).is_none());
        assert!(at_hand.take(&consumer, 0).is_some());
        assert_eq!(at_hand.of.get(&consumer).unwrap().bytes, 0);
        at_hand.keep(&consumer, vec![record(3, 7), record(4, 7)]);
        at_hand.retain(&consumer, |sequence| sequence == 4);
        assert!(at_hand.take(&consumer, 3).is_none());
        assert!(at_hand.take(&consumer, 4).is_some());
        assert_eq!(at_hand.of.get(&consumer).unwrap().bytes, 0);
        at_hand.keep(&consumer, vec![record(1, half), record(1, half)]);
        assert!(at_hand.take(&consumer, 1).is_some());
        assert_eq!(at_hand.of.get(&consumer).unwrap().bytes, 0);
    }
}
