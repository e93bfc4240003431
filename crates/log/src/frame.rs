//! The bytes of a frame: one batch, there whole or not at all.
//!
//! ```text
//! frame    checksum u32 | length u32 | synced u32 | records u32 | record …
//!          checksum  CRC-32C, started from the segment's salt, of the length, `synced` and `records`
//!          length    bytes after it
//!          synced    bytes of this segment that were certainly on the disk before this frame was written
//!          records   how many there are: never 0
//! ```
//!
//! The records have checksums of their own, so no byte is summed twice, and one record of a large
//! batch can be read alone. `synced` tells a torn tail from damage: see [`crate::recovery`].

use bytes::{Buf, BufMut};
use tidegate_base::limit::BATCH_BYTES_MAX;

use crate::mutant::{self, Mutant};
use crate::record::{
    self, Entry, PREFIX_BYTES, RECORD_SIZE_MIN, RecordEncoder, Wrong, append_bytes, checksum,
    length_u32, named_bytes, prefix, state_bytes,
};
use crate::{Append, Batch, StateChange};

/// Bytes of a frame before its first record.
pub(crate) const FRAME_HEAD_BYTES: usize = PREFIX_BYTES + 4 + 4;
/// Largest frame, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = BATCH_BYTES_MAX;
/// Largest frame that is read, in bytes: one of the first format version grows when it is upgraded.
const FRAME_BYTES_READ_MAX: usize = FRAME_BYTES_MAX + (1 << 20);
/// Smallest frame, in bytes.
pub(crate) const FRAME_BYTES_MIN: usize = FRAME_HEAD_BYTES + RECORD_SIZE_MIN;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHead {
    /// Its whole size, in bytes.
    pub(crate) size: usize,
    /// Bytes of its segment that were on the disk before it was written.
    pub(crate) synced: u32,
    /// Its records.
    pub(crate) records: u32,
}

/// Bytes of the frame of `batch`; 0 when the batch does nothing.
pub(crate) fn frame_bytes(batch: &Batch) -> usize {
    let appends: usize = batch.appends.iter().map(append_bytes).sum();
    let cursor = |(name, _): &(tidegate_base::Name, u64)| named_bytes(name.as_str());
    let cursors: usize = batch.cursors.iter().map(cursor).sum();
    match appends + state_bytes(&batch.state) + cursors {
        0 => 0,
        records => FRAME_HEAD_BYTES + records,
    }
}

/// Writes one frame after what `out` holds.
pub(crate) struct FrameEncoder<'a> {
    record: RecordEncoder<'a>,
    start: usize,
    synced: u32,
    records: u32,
    position: u64,
}

impl<'a> FrameEncoder<'a> {
    /// Starts a frame at the end of `out` whose first record is at `position`.
    pub(crate) fn start(out: &'a mut Vec<u8>, salt: u32, synced: u32, position: u64) -> Self {
        let start = out.len();
        out.put_bytes(0, FRAME_HEAD_BYTES);
        Self {
            record: RecordEncoder { out, salt },
            start,
            synced,
            records: 0,
            position,
        }
    }

    /// Adds a record of a channel. Returns where it starts in the buffer.
    pub(crate) fn append(&mut self, append: &Append, sequence: u64) -> usize {
        self.add(|record, position| record.append(append, position, sequence))
    }

    /// Adds a record of a channel of the first format version.
    pub(crate) fn first_version(&mut self, place: (&str, u64, u64), body: &[u8]) {
        self.add(|record, position| record.first_version(place, body, position));
    }

    /// Adds a change of the state. Returns where it starts in the buffer.
    pub(crate) fn state(&mut self, change: &StateChange, sequence: u64) -> usize {
        self.add(|record, position| record.state(change, position, sequence))
    }

    /// Adds a cursor's value.
    pub(crate) fn cursor(&mut self, name: &str, value: u64) {
        self.add(|record, position| record.cursor(name, value, position));
    }

    /// Adds a trim.
    pub(crate) fn trim(&mut self, name: &str, first: u64) {
        self.add(|record, position| record.trim(name, first, position));
    }

    /// Adds a record as it stands elsewhere, its position included. Returns where it starts.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> usize {
        self.add(|record, _| record.copy(bytes))
    }

    /// Where it ends in the buffer so far.
    pub(crate) fn end(&self) -> usize {
        self.record.out.len()
    }

    /// Bytes so far.
    pub(crate) fn size(&self) -> usize {
        self.record.out.len() - self.start
    }

    fn add(&mut self, write: impl FnOnce(&mut RecordEncoder<'_>, u64)) -> usize {
        if mutant::is(Mutant::BatchSplit) && self.records > 0 {
            self.seal();
            self.start = self.record.out.len();
            self.record.out.put_bytes(0, FRAME_HEAD_BYTES);
            self.records = 0;
        }
        let at = self.record.out.len();
        write(&mut self.record, self.position);
        self.position += 1;
        self.records += 1;
        at
    }

    /// Fills in the head. Returns the position after the last record.
    pub(crate) fn finish(mut self) -> u64 {
        self.seal();
        self.position
    }

    fn seal(&mut self) {
        let length = length_u32(self.size() - PREFIX_BYTES);
        let head = head(self.record.salt, length, self.synced, self.records);
        if let Some(mut bytes) = self.record.out.get_mut(self.start..) {
            bytes.put_slice(&head);
        }
    }
}

fn head(salt: u32, length: u32, synced: u32, records: u32) -> [u8; FRAME_HEAD_BYTES] {
    let mut summed = [0; FRAME_HEAD_BYTES - 4];
    let mut rest = summed.as_mut_slice();
    rest.put_u32_le(length);
    rest.put_u32_le(synced);
    rest.put_u32_le(records);
    let mut head = [0; FRAME_HEAD_BYTES];
    let mut rest = head.as_mut_slice();
    rest.put_u32_le(checksum(salt, &summed));
    rest.put_slice(&summed);
    head
}

/// Says in the frame at the start of `bytes` that `synced` bytes were on the disk before it.
pub(crate) fn set_synced(bytes: &mut [u8], salt: u32, synced: u32) {
    let Some(head_bytes) = bytes.first_chunk_mut::<FRAME_HEAD_BYTES>() else {
        return;
    };
    let mut fields = head_bytes.as_slice();
    fields.advance(4);
    let (length, _, records) = (
        fields.get_u32_le(),
        fields.get_u32_le(),
        fields.get_u32_le(),
    );
    *head_bytes = head(salt, length, synced, records);
}

/// The head of the frame at the start of `bytes`, verified.
pub(crate) fn decode_head(bytes: &[u8], salt: u32) -> Result<FrameHead, Wrong> {
    let (length, stored) = prefix(bytes).ok_or(Wrong::Length(bytes.len() as u64))?;
    if length == 0 && mutant::is(Mutant::ChecksumWithoutLength) && stored == 0 {
        let (size, synced, records) = (PREFIX_BYTES, 0, 0);
        return Ok(FrameHead {
            size,
            synced,
            records,
        });
    }
    let size = PREFIX_BYTES.saturating_add(length);
    if !(FRAME_BYTES_MIN..=FRAME_BYTES_READ_MAX).contains(&size) {
        return Err(Wrong::Length(length as u64));
    }
    let short = || Wrong::Length(bytes.len() as u64);
    let head = bytes.get(..FRAME_HEAD_BYTES).ok_or_else(short)?;
    record::verify(head, salt)?;
    let mut fields = head.get(PREFIX_BYTES..).unwrap_or_default();
    let (synced, records) = (fields.get_u32_le(), fields.get_u32_le());
    if records == 0 {
        return Err(Wrong::Content("record count"));
    }
    Ok(FrameHead {
        size,
        synced,
        records,
    })
}

/// A record with its offset in the frame and its own bytes.
pub(crate) type Placed<'a> = (usize, &'a [u8], Entry<'a>);

/// The records of a frame whose head was verified, one after the other, each with its offset in the
/// frame. Ends at the first one that is wrong.
pub(crate) struct Records<'a> {
    bytes: &'a [u8],
    salt: u32,
    offset: usize,
    left: u32,
}

impl<'a> Records<'a> {
    /// The records in `bytes`, which hold the whole frame of `head` and no more.
    pub(crate) fn new(bytes: &'a [u8], salt: u32, head: FrameHead) -> Self {
        Self {
            bytes,
            salt,
            offset: FRAME_HEAD_BYTES.min(head.size),
            left: head.records,
        }
    }

    /// Fails unless what was read is all that there is.
    fn end(&self) -> Result<(), Wrong> {
        match self.offset == self.bytes.len() {
            true => Ok(()),
            false => Err(Wrong::Content("record count")),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Placed<'a>, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let start = self.offset;
        let bytes = self.bytes.get(start..).unwrap_or_default();
        match record::decode(bytes, self.salt) {
            Ok((entry, size)) => {
                self.offset += size;
                let whole = self.left > 0 || self.end().is_ok();
                let record = bytes.get(..size).unwrap_or_default();
                Some(match whole {
                    true => Ok((start, record, entry)),
                    false => Err(Wrong::Content("record count")),
                })
            }
            Err(wrong) => {
                self.left = 0;
                Some(Err(wrong))
            }
        }
    }
}

/// The records of the whole frame at the start of `bytes`; an error when any of it is wrong.
pub(crate) fn decode(bytes: &[u8], salt: u32) -> Result<(FrameHead, Vec<Placed<'_>>), Wrong> {
    let head = decode_head(bytes, salt)?;
    let whole = bytes
        .get(..head.size)
        .ok_or(Wrong::Length(head.size as u64))?;
    let records: Result<_, _> = Records::new(whole, salt, head).collect();
    Ok((head, records?))
}
