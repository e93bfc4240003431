//! Which records of a channel have a newer one of the same key.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use tidegate_base::Name;
use tidegate_base::limit::COMPACTION_KEYS_MAX;

use crate::read;
use crate::shared::Shared;
use crate::{ReadError, ReadLimit};

/// Most bytes of one read.
const READ_BYTES: usize = 1 << 20;

/// The latest sequence of each key, from the newest segment back.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    /// By 128 bits of a hash: two keys that share them would be taken for one.
    latest: HashMap<u128, u64>,
    /// Bytes of superseded records by the position of their segment.
    dead_bytes: BTreeMap<u64, u64>,
}

impl Superseded {
    /// Whether a key has a record after `sequence`.
    pub(crate) fn has_newer(&self, key: &str, sequence: u64) -> bool {
        let latest = self.latest.get(&hash(key));
        latest.is_some_and(|latest| *latest > sequence)
    }

    /// Bytes of the superseded records of a segment.
    pub(crate) fn dead_bytes(&self, segment: u64) -> u64 {
        self.dead_bytes.get(&segment).copied().unwrap_or_default()
    }

    /// Adds the records of one segment; those after them have been added before.
    pub(crate) fn add(
        &mut self,
        shared: &Shared,
        channel: &Name,
        segment: u64,
        range: Range<u64>,
        is_needed: impl Fn(u64) -> bool,
    ) -> Result<(), ReadError> {
        let mut within: HashMap<u128, (u64, u64)> = HashMap::new();
        let mut dead = 0;
        let mut from = range.start;
        while from < range.end {
            let limit = ReadLimit {
                records: usize::MAX,
                bytes: READ_BYTES,
            };
            let records = match read::records(shared, channel, from, limit) {
                // Its key is not known: all others of that key stay.
                Err(ReadError::Damaged { sequence, .. }) => {
                    from = sequence + 1;
                    continue;
                }
                Err(ReadError::Lost { next, .. }) => {
                    from = next;
                    continue;
                }
                records => records?,
            };
            let Some(last) = records.last() else {
                break;
            };
            from = last.sequence + 1;
            for record in records.iter().filter(|r| r.sequence < range.end) {
                let Some(key) = record.key().map(hash) else {
                    continue;
                };
                let bytes = match is_needed(record.sequence) {
                    true => 0,
                    false => record.bytes() as u64,
                };
                if self.latest.contains_key(&key) {
                    dead += bytes;
                } else if within.contains_key(&key)
                    || self.latest.len() + within.len() < COMPACTION_KEYS_MAX
                {
                    let before = within.insert(key, (record.sequence, bytes));
                    dead += before.map_or(0, |(_, bytes)| bytes);
                }
            }
        }
        let latest = within
            .into_iter()
            .map(|(key, (sequence, _))| (key, sequence));
        self.latest.extend(latest);
        self.dead_bytes.insert(segment, dead);
        Ok(())
    }
}

fn hash(key: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, key).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
