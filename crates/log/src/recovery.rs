//! The scan at open: checks every frame, builds the index, cuts a torn tail, and refuses damage.
//!
//! A crash can leave the end of the *last* segment half written: frames of the group that was not
//! synced yet, whole or torn, in any order, with zeros between. All of that may go, since none of it
//! was acknowledged as durable. Damage elsewhere must not be cut: it would take acknowledged records
//! along. The two are told apart by what frames say in `synced`: when a whole frame behind the damage
//! was written after the damaged bytes were on the disk, those bytes were once whole.
//!
//! What this cannot see: damage in the last group that was synced, with nothing written after it.

use std::io;
use std::sync::Arc;

use crate::OpenError;
use crate::disk::{Disk, DiskFile};
use crate::index::Index;
use crate::scan::{Scan, ScanEnd};
use crate::segment::{self, HEADER_LENGTH, Header, NEW_SUFFIX, Segment};
use crate::tail::Tail;
use crate::window::Window;

/// Bytes of the torn tail that are read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The next position: records and changes of the state that the log has taken.
    pub position: u64,
    /// Segments that it has.
    pub segments: usize,
    /// Bytes that they have.
    pub bytes: u64,
    /// The torn tail that was cut off; `None` when the log ended cleanly.
    pub cut: Option<Cut>,
}

/// A torn tail: what a crash left of batches that were never acknowledged as durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment that was cut.
    pub segment: String,
    /// Where.
    pub byte: u64,
    /// Bytes that were cut off, without the zeros at their end.
    pub bytes: u64,
    /// The file that keeps them.
    pub kept: String,
    /// Why they are not frames.
    pub reason: String,
}

/// Opens the log on `disk`: what it holds, where it ends, and what was found.
pub(crate) fn recover(disk: &dyn Disk) -> Result<(Index, Tail, Recovery), OpenError> {
    let names = segment_names(disk)?;
    let mut index = Index::default();
    let mut cut = None;
    let mut tail = None;
    for (at, name) in names.iter().enumerate() {
        let segment = open_segment(disk, name, &index)?;
        index.segments.push(Arc::clone(&segment));
        let end = Scan::new(&segment)?.run(&mut index)?;
        if at + 1 == names.len() {
            cut = cut_tail(disk, &segment, &end)?;
            let mut last = Tail::new(segment, end.byte);
            // What a killed process has written is visible from now on: it must be durable.
            last.trim().map_err(OpenError::io("sync", name))?;
            tail = Some(last);
        } else if let Some(wrong) = end.torn {
            return Err(OpenError::damaged(name, end.byte, &wrong));
        }
    }
    let tail = match tail {
        Some(tail) => tail,
        None => first_segment(disk, &mut index)?,
    };
    index.end = tail.segment.base + tail.end();
    // Nobody follows a channel yet.
    let _ = index.take_grown();
    let segments = index.segments.len();
    let recovery = Recovery {
        position: index.position,
        segments,
        bytes: index.end,
        cut,
    };
    Ok((index, tail, recovery))
}

/// The names of all segments, in order; removes one that was never finished.
fn segment_names(disk: &dyn Disk) -> Result<Vec<String>, OpenError> {
    let mut names = disk.list().map_err(OpenError::io("list", "."))?;
    for unfinished in names.iter().filter(|name| name.ends_with(NEW_SUFFIX)) {
        disk.remove(unfinished)
            .map_err(OpenError::io("remove", unfinished))?;
    }
    names.retain(|name| segment::position_of(name).is_some());
    names.sort_unstable();
    Ok(names)
}

fn first_segment(disk: &dyn Disk, index: &mut Index) -> Result<Tail, OpenError> {
    let segment = Segment::create(disk, 0, 0).map_err(OpenError::io("create", "first segment"))?;
    index.segments.push(Arc::clone(&segment));
    Ok(Tail::of_new(segment))
}

/// Opens the segment that follows what the index holds.
fn open_segment(disk: &dyn Disk, name: &str, index: &Index) -> Result<Arc<Segment>, OpenError> {
    let file = disk.open(name).map_err(OpenError::io("open", name))?;
    let mut bytes = [0; HEADER_LENGTH];
    let read = file
        .read_at(&mut bytes, 0)
        .map_err(OpenError::io("read", name))?;
    let segment = name.to_owned();
    let (position, salt) = match segment::read_header(bytes.get(..read).unwrap_or_default()) {
        Header::Whole { position, salt } => (position, salt),
        Header::Version(version) => {
            return Err(OpenError::Version {
                segment,
                version,
                known: segment::VERSION,
            });
        }
        Header::Damaged => {
            return Err(OpenError::damaged(
                name,
                0,
                "its header is not one that is written",
            ));
        }
    };
    if Some(position) != segment::position_of(name) {
        return Err(OpenError::damaged(
            name,
            0,
            "its header is that of another segment",
        ));
    }
    if position != index.position {
        return Err(OpenError::Absent {
            position: index.position,
            next: segment,
        });
    }
    Ok(Arc::new(Segment {
        name: segment,
        base: index.end,
        salt,
        file,
    }))
}

/// Cuts the last segment after its last frame. Keeps what is cut, when it is more than zeros.
fn cut_tail(disk: &dyn Disk, segment: &Segment, end: &ScanEnd) -> Result<Option<Cut>, OpenError> {
    let Some(reason) = &end.torn else {
        return Ok(None);
    };
    let name = &segment.name;
    let kept = format!("{name}.{:012}.cut", end.byte);
    let read = OpenError::io("read", name);
    let bytes = content_bytes(segment.file.as_ref(), end.byte).map_err(read)?;
    if bytes == 0 {
        return Ok(None);
    }
    keep(disk, segment.file.as_ref(), end.byte, bytes, &kept)
        .map_err(OpenError::io("write", &kept))?;
    Ok(Some(Cut {
        segment: name.clone(),
        byte: end.byte,
        bytes,
        kept,
        reason: reason.to_string(),
    }))
}

/// Bytes from `byte` to the last one that is not zero.
fn content_bytes(file: &dyn DiskFile, byte: u64) -> io::Result<u64> {
    let mut window = Window::default();
    let (mut offset, mut content) = (byte, 0);
    loop {
        let bytes = window.bytes(file, offset, CHUNK_BYTES, CHUNK_BYTES)?;
        if bytes.is_empty() {
            return Ok(content);
        }
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            content = offset + last as u64 + 1 - byte;
        }
        offset += bytes.len() as u64;
    }
}

/// Copies `count` bytes from `byte` on into a file of their own, durably.
fn keep(disk: &dyn Disk, file: &dyn DiskFile, byte: u64, count: u64, name: &str) -> io::Result<()> {
    let copy = disk.create(name)?;
    let mut window = Window::default();
    let mut copied = 0;
    while copied < count {
        let want = usize::try_from(count - copied)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let bytes = window.bytes(file, byte + copied, want, want)?;
        if bytes.is_empty() {
            break;
        }
        copy.write_at(bytes, copied)?;
        copied += bytes.len() as u64;
    }
    copy.sync()?;
    disk.sync()
}
