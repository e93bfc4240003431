//! Segment files: their names, their header, their creation.
//!
//! ```text
//! 00000000000000000042.seg     the name is the position of the first record
//! header   magic 8 bytes | version u32 | salt u32 | position u64 | checksum u32 | zero u32
//! then     frames, without gaps; in the last segment zeros may follow
//! ```

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;

use bytes::{Buf, BufMut};

use crate::disk::{Disk, DiskFile};

/// The first bytes of every segment.
const MAGIC: &[u8; 8] = b"tidelog\n";
/// The format version that is written.
pub(crate) const VERSION: u32 = 1;
/// Bytes of the header.
pub(crate) const HEADER_LENGTH: usize = 32;
/// Where the first frame starts.
pub(crate) const HEADER_BYTES: u64 = HEADER_LENGTH as u64;
/// What follows the name of a segment.
const SUFFIX: &str = ".seg";
/// What follows the name of a segment that is not whole yet.
pub(crate) const NEW_SUFFIX: &str = ".seg.new";

/// A segment that is open. Shared by the writer and the readers.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Its file name.
    pub(crate) name: String,
    /// Address of its first byte in the log: the bytes of all segments before it.
    pub(crate) base: u64,
    /// What the checksums of its frames start from.
    pub(crate) salt: u32,
    /// Its file.
    pub(crate) file: Box<dyn DiskFile>,
}

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// It is whole.
    Whole {
        /// Position of the first record.
        position: u64,
        /// What the checksums of its frames start from.
        salt: u32,
    },
    /// It is of a newer version.
    Version(u32),
    /// It is no header.
    Damaged,
}

impl Segment {
    /// Creates the segment that starts at `position` and makes it durable, its name included. It
    /// gets its name only once it is whole, so a crash leaves no half header.
    pub(crate) fn create(disk: &dyn Disk, position: u64, base: u64) -> io::Result<Arc<Self>> {
        let name = file_name(position);
        let new = format!("{position:020}{NEW_SUFFIX}");
        let salt = salt();
        let file = disk.create(&new)?;
        file.write_at(&header(position, salt), 0)?;
        // A sync that failed for want of room is a failed sync, not a full disk: never tried again.
        file.sync().map_err(io::Error::other)?;
        disk.rename(&new, &name)?;
        disk.sync().map_err(io::Error::other)?;
        Ok(Arc::new(Self {
            name,
            base,
            salt,
            file,
        }))
    }
}

/// Name of the segment that starts at `position`.
fn file_name(position: u64) -> String {
    format!("{position:020}{SUFFIX}")
}

/// The position in a segment's file name; `None` for other files.
pub(crate) fn position_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    digits
        .parse()
        .ok()
        .filter(|position| file_name(*position) == name)
}

/// A number that nobody outside can know. The standard library's hash keys are random.
fn salt() -> u32 {
    let bytes = RandomState::new().hash_one(()).to_le_bytes();
    bytes.as_slice().get_u32_le()
}

fn header(position: u64, salt: u32) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(salt);
    bytes.put_u64_le(position);
    let checksum = crc32c::crc32c(&bytes);
    bytes.put_u32_le(checksum);
    bytes.put_u32_le(0);
    bytes
}

/// Reads the header at the start of `bytes`.
pub(crate) fn read_header(bytes: &[u8]) -> Header {
    let fields = || -> Option<(u32, u32, u64)> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let version = rest.try_get_u32_le().ok()?;
        let salt = rest.try_get_u32_le().ok()?;
        Some((version, salt, rest.try_get_u64_le().ok()?))
    };
    match fields() {
        Some((VERSION, salt, position)) if bytes.starts_with(&header(position, salt)) => {
            Header::Whole { position, salt }
        }
        Some((version, _, _)) if version > VERSION => Header::Version(version),
        _ => Header::Damaged,
    }
}
