//! What opening does: it finds the segments, reads the last one, cuts a torn tail, and tells damage.
//!
//! A crash can leave the end of the *last* segment half written: frames of the group that was not
//! synced yet, whole or torn, in any order, with zeros between. All of that may go, since none of it
//! was acknowledged as durable. Damage must not be cut: it would take acknowledged records along. The
//! two are told apart by what frames say in `synced`: when a whole frame behind the damage was written
//! after the damaged bytes were on the disk, those bytes were once whole.
//!
//! What this cannot see: damage in the last group that was synced, with nothing written after it.
//!
//! Closed segments are not read: each has an index, and one without gets it made again. They start
//! with a snapshot, so nothing depends on the segments before.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use crate::OpenError;
use crate::disk::{Disk, DiskFile};
use crate::files::Files;
use crate::index_file;
use crate::places::Places;
use crate::registry::{Registry, slot_mut};
use crate::scan::{self, Base, Behind, Damage, Scanned};
use crate::segment::{
    self, Header, HeaderRead, INDEX_SUFFIX, NEW_SUFFIX, SNAPSHOT_AT, SUFFIX, Segment, SegmentId,
};
use crate::shared::{Closed, Sealed, Visible};
use crate::snapshot::Snapshot;
use crate::tail::Tail;
use crate::upgrade;
use crate::walk::Walk;

/// Bytes of the torn tail that are copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The next position: records that the log has taken.
    pub position: u64,
    /// Segments that it has.
    pub segments: usize,
    /// Bytes that they have.
    pub bytes: u64,
    /// The torn tail that was cut off; `None` when the log ended cleanly.
    pub cut: Option<Cut>,
    /// Damage that was met: in the last segment, and in others whose index had to be made again. What
    /// is whole before and behind it is read.
    pub damages: Vec<Damage>,
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

/// What a log starts with.
pub(crate) struct Found {
    pub(crate) registry: Registry,
    pub(crate) visible: Visible,
    pub(crate) files: Files,
    pub(crate) tail: Tail,
    pub(crate) recovery: Recovery,
}

/// Opens the log on `disk`: what it holds, where it ends, and what was found.
pub(crate) fn recover(disk: &Arc<dyn Disk>) -> Result<Found, OpenError> {
    let files = Files::new(Arc::clone(disk));
    remove_unfinished(disk.as_ref())?;
    let cut = upgrade::run(&files)?;
    let mut segments = segments(&files)?;
    let mut opening = Opening {
        files,
        registry: Registry::default(),
        damages: Vec::new(),
        cut,
        sealed: Vec::new(),
    };
    let Some(last) = segments.pop() else {
        return opening.begin();
    };
    let mut closed = Vec::with_capacity(segments.len() + 1);
    let after = segments.iter().skip(1).chain([&last]);
    for (segment, next) in segments.iter().zip(after) {
        closed.push(opening.closed(segment, next)?);
    }
    opening.last(closed, last)
}

/// Removes what a crash has left: files that never got their name, and indexes without a segment.
fn remove_unfinished(disk: &dyn Disk) -> Result<(), OpenError> {
    let names = disk.list().map_err(OpenError::io("list", "."))?;
    let names: BTreeSet<String> = names.into_iter().collect();
    let is_left = |name: &&String| {
        let orphan = name.strip_suffix(INDEX_SUFFIX);
        let orphan = orphan.is_some_and(|stem| !names.contains(&format!("{stem}{SUFFIX}")));
        orphan || name.ends_with(NEW_SUFFIX)
    };
    for name in names.iter().filter(is_left) {
        disk.remove(name).map_err(OpenError::io("remove", name))?;
    }
    Ok(())
}

/// All segments, in order. Those that another one replaces are removed: a crash has left them.
pub(crate) fn segments(files: &Files) -> Result<Vec<Arc<Segment>>, OpenError> {
    let disk = files.disk();
    let names = disk.list().map_err(OpenError::io("list", "."))?;
    let mut ids: Vec<SegmentId> = names.iter().filter_map(|n| SegmentId::of_name(n)).collect();
    // Of one position, what was written last comes first.
    ids.sort_unstable_by_key(|id| (id.position, std::cmp::Reverse(id.generation)));
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for id in ids {
        let replaced = segments
            .last()
            .is_some_and(|before| before.id.position == id.position || before.end > id.position);
        if replaced {
            for name in [id.name(), id.index_name()] {
                remove_if_there(disk, &name).map_err(OpenError::io("remove", &name))?;
            }
        } else {
            segments.push(Arc::new(open_segment(files, id)?));
        }
    }
    Ok(segments)
}

pub(crate) fn remove_if_there(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Reads the header of a segment; when it is damaged, its index has it too.
fn open_segment(files: &Files, id: SegmentId) -> Result<Segment, OpenError> {
    let name = id.name();
    let file = files.get(&name).map_err(OpenError::io("open", &name))?;
    let mut page = [0; SNAPSHOT_AT];
    let read = file
        .read_at(&mut page, 0)
        .map_err(OpenError::io("read", &name))?;
    let header = match segment::read_header(page.get(..read).unwrap_or_default()) {
        HeaderRead::Whole(header) => Some(header),
        HeaderRead::Version(version) => {
            return Err(OpenError::Version {
                segment: name,
                version,
                known: segment::VERSION,
            });
        }
        HeaderRead::Damaged => header_of_index(files, id),
    };
    match header.filter(|header| header.id == id) {
        Some(header) => Ok(Segment::new(header)),
        None => Err(OpenError::Header { segment: name }),
    }
}

fn header_of_index(files: &Files, id: SegmentId) -> Option<Header> {
    let file = files.get(&id.index_name()).ok()?;
    Some(index_file::read_head(file.as_ref()).ok()?.header)
}

/// The snapshot at the start of a segment; `None` when it is damaged.
pub(crate) fn snapshot(file: &dyn DiskFile, segment: &Segment) -> io::Result<Option<Snapshot>> {
    let length = (segment.frames_at as usize).saturating_sub(SNAPSHOT_AT);
    let mut bytes = vec![0; length];
    let read = file.read_at(&mut bytes, SNAPSHOT_AT as u64)?;
    bytes.truncate(read);
    Ok(Snapshot::decode(&bytes, segment.salt).ok())
}

/// Scans `segment`, which `next` follows.
pub(crate) fn scan_closed(
    files: &Files,
    registry: &mut Registry,
    segment: &Segment,
    next: &Segment,
) -> io::Result<Scanned> {
    let file = files.get(&segment.name)?;
    let snapshot_of = |segment: &Segment| snapshot(files.get(&segment.name)?.as_ref(), segment);
    let base = snapshot_of(segment)?;
    let behind = Behind::Segment(snapshot_of(next)?);
    scan_from(file, segment, base, behind, registry)
}

fn scan_from(
    file: Arc<dyn DiskFile>,
    segment: &Segment,
    base: Option<Snapshot>,
    behind: Behind,
    registry: &mut Registry,
) -> io::Result<Scanned> {
    let whole = base.is_some();
    let base = base.map_or_else(Base::default, |snapshot| Base::of(snapshot, registry));
    let mut scanned = scan::scan(segment, file, base, behind, registry)?;
    if !whole {
        scanned.damages.push(damaged_snapshot(segment));
    }
    Ok(scanned)
}

fn damaged_snapshot(segment: &Segment) -> Damage {
    let byte = SNAPSHOT_AT as u64;
    Damage {
        segment: segment.name.clone(),
        byte,
        bytes: u64::from(segment.frames_at).saturating_sub(byte),
        reason: "its snapshot of channels and cursors is not what was written".to_owned(),
    }
}

struct Opening {
    files: Files,
    registry: Registry,
    damages: Vec<Damage>,
    cut: Option<Cut>,
    sealed: Vec<Sealed>,
}

impl Opening {
    /// A new log.
    fn begin(self) -> Result<Found, OpenError> {
        let id = SegmentId {
            position: 0,
            generation: 0,
        };
        let tail = self.create(id, &Snapshot::default())?;
        let segment = Arc::clone(&tail.segment);
        let visible = Visible::new(Vec::new(), segment, Places::default(), tail.end());
        Ok(self.found(visible, tail))
    }

    fn create(&self, id: SegmentId, snapshot: &Snapshot) -> Result<Tail, OpenError> {
        let disk = self.files.disk();
        let (header, page) = segment::page(id, 0, disk.salt(), snapshot);
        let file = segment::create(disk, id, &page).map_err(OpenError::io("create", &id.name()))?;
        let segment = Arc::new(Segment::new(header));
        self.files.put(&segment.name, Arc::clone(&file));
        Ok(Tail::new(segment, file, page.len() as u64))
    }

    /// A segment that `next` follows: it has an index, or gets one.
    fn closed(&mut self, segment: &Arc<Segment>, next: &Segment) -> Result<Closed, OpenError> {
        let io = |error| OpenError::io("read", &segment.name)(error);
        let bytes = self.files.get(&segment.name).map_err(io)?.length();
        let bytes = bytes.map_err(io)?;
        let closed = Closed {
            segment: Arc::clone(segment),
            bytes,
        };
        if has_index(&self.files, segment, bytes) {
            return Ok(closed);
        }
        let scanned = scan_closed(&self.files, &mut self.registry, segment, next).map_err(io)?;
        let (disk, registry) = (self.files.disk(), &self.registry);
        let name = segment.id.index_name();
        let written = index_file::write(disk, segment, bytes, &scanned.places, registry);
        // The file of before may be open still.
        self.files.forget(&name);
        match written {
            Ok(()) => {}
            // It waits in memory for room, as that of a segment that has just been closed.
            Err(error) if error.kind() == io::ErrorKind::StorageFull => self.sealed.push(Sealed {
                closed: closed.clone(),
                places: Arc::new(scanned.places),
            }),
            Err(error) => return Err(OpenError::io("write", &name)(error)),
        }
        self.damages.extend(scanned.damages);
        Ok(closed)
    }

    /// The last segment: the log goes on at its end.
    fn last(mut self, closed: Vec<Closed>, segment: Arc<Segment>) -> Result<Found, OpenError> {
        let name = segment.name.clone();
        let io = |action| OpenError::io(action, &name);
        let file = self.files.get(&name).map_err(io("open"))?;
        let (base, wrong) = match snapshot(file.as_ref(), &segment).map_err(io("read"))? {
            Some(snapshot) => (Base::of(snapshot, &mut self.registry), None),
            None => (
                self.base_behind(&closed, &segment).map_err(io("read"))?,
                Some(damaged_snapshot(&segment)),
            ),
        };
        let registry = &mut self.registry;
        let floor = base.floor;
        let scanned = scan::scan(&segment, Arc::clone(&file), base, Behind::Nothing, registry);
        let mut scanned = scanned.map_err(io("read"))?;
        scanned.damages.extend(wrong);
        self.cut = cut_tail(&self.files, &segment, &scanned)?.or(self.cut);
        write_again(file.as_ref(), scanned.synced, scanned.end).map_err(io("write"))?;
        let mut tail = Tail::new(Arc::clone(&segment), file, scanned.end);
        // What a killed process has written is visible from now on: it must be durable.
        tail.trim().map_err(io("sync"))?;
        // Its name too: the process may have been killed before it was durable.
        self.files
            .disk()
            .sync()
            .map_err(OpenError::io("sync", "."))?;
        let (end, damaged) = (
            scanned.end,
            !scanned.damages.is_empty() || segment.has_gaps(),
        );
        let mut visible = Visible::new(closed, segment, scanned.places, end);
        visible.sealed = std::mem::take(&mut self.sealed);
        visible.floor = floor;
        visible.extents = scanned.extents;
        visible.cursors = scanned.cursors;
        visible.position = scanned.position;
        self.damages.extend(scanned.damages);
        if damaged {
            tail = self.go_on_behind(&mut visible, scanned.lost)?;
        }
        Ok(self.found(visible, tail))
    }

    /// What the last segment starts from when its snapshot is damaged: where the one before ends.
    fn base_behind(&mut self, closed: &[Closed], segment: &Segment) -> io::Result<Base> {
        let known = Base {
            known: true,
            ..Base::default()
        };
        let Some(before) = closed.last().map(|closed| &closed.segment) else {
            // The first one of all starts from nothing.
            let is_first = segment.id.position == 0;
            return Ok(if is_first { known } else { Base::default() });
        };
        let file = self.files.get(&before.name)?;
        let start = snapshot(file.as_ref(), before)?;
        let behind = Behind::Segment(None);
        let scanned = scan_from(file, before, start, behind, &mut self.registry)?;
        let mut extents = scanned.extents;
        // What compaction has removed is in its index.
        let file = self.files.get(&before.id.index_name())?;
        let directory = index_file::read_head(file.as_ref())
            .and_then(|head| index_file::read_directory(file.as_ref(), &head));
        for (name, listed) in directory.unwrap_or_default() {
            if let Some(number) = self.registry.number_or_state(name.as_ref()) {
                let next = &mut slot_mut(&mut extents, number).next;
                *next = listed.next.max(*next);
            }
        }
        for extent in extents.iter_mut().filter(|extent| extent.next > 0) {
            extent.next += scanned.lost;
        }
        Ok(Base {
            extents,
            cursors: scanned.cursors,
            // Damage there may have moved the channels on: each goes on with its first record.
            known: false,
            floor: segment.id.position,
        })
    }

    /// Goes on in a new segment behind a damaged one, past every sequence that may have been given.
    fn go_on_behind(&self, visible: &mut Visible, lost: u64) -> Result<Tail, OpenError> {
        for number in self.registry.numbers() {
            let next = &mut slot_mut(&mut visible.extents, number).next;
            if *next > 0 {
                *next += lost;
            }
        }
        let position = visible.position.max(visible.active.end);
        // Without a whole record, nothing is lost when the new segment takes its place.
        let replaces = position == visible.active.id.position;
        let generation = match replaces {
            true => visible.active.id.generation + 1,
            false => 0,
        };
        let id = SegmentId {
            position,
            generation,
        };
        // The position bounds every sequence of a channel of which nothing is known any more.
        visible.floor = visible.floor.max(position);
        let channels = self.registry.numbers().map(|number| {
            let name = self.registry.name(number).cloned();
            (name, visible.extent(number))
        });
        let snapshot = Snapshot {
            channels: channels.filter(|(_, extent)| extent.next > 0).collect(),
            cursors: visible.cursors.clone(),
            floor: visible.floor,
        };
        let tail = self.create(id, &snapshot)?;
        let segment = Arc::clone(&tail.segment);
        visible.position = id.position;
        match replaces {
            true => visible.active = Arc::clone(&segment),
            false => visible.roll(Arc::clone(&segment)),
        }
        visible.end = tail.end();
        Ok(tail)
    }

    fn found(self, mut visible: Visible, tail: Tail) -> Found {
        // Nobody follows a channel yet.
        drop(visible.take_grown());
        let recovery = Recovery {
            position: visible.position,
            segments: visible.closed.len() + 1,
            bytes: visible.closed_bytes() + visible.end,
            cut: self.cut,
            damages: self.damages,
        };
        Found {
            registry: self.registry,
            visible,
            files: self.files,
            tail,
            recovery,
        }
    }
}

/// Whether the segment has an index that is of it as it is now.
fn has_index(files: &Files, segment: &Segment, bytes: u64) -> bool {
    let Ok(file) = files.get(&segment.id.index_name()) else {
        return false;
    };
    index_file::read_head(file.as_ref()).is_ok_and(|head| {
        Segment::new(head.header) == *segment
            && head.segment_bytes == bytes
            && index_file::read_directory(file.as_ref(), &head).is_ok()
    })
}

/// Writes what nothing proves to be on the disk once more. After a failed sync the operating system may
/// show bytes that it has given up to write; the next sync would succeed without them.
fn write_again(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<()> {
    let mut at = from;
    let mut buffer = vec![0; CHUNK_BYTES];
    while at < end {
        let want = usize::try_from(end - at)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let Some(part) = buffer.get_mut(..want) else {
            break;
        };
        let read = file.read_at(part, at)?;
        if read == 0 {
            break;
        }
        file.write_at(part.get(..read).unwrap_or_default(), at)?;
        at += read as u64;
    }
    Ok(())
}

/// Keeps what a crash has left behind the last frame, when it is more than zeros; the caller cuts it.
fn cut_tail(files: &Files, segment: &Segment, scanned: &Scanned) -> Result<Option<Cut>, OpenError> {
    let Some(reason) = &scanned.torn else {
        return Ok(None);
    };
    let name = &segment.name;
    let file = files.get(name).map_err(OpenError::io("open", name))?;
    let kept = format!("{name}.{:012}.cut", scanned.end);
    let mut walk =
        Walk::new(Arc::clone(&file), segment.salt).map_err(OpenError::io("read", name))?;
    let bytes = walk
        .content_bytes(scanned.end)
        .map_err(OpenError::io("read", name))?;
    if bytes == 0 {
        return Ok(None);
    }
    keep_aside(files.disk(), file.as_ref(), scanned.end, bytes, &kept)
        .map_err(OpenError::io("write", &kept))?;
    Ok(Some(Cut {
        segment: name.clone(),
        byte: scanned.end,
        bytes,
        kept,
        reason: reason.to_string(),
    }))
}

/// Copies `count` bytes from `byte` on into a file of their own, durably.
pub(crate) fn keep_aside(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    byte: u64,
    count: u64,
    name: &str,
) -> io::Result<()> {
    let copy = disk.create(name)?;
    let mut copied = 0;
    let mut buffer = vec![0; CHUNK_BYTES];
    while copied < count {
        let want = usize::try_from(count - copied).unwrap_or(CHUNK_BYTES);
        let Some(part) = buffer.get_mut(..want.min(CHUNK_BYTES)) else {
            break;
        };
        let read = file.read_at(part, byte + copied)?;
        if read == 0 {
            break;
        }
        copy.write_at(part.get(..read).unwrap_or_default(), copied)?;
        copied += read as u64;
    }
    copy.sync()?;
    disk.sync()
}
