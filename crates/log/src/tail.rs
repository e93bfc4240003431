//! The end of the last segment: the only place where the log is written.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::mutant::{self, Mutant};
use crate::segment::Segment;

/// The segment that is written, and how far.
#[derive(Debug)]
pub(crate) struct Tail {
    /// The segment.
    pub(crate) segment: Arc<Segment>,
    file: Arc<dyn DiskFile>,
    /// Bytes that are written: frames end here.
    end: u64,
    /// Bytes that are on the disk.
    synced: u64,
    /// Bytes that the file has; after `end` they are zeros.
    allocated: u64,
}

/// Why a write did not happen.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// There is no room; the file is as it was before.
    NoRoom(io::Error),
    /// What the file holds after its last sync is not known any more.
    Broken(io::Error),
}

impl Tail {
    /// The tail of a segment that has `end` bytes, all on the disk.
    pub(crate) fn new(segment: Arc<Segment>, file: Arc<dyn DiskFile>, end: u64) -> Self {
        Self {
            segment,
            file,
            end,
            synced: end,
            allocated: end,
        }
    }

    /// Bytes that are written.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that are on the disk.
    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    /// Writes `frames` at the end, in one call. Not durable until [`Tail::sync`].
    ///
    /// When the file must grow, `zeros` are written behind the frames: the next syncs then find the
    /// file's length unchanged, which halves their cost.
    pub(crate) fn write(&mut self, frames: &[u8], zeros: &[u8]) -> Result<(), WriteError> {
        let end = self.end + frames.len() as u64;
        match self.file.write_at(frames, self.end) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                return Err(self.take_back(error));
            }
            Err(error) => return Err(WriteError::Broken(error)),
        }
        self.end = end;
        if end > self.allocated {
            self.allocated = end;
            // Without room for them it goes on without; whatever else is wrong, the next write meets it.
            if frames.len() < zeros.len() && self.file.write_at(zeros, end).is_ok() {
                self.allocated += zeros.len() as u64;
            }
        }
        Ok(())
    }

    /// Removes what a write that ran out of room has left, so that no refused frame comes back.
    fn take_back(&mut self, cause: io::Error) -> WriteError {
        if mutant::is(Mutant::RefusedNotCut) {
            return WriteError::NoRoom(cause);
        }
        match self.trim() {
            Ok(()) => WriteError::NoRoom(cause),
            Err(error) => WriteError::Broken(error),
        }
    }

    /// Makes all that is written durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if self.synced < self.end {
            let mut synced = self.file.sync();
            if synced.is_err() && mutant::is(Mutant::SyncRetried) {
                synced = self.file.sync();
            }
            synced?;
            self.synced = self.end;
        }
        Ok(())
    }

    /// Removes the zeros and makes all that is written durable.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        self.file.cut(self.end)?;
        self.allocated = self.end;
        self.file.sync()?;
        self.synced = self.end;
        Ok(())
    }
}
