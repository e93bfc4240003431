//! The bytes of frames and records. A frame holds one batch; a record can be checked by itself.
//!
//! All numbers are little-endian.
//!
//! ```text
//! frame    length u32 | checksum u32 | position u64 | synced u64 | records u32 | record …
//!          length    bytes after the checksum
//!          checksum  CRC-32C, started from the segment's salt, of the length and of everything
//!                    after the checksum
//!          position  of the first record, in the whole log
//!          synced    bytes of this segment that were on the disk before this frame was written
//! record   length u32 | checksum u32 | kind u8 | content
//!          length, checksum  as in the frame
//! content  kind 1, of a channel:     sequence u64 | time u64 | name length u8 | name | body
//!          kind 2, state, append:    (length u32 | bytes) …
//!          kind 3, state, replace:   (length u32 | bytes) …
//! ```
//!
//! The checksum covers the length because the CRC-32C of nothing is 0: without it, a tail of zeros
//! reads as endless empty records. (A frame is also never shorter than its head.) The salt is random,
//! so that no payload can hold the bytes of a frame. `synced` tells a torn tail from damage: see
//! [`crate::recovery`].

use bytes::{Buf, BufMut, Bytes};
use tidegate_base::Timestamp;
use tidegate_base::limit::BATCH_BYTES_MAX;

use crate::{Append, Batch, StateChange};

/// Bytes of a length and a checksum.
pub(crate) const PREFIX_BYTES: usize = 8;
/// Bytes of a frame before its first record.
pub(crate) const FRAME_HEAD_BYTES: usize = PREFIX_BYTES + 8 + 8 + 4;
/// Bytes of a channel's record without name and body.
const RECORD_HEAD_BYTES: usize = PREFIX_BYTES + 1 + 8 + 8 + 1;
/// Largest frame, in bytes.
pub(crate) const FRAME_BYTES_MAX: usize = BATCH_BYTES_MAX;

const CHANNEL: u8 = 1;
const STATE_APPEND: u8 = 2;
const STATE_REPLACE: u8 = 3;

/// What a frame says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHead {
    /// Position of its first record.
    pub(crate) position: u64,
    /// Bytes of its segment that were durable before it was written.
    pub(crate) synced: u64,
}

/// What a record is, in the bytes that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// A record of a channel.
    Channel {
        /// The channel.
        name: &'a str,
        /// Its place in the channel.
        sequence: u64,
        /// When it was accepted.
        time: Timestamp,
        /// The content.
        body: &'a [u8],
    },
    /// Adds to the state: see [`decode_state`].
    StateAppend(&'a [u8]),
    /// Takes the place of the state: see [`decode_state`].
    StateReplace(&'a [u8]),
}

/// Bytes of the frame of `batch`.
pub(crate) fn frame_bytes(batch: &Batch) -> usize {
    let record =
        |append: &Append| RECORD_HEAD_BYTES + append.channel.as_str().len() + append.body.len();
    let appends: usize = batch.appends.iter().map(record).sum();
    let state: usize = batch
        .state
        .records()
        .iter()
        .map(|record| 4 + record.len())
        .sum();
    let state_head = if batch.state.is_none() {
        0
    } else {
        PREFIX_BYTES + 1
    };
    FRAME_HEAD_BYTES + appends + state_head + state
}

/// Writes one frame after what `out` holds.
pub(crate) struct FrameEncoder<'a> {
    out: &'a mut Vec<u8>,
    salt: u32,
    start: usize,
    records: u32,
}

impl<'a> FrameEncoder<'a> {
    /// Starts a frame at the end of `out`.
    pub(crate) fn start(out: &'a mut Vec<u8>, salt: u32, head: FrameHead) -> Self {
        let start = out.len();
        out.put_u64_le(0);
        out.put_u64_le(head.position);
        out.put_u64_le(head.synced);
        out.put_u32_le(0);
        Self {
            out,
            salt,
            start,
            records: 0,
        }
    }

    /// Adds a record of a channel. Returns where it starts in the buffer.
    pub(crate) fn append(&mut self, append: &Append, sequence: u64) -> usize {
        self.record(|out| {
            out.put_u8(CHANNEL);
            out.put_u64_le(sequence);
            out.put_u64_le(append.time.nanos());
            let name = append.channel.as_str().as_bytes();
            out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
            out.put_slice(name);
            out.put_slice(&append.body);
        })
    }

    /// Adds a change of the state. Returns where it starts in the buffer.
    pub(crate) fn state(&mut self, change: &StateChange) -> usize {
        self.record(|out| {
            out.put_u8(match change {
                StateChange::Append(_) => STATE_APPEND,
                StateChange::Replace(_) => STATE_REPLACE,
            });
            for record in change.records() {
                out.put_u32_le(length_u32(record.len()));
                out.put_slice(record);
            }
        })
    }

    fn record(&mut self, content: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.out.len();
        self.out.put_u64_le(0);
        content(self.out);
        seal(self.out, start, self.salt);
        self.records += 1;
        start
    }

    /// Fills in the count, the length and the checksum.
    pub(crate) fn finish(self) {
        let count = self.start + FRAME_HEAD_BYTES - 4;
        if let Some(mut field) = self.out.get_mut(count..) {
            field.put_u32_le(self.records);
        }
        seal(self.out, self.start, self.salt);
    }
}

/// Fills in the length and the checksum of what starts at `start` and ends with `out`.
fn seal(out: &mut [u8], start: usize, salt: u32) {
    let length = length_u32(out.len() - start - PREFIX_BYTES).to_le_bytes();
    let body = out.get(start + PREFIX_BYTES..).unwrap_or_default();
    let checksum = checksum(salt, length, body);
    if let Some(mut prefix) = out.get_mut(start..) {
        prefix.put_slice(&length);
        prefix.put_u32_le(checksum);
    }
}

fn checksum(salt: u32, length: [u8; 4], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(salt, &length), body)
}

/// Frames are at most [`FRAME_BYTES_MAX`], checked before they are queued.
fn length_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Why bytes are not a frame or a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    /// It ends too early, or its length is not one that is written.
    #[error("its length is {0}")]
    Length(u64),
    /// The checksum differs.
    #[error("checksum {computed:#010x}, stored {stored:#010x}")]
    Checksum {
        /// Of the bytes.
        computed: u32,
        /// In the bytes.
        stored: u32,
    },
    /// The checksum is right, but the content is not what is written.
    #[error("its {0} is not one that is written")]
    Content(&'static str),
    /// It belongs elsewhere.
    #[error("{what} {found}, expected {expected}")]
    Place {
        /// Position or sequence.
        what: &'static str,
        /// In the bytes.
        found: u64,
        /// In the index.
        expected: u64,
    },
}

/// The length and the checksum at the start of `bytes`; `None` when it is shorter.
pub(crate) fn prefix(mut bytes: &[u8]) -> Option<(usize, u32)> {
    let length = bytes.try_get_u32_le().ok()?;
    let checksum = bytes.try_get_u32_le().ok()?;
    Some((usize::try_from(length).ok()?, checksum))
}

/// What stands after the prefix, once length and checksum are verified.
fn verified(bytes: &[u8], salt: u32) -> Result<&[u8], Wrong> {
    let (length, stored) = prefix(bytes).ok_or(Wrong::Length(bytes.len() as u64))?;
    let body = bytes.get(PREFIX_BYTES..PREFIX_BYTES.saturating_add(length));
    let body = body.ok_or(Wrong::Length(length as u64))?;
    let computed = checksum(salt, length_u32(length).to_le_bytes(), body);
    if computed == stored {
        Ok(body)
    } else {
        Err(Wrong::Checksum { computed, stored })
    }
}

/// The head of the frame at the start of `bytes`, not verified; `None` when it is shorter.
pub(crate) fn frame_head(bytes: &[u8]) -> Option<FrameHead> {
    let mut fields = bytes.get(PREFIX_BYTES..FRAME_HEAD_BYTES)?;
    Some(FrameHead {
        position: fields.get_u64_le(),
        synced: fields.get_u64_le(),
    })
}

/// The records of the frame at the start of `bytes`, each with its offset in the frame.
pub(crate) fn decode_frame(
    bytes: &[u8],
    salt: u32,
) -> Result<(FrameHead, Vec<(usize, Content<'_>)>), Wrong> {
    let body = verified(bytes, salt)?;
    let head = frame_head(bytes).ok_or(Wrong::Content("head"))?;
    let mut body = body
        .get(FRAME_HEAD_BYTES - PREFIX_BYTES - 4..)
        .ok_or(Wrong::Content("head"))?;
    let count = body.try_get_u32_le().map_err(|_| Wrong::Content("head"))?;
    let mut offset = FRAME_HEAD_BYTES;
    let mut records = Vec::new();
    for _ in 0..count {
        let (content, bytes) = decode_record(body, salt)?;
        records.push((offset, content));
        offset += bytes;
        body.advance(bytes);
    }
    if body.has_remaining() {
        Err(Wrong::Content("record count"))
    } else {
        Ok((head, records))
    }
}

/// The record at the start of `bytes`, and its size.
pub(crate) fn decode_record(bytes: &[u8], salt: u32) -> Result<(Content<'_>, usize), Wrong> {
    let body = verified(bytes, salt)?;
    let size = PREFIX_BYTES + body.len();
    let (kind, content) = body.split_first().ok_or(Wrong::Content("kind"))?;
    let content = match *kind {
        CHANNEL => decode_channel(content)?,
        STATE_APPEND => Content::StateAppend(content),
        STATE_REPLACE => Content::StateReplace(content),
        _ => return Err(Wrong::Content("kind")),
    };
    Ok((content, size))
}

fn decode_channel(mut content: &[u8]) -> Result<Content<'_>, Wrong> {
    let short = |_| Wrong::Content("record");
    let sequence = content.try_get_u64_le().map_err(short)?;
    let time = Timestamp::from_nanos(content.try_get_u64_le().map_err(short)?);
    let name = usize::from(content.try_get_u8().map_err(short)?);
    let (name, body) = content
        .split_at_checked(name)
        .ok_or(Wrong::Content("channel name"))?;
    let name = std::str::from_utf8(name).map_err(|_| Wrong::Content("channel name"))?;
    Ok(Content::Channel {
        name,
        sequence,
        time,
        body,
    })
}

/// The records of a change of the state.
pub(crate) fn decode_state(mut content: &[u8]) -> Result<Vec<Bytes>, Wrong> {
    let mut records = Vec::new();
    while content.has_remaining() {
        let length = content
            .try_get_u32_le()
            .map_err(|_| Wrong::Content("state"))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (record, rest) = content
            .split_at_checked(length)
            .ok_or(Wrong::Content("state"))?;
        records.push(Bytes::copy_from_slice(record));
        content = rest;
    }
    Ok(records)
}
