//! A channel as this process knows it: where it ends, what came last, where it begins.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_base::Name;
use tidegate_broker::{Keep, ReadLimit, Record};
use tokio::sync::watch;

/// Most bytes of latest records that are kept of a channel, so that who follows it closely need not ask.
const RECENT_BYTES_MAX: usize = 8 << 20;
/// Most of them.
const RECENT_RECORDS_MAX: usize = 16_384;
/// Most places of which it is known how many bytes came before them.
const MARKS_MAX: usize = 4_096;

/// A channel: a topic, of which one partition is this shard's.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: Name,
    pub(crate) topic: String,
    /// What its events are of, unless they say otherwise.
    pub(crate) event_type: String,
    /// 0 while there is no topic.
    partitions: AtomicI32,
    tail: watch::Sender<u64>,
    head: AtomicU64,
    recent: Mutex<Recent>,
    keep: Mutex<Option<Keep>>,
}

/// The latest records of a channel, without a gap.
#[derive(Debug, Default)]
struct Recent {
    /// Every record from here on is among them.
    from: u64,
    records: VecDeque<Record>,
    bytes: usize,
    /// Bytes that have come since this process follows the channel.
    total: u64,
    /// Records, each with the bytes before it.
    marks: VecDeque<(u64, u64)>,
    /// Bytes between two marks, at least.
    step: u64,
}

impl Channel {
    pub(crate) fn new(name: Name, topic: String, event_type: String, partitions: i32) -> Self {
        Self {
            name,
            topic,
            event_type,
            partitions: AtomicI32::new(partitions),
            tail: watch::Sender::new(0),
            head: AtomicU64::new(0),
            recent: Mutex::default(),
            keep: Mutex::default(),
        }
    }

    pub(crate) fn partitions(&self) -> i32 {
        self.partitions.load(Ordering::Acquire)
    }

    pub(crate) fn set_partitions(&self, partitions: i32) {
        self.partitions.store(partitions, Ordering::Release);
    }

    /// Whether this shard has a part of it.
    pub(crate) fn is_in(&self, shard: i32) -> bool {
        shard < self.partitions()
    }

    pub(crate) fn tail(&self) -> u64 {
        *self.tail.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.tail.subscribe()
    }

    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire).min(self.tail())
    }

    /// It never goes back.
    pub(crate) fn set_head(&self, head: u64) {
        self.head.fetch_max(head, Ordering::AcqRel);
    }

    pub(crate) fn keep(&self) -> Option<Keep> {
        lock(&self.keep).clone()
    }

    pub(crate) fn set_keep(&self, keep: Keep) {
        *lock(&self.keep) = Some(keep);
    }

    /// Begins to follow it: every record from `from` on will be told to [`Channel::add`].
    pub(crate) fn begin(&self, from: u64, tail: u64) {
        let mut recent = lock(&self.recent);
        *recent = Recent {
            from,
            step: 1,
            ..Recent::default()
        };
        self.tail
            .send_if_modified(|seen| std::mem::replace(seen, tail) != tail);
    }

    /// One past its last record, when that is not among the latest.
    pub(crate) fn set_tail(&self, tail: u64) {
        self.tail.send_if_modified(|seen| {
            let grown = tail > *seen;
            *seen = tail.max(*seen);
            grown
        });
    }

    /// Takes in the next record. What was there before, as after a reconnection, is passed over.
    pub(crate) fn add(&self, record: Record) {
        let next = record.sequence.saturating_add(1);
        let mut recent = lock(&self.recent);
        let last = recent.records.back().map(|last| last.sequence);
        if record.sequence < recent.from || last.is_some_and(|last| record.sequence <= last) {
            return;
        }
        recent.push(record);
        drop(recent);
        self.set_tail(next);
    }

    /// Records from `from` on; `None`: they are not among the latest and have to be fetched.
    pub(crate) fn recent(&self, from: u64, limit: ReadLimit) -> Option<Vec<Record>> {
        let recent = lock(&self.recent);
        if from < recent.from {
            return None;
        }
        let first = recent.records.partition_point(|r| r.sequence < from);
        let mut bytes = 0_usize;
        let mut found = Vec::new();
        for record in recent.records.range(first..) {
            bytes = bytes.saturating_add(record.payload.len());
            let full = found.len() >= limit.records || bytes > limit.bytes;
            if full && !found.is_empty() {
                break;
            }
            found.push(record.clone());
        }
        Some(found)
    }

    /// The record before which at least so many bytes stay behind; `None`: not so many have come.
    pub(crate) fn before_bytes(&self, bytes: u64) -> Option<u64> {
        let recent = lock(&self.recent);
        let most = recent.total.checked_sub(bytes)?;
        let marks = recent.marks.iter().rev();
        let mark = marks.copied().find(|(_, before)| *before <= most)?;
        Some(mark.0)
    }
}

impl Recent {
    fn push(&mut self, record: Record) {
        let size = record.payload.len() + record.key.as_ref().map_or(0, String::len);
        let last = self.marks.back().map(|(_, before)| *before);
        if last.is_none_or(|last| self.total >= last.saturating_add(self.step)) {
            self.marks.push_back((record.sequence, self.total));
            if self.marks.len() > MARKS_MAX {
                // Half as many, twice as far apart.
                let marks = std::mem::take(&mut self.marks);
                self.marks = marks.into_iter().step_by(2).collect();
                self.step = self.step.saturating_mul(2);
            }
        }
        self.total += u64::try_from(size).unwrap_or(u64::MAX);
        self.bytes += size;
        self.records.push_back(record);
        while self.bytes > RECENT_BYTES_MAX || self.records.len() > RECENT_RECORDS_MAX {
            let Some(oldest) = self.records.pop_front() else {
                return;
            };
            self.bytes -= oldest.payload.len() + oldest.key.as_ref().map_or(0, String::len);
            self.from = oldest.sequence.saturating_add(1);
        }
    }
}

/// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidegate_base::Timestamp;

    use super::*;

    fn record(sequence: u64, bytes: usize) -> Record {
        Record {
            sequence,
            key: None,
            time: Timestamp::from_millis(1),
            headers: Vec::new(),
            payload: Bytes::from(vec![b'x'; bytes]),
        }
    }

    fn channel() -> Channel {
        let name = Name::new("a").unwrap();
        Channel::new(name, "a".to_owned(), "a".to_owned(), 1)
    }

    #[test]
    fn what_came_before_it_was_followed_has_to_be_fetched() {
        let channel = channel();
        channel.begin(10, 10);
        for sequence in [10, 12, 13] {
            channel.add(record(sequence, 1));
        }
        // Again, as after a reconnection.
        channel.add(record(12, 1));
        assert_eq!(channel.tail(), 14);
        let all = ReadLimit {
            records: 10,
            bytes: 100,
        };
        let read = |from| channel.recent(from, all).map(|found| found.len());
        assert_eq!(read(9), None);
        assert_eq!(
            [10, 11, 13, 14].map(read),
            [Some(3), Some(2), Some(1), Some(0)]
        );
    }

    #[test]
    fn the_oldest_make_room_and_bytes_are_counted() {
        let channel = channel();
        channel.begin(0, 0);
        let mebibyte = 1 << 20;
        for sequence in 0..20 {
            channel.add(record(sequence, mebibyte));
        }
        let one = ReadLimit {
            records: 1,
            bytes: 0,
        };
        assert_eq!(channel.recent(11, one), None);
        let found = channel.recent(12, one).unwrap();
        assert_eq!(found.first().map(|r| r.sequence), Some(12));
        assert_eq!(channel.before_bytes(5 << 20), Some(15));
        assert_eq!(channel.before_bytes(20 << 20), Some(0));
        assert_eq!(channel.before_bytes(21 << 20), None);
    }

    #[test]
    fn places_get_coarser_as_they_get_many() {
        let channel = channel();
        channel.begin(0, 0);
        for sequence in 0..100_000 {
            channel.add(record(sequence, 1));
        }
        let place = channel.before_bytes(50_000).unwrap();
        assert!((49_900..=50_000).contains(&place), "{place}");
    }
}
