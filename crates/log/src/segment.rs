//! Segment files: their names, their header, their creation.
//!
//! ```text
//! 00000000000000000042.seg      named by the position of its first record
//! 00000000000000000042.3.seg    written anew for the third time, by compaction or repair
//!
//! 0     header | zeros
//! 512   header | zeros          the same again: one damaged sector does not take the segment along
//! 1024  snapshot                what all channels and cursors were when the segment was started
//! …     frames, without gaps; in the last segment zeros may follow
//!
//! header   magic 8 bytes | version u32 | salt u32 | position u64 | end u64 | generation u32
//!          | frames u32 | checksum u32
//!          position  of the first record
//!          end       position after the last record when the segment was written anew; else 0
//!          frames    where the first frame starts
//! ```

use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut};

use crate::disk::{Disk, DiskFile};
use crate::mutant::{self, Mutant};
use crate::snapshot::Snapshot;

/// The first bytes of every segment.
const MAGIC: &[u8; 8] = b"tidelog\n";
/// The format version that is written.
pub(crate) const VERSION: u32 = 2;
/// No version is ever this high: it is damage.
const VERSIONS_MAX: u32 = 1 << 16;
/// Bytes of a header.
const HEADER_BYTES: usize = 44;
/// Where the second copy of the header starts.
const COPY_AT: usize = 512;
/// Where the snapshot starts.
pub(crate) const SNAPSHOT_AT: usize = 1_024;
/// What follows the name of a segment.
pub(crate) const SUFFIX: &str = ".seg";
/// What follows the name of an index.
pub(crate) const INDEX_SUFFIX: &str = ".idx";
/// What follows the name of a file that is not whole yet.
pub(crate) const NEW_SUFFIX: &str = ".new";

/// The place of a segment among all, and how often it was written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentId {
    /// Position of the first record.
    pub(crate) position: u64,
    /// How often it was written anew.
    pub(crate) generation: u32,
}

impl SegmentId {
    /// Its file name.
    pub(crate) fn name(self) -> String {
        self.with_suffix(SUFFIX)
    }

    /// The file name of its index.
    pub(crate) fn index_name(self) -> String {
        self.with_suffix(INDEX_SUFFIX)
    }

    fn with_suffix(self, suffix: &str) -> String {
        let Self {
            position,
            generation,
        } = self;
        match generation {
            0 => format!("{position:020}{suffix}"),
            _ => format!("{position:020}.{generation}{suffix}"),
        }
    }

    /// The segment of that file name; `None` for other files.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(SUFFIX)?;
        let (position, generation) = stem.split_once('.').unwrap_or((stem, "0"));
        let id = Self {
            position: position.parse().ok()?,
            generation: generation.parse().ok()?,
        };
        (id.name() == name).then_some(id)
    }
}

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: SegmentId,
    /// Position after its last record; 0 when it was not written anew.
    pub(crate) end: u64,
    /// What the checksums of its frames start from.
    pub(crate) salt: u32,
    /// Where its first frame starts.
    pub(crate) frames_at: u32,
}

/// What stands where a header should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderRead {
    /// A header.
    Whole(Header),
    /// One of another version.
    Version(u32),
    /// None.
    Damaged,
}

/// A segment. Its file is opened when it is read: see [`crate::files`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) id: SegmentId,
    /// Its file name.
    pub(crate) name: String,
    /// Position after its last record when it was written anew; 0 otherwise.
    pub(crate) end: u64,
    /// What the checksums of its frames start from.
    pub(crate) salt: u32,
    /// Where its first frame starts.
    pub(crate) frames_at: u32,
}

impl Segment {
    /// The segment of `header`.
    pub(crate) fn new(header: Header) -> Self {
        let Header {
            id,
            end,
            salt,
            frames_at,
        } = header;
        let name = id.name();
        Self {
            id,
            name,
            end,
            salt,
            frames_at,
        }
    }

    /// Whether places in it may be free because compaction has removed their records.
    pub(crate) fn has_gaps(&self) -> bool {
        self.end > 0
    }
}

/// The first bytes of a segment: header, its copy, snapshot.
pub(crate) fn page(id: SegmentId, end: u64, salt: u32, snapshot: &Snapshot) -> (Header, Vec<u8>) {
    let snapshot = snapshot.encode(salt);
    let frames_at = u32::try_from(SNAPSHOT_AT + snapshot.len()).unwrap_or(u32::MAX);
    let header = Header {
        id,
        end,
        salt,
        frames_at,
    };
    let encoded = encode(&header);
    let mut page = Vec::with_capacity(SNAPSHOT_AT + snapshot.len());
    page.put_slice(&encoded);
    page.resize(COPY_AT, 0);
    page.put_slice(&encoded);
    page.resize(SNAPSHOT_AT, 0);
    page.put_slice(&snapshot);
    (header, page)
}

/// Creates the segment `id` with `page` as its first bytes and makes it durable, its name included.
/// It gets its name only once it is whole, so a crash leaves no half header.
pub(crate) fn create(disk: &dyn Disk, id: SegmentId, page: &[u8]) -> io::Result<Arc<dyn DiskFile>> {
    let name = id.name();
    let new = format!("{name}{NEW_SUFFIX}");
    let file = disk.create(&new)?;
    if let Err(error) = file.write_at(page, 0) {
        // Whatever it holds takes room that may be short.
        drop(disk.remove(&new));
        return Err(error);
    }
    // A sync that failed for want of room is a failed sync, not a full disk: never tried again.
    file.sync().map_err(io::Error::other)?;
    disk.rename(&new, &name)?;
    if !mutant::is(Mutant::NameNotSynced) {
        disk.sync().map_err(io::Error::other)?;
    }
    Ok(Arc::from(file))
}

fn encode(header: &Header) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(header.salt);
    bytes.put_u64_le(header.id.position);
    bytes.put_u64_le(header.end);
    bytes.put_u32_le(header.id.generation);
    bytes.put_u32_le(header.frames_at);
    let checksum = crc32c::crc32c(&bytes);
    bytes.put_u32_le(checksum);
    bytes
}

/// Reads the header of a segment whose first bytes are `page`: either copy serves.
pub(crate) fn read_header(page: &[u8]) -> HeaderRead {
    let copies = [0, COPY_AT].map(|at| read_copy(page.get(at..).unwrap_or_default()));
    match copies {
        [HeaderRead::Whole(header), _] | [_, HeaderRead::Whole(header)] => {
            HeaderRead::Whole(header)
        }
        [HeaderRead::Version(version), _] => HeaderRead::Version(version),
        _ => HeaderRead::Damaged,
    }
}

fn read_copy(bytes: &[u8]) -> HeaderRead {
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return HeaderRead::Damaged;
    };
    match rest.try_get_u32_le() {
        Ok(VERSION) => {}
        Ok(version) if version < VERSIONS_MAX => return HeaderRead::Version(version),
        Ok(_) | Err(_) => return HeaderRead::Damaged,
    }
    if rest.remaining() < HEADER_BYTES - 12 {
        return HeaderRead::Damaged;
    }
    let salt = rest.get_u32_le();
    let position = rest.get_u64_le();
    let end = rest.get_u64_le();
    let generation = rest.get_u32_le();
    let frames_at = rest.get_u32_le();
    let header = Header {
        id: SegmentId {
            position,
            generation,
        },
        end,
        salt,
        frames_at,
    };
    match bytes.starts_with(&encode(&header)) {
        true => HeaderRead::Whole(header),
        false => HeaderRead::Damaged,
    }
}
