//! A channel as its owner knows it: which positions of the journal are its records, where it begins and ends.

use std::collections::VecDeque;

use tidegate_base::Timestamp;
use tidegate_broker::{Keep, ReadLimit};
use tokio::sync::watch;

use crate::reader::Event;

const NANOS: u64 = 1_000_000_000;

/// A channel's index.
#[derive(Debug)]
pub(crate) struct Channel {
    /// In the order of their positions.
    records: VecDeque<Place>,
    head: u64,
    tail: u64,
    /// What readers see of `tail`.
    shown: watch::Sender<u64>,
    pub(crate) keep: Option<Keep>,
}

/// A record: small, as there may be many.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: u64,
    bytes: u32,
    /// Whole seconds of its time.
    seconds: u32,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            records: VecDeque::new(),
            head: 0,
            tail: 0,
            shown: watch::Sender::new(0),
            keep: None,
        }
    }
}

impl Channel {
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.shown.subscribe()
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Takes a record in. It is not shown yet.
    pub(crate) fn add(&mut self, event: &Event) {
        if self.tail == 0 {
            // Where a channel begins is its first record, unless that is known better.
            self.head = event.position;
        }
        self.tail = event.position.saturating_add(1);
        self.records.push_back(Place {
            position: event.position,
            bytes: event.bytes,
            seconds: u32::try_from(event.nanos / NANOS).unwrap_or(u32::MAX),
        });
    }

    /// Wakes those who wait for what was added.
    pub(crate) fn show(&self) {
        let tail = self.tail;
        self.shown
            .send_if_modified(|seen| std::mem::replace(seen, tail) != tail);
    }

    /// Begins at `head`: what is before is no record any more. Returns how many records and bytes those were.
    pub(crate) fn begin(&mut self, head: u64, tail: u64) -> (u64, u64) {
        let (mut records, mut bytes) = (0, 0);
        while let Some(place) = self.records.front().filter(|place| place.position < head) {
            records += 1;
            bytes += u64::from(place.bytes);
            self.records.pop_front();
        }
        self.head = self.head.max(head);
        self.tail = self.tail.max(tail);
        (records, bytes)
    }

    /// Bytes of the records that are left.
    pub(crate) fn bytes(&self) -> u64 {
        self.records
            .iter()
            .map(|place| u64::from(place.bytes))
            .sum()
    }

    /// Positions of records from `from` on, within the limit.
    pub(crate) fn positions(&self, from: u64, limit: ReadLimit) -> Vec<u64> {
        let first = self.records.partition_point(|place| place.position < from);
        let mut bytes = 0_usize;
        let mut found = Vec::new();
        for place in self.records.range(first..) {
            bytes = bytes.saturating_add(usize::try_from(place.bytes).unwrap_or(usize::MAX));
            if !found.is_empty() && (found.len() >= limit.records || bytes > limit.bytes) {
                break;
            }
            found.push(place.position);
        }
        found
    }

    /// The first record that is left.
    pub(crate) fn first(&self) -> Option<u64> {
        self.records.front().map(|place| place.position)
    }

    /// The first record that may be as late as `time`, and whether that is sure. `None`: there is none.
    pub(crate) fn near(&self, from: u64, time: Timestamp) -> Option<(u64, bool)> {
        let seconds = u32::try_from(time.nanos() / NANOS).unwrap_or(u32::MAX);
        let first = self.records.partition_point(|place| place.position < from);
        let mut records = self.records.range(first..);
        let found = records.find(|place| place.seconds >= seconds)?;
        let is_sure = found.seconds > seconds || time.nanos().is_multiple_of(NANOS);
        Some((found.position, is_sure))
    }

    /// The record before which at least so many bytes stay behind; `None`: none may go.
    pub(crate) fn before_bytes(&self, bytes: u64) -> Option<u64> {
        let mut stay = 0_u64;
        for place in self.records.iter().rev() {
            if stay >= bytes {
                return Some(place.position.saturating_add(1));
            }
            stay = stay.saturating_add(u64::from(place.bytes));
        }
        None
    }

    /// Where it would begin, if everything before `until` went.
    pub(crate) fn head_at(&self, until: u64) -> u64 {
        let first = self.records.partition_point(|place| place.position < until);
        let found = self.records.get(first).map(|place| place.position);
        found.unwrap_or(self.tail).max(self.head)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_base::Name;

    use super::*;

    fn filled() -> Channel {
        let mut channel = Channel::default();
        for at in 0..10_u64 {
            channel.add(&Event {
                position: 5 + at * 3,
                channel: Name::new("a").unwrap(),
                nanos: at * NANOS / 2,
                bytes: 10,
            });
        }
        channel
    }

    #[test]
    fn records_are_found_by_place_time_and_bytes() {
        let channel = filled();
        assert_eq!((channel.head(), channel.tail()), (5, 33));
        let limit = |records, bytes| ReadLimit { records, bytes };
        assert_eq!(channel.positions(6, limit(2, 1_000)), [8, 11]);
        assert_eq!(channel.positions(0, limit(9, 25)), [5, 8]);
        assert_eq!(channel.positions(0, limit(9, 0)), [5]);
        assert_eq!(channel.positions(33, limit(9, 99)), [0; 0]);
        let at = |nanos| channel.near(0, Timestamp::from_nanos(nanos));
        assert_eq!(at(NANOS), Some((11, true)));
        assert_eq!(at(NANOS + 1), Some((11, false)));
        assert_eq!(at(9 * NANOS), None);
        // Times need not ascend: the first that is late enough counts.
        assert_eq!(channel.before_bytes(20), Some(27));
        assert_eq!(channel.before_bytes(100), None);
        assert_eq!(channel.before_bytes(0), Some(33));
    }

    #[test]
    fn a_head_is_a_record_or_the_tail() {
        let mut channel = filled();
        assert_eq!(channel.head_at(9), 11);
        assert_eq!(channel.head_at(40), 33);
        assert_eq!(channel.begin(11, 33), (2, 20));
        assert_eq!((channel.head(), channel.first()), (11, Some(11)));
        // It never goes back.
        channel.begin(5, 12);
        assert_eq!((channel.head(), channel.tail()), (11, 33));
        assert_eq!(channel.head_at(0), 11);
        channel.begin(33, 33);
        assert_eq!((channel.head(), channel.first()), (33, None));
    }
}
