//! Events at hand: read with their channel and not started yet, so that an attempt need not read again.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};
use tidegate_base::limit::AT_HAND_BYTES_MAX;
use tidegate_base::{ConsumerId, Envelope};

use crate::stored::Read;

/// Events by consumer and sequence, each consumer with its share. What finds no room is read again when it starts.
#[derive(Debug)]
pub(crate) struct AtHand {
    of: HashMap<ConsumerId, Share>,
    /// Most bytes of one consumer.
    most: usize,
}

#[derive(Debug, Default)]
struct Share {
    events: HashMap<u64, Held>,
    bytes: usize,
}

#[derive(Debug)]
struct Held {
    envelope: Arc<Envelope>,
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
    pub(crate) fn keep(&mut self, consumer: &ConsumerId, read: impl IntoIterator<Item = Read>) {
        let share = self.of.entry(consumer.clone()).or_default();
        for read in read {
            if share.bytes + read.bytes > self.most {
                return;
            }
            let held = Held {
                envelope: read.envelope,
                bytes: read.bytes,
            };
            share.bytes += held.bytes;
            if let Some(before) = share.events.insert(read.sequence, held) {
                share.bytes -= before.bytes;
            }
        }
    }

    /// The event of a delivery that starts or needs none any more.
    pub(crate) fn take(&mut self, consumer: &ConsumerId, sequence: u64) -> Option<Arc<Envelope>> {
        let share = self.of.get_mut(consumer)?;
        let held = share.events.remove(&sequence)?;
        share.bytes -= held.bytes;
        Some(held.envelope)
    }

    /// Lets go of the events of a consumer that are not `wanted`.
    pub(crate) fn retain(&mut self, consumer: &ConsumerId, wanted: impl Fn(u64) -> bool) {
        if let Some(share) = self.of.get_mut(consumer) {
            share.events.retain(|sequence, _| wanted(*sequence));
            share.bytes = share.events.values().map(|held| held.bytes).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidegate_base::Timestamp;
    use tidegate_broker::Record;

    use super::*;

    fn record(sequence: u64, bytes: usize) -> Read {
        Read::of(Record {
            sequence,
            key: None,
            time: Timestamp::EPOCH,
            headers: Vec::new(),
            payload: Bytes::from(vec![0; bytes]),
        })
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
