//! The segments of a journal, as this process knows of them.
//!
//! A position is the number of the segment and the offset in it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use lapin::types::{AMQPValue, FieldTable};
use tidegate_broker_journal::Entry;
use tokio::sync::Notify;

use crate::connect::arguments;
use crate::queue::lock;
use crate::root::Root;

const OFFSET_BITS: u32 = 40;
/// Most bytes of entries that are kept at hand.
const RECENT_BYTES_MAX: usize = 16 << 20;
/// What an entry takes besides its message.
const ENTRY_BYTES: usize = 256;

/// The position of an offset in a segment.
pub(crate) const fn position(segment: u64, offset: u64) -> u64 {
    (segment << OFFSET_BITS) | offset
}

/// The segment and the offset of a position.
pub(crate) const fn place(position: u64) -> (u64, u64) {
    (position >> OFFSET_BITS, position & ((1 << OFFSET_BITS) - 1))
}

/// What the tasks of one journal tell each other.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    known: Mutex<Known>,
    /// What is moved in here and was not read back yet, by its marks.
    awaited: Mutex<HashSet<String>>,
    came: Notify,
    recent: Mutex<Recent>,
}

/// The latest entries that were read: what is read again soon, such as the state, needs no consumer of its own.
#[derive(Debug, Default)]
struct Recent {
    entries: BTreeMap<u64, Entry>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Known {
    root: Root,
    /// Bytes of the segment that was read last.
    size: (u64, u64),
}

impl Chain {
    pub(crate) fn merge(&self, root: Root) {
        lock(&self.known).root.merge(root);
    }

    pub(crate) fn root(&self) -> Root {
        lock(&self.known).root.clone()
    }

    /// The segment that is written to.
    pub(crate) fn last(&self) -> u64 {
        lock(&self.known).root.last
    }

    /// Notes that there is a further segment, and what came before it is sealed.
    pub(crate) fn begun(&self, segment: u64) {
        let root = &mut lock(&self.known).root;
        root.last = root.last.max(segment);
    }

    /// Bytes of a segment, as far as they were read.
    pub(crate) fn size(&self, segment: u64) -> u64 {
        let known = lock(&self.known);
        if known.size.0 == segment {
            known.size.1
        } else {
            0
        }
    }

    /// Notes bytes that were read of a segment.
    pub(crate) fn grown(&self, segment: u64, bytes: usize) {
        let size = &mut lock(&self.known).size;
        if size.0 != segment {
            *size = (segment, 0);
        }
        size.1 = size
            .1
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// How segments are to be kept: as they are.
    #[expect(clippy::unused_self, reason = "what a segment is belongs here")]
    pub(crate) fn limits(&self) -> FieldTable {
        // The server keeps a stream in files of this size: a segment is to be removed whole anyway.
        let size = AMQPValue::LongLongInt(100 << 20);
        arguments([("x-stream-max-segment-size-bytes", size)])
    }

    /// Keeps an entry at hand, in the place of the oldest ones.
    pub(crate) fn remember(&self, entry: Entry) {
        let mut recent = lock(&self.recent);
        recent.bytes += entry.message.bytes() + ENTRY_BYTES;
        if let Some(same) = recent.entries.insert(entry.position, entry) {
            recent.bytes -= same.message.bytes() + ENTRY_BYTES;
        }
        while recent.bytes > RECENT_BYTES_MAX
            && let Some((_, oldest)) = recent.entries.pop_first()
        {
            recent.bytes -= oldest.message.bytes() + ENTRY_BYTES;
        }
    }

    /// The entries at these positions, if all are at hand.
    pub(crate) fn recall(&self, positions: &[u64]) -> Option<Vec<Entry>> {
        let recent = lock(&self.recent);
        let entry = |position| recent.entries.get(position).cloned();
        positions.iter().map(entry).collect()
    }

    /// Waits for messages with these marks from now on.
    pub(crate) fn expect(&self, mark: u64, count: usize) {
        let mut awaited = lock(&self.awaited);
        awaited.clear();
        awaited.extend((0..count).map(|at| format!("{mark:x}-{at}")));
    }

    /// Notes that a message was read back.
    pub(crate) fn came(&self, mark: &str) {
        let mut awaited = lock(&self.awaited);
        if awaited.remove(mark) && awaited.is_empty() {
            self.came.notify_waiters();
        }
    }

    /// Waits until all that is expected has come.
    pub(crate) async fn all_came(&self) {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            // Before it is looked, so that nothing is missed between the two.
            came.as_mut().enable();
            if lock(&self.awaited).is_empty() {
                return;
            }
            came.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_ascend_over_segments() {
        assert_eq!(place(position(7, 12)), (7, 12));
        assert!(position(0, (1 << OFFSET_BITS) - 1) < position(1, 0));
        assert!(position((1 << 23) - 1, 5) < 1 << 63);
    }

    #[test]
    fn what_is_at_hand_is_bounded_and_whole() {
        let chain = Chain::default();
        let entry = |position: u64| Entry {
            position,
            message: tidegate_broker_journal::Message {
                target: tidegate_broker_journal::Target::System,
                key: None,
                time: tidegate_base::Timestamp::from_nanos(0),
                attributes: Vec::new(),
                payload: vec![0; 1 << 20].into(),
                control: None,
            },
        };
        for position in 0..100 {
            chain.remember(entry(position));
            chain.remember(entry(position));
        }
        assert_eq!(chain.recall(&[98, 99]), Some(vec![entry(98), entry(99)]));
        assert_eq!(chain.recall(&[50, 99]), None);
        assert!(lock(&chain.recent).bytes <= RECENT_BYTES_MAX);
        assert_eq!(lock(&chain.recent).entries.len(), 15);
    }

    #[test]
    fn sizes_are_of_the_segment_that_is_read() {
        let chain = Chain::default();
        chain.grown(0, 5);
        chain.grown(0, 5);
        assert_eq!((chain.size(0), chain.size(1)), (10, 0));
        chain.grown(1, 3);
        assert_eq!(chain.size(1), 3);
    }
}
