//! The index of a closed segment on the disk. It can be made again from its segment at any time, so it
//! is written without a sync, and believed only where its checksums hold.
//!
//! ```text
//! 00000000000000000042.idx
//!
//! index      head | block … | directory
//! head       magic 8 bytes | version u32 | salt u32 | position u64 | generation u32 | end u64 | frames u32
//!            | segment bytes u64 | directory at u64 | directory length u32 | directory checksum u32
//!            | checksum u32
//! block      1,023 × byte u32 | checksum u32                       of a channel without gaps
//!            341 × (sequence u64 | byte u32) | checksum u32        of one with gaps
//!            the last block of a channel is shorter
//! directory  channels u32 | channel …
//! channel    name length u8 (0: the state) | name | start u64 | next u64 | count u32 | gaps u8
//!            | bytes u64 | blocks at u64 | latest time up to the end of each block u64 …
//! ```
//!
//! The directory has every channel that has ever had a record, so the segment of a sequence is found by
//! a binary search over directories.

use std::io;

use bytes::{Buf, BufMut};
use tidegate_base::Name;

use crate::disk::{Disk, DiskFile};
use crate::mutant::{self, Mutant};
use crate::places::{ChannelPlaces, DENSE_BLOCK, Place, Places, SPARSE_BLOCK};
use crate::record::{self, length_u32};
use crate::registry::Registry;
use crate::segment::{Header, NEW_SUFFIX, Segment, SegmentId};

const MAGIC: &[u8; 8] = b"tideidx\n";
const VERSION: u32 = 1;
/// Bytes of the head.
const HEAD_BYTES: usize = 72;
/// Bytes of a full block.
const BLOCK_BYTES: u64 = 4_096;
/// Largest directory that is read, in bytes.
const DIRECTORY_BYTES_MAX: u32 = 256 << 20;

/// What the head of an index says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The header of its segment.
    pub(crate) header: Header,
    /// Bytes of its segment.
    pub(crate) segment_bytes: u64,
    directory_at: u64,
    directory_length: u32,
    directory_checksum: u32,
}

/// One channel in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The first sequence that may be in the segment.
    pub(crate) start: u64,
    /// The first sequence behind them.
    pub(crate) next: u64,
    /// Records in the segment.
    pub(crate) count: u32,
    /// Bytes of these records.
    pub(crate) bytes: u64,
    sparse: bool,
    at: u64,
    times: Box<[u64]>,
}

/// Why an index cannot be used.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is not one that is written, or not of this segment.
    Wrong,
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the index of `segment`, of which no other index is written meanwhile, and which has `segment_bytes` bytes and the records at `places`.
pub(crate) fn write(
    disk: &dyn Disk,
    segment: &Segment,
    segment_bytes: u64,
    places: &Places,
    registry: &Registry,
) -> io::Result<()> {
    let mut out = vec![0; HEAD_BYTES];
    let mut directory = Vec::new();
    let listed: Vec<_> = places.channels().filter(|(_, c)| c.next > 0).collect();
    directory.put_u32_le(length_u32(listed.len()));
    for (number, channel) in listed {
        let at = out.len() as u64;
        put_blocks(&mut out, channel);
        let name = registry.name(number).map_or("", Name::as_str);
        put_listed(&mut directory, name, channel, at);
    }
    let head = Head {
        header: Header {
            id: segment.id,
            end: segment.end,
            salt: segment.salt,
            frames_at: segment.frames_at,
        },
        segment_bytes,
        directory_at: out.len() as u64,
        directory_length: length_u32(directory.len()),
        directory_checksum: crc32c::crc32c(&directory),
    };
    let head = encode_head(&head);
    if let Some(start) = out.get_mut(..head.len()) {
        start.copy_from_slice(&head);
    }
    out.put_slice(&directory);
    // Under another name first: who reads an index meets a whole one, or none.
    let name = segment.id.index_name();
    let new = format!("{name}{NEW_SUFFIX}");
    let written = disk.create(&new)?.write_at(&out, 0);
    if written.is_err() {
        // Whatever it holds takes room that may be short.
        drop(disk.remove(&new));
    }
    written?;
    disk.rename(&new, &name)
}

fn put_listed(out: &mut Vec<u8>, name: &str, channel: &ChannelPlaces, at: u64) {
    out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.put_slice(name.as_bytes());
    out.put_u64_le(channel.start);
    out.put_u64_le(channel.next);
    out.put_u32_le(length_u32(channel.count()));
    out.put_u8(channel.is_sparse().into());
    out.put_u64_le(channel.bytes);
    out.put_u64_le(at);
    for time in channel.times() {
        out.put_u64_le(time);
    }
}

fn put_blocks(out: &mut Vec<u8>, channel: &ChannelPlaces) {
    let mut places = channel.from(channel.start);
    for _ in 0..channel.count().div_ceil(channel.block()) {
        let start = out.len();
        for place in places.by_ref().take(channel.block()) {
            if channel.is_sparse() {
                out.put_u64_le(place.sequence);
            }
            out.put_u32_le(place.byte);
        }
        let checksum = crc32c::crc32c(out.get(start..).unwrap_or_default());
        out.put_u32_le(checksum);
    }
}

fn encode_head(head: &Head) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(head.header.salt);
    bytes.put_u64_le(head.header.id.position);
    bytes.put_u32_le(head.header.id.generation);
    bytes.put_u64_le(head.header.end);
    bytes.put_u32_le(head.header.frames_at);
    bytes.put_u64_le(head.segment_bytes);
    bytes.put_u64_le(head.directory_at);
    bytes.put_u32_le(head.directory_length);
    bytes.put_u32_le(head.directory_checksum);
    let checksum = crc32c::crc32c(&bytes);
    bytes.put_u32_le(checksum);
    bytes
}

/// Reads the head of an index.
pub(crate) fn read_head(file: &dyn DiskFile) -> Result<Head, Failure> {
    let mut bytes = [0; HEAD_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    let rest = bytes.get(..read).and_then(|b| b.strip_prefix(MAGIC));
    let mut rest = rest
        .filter(|r| r.len() >= HEAD_BYTES - 12)
        .ok_or(Failure::Wrong)?;
    if rest.get_u32_le() != VERSION {
        return Err(Failure::Wrong);
    }
    let salt = rest.get_u32_le();
    let position = rest.get_u64_le();
    let generation = rest.get_u32_le();
    let end = rest.get_u64_le();
    let frames_at = rest.get_u32_le();
    let head = Head {
        header: Header {
            id: SegmentId {
                position,
                generation,
            },
            end,
            salt,
            frames_at,
        },
        segment_bytes: rest.get_u64_le(),
        directory_at: rest.get_u64_le(),
        directory_length: rest.get_u32_le(),
        directory_checksum: rest.get_u32_le(),
    };
    match bytes.starts_with(&encode_head(&head)) {
        true => Ok(head),
        false => Err(Failure::Wrong),
    }
}

/// Reads the directory of an index: every channel with its name; no name is the state.
pub(crate) fn read_directory(
    file: &dyn DiskFile,
    head: &Head,
) -> Result<Vec<(Option<Name>, Listed)>, Failure> {
    if head.directory_length > DIRECTORY_BYTES_MAX {
        return Err(Failure::Wrong);
    }
    let mut bytes = vec![0; head.directory_length as usize];
    let read = file.read_at(&mut bytes, head.directory_at)?;
    if read < bytes.len() || differs(crc32c::crc32c(&bytes), head.directory_checksum) {
        return Err(Failure::Wrong);
    }
    let directory = parse_directory(&bytes).ok_or(Failure::Wrong)?;
    // What no segment can hold was never written; sums of what one can do not overflow.
    let can_be =
        |listed: &Listed| listed.bytes <= head.segment_bytes && listed.start <= listed.next;
    match directory.iter().all(|(_, listed)| can_be(listed)) {
        true => Ok(directory),
        false => Err(Failure::Wrong),
    }
}

fn differs(computed: u32, stored: u32) -> bool {
    computed != stored && !mutant::is(Mutant::NoChecksum)
}

fn parse_directory(mut rest: &[u8]) -> Option<Vec<(Option<Name>, Listed)>> {
    let count = rest.try_get_u32_le().ok()?;
    let mut directory = Vec::new();
    for _ in 0..count {
        let (name, after) = record::name(rest).ok()?;
        rest = after;
        let name = match name {
            "" => None,
            name => Some(Name::new(name).ok()?),
        };
        let start = rest.try_get_u64_le().ok()?;
        let next = rest.try_get_u64_le().ok()?;
        let count = rest.try_get_u32_le().ok()?;
        let sparse = rest.try_get_u8().ok()? != 0;
        let bytes = rest.try_get_u64_le().ok()?;
        let at = rest.try_get_u64_le().ok()?;
        let block = if sparse { SPARSE_BLOCK } else { DENSE_BLOCK };
        let blocks = (count as usize).div_ceil(block);
        if rest.remaining() / 8 < blocks {
            return None;
        }
        let times = (0..blocks).map(|_| rest.get_u64_le()).collect();
        let listed = Listed {
            start,
            next,
            count,
            bytes,
            sparse,
            at,
            times,
        };
        directory.push((name, listed));
    }
    (!rest.has_remaining()).then_some(directory)
}

impl Listed {
    fn block_places(&self) -> usize {
        match self.sparse {
            true => SPARSE_BLOCK,
            false => DENSE_BLOCK,
        }
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        64 + 8 * self.times.len()
    }

    /// The rest of the block that has the first record from sequence `from` on, and no more than one
    /// block; none when there is no such record.
    pub(crate) fn places(&self, file: &dyn DiskFile, from: u64) -> Result<Vec<Place>, Failure> {
        let blocks = self.times.len();
        let from = from.max(self.start);
        if !self.sparse {
            let at = usize::try_from(from - self.start).unwrap_or(usize::MAX);
            let block = at / DENSE_BLOCK;
            if block >= blocks {
                return Ok(Vec::new());
            }
            let mut places = self.read_block(file, block)?;
            drop(places.drain(..(at % DENSE_BLOCK).min(places.len())));
            return Ok(places);
        }
        // The last block that starts at or before it; all of that one may be before it.
        let (mut low, mut high) = (0, blocks);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            let first = self.read_block(file, middle)?;
            match first.first().is_some_and(|place| place.sequence <= from) {
                true => low = middle,
                false => high = middle,
            }
        }
        for block in low..blocks {
            let mut places = self.read_block(file, block)?;
            places.retain(|place| place.sequence >= from);
            if !places.is_empty() {
                return Ok(places);
            }
        }
        Ok(Vec::new())
    }

    /// Places from the block on that has the first record whose time is `time` or later; none when
    /// all are earlier.
    pub(crate) fn places_reaching(
        &self,
        file: &dyn DiskFile,
        time: u64,
    ) -> Result<Vec<Place>, Failure> {
        let block = self.times.partition_point(|latest| *latest < time);
        match self.times.get(block) {
            Some(_) => self.read_block(file, block),
            None => Ok(Vec::new()),
        }
    }

    fn read_block(&self, file: &dyn DiskFile, block: usize) -> Result<Vec<Place>, Failure> {
        let before = block * self.block_places();
        let count = (self.count as usize)
            .saturating_sub(before)
            .min(self.block_places());
        let width = if self.sparse { 12 } else { 4 };
        let mut bytes = vec![0; count * width + 4];
        let read = file.read_at(&mut bytes, self.at + block as u64 * BLOCK_BYTES)?;
        let (places, mut checksum) = bytes.split_at(count * width);
        if read < bytes.len() || differs(checksum.get_u32_le(), crc32c::crc32c(places)) {
            return Err(Failure::Wrong);
        }
        let place = |(at, mut bytes): (usize, &[u8])| {
            let sequence = match self.sparse {
                true => bytes.get_u64_le(),
                false => self.start + (before + at) as u64,
            };
            let byte = bytes.get_u32_le();
            Place { sequence, byte }
        };
        Ok(places.chunks_exact(width).enumerate().map(place).collect())
    }
}
