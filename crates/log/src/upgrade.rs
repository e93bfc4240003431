//! Logs of the first format version: each segment is written again in the present one, under its own
//! name, before the log is opened. A crash in between leaves some of each, and the next open goes on.
//!
//! ```text
//! segment  header | frame | frame | …
//! header   magic 8 bytes | version u32 | salt u32 | position u64 | checksum u32 | zero u32
//! frame    length u32 | checksum u32 | position u64 | synced u64 | records u32 | record …
//! record   length u32 | checksum u32 | kind u8 | content
//! content  kind 1, of a channel:     sequence u64 | time u64 | name length u8 | name | body
//!          kind 2, state, adds:      (length u32 | bytes) …
//!          kind 3, state, replaces:  (length u32 | bytes) …
//! ```

use std::io;

use bytes::{Buf, Bytes};
use tidegate_base::Name;

use crate::disk::{Disk, DiskFile};
use crate::files::Files;
use crate::frame::FrameEncoder;
use crate::record::{self, PREFIX_BYTES, Wrong};
use crate::recovery::{Cut, keep_aside};
use crate::registry::{Registry, STATE, slot_mut};
use crate::scan::{self, Base, Behind};
use crate::segment::{self, HeaderRead, SNAPSHOT_AT, Segment, SegmentId};
use crate::snapshot::{Extent, Snapshot};
use crate::{OpenError, StateChange};

const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const FRAME_HEAD_BYTES: usize = PREFIX_BYTES + 8 + 8 + 4;
/// Largest segment that was ever written, in bytes: 256 MiB and one frame.
const SEGMENT_BYTES_MAX: u64 = 300 << 20;

/// Writes every segment of the first version again. Returns the torn tail that was cut off.
pub(crate) fn run(files: &Files) -> Result<Option<Cut>, OpenError> {
    let disk = files.disk();
    let names = disk.list().map_err(OpenError::io("list", "."))?;
    let mut ids: Vec<SegmentId> = names.iter().filter_map(|n| SegmentId::of_name(n)).collect();
    ids.sort_unstable();
    let last = ids.last().copied();
    let mut upgrade = Upgrade::default();
    let mut before = None;
    let mut cut = None;
    for id in ids {
        match header(disk, id)? {
            HeaderRead::Version(VERSION) => {
                if let Some(segment) = before.take() {
                    upgrade.go_on_behind(files, &segment)?;
                }
                cut = upgrade.convert(files, id, Some(id) == last)?;
            }
            HeaderRead::Whole(header) => before = Some(Segment::new(header)),
            HeaderRead::Version(_) | HeaderRead::Damaged => {}
        }
    }
    Ok(cut)
}

fn header(disk: &dyn Disk, id: SegmentId) -> Result<HeaderRead, OpenError> {
    let name = id.name();
    let file = disk.open(&name).map_err(OpenError::io("open", &name))?;
    let mut page = [0; SNAPSHOT_AT];
    let read = file
        .read_at(&mut page, 0)
        .map_err(OpenError::io("read", &name))?;
    Ok(segment::read_header(page.get(..read).unwrap_or_default()))
}

/// How far the segments before have taken the channels.
#[derive(Default)]
struct Upgrade {
    registry: Registry,
    extents: Vec<Extent>,
    position: u64,
}

impl Upgrade {
    /// Goes on behind a segment that an open before this one has written, and was cut short then.
    fn go_on_behind(&mut self, files: &Files, segment: &Segment) -> Result<(), OpenError> {
        let read = |error| OpenError::io("read", &segment.name)(error);
        let file = files.get(&segment.name).map_err(read)?;
        let base = crate::recovery::snapshot(file.as_ref(), segment).map_err(read)?;
        let base = base.map_or_else(Base::default, |base| Base::of(base, &mut self.registry));
        let scanned = scan::scan(segment, file, base, Behind::Nothing, &mut self.registry);
        let scanned = scanned.map_err(read)?;
        self.extents = scanned.extents;
        self.position = scanned.position;
        Ok(())
    }

    fn convert(
        &mut self,
        files: &Files,
        id: SegmentId,
        last: bool,
    ) -> Result<Option<Cut>, OpenError> {
        let name = id.name();
        let disk = files.disk();
        let file = disk.open(&name).map_err(OpenError::io("open", &name))?;
        let bytes = read_all(file.as_ref()).map_err(OpenError::io("read", &name))?;
        let salt = header_salt(&bytes, id).ok_or_else(|| damaged(&name, 0, &HEADER))?;
        if id.position != self.position {
            return Err(damaged(&name, 0, &absent(id.position, self.position)));
        }
        let new_salt = disk.salt();
        let (_, mut page) = segment::page(id, 0, new_salt, &self.snapshot());
        let mut byte = HEADER_BYTES;
        let mut cut = None;
        while byte < bytes.len() {
            let rest = bytes.slice(byte..);
            match decode_frame(&rest, salt) {
                Ok((size, records)) => {
                    self.frame(&mut page, new_salt, &records)
                        .map_err(|wrong| damaged(&name, byte, &wrong))?;
                    byte += size;
                }
                Err(wrong) => {
                    if !last || was_synced(&bytes, byte, salt) {
                        return Err(damaged(&name, byte, &wrong));
                    }
                    cut = torn(disk, file.as_ref(), &name, byte, &rest, &wrong)?;
                    break;
                }
            }
        }
        segment::create(disk, id, &page).map_err(OpenError::io("write", &name))?;
        files.forget(&name);
        Ok(cut)
    }

    fn snapshot(&self) -> Snapshot {
        let channels = self.registry.numbers().filter_map(|number| {
            let extent = *self.extents.get(crate::registry::slot(number))?;
            (extent.next > 0).then(|| (self.registry.name(number).cloned(), extent))
        });
        Snapshot {
            channels: channels.collect(),
            ..Snapshot::default()
        }
    }

    fn frame(&mut self, out: &mut Vec<u8>, salt: u32, records: &[Old<'_>]) -> Result<(), Wrong> {
        if records.is_empty() {
            return Ok(());
        }
        let synced = record::length_u32(out.len());
        let mut frame = FrameEncoder::start(out, salt, synced, self.position);
        for record in records {
            match record {
                Old::Channel {
                    name,
                    sequence,
                    time,
                    body,
                } => {
                    let wrong = Wrong::Content("channel name");
                    let name = Name::new(name).map_err(|_| Wrong::Content("channel name"))?;
                    let number = self.registry.number(&name).ok_or(wrong)?;
                    let next = &mut slot_mut(&mut self.extents, number).next;
                    if *sequence != *next {
                        return Err(Wrong::Place {
                            what: "sequence",
                            found: *sequence,
                            expected: *next,
                        });
                    }
                    *next += 1;
                    frame.first_version((name.as_str(), *sequence, *time), body);
                }
                Old::State(change) => {
                    let extent = slot_mut(&mut self.extents, STATE);
                    if matches!(change, StateChange::Replace(_)) {
                        extent.low = extent.next;
                    }
                    frame.state(change, extent.next);
                    extent.next += 1;
                }
            }
        }
        self.position = frame.finish();
        Ok(())
    }
}

/// A record of the first version.
enum Old<'a> {
    Channel {
        name: &'a str,
        sequence: u64,
        time: u64,
        body: &'a [u8],
    },
    State(StateChange),
}

const HEADER: Wrong = Wrong::Content("header");

fn absent(found: u64, expected: u64) -> Wrong {
    Wrong::Place {
        what: "position",
        found,
        expected,
    }
}

fn damaged(name: &str, byte: usize, wrong: &Wrong) -> OpenError {
    OpenError::Damaged {
        segment: name.to_owned(),
        byte: byte as u64,
        reason: wrong.to_string(),
    }
}

fn read_all(file: &dyn DiskFile) -> io::Result<Bytes> {
    let length = file.length()?;
    if length > SEGMENT_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it has {length} bytes; the most of its version is {SEGMENT_BYTES_MAX}"
        )));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(Bytes::from(bytes))
}

fn header_salt(bytes: &[u8], id: SegmentId) -> Option<u32> {
    let fields = bytes.get(..HEADER_BYTES - 8)?;
    let mut checksum = bytes.get(HEADER_BYTES - 8..)?;
    let mut rest = fields.get(12..)?;
    let (salt, position) = (rest.get_u32_le(), rest.get_u64_le());
    let whole = checksum.get_u32_le() == crc32c::crc32c(fields) && position == id.position;
    whole.then_some(salt)
}

/// What stands behind the prefix of a frame or a record, once it is verified.
fn verified(bytes: &Bytes, salt: u32) -> Result<Bytes, Wrong> {
    let short = |_| Wrong::Length(bytes.len() as u64);
    let mut prefix = bytes.as_ref();
    let length = prefix.try_get_u32_le().map_err(short)?;
    let stored = prefix.try_get_u32_le().map_err(short)?;
    let end = PREFIX_BYTES.saturating_add(length as usize);
    if end > bytes.len() {
        return Err(Wrong::Length(length.into()));
    }
    let body = bytes.slice(PREFIX_BYTES..end);
    let computed = crc32c::crc32c_append(salt, &length.to_le_bytes());
    let computed = crc32c::crc32c_append(computed, &body);
    match computed == stored {
        true => Ok(body),
        false => Err(Wrong::Checksum { computed, stored }),
    }
}

/// The frame at the start of `bytes`: its size and its records.
fn decode_frame(bytes: &Bytes, salt: u32) -> Result<(usize, Vec<Old<'_>>), Wrong> {
    let body = verified(bytes, salt)?;
    let size = PREFIX_BYTES + body.len();
    if size < FRAME_HEAD_BYTES {
        return Err(Wrong::Length(body.len() as u64));
    }
    let count = bytes.slice(FRAME_HEAD_BYTES - 4..).get_u32_le();
    let mut at = FRAME_HEAD_BYTES;
    let mut records = Vec::new();
    for _ in 0..count {
        let record = verified(&bytes.slice(at.min(size)..size), salt)?;
        let start = at + PREFIX_BYTES;
        at = start + record.len();
        let content = bytes.get(start..at).unwrap_or_default();
        records.push(decode_record(content, &record)?);
    }
    match at == size {
        true => Ok((size, records)),
        false => Err(Wrong::Content("record count")),
    }
}

fn decode_record<'a>(content: &'a [u8], bytes: &Bytes) -> Result<Old<'a>, Wrong> {
    let short = |_| Wrong::Content("record");
    let (kind, mut rest) = content.split_first().ok_or(Wrong::Content("kind"))?;
    match kind {
        1 => {
            let sequence = rest.try_get_u64_le().map_err(short)?;
            let time = rest.try_get_u64_le().map_err(short)?;
            let (name, body) = record::name(rest)?;
            Ok(Old::Channel {
                name,
                sequence,
                time,
                body,
            })
        }
        2 | 3 => {
            let items = bytes.slice(1..);
            let records = record::decode_state(&items, &items)?;
            Ok(Old::State(match kind {
                2 => StateChange::Append(records),
                _ => StateChange::Replace(records),
            }))
        }
        _ => Err(Wrong::Content("kind")),
    }
}

/// Whether a whole frame behind `damage` says that the damaged bytes were on the disk once.
fn was_synced(bytes: &Bytes, damage: usize, salt: u32) -> bool {
    let later = |at: usize| {
        let mut synced = bytes.get(at + PREFIX_BYTES + 8..)?;
        let synced = synced.try_get_u64_le().ok()?;
        let says = synced > damage as u64 && synced <= at as u64;
        (says && decode_frame(&bytes.slice(at..), salt).is_ok()).then_some(())
    };
    (damage + 1..bytes.len()).any(|at| later(at).is_some())
}

/// Keeps a torn tail aside, when it is more than zeros.
fn torn(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    name: &str,
    byte: usize,
    rest: &[u8],
    wrong: &Wrong,
) -> Result<Option<Cut>, OpenError> {
    let Some(last) = rest.iter().rposition(|byte| *byte != 0) else {
        return Ok(None);
    };
    let kept = format!("{name}.{byte:012}.cut");
    let (byte, bytes) = (byte as u64, last as u64 + 1);
    keep_aside(disk, file, byte, bytes, &kept).map_err(OpenError::io("write", &kept))?;
    Ok(Some(Cut {
        segment: name.to_owned(),
        byte,
        bytes,
        kept,
        reason: wrong.to_string(),
    }))
}
