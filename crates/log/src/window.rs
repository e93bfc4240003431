//! A piece of a file held in memory, moved along as it is read.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use crate::disk::DiskFile;

/// A piece of one file. What is taken from it is a view, not a copy.
#[derive(Debug, Default)]
pub(crate) struct Window {
    start: u64,
    bytes: Bytes,
}

impl Window {
    /// `count` bytes of `file` from `offset` on, fewer only at its end. When they are not in memory,
    /// reads at least `ahead` bytes from `offset` on.
    pub(crate) fn bytes(
        &mut self,
        file: &dyn DiskFile,
        offset: u64,
        count: usize,
        ahead: usize,
    ) -> io::Result<Bytes> {
        let held = self
            .range(offset, count)
            .filter(|range| range.end <= self.bytes.len());
        if let Some(range) = held {
            return Ok(self.bytes.slice(range));
        }
        // Let go first: a buffer that nobody else looks at is free before the next one is filled.
        self.bytes = Bytes::new();
        let mut bytes = vec![0; count.max(ahead)];
        let read = file.read_at(&mut bytes, offset)?;
        bytes.truncate(read);
        self.bytes = Bytes::from(bytes);
        self.start = offset;
        Ok(self.bytes.slice(..count.min(self.bytes.len())))
    }

    fn range(&self, offset: u64, count: usize) -> Option<Range<usize>> {
        let start = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        Some(start..start.checked_add(count)?)
    }
}
