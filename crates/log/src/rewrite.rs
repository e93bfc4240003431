//! Writes closed segments anew, with only what is needed.

use std::io;
use std::sync::Arc;

use crate::clean::Needs;
use crate::directories;
use crate::disk::DiskFile;
use crate::frame::{self, FrameEncoder};
use crate::index_file;
use crate::mutant::{self, Mutant};
use crate::places::{Place, Places};
use crate::record::{self, Content, Entry};
use crate::recovery;
use crate::registry::{Number, STATE};
use crate::segment::{self, NEW_SUFFIX, Segment, SegmentId};
use crate::shared::{Closed, Shared};
use crate::walk::Walk;

/// A frame is ended at this size, in bytes.
const FRAME_BYTES: usize = 256 << 10;

/// How it went.
pub(crate) enum Rewritten {
    /// The segment that takes the place of the others, and how many records went for a newer one.
    Whole(Closed, u64),
    /// One of them is damaged: they are as they were.
    Damaged,
}

/// Writes `old`, which lie side by side and end at position `end`, into one segment, durably. They stay.
pub(crate) fn write(
    shared: &Shared,
    old: &[Closed],
    end: u64,
    needs: &Needs,
) -> io::Result<Rewritten> {
    let (Some(first), Some(last)) = (old.first(), old.last()) else {
        return Ok(Rewritten::Damaged);
    };
    let disk = shared.files.disk();
    let file = shared.files.get(&first.segment.name)?;
    let Some(snapshot) = recovery::snapshot(file.as_ref(), &first.segment)? else {
        return Ok(Rewritten::Damaged);
    };
    let id = SegmentId {
        position: first.segment.id.position,
        generation: first.segment.id.generation + 1,
    };
    let (header, page) = segment::page(id, end, disk.salt(), &snapshot);
    let new = format!("{}{NEW_SUFFIX}", id.name());
    let directory = directories::of(shared, last)?;
    let output = Output::new(disk.create(&new)?, header.salt, page);
    let written = output.write(shared, old, needs);
    let Ok(Some((mut places, bytes, superseded))) = written else {
        // Whatever it holds takes room that may be short.
        recovery::remove_if_there(disk, &new)?;
        return written.map(|_| Rewritten::Damaged);
    };
    for (number, listed) in directory.channels() {
        let places = places.channel_mut(*number);
        places.next = places.next.max(listed.next);
    }
    let segment = Arc::new(Segment::new(header));
    // A copy: nobody who appends may wait for the disk.
    let registry = shared.registry().clone();
    // The index first: once the segment has its name, it replaces the old ones at the next open, and
    // nothing may go wrong any more.
    let indexed = index_file::write(disk, &segment, bytes, &places, &registry);
    if let Err(error) = indexed.and_then(|()| disk.rename(&new, &id.name())) {
        recovery::remove_if_there(disk, &new)?;
        recovery::remove_if_there(disk, &id.index_name())?;
        return Err(error);
    }
    if !mutant::is(Mutant::NameNotSynced)
        && let Err(error) = disk.sync()
    {
        recovery::remove_if_there(disk, &id.name())?;
        return Err(error);
    }
    Ok(Rewritten::Whole(Closed { segment, bytes }, superseded))
}

/// The channel, sequence and time of a record.
type Kept = (Number, u64, u64);

/// The segment that is written.
struct Output {
    file: Box<dyn DiskFile>,
    salt: u32,
    /// What is not in the file yet.
    buffer: Vec<u8>,
    /// Where it goes.
    at: u64,
    /// The records of the frame that gathers.
    records: Vec<u8>,
    /// Where each of them ends, and what it is.
    pending: Vec<(usize, Kept)>,
    places: Places,
    /// Records that went because their key has a newer one.
    superseded: u64,
}

impl Output {
    fn new(file: Box<dyn DiskFile>, salt: u32, page: Vec<u8>) -> Self {
        Self {
            file,
            salt,
            buffer: page,
            at: 0,
            records: Vec::new(),
            pending: Vec::new(),
            places: Places::default(),
            superseded: 0,
        }
    }

    /// Writes what is needed of `old`, durably. Returns where its records are, and its size; `None`
    /// when damage is met.
    fn write(
        mut self,
        shared: &Shared,
        old: &[Closed],
        needs: &Needs,
    ) -> io::Result<Option<(Places, u64, u64)>> {
        if let Some(first) = old.first() {
            self.start(shared, first)?;
        }
        for closed in old {
            if !self.copy(shared, &closed.segment, needs)? {
                return Ok(None);
            }
        }
        self.finish().map(Some)
    }

    /// Starts the places where those of the first segment start.
    fn start(&mut self, shared: &Shared, first: &Closed) -> io::Result<()> {
        let directory = directories::of(shared, first)?;
        for (number, listed) in directory.channels() {
            let places = self.places.channel_mut(*number);
            (places.start, places.next) = (listed.start, listed.start);
        }
        Ok(())
    }

    /// Copies what is needed of a segment. Returns whether all of it is whole.
    fn copy(&mut self, shared: &Shared, segment: &Segment, needs: &Needs) -> io::Result<bool> {
        let mut walk = Walk::new(shared.files.get(&segment.name)?, segment.salt)?;
        let mut byte = u64::from(segment.frames_at);
        while byte < walk.length() {
            let Ok((_, bytes)) = walk.frame(byte)? else {
                return Ok(false);
            };
            let Ok((_, records)) = frame::decode(&bytes, segment.salt) else {
                return Ok(false);
            };
            for (_, record, entry) in records {
                match needed(shared, needs, entry) {
                    Verdict::Needed(what) => self.add(record, what)?,
                    Verdict::Superseded => self.superseded += 1,
                    Verdict::Passed => {}
                }
            }
            byte += bytes.len() as u64;
        }
        Ok(true)
    }

    fn add(&mut self, record: &[u8], what: Kept) -> io::Result<()> {
        self.records.extend_from_slice(record);
        self.pending.push((self.records.len(), what));
        match self.records.len() >= FRAME_BYTES {
            true => self.end_frame(),
            false => Ok(()),
        }
    }

    fn end_frame(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let synced = 0;
        let mut frame = FrameEncoder::start(&mut self.buffer, self.salt, synced, 0);
        let mut start = 0;
        for (end, what) in self.pending.drain(..) {
            let record = self.records.get(start..end).unwrap_or_default();
            start = end;
            let byte = u32::try_from(self.at + frame.copy(record) as u64).unwrap_or(u32::MAX);
            let (number, sequence, time) = what;
            let places = self.places.channel_mut(number);
            places.push(Place { sequence, byte }, time, record.len() as u64);
        }
        frame.finish();
        self.records.clear();
        self.file.write_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes it durable. Returns where its records are, and its size.
    fn finish(mut self) -> io::Result<(Places, u64, u64)> {
        self.end_frame()?;
        if !self.buffer.is_empty() {
            self.file.write_at(&self.buffer, self.at)?;
            self.at += self.buffer.len() as u64;
        }
        self.file.sync()?;
        Ok((self.places, self.at, self.superseded))
    }
}

/// Whether a record stays.
enum Verdict {
    Needed(Kept),
    /// Its key has a newer one.
    Superseded,
    /// Nobody sees it any more.
    Passed,
}

fn needed(shared: &Shared, needs: &Needs, entry: Entry<'_>) -> Verdict {
    match entry.content {
        Content::Channel {
            name,
            sequence,
            time,
            body,
        } => {
            let Some(number) = shared.registry().find(name) else {
                return Verdict::Passed;
            };
            let needed = needs.is_needed(number, sequence, record::key_of(body));
            match (needed, needs.is_seen(number, sequence)) {
                (true, _) => Verdict::Needed((number, sequence, time)),
                (false, true) => Verdict::Superseded,
                (false, false) => Verdict::Passed,
            }
        }
        Content::State { sequence, .. } => match needs.is_needed(STATE, sequence, None) {
            true => Verdict::Needed((STATE, sequence, 0)),
            false => Verdict::Passed,
        },
        // The snapshot of every later segment has them.
        Content::Cursor { .. } | Content::Trim { .. } => Verdict::Passed,
    }
}
