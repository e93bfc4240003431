//! One channel in memory: its records, where it begins and ends, and what it keeps.

use std::collections::{HashMap, VecDeque};

use tidegate_base::Timestamp;
use tokio::sync::watch;

use crate::{Append, Cleaned, History, Keep, ReadLimit, Record};

#[derive(Debug)]
pub(super) struct Channel {
    /// In the order of their sequences, some of which may be absent.
    records: VecDeque<Stored>,
    head: u64,
    /// The sequence of the next record.
    next: u64,
    /// What readers see of `next`.
    tail: watch::Sender<u64>,
    keep: Option<Keep>,
}

/// A record, and what it counts.
#[derive(Debug)]
struct Stored {
    record: Record,
    bytes: u64,
}

impl Default for Channel {
    fn default() -> Self {
        Self {
            records: VecDeque::new(),
            head: 0,
            next: 0,
            tail: watch::channel(0).0,
            keep: None,
        }
    }
}

impl Channel {
    pub(super) fn tail(&self) -> watch::Receiver<u64> {
        self.tail.subscribe()
    }

    pub(super) fn head(&self) -> u64 {
        self.head
    }

    /// The first record not before the head whose time is `time` or later, or the tail.
    pub(super) fn sequence_at(&self, time: Timestamp) -> u64 {
        let mut records = self.records.iter().map(|stored| &stored.record);
        let found = records.find(|record| record.sequence >= self.head && record.time >= time);
        found.map_or(self.next, |record| record.sequence)
    }

    pub(super) fn keep(&mut self, keep: Keep) {
        self.keep = Some(keep);
    }

    pub(super) fn append(&mut self, append: Append) -> u64 {
        let sequence = self.next;
        self.next += 1;
        let bytes = u64::try_from(append.bytes()).unwrap_or(u64::MAX);
        let record = append.into_record(sequence);
        self.records.push_back(Stored { record, bytes });
        sequence
    }

    /// Wakes those who wait for what was appended.
    pub(super) fn show(&self) {
        let tail = self.next;
        self.tail
            .send_if_modified(|seen| std::mem::replace(seen, tail) != tail);
    }

    pub(super) fn read(&self, from: u64, limit: ReadLimit) -> Vec<Record> {
        let start = self
            .records
            .partition_point(|stored| stored.record.sequence < from);
        let records = self.records.range(start..).map(|stored| &stored.record);
        let mut bytes = 0_usize;
        let within = records.take(limit.records).take_while(|record| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(record.payload.len().max(1));
            first || bytes <= limit.bytes
        });
        within.cloned().collect()
    }

    /// Removes everything that may go.
    pub(super) fn clean(&mut self, now: Timestamp) -> Cleaned {
        let mut cleaned = Cleaned::default();
        let Some(keep) = &self.keep else {
            return cleaned;
        };
        let latest = latest(&self.records, keep.history);
        let mut left: u64 = self.records.iter().map(|stored| stored.bytes).sum();
        let mut oldest = true;
        let mut head = None;
        self.records.retain(|stored| {
            let Stored { record, bytes } = stored;
            let old = keep.age.is_some_and(|age| now.since(record.time) > age);
            let spare = keep.bytes.is_some_and(|least| left - bytes >= least);
            let passed = record.sequence < self.head;
            // What is pinned may hold up neither those behind it nor the head.
            oldest &= passed || (record.sequence < keep.needed_from && (old || spare));
            let superseded = latest.as_ref().is_some_and(|latest| {
                let key = record.key.as_ref();
                key.is_some_and(|key| latest.get(key) != Some(&record.sequence))
            });
            let may_go = oldest || superseded;
            let stays = !may_go || keep.is_needed(record.sequence);
            if !may_go || record.sequence >= keep.needed_from {
                head.get_or_insert(record.sequence);
            }
            if !stays {
                left -= bytes;
                cleaned.records += 1;
                cleaned.bytes += bytes;
            }
            stays
        });
        self.head = self.head.max(head.unwrap_or(self.next));
        cleaned
    }
}

/// The last sequence of each key; `None` when all of the history is kept.
fn latest(records: &VecDeque<Stored>, history: History) -> Option<HashMap<String, u64>> {
    let keyed = records.iter().filter_map(|stored| {
        let key = stored.record.key.clone()?;
        Some((key, stored.record.sequence))
    });
    (history == History::LatestPerKey).then(|| keyed.collect())
}
