//! A piece of a file held in memory, moved along as it is read.

use std::io;

use crate::disk::DiskFile;

/// A piece of one file.
#[derive(Debug, Default)]
pub(crate) struct Window {
    start: u64,
    bytes: Vec<u8>,
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
    ) -> io::Result<&[u8]> {
        let held = self
            .range(offset, count)
            .filter(|range| range.end <= self.bytes.len());
        let range = match held {
            Some(range) => range,
            None => {
                self.bytes = vec![0; count.max(ahead)];
                self.start = offset;
                let read = file
                    .read_at(&mut self.bytes, offset)
                    .inspect_err(|_| self.bytes.clear());
                self.bytes.truncate(read?);
                0..count.min(self.bytes.len())
            }
        };
        Ok(self.bytes.get(range).unwrap_or_default())
    }

    fn range(&self, offset: u64, count: usize) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        Some(start..start.checked_add(count)?)
    }
}
